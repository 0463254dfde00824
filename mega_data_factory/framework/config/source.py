"""Source of a configuration: its values as they were written, and their lines."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.config import yaml_parsing
from mega_data_factory.framework.config.mistakes import Key, Mistakes, dotted


@dataclass(frozen=True)
class ConfigSource:
    """Values as written, where they came from, and the line of every key.

    Attributes:
        values: the mapping as written, `${ENV}` not filled in.
        path: the file, or None for a configuration made in Python.
        lines: 1-based line of every key of the file.
        overridden_keys: keys that were set on the command line.
        mistakes: keys that are written twice; the values hold what was written last.
    """

    values: dict[str, Any]
    path: Path | None = None
    lines: Mapping[Key, int] = field(default_factory=dict)
    overridden_keys: frozenset[Key] = frozenset()
    mistakes: tuple[ConfigError, ...] = ()

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
            ConfigError: it cannot be read, is no YAML, or is no mapping.
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
            written = [] if node is None else list(_lines(node, ()))
        except yaml.YAMLError as error:
            raise ConfigError(f"{path} is not valid YAML: {error}") from error
        except RecursionError as error:
            raise ConfigError(f"{path} is nested too deeply") from error
        if not isinstance(values, dict):
            raise ConfigError(f"{path} holds no mapping; {holds}")
        return cls(values, path, dict(written), mistakes=tuple(_written_twice(written, path)))

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
        mistakes = Mistakes()
        for text in overrides:
            with mistakes.gathered():
                keys.add(_override(values, text))
        mistakes.raise_all()
        return replace(self, values=values, overridden_keys=frozenset(keys))


def _override(values: dict[str, Any], text: str) -> Key:
    """Apply one `dotted.key=value`; return the key."""
    dotted_key, separator, value = text.partition("=")
    if not separator or not dotted_key:
        raise ConfigError(f"--set {text}: not of the form key=value", hint="executor.batch_size=500")
    try:
        parsed, _ = yaml_parsing.parse(value)
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"--set {dotted_key}: {value!r} is not a YAML value") from error
    try:
        return _assign(values, dotted_key.split("."), parsed)
    except (LookupError, TypeError, ValueError) as error:
        raise ConfigError(f"--set {dotted_key}: no such key ({error})") from error


def _lines(node: yaml.Node, key: Key) -> Iterator[tuple[Key, int]]:
    """Yield every key with its line; one that is written twice comes twice."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield (*key, name.value), name.start_mark.line + 1
            yield from _lines(value, (*key, name.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*key, index), value.start_mark.line + 1
            yield from _lines(value, (*key, index))


def _written_twice(written: Sequence[tuple[Key, int]], path: Path) -> Iterator[ConfigError]:
    """Yield an error for every key that is in its mapping a second time, but for none below it."""
    seen: set[Key] = set()
    twice: set[Key] = set()
    for key, line in written:
        if key not in seen:
            seen.add(key)
        elif not any(key[:length] in twice for length in range(1, len(key))):
            twice.add(key)
            yield ConfigError(f"{path}:{line}: {dotted(key)} is written twice", hint="keep one of them")


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
