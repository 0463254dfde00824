"""Source of a configuration: its values, their lines, and the wording of mistakes in them."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel, ValidationError

from mega_data_factory.errors import ConfigError, did_you_mean
from mega_data_factory.framework.config import yaml_parsing
from mega_data_factory.framework.config.mistakes import Key, Mistakes, dotted
from mega_data_factory.redaction import without_credentials
from mega_data_factory.redaction.names import names_secret

Model = TypeVar("Model", bound=BaseModel)

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


@dataclass(frozen=True)
class ConfigSource:
    """Values as written, where they came from, and the line of every key.

    Attributes:
        values: the mapping as written, `${ENV}` not filled in.
        path: the file, or None for a configuration made in Python.
        lines: 1-based line of every key of the file.
        overridden_keys: keys that were set on the command line.
    """

    values: dict[str, Any]
    path: Path | None = None
    lines: Mapping[Key, int] = field(default_factory=dict)
    overridden_keys: frozenset[Key] = frozenset()

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> ConfigSource:
        """Return a source without a file."""
        return cls(copy.deepcopy(dict(values)))

    @classmethod
    def read(cls, path: Path, holds: str = "a pipeline has data_loader, stages and data_writer") -> ConfigSource:
        """Read a YAML file.

        Args:
            path: The file.
            holds: What a file that holds no mapping should hold, in words.

        Raises:
            ConfigError: it cannot be read, is no YAML, holds a key twice, or is no mapping.
        """
        try:
            text = path.expanduser().read_text(encoding="utf-8")
        except RuntimeError as error:  # `~name` of an unknown user
            raise ConfigError(f"cannot read {path}: {error}", hint="give the path of a YAML file") from error
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror}", hint="give the path of a YAML file") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from error
        try:
            values, node = yaml_parsing.parse(text, str(path))
            lines = dict(_lines(node, (), path)) if node is not None else {}
        except yaml.YAMLError as error:
            raise ConfigError(f"{path} is not valid YAML: {error}") from error
        except RecursionError as error:
            raise ConfigError(f"{path} is nested too deeply") from error
        if not isinstance(values, dict):
            raise ConfigError(f"{path} holds no mapping; {holds}")
        return cls(values, path, lines)

    def where(self, key: Key) -> str:
        """Return `file:line` of the nearest key in the file, `--set` for one that does not, or an empty text."""
        if any(key[:length] in self.overridden_keys for length in range(1, len(key) + 1)):
            return "--set "
        while key and key not in self.lines:
            key = key[:-1]
        if self.path is None:
            return ""
        return f"{self.path}:{self.lines[key]}: " if key else f"{self.path}: "

    def has(self, key: Key) -> bool:
        """Return whether a key is written out, in the file or on the command line."""
        return key in self.lines or key in self.overridden_keys

    def overridden(self, overrides: Sequence[str]) -> ConfigSource:
        """Return a copy with `dotted.key=value` applied; values are YAML, list items are named by number or `name`."""
        if not overrides:
            return self
        values = copy.deepcopy(self.values)
        keys = set(self.overridden_keys)
        for text in overrides:
            dotted, separator, value = text.partition("=")
            if not separator or not dotted:
                raise ConfigError(f"--set {text}: not of the form key=value", hint="executor.batch_size=500")
            try:
                parsed, _ = yaml_parsing.parse(value)
            except (yaml.YAMLError, RecursionError) as error:
                raise ConfigError(f"--set {dotted}: {value!r} is not a YAML value") from error
            try:
                keys.add(_assign(values, dotted.split("."), parsed))
            except (LookupError, TypeError, ValueError) as error:
                raise ConfigError(f"--set {dotted}: no such key ({error})") from error
        return ConfigSource(values, self.path, self.lines, frozenset(keys))

    def expanded(self) -> dict[str, Any]:
        """Return the values with `${NAME}` and `${NAME:-default}` filled in from the environment.

        A value that is nothing but a variable is read as YAML, so that numbers stay numbers; a text that is not YAML
        (a password may begin with `@`) stays a text.

        Raises:
            ConfigError: variables are not set and have no default, or values are nested too deeply; says which.
        """
        mistakes = Mistakes()
        result = self._expand(self.values, (), mistakes)
        mistakes.raise_all()
        assert isinstance(result, dict)
        return result

    def _expand(self, value: Any, key: Key, mistakes: Mistakes) -> Any:
        if len(key) > yaml_parsing.MOST_LEVELS:
            raise ConfigError(
                f"{self.where(key)}{dotted(key[:3])}: nested deeper than {yaml_parsing.MOST_LEVELS} levels"
            )
        if isinstance(value, dict):
            return {k: self._expand(v, (*key, k), mistakes) for k, v in value.items()}
        if isinstance(value, list):
            return [self._expand(v, (*key, i), mistakes) for i, v in enumerate(value)]
        with mistakes.gathered():
            return self._filled_in(value, key) if isinstance(value, str) else value
        return value

    def _filled_in(self, text: str, key: Key) -> Any:
        if "${" not in text:
            return self._checked(text, key)
        filled = self._checked(_VARIABLE.sub(lambda match: self._variable(match, key), text), key)
        return _as_yaml(filled) if _VARIABLE.fullmatch(text) else filled

    def _variable(self, match: re.Match[str], key: Key) -> str:
        found = os.environ.get(match["name"], match["default"])
        if found is None:
            raise ConfigError(
                f"{self.where(key)}{dotted(key)}: the environment variable {match['name']} is not set",
                hint=f"set it, or give a default: ${{{match['name']}:-value}}",
            )
        return found

    def _checked(self, text: str, key: Key) -> str:
        """Refuse a text that no file can hold: half of a surrogate pair has no place in UTF-8."""
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ConfigError(
                f"{self.where(key)}{dotted(key)}: character {error.start + 1} is half of a surrogate pair (U+"
                f"{ord(text[error.start]):04X}), which UTF-8 cannot hold",
                hint="write the character itself, in UTF-8",
            ) from None
        return text


def _as_yaml(text: str) -> Any:
    try:
        return yaml_parsing.parse(text)[0]
    except (yaml.YAMLError, RecursionError):
        return text


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
    source = ConfigSource.read(path, holds)
    try:
        return model.model_validate(source.expanded())
    except ValidationError as error:
        raise explain(error, source, model) from None


def explain(
    error: ValidationError | None, source: ConfigSource, model: type[BaseModel], more: Sequence[str] = ()
) -> ConfigError:
    """Return one error for all that is wrong: a line for each with file, line, key and what would be right.

    Args:
        error: what is wrong with the form, if anything.
        source: its place in the configuration.
        model: what the configuration should be.
        more: lines for what else is wrong.
    """
    lines = []
    for item in [] if error is None else error.errors():
        key = item["loc"]
        message = _EXPECTED.get(item["type"]) or item["msg"].removeprefix("Value error, ")
        if item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            hint = did_you_mean(str(key[-1]), _known_keys(model, key[:-1]))
            message = f"unknown key; {hint}" if hint else "unknown key"
        elif item["type"] == "missing":
            message = "missing"
        elif not isinstance(item["input"], (dict, list)) and not any(names_secret(str(part)) for part in key):
            given = "null" if item["input"] is None else repr(item["input"])
            message += without_credentials(f" (got {given})")
        lines.append(f"{source.where(key)}{dotted(key)}: {message}" if key else f"{source.where(key)}{message}")
    return ConfigError("\n".join([*lines, *more]))


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


def _lines(node: yaml.Node, key: Key, path: Path) -> Iterable[tuple[Key, int]]:
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for name, value in node.value:
            line = name.start_mark.line + 1
            if name.value in seen:
                raise ConfigError(
                    f"{path}:{line}: {dotted((*key, name.value))} is written twice", hint="keep one of them"
                )
            seen.add(name.value)
            yield (*key, name.value), line
            yield from _lines(value, (*key, name.value), path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*key, index), value.start_mark.line + 1
            yield from _lines(value, (*key, index), path)


def _assign(values: Any, parts: Sequence[str], value: Any) -> Key:
    """Set what the parts lead to, making mappings on the way; returns the key with list items by number."""
    head, *rest = parts
    place: str | int = head
    if isinstance(values, list):
        place = int(head) if head.isdigit() else _index_by_name(values, head)
    elif not isinstance(values, dict):
        raise TypeError(f"{head} is nested under a plain value")
    if not rest:
        values[place] = value
        return (place,)
    if isinstance(values, dict) and values.get(place) is None:
        values[place] = {}
    return (place, *_assign(values[place], rest, value))


def _index_by_name(items: list[Any], name: str) -> int:
    for index, item in enumerate(items):
        if isinstance(item, dict) and item.get("name") == name:
            return index
    raise LookupError(f"nothing is named {name}")
