"""Edits of a configuration as it was written, which keep the line of every key."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.config.mistakes import Key, dotted
from mega_data_factory.framework.config.source import ConfigSource
from mega_data_factory.framework.config.yaml_parsing import MOST_LEVELS


class Edits:
    """A copy of a configuration that is being edited.

    Attributes:
        mistakes: what cannot be brought into today's form, and where.
    """

    def __init__(self, source: ConfigSource) -> None:
        self._source = source
        self._values: dict[str, Any] = _unshared(source.values)
        self._lines = dict(source.lines)
        self._overridden = set(source.overridden_keys)
        self._notes: list[tuple[int, str]] = []
        self.mistakes: list[ConfigError] = []

    @property
    def notes(self) -> list[str]:
        """What was written in an old form, where, and what to write instead, in the order of the file."""
        return [text for _, text in sorted(self._notes, key=lambda note: note[0])]

    @property
    def source(self) -> ConfigSource:
        """The configuration as edited so far."""
        lines, overridden = dict(self._lines), frozenset(self._overridden)
        return replace(self._source, values=self._values, lines=lines, overridden_keys=overridden)

    def get(self, key: Key) -> Any:
        """Return what a key holds; None if it is not there."""
        value: Any = self._values
        for part in key:
            if isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
            elif isinstance(value, Mapping):
                value = value.get(part)
            else:
                return None
        return value

    def has(self, key: Key) -> bool:
        """Return whether a key of a mapping is there."""
        above = self.get(key[:-1])
        return isinstance(above, Mapping) and key[-1] in above

    def mappings(self, key: Key) -> list[Key]:
        """Return the keys of the mappings in a list; none if there is no list."""
        items = self.get(key)
        return [(*key, at) for at, item in enumerate(items) if isinstance(item, Mapping)] if _is_list(items) else []

    def note(self, key: Key, text: str) -> None:
        """Say what to write instead of a key."""
        self._notes.append((self._line(key) or 0, f"{self._where(key)} is an old form: {text}"))

    def refuse(self, key: Key, text: str) -> None:
        """Say why a key has no form of today."""
        self.mistakes.append(ConfigError(f"{self._where(key)}: {text}"))

    def set(self, key: Key, value: Any, like: Key) -> None:
        """Give a key a value, making mappings on the way; messages about it name the line of another key.

        Where something else than a mapping is in the way, nothing is changed: it is a mistake, and is reported as such.
        """
        above: Any = self._values
        for part in key[:-1]:
            if isinstance(above, dict) and above.get(part) is None:
                above[part] = {}
            if not isinstance(above, dict) and not isinstance(part, int):
                return
            above = above[part]
        if not isinstance(above, dict):
            return
        above[key[-1]] = value
        if key not in self._lines and (line := self._line(like)) is not None:
            self._lines[key] = line
        if like in self._overridden:
            self._overridden.add(key)

    def remove(self, key: Key) -> Any:
        """Remove a key of a mapping, and the mapping when it is left empty; return what the key held."""
        self._lines = {each: line for each, line in self._lines.items() if each[: len(key)] != key}
        self._overridden = {each for each in self._overridden if each[: len(key)] != key}
        above = self.get(key[:-1])
        value = above.pop(key[-1])
        if not above and self.has(key[:-1]):
            self.remove(key[:-1])
        return value

    def move(self, key: Key, target: Key) -> None:
        """Move what a key of a mapping holds to another key, with its lines; keeps its place among its neighbours."""
        value = self.get(key)
        lines = {(*target, *each[len(key) :]): line for each, line in self._lines.items() if each[: len(key)] == key}
        overridden = {(*target, *each[len(key) :]) for each in self._overridden if each[: len(key)] == key}
        if key[:-1] == target[:-1]:
            above = self.get(key[:-1])
            renamed = {target[-1] if name == key[-1] else name: item for name, item in above.items()}
            above.clear()
            above.update(renamed)
        else:
            self.set(target, value, key)
            self.remove(key)
        self._lines = {each: line for each, line in self._lines.items() if each[: len(key)] != key} | lines
        self._overridden = {each for each in self._overridden if each[: len(key)] != key} | overridden

    def replace(self, key: Key, target: Key, text: str) -> None:
        """Move what a key holds to its key of today, and say so; a value that is there already stays.

        Args:
            key: the old key, which is there.
            target: that of today.
            text: what to write instead, where there is no value of today.
        """
        if self.has(target):
            self.note(key, f"leave it out, for `{dotted(target)}` is there too and counts")
            self.remove(key)
        else:
            self.note(key, text)
            self.move(key, target)

    def rename(self, key: Key, target: Key) -> None:
        """Move what a key holds to another key of its mapping, and say so; a value that is there already stays."""
        self.replace(key, target, f"write `{target[-1]}`")

    def insert_first(self, key: Key, item: Any) -> None:
        """Put an item before those of a list, whose lines move along; does nothing if there is no list."""
        items = self.get(key)
        if not isinstance(items, list):
            return
        items.insert(0, item)

        def moved(each: Key) -> Key:
            if each[: len(key)] != key or len(each) == len(key):
                return each
            return (*key, int(each[len(key)]) + 1, *each[len(key) + 1 :])

        self._lines = {moved(each): line for each, line in self._lines.items()}
        self._overridden = {moved(each) for each in self._overridden}

    def copy_lines(self, key: Key, target: Key) -> None:
        """Give the keys below `target` the line numbers of those below `key`, which they are copies of."""
        for each, line in list(self._lines.items()):
            if each[: len(key)] == key:
                self._lines[(*target, *each[len(key) :])] = line

    def _line(self, key: Key) -> int | None:
        while key and key not in self._lines:
            key = key[:-1]
        return self._lines.get(key)

    def _where(self, key: Key) -> str:
        return f"{self.source.where(key)}{dotted(key)}"


def _unshared(value: Any, level: int = 0) -> Any:
    """Return a copy in which every mapping and list is there once: an alias is edited where it is used only.

    What is nested deeper than any file may be is not copied.
    """
    if level > MOST_LEVELS:
        return value
    if isinstance(value, Mapping):
        return {key: _unshared(item, level + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_unshared(item, level + 1) for item in value]
    return copy.copy(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)
