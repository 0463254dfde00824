"""A configuration checked against its model: every mistake in it, with its line and what would be right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ValidationError

from mega_data_factory.errors import ConfigError, MdfError, did_you_mean
from mega_data_factory.framework.config.mistakes import Key, Mistakes, dotted
from mega_data_factory.framework.config.source import ConfigSource
from mega_data_factory.framework.config.variables import FilledIn
from mega_data_factory.redaction import without_credentials
from mega_data_factory.redaction.names import names_secret

Model = TypeVar("Model", bound=BaseModel)

_EXPECTED = {
    **dict.fromkeys(("tuple_type", "list_type", "set_type", "frozen_set_type"), "Input should be a list"),
    **dict.fromkeys(
        ("dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type"),
        "Input should be a mapping",
    ),
}
"""Kind of a mistake of form → what YAML calls the right form; Pydantic names the class of Python."""


def read_model(path: Path, model: type[Model], holds: str) -> Model:
    """Return what a YAML file holds, checked; `${NAME}` values are filled in.

    Args:
        path: The file.
        model: What it should be.
        holds: See `ConfigSource.read`.

    Raises:
        ConfigError: It cannot be read, or has mistakes: one error with a line for each.
    """
    return checked(ConfigSource.read(path, holds), model)


def checked(
    source: ConfigSource,
    model: type[Model],
    defaults: Mapping[str, Any] | None = None,
    mistakes: Iterable[ConfigError] = (),
    others: Callable[[FilledIn, ConfigSource], Iterable[MdfError]] | None = None,
) -> Model:
    """Return the model of a configuration; `${NAME}` values are filled in.

    Args:
        source: The configuration.
        model: What it should be.
        defaults: Values of keys that it does not have.
        mistakes: What is known to be wrong already.
        others: Finds, in a configuration that is wrong, the mistakes that its model does not see.

    Raises:
        ConfigError: It has mistakes: one error with a line for each.
    """
    filled = FilledIn.from_source(source)
    values = {**(defaults or {}), **filled.values}
    found = Mistakes([*source.mistakes, *mistakes, *filled.unknown.values()])
    made = None
    try:
        made = model.model_validate(values)
    except ValidationError as error:
        found.add(*_explained(error, source, model, filled))
    if made is not None and not found:
        return made
    if others is not None:
        found.add(*others(filled, source))
    found.raise_all()
    raise AssertionError("a model that was not made has a mistake")


def _explained(
    error: ValidationError, source: ConfigSource, model: type[BaseModel], filled: FilledIn
) -> Iterator[ConfigError]:
    """Yield an error for all that is wrong with the form: file, line, key and what would be right."""
    for item in error.errors():
        key = item["loc"]
        if filled.is_unknown(key):
            continue
        message = _EXPECTED.get(item["type"]) or item["msg"].removeprefix("Value error, ")
        if item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            hint = did_you_mean(str(key[-1]), _known_keys(model, key[:-1]))
            message = f"unknown key; {hint}" if hint else "unknown key"
        elif item["type"] == "missing":
            message = "missing"
        elif not isinstance(item["input"], (dict, list)) and not any(names_secret(str(part)) for part in key):
            given = "null" if item["input"] is None else repr(item["input"])
            message += without_credentials(f" (got {given})")
        yield ConfigError(f"{source.where(key)}{dotted(key)}: {message}" if key else f"{source.where(key)}{message}")


def _known_keys(model: type[BaseModel], key: Key) -> Iterable[str]:
    kind: Any = model
    for part in key:
        fields = _fields(kind)
        kind = _item_type(kind) if fields is None else fields.get(str(part))
    return list(_fields(kind) or {})


def _fields(kind: Any) -> dict[str, Any] | None:
    if get_origin(kind) in (Union, UnionType):  # a section that may be missing
        kind = next(arg for arg in get_args(kind) if arg is not NoneType)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: info.annotation for name, info in kind.model_fields.items()}
    if isinstance(kind, type) and is_dataclass(kind):
        return get_type_hints(kind)
    return None


def _item_type(kind: Any) -> Any:
    args = get_args(kind)
    return args[0] if args else None
