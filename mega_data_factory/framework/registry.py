"""From a name in the configuration to a class that is ready to be built."""

from __future__ import annotations

import difflib
import importlib
import inspect
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from mega_data_factory import catalogue, extras
from mega_data_factory.errors import ConfigError, MdfError, did_you_mean
from mega_data_factory.framework import class_by_value
from mega_data_factory.framework.config.mistakes import Mistakes, Place
from mega_data_factory.framework.contracts import Deduplicator, Filter, Loader, Refiner, Writer
from mega_data_factory.framework.metrics.live.exporting import Exporter
from mega_data_factory.redaction import REDACTED
from mega_data_factory.redaction.names import names_secret

Kind = Literal["loader", "operator", "writer", "exporter"]

_BUILT_IN: dict[Kind, dict[str, str]] = {
    "loader": catalogue.LOADERS,
    "operator": catalogue.OPERATORS,
    "writer": catalogue.WRITERS,
    "exporter": catalogue.EXPORTERS,
}
_REGISTERED: dict[Kind, dict[str, str]] = {kind: {} for kind in _BUILT_IN}
_UNREACHABLE: dict[str, type[Any]] = {}
"""Registered classes that no import gives, by `module:Class`: they travel to workers with their code."""
_A: dict[Kind, str] = {"loader": "a loader", "operator": "an operator", "writer": "a writer", "exporter": "an exporter"}
_UNAVAILABLE = "mega_data_factory.compat.configuration.unavailable"
"""Names of the original that have no successor; loaded when a name is not known."""
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
        code: the class itself, where it is in a notebook, as `class_by_value.packed` gives it.
    """

    name: str
    target: str
    params: Mapping[str, Any]
    code: str = field(default="", repr=False)

    def load(self) -> type[Any]:
        """Return the class."""
        if self.code:
            return class_by_value.unpacked(self.code)
        if self.target in _UNREACHABLE:
            return _UNREACHABLE[self.target]
        module, _, name = self.target.partition(":")
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        if not isinstance(found, type):
            raise TypeError(f"{name} is not a class")
        return found

    def build(self) -> Any:
        """Return a new object of the class with these parameters."""
        return self.load()(**self.params)


def resolve(kind: Kind, name: str, params: Mapping[str, Any], where: Place, unknown: Collection[str] = ()) -> Component:
    """Find the class of a name and check its parameters by building it once.

    Args:
        kind: what it must be.
        name: short name (`text_length_filter`), class name (`TextLengthFilter`) or your own `module:Class`.
        params: parameters of the constructor.
        where: place in the configuration, for messages.
        unknown: further parameters, whose values are not known.

    Raises:
        ConfigError: no such name, no such class, not of that kind, or parameters that it refuses; of several mistakes
            in the parameters it names all.
    """
    named = where.nearest("type" if kind in ("loader", "writer") else "name")
    found = find(kind, name, f"{named}: ")
    component = replace(found, params=_plain(params, where.below("params")))
    cls = _load(component, kind, named)
    _check_params(cls, component, where, unknown)
    return component if found.target.partition(":")[0] != "__main__" else _with_code(component, cls, named)


def _with_code(component: Component, cls: type[Any], named: Place) -> Component:
    """Return a component whose class workers need not import."""
    try:
        return replace(component, code=class_by_value.packed(cls))
    except MdfError:
        raise
    except Exception as error:  # of whatever the class uses
        raise ConfigError(
            f"{named}: workers cannot import `{component.target}`, which is in a notebook, and it cannot be sent to "
            f"them: {error}",
            hint=_file_of_its_own(component),
        ) from error


def _file_of_its_own(component: Component) -> str:
    name = component.target.partition(":")[2]
    return f"put the class into a file of its own, such as my_operators.py, and name it `my_operators:{name}`"


def find(kind: Kind, name: str, at: str = "") -> Component:
    """Return what a name stands for, without parameters.

    Args:
        kind: what it must be.
        name: short name, class name or `module:Class`.
        at: beginning of the message.

    Raises:
        ConfigError: no such name.
    """
    known = _BUILT_IN[kind] | _REGISTERED[kind]
    target = known.get(name) or known.get(snake_case(name)) or (name if ":" in name else None)
    if target is None:
        absent = importlib.import_module(_UNAVAILABLE).hint(kind, name)
        hint = absent or f"{did_you_mean(name, known)}; your own class is `module:Class`"
        raise ConfigError(f"{at}there is no {kind} `{name}`", hint=hint)
    return Component(snake_case(target.rpartition(":")[2].rpartition(".")[2]), target, {})


def register(kind: Kind, name: str, target: str, unreachable: type[Any] | None = None) -> None:
    """Let configurations of this process use a name for `module:Class`; it replaces a built-in one.

    Args:
        kind: what the class is.
        name: name in the configuration, in snake case or as a class.
        target: `module:Class`; `__main__:Class` if the class travels with its code.
        unreachable: the class, if an import of the target does not give it.
    """
    _REGISTERED[kind][snake_case(name)] = target
    _UNREACHABLE.pop(target, None)
    if unreachable is not None:
        _UNREACHABLE[target] = unreachable


def is_registered(kind: Kind, name: str) -> bool:
    """Return whether a name was given to a class by `register`."""
    return snake_case(name) in _REGISTERED[kind]


def _plain(params: Mapping[str, Any], where: Place) -> dict[str, Any]:
    """Return the parameters as a worker receives them, through JSON, so that the check sees the same values."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(params))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{where}: {error}", hint="parameters travel to workers as JSON: texts, numbers, lists and mappings"
        ) from error
    return plain


def snake_case(name: str) -> str:
    """Return a name in snake case: `TextLengthFilter` → `text_length_filter`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def parameters(cls: type[Any]) -> list[inspect.Parameter]:
    """Return the parameters that a configuration may give to a class."""
    found = inspect.signature(cls).parameters.values()
    return [p for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def _load(component: Component, kind: Kind, where: Place) -> type[Any]:
    try:
        cls = component.load()
    except (Exception, SystemExit) as error:  # a module of the user's may raise anything while it is imported
        if (absent := extras.missing(error, f"{where}: {component.name}")) is not None:
            raise absent from error
        importable = "`module:Class` must be importable from the folder that mdf is started in"
        raise ConfigError(
            f"{where}: cannot load `{component.target}`: {type(error).__name__}: {error}",
            hint=_file_of_its_own(component) if component.target.startswith("__main__:") else importable,
        ) from error
    if not issubclass(cls, _BASES[kind]) or inspect.isabstract(cls):
        bases = " or ".join(base.__name__ for base in _BASES[kind])
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        detail = f"it lacks {missing}" if missing else f"it must subclass {bases}"
        hint = None if missing else "the bases are in `mega_data_factory.framework.contracts`"
        raise ConfigError(f"{where}: `{component.target}` is not {_A[kind]}: {detail}", hint=hint)
    return cls


def _check_params(cls: type[Any], component: Component, where: Place, unknown: Collection[str]) -> None:
    known = [p.name for p in parameters(cls)]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(cls).parameters.values())
    mistakes = Mistakes()
    wrong = [] if takes_any else [name for name in [*component.params, *unknown] if name not in known]
    for name in wrong:
        at = where.below("params", name)
        hint = did_you_mean(name, known)
        mistakes.add(ConfigError(f"{at}: {component.name} has no such parameter", hint=hint))
    required = [parameter.name for parameter in parameters(cls) if parameter.default is parameter.empty]
    for name in required:
        if name not in component.params and name not in unknown:
            near = difflib.get_close_matches(name, wrong, n=1)
            hint = f"is `{near[0]}` meant to be it?" if near else None
            mistakes.add(ConfigError(f"{where.below('params')}: {component.name} needs `{name}`", hint=hint))
    given = {name: value for name, value in component.params.items() if name not in wrong}
    if all(name in given for name in required):
        mistakes.add(*_refusal_errors(cls, replace(component, params=given), where))
    mistakes.raise_all()


def _refusal_errors(cls: type[Any], component: Component, where: Place) -> Iterator[MdfError]:
    for error, blamed in _refusals(cls, component.params):
        if isinstance(error, MdfError):
            yield extras.missing(error, f"{where}: {component.name}") or error
            continue
        at = where.below("params") if blamed is None else where.below("params", blamed)
        if blamed is not None and _UNEXPECTED.search(str(error)):
            hint = did_you_mean(blamed, [p.name for each in cls.__mro__ for p in parameters(each)])
            yield ConfigError(f"{at}: {component.name} has no such parameter", hint=hint)
            continue
        said = str(error)
        if blamed is not None and names_secret(blamed):
            said = said.replace(repr(component.params[blamed]), REDACTED)
        yield ConfigError(f"{at}: {component.name}: {said}")


_UNEXPECTED = re.compile(r"got an unexpected keyword argument '(\w+)'")
"""What Python says when a constructor passes on a parameter that its base does not have."""


def _refusals(cls: type[Any], params: Mapping[str, Any]) -> Iterator[tuple[Exception, str | None]]:
    """Yield what a constructor refuses, each with the parameter that is to blame, where the message names it first.

    A constructor stops at its first refusal: it is tried again without the parameter that it has refused.
    """
    required = {p.name for p in parameters(cls) if p.default is p.empty}
    left = dict(params)
    while True:
        try:
            cls(**left)
        except Exception as error:  # noqa: BLE001 - any exception of a constructor means that it refuses its parameters
            named = _UNEXPECTED.search(str(error)) or re.match(r"(\w+)", str(error))
            blamed = named[1] if named and named[1] in left else None
            if blamed is not None or left == params:
                yield error, blamed
            if blamed is None or blamed in required:
                return
            del left[blamed]
        else:
            return


def is_deduplicator(component: Component) -> bool:
    """Return whether the operator needs shared claims."""
    return issubclass(component.load(), Deduplicator)
