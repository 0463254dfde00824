"""From a name in the configuration to a class that is ready to be built."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mega_data_factory import catalogue
from mega_data_factory.errors import ConfigError, MdfError, did_you_mean
from mega_data_factory.framework.contracts import Deduplicator, Filter, Loader, Refiner, Writer
from mega_data_factory.framework.metrics.exporting import Exporter

Kind = Literal["loader", "operator", "writer", "exporter"]

_BOX: dict[Kind, dict[str, str]] = {
    "loader": catalogue.LOADERS,
    "operator": catalogue.OPERATORS,
    "writer": catalogue.WRITERS,
    "exporter": catalogue.EXPORTERS,
}
_BASES: dict[Kind, tuple[type, ...]] = {
    "loader": (Loader,),
    "operator": (Refiner, Filter),
    "writer": (Writer,),
    "exporter": (Exporter,),
}


@dataclass(frozen=True)
class Component:
    """A loader, operator, writer or exporter as it can be sent to a worker: where its class is, and its parameters.

    Attributes:
        name: short name, snake case.
        target: `module:Class`.
        params: parameters of the constructor; JSON values.
    """

    name: str
    target: str
    params: Mapping[str, Any]

    def load(self) -> type[Any]:
        """The class."""
        module, _, name = self.target.partition(":")
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        assert isinstance(found, type)
        return found

    def build(self) -> Any:
        """A new object of the class with these parameters."""
        return self.load()(**self.params)


def resolve(kind: Kind, name: str, params: Mapping[str, Any], where: str) -> Component:
    """Find the class of a name and check its parameters by building it once.

    Args:
        kind: what it must be.
        name: short name (`text_length_filter`), class name (`TextLengthFilter`) or your own `module:Class`.
        params: parameters of the constructor.
        where: key in the configuration, for the message.

    Raises:
        ConfigError: no such name, no such class, not of that kind, or parameters that it refuses.
    """
    box = _BOX[kind]
    target = box.get(name) or box.get(snake_case(name)) or (name if ":" in name else None)
    if target is None:
        hint = did_you_mean(name, box)
        raise ConfigError(f"{where}: there is no {kind} `{name}`", hint=f"{hint}; your own class is `module:Class`")
    if target.partition(":")[0] == "__main__":
        raise ConfigError(
            f"{where}: workers cannot import `{target}`: it is in a script or a notebook",
            hint="put the class into a file of its own, such as my_operators.py, and name it `my_operators:"
            f"{target.partition(':')[2]}`",
        )
    short = snake_case(target.rpartition(":")[2].rpartition(".")[2])
    component = Component(short, target, _plain(params, f"{where}.params"))
    cls = _load(component, kind, where)
    _check_params(cls, component, where)
    return component


def _plain(params: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The parameters as they reach a worker: through JSON, so that what is checked here is what arrives there."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(params))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{where}: {error}", hint="parameters travel to workers as JSON: texts, numbers, lists and mappings"
        ) from error
    return plain


def snake_case(name: str) -> str:
    """`TextLengthFilter` → `text_length_filter`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def parameters(cls: type[Any]) -> list[inspect.Parameter]:
    """The parameters that a configuration may give to a class."""
    found = inspect.signature(cls).parameters.values()
    return [p for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def _load(component: Component, kind: Kind, where: str) -> type[Any]:
    try:
        cls = component.load()
    except Exception as error:  # a module of the user's may raise anything while it is imported
        if (extra := _missing_extra(error)) is not None:
            raise ConfigError(
                f"{where}: {component.name} needs a package that is not installed: {error}",
                hint=f"pip install 'mega-data-factory[{extra}]'",
            ) from error
        raise ConfigError(
            f"{where}: cannot load `{component.target}`: {type(error).__name__}: {error}",
            hint="`module:Class` must be importable from the folder that mdf is started in",
        ) from error
    if not issubclass(cls, _BASES[kind]) or inspect.isabstract(cls):
        bases = " or ".join(base.__name__ for base in _BASES[kind])
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        detail = f"it lacks {missing}" if missing else f"it must subclass {bases}"
        raise ConfigError(f"{where}: `{component.target}` is no {kind}: {detail}")
    return cls


def _missing_extra(error: Exception) -> str | None:
    """The extra that brings the package which an import has not found; None where it is another error."""
    package = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    return catalogue.EXTRAS.get(package)


def _check_params(cls: type[Any], component: Component, where: str) -> None:
    known = [p.name for p in parameters(cls)]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(cls).parameters.values())
    for name in component.params:
        if name not in known and not takes_any:
            raise ConfigError(
                f"{where}.params.{name}: {component.name} has no such parameter", hint=did_you_mean(name, known)
            )
    for parameter in parameters(cls):
        if parameter.default is parameter.empty and parameter.name not in component.params:
            raise ConfigError(f"{where}.params: {component.name} needs `{parameter.name}`")
    try:
        cls(**component.params)
    except MdfError:
        raise
    except Exception as error:  # whatever a constructor raises, it refuses its parameters
        raise ConfigError(f"{where}.params: {component.name}: {error}") from error


def is_deduplicator(component: Component) -> bool:
    """Whether the operator needs shared claims."""
    return issubclass(component.load(), Deduplicator)
