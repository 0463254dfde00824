"""Differences between two configurations, key by key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ABSENT = "(not set)"
"""Value of a key that one of the two configurations does not have."""

_WHERE_THINGS_GO = (
    "data_writer.params.output_path",
    "executor.errors_path",
    "executor.dead_letter_path",
    "executor.metrics.",
    "executor.rejected_samples.",
)
"""Keys that say where things are put: they change nothing about how a run does."""


@dataclass(frozen=True)
class Change:
    """One key that differs.

    Attributes:
        key: dotted; items of lists go by their name where they have one.
        before, after: the values as text; `ABSENT` for a missing key.
        matters: whether it can change what the run did or how fast; paths of outputs cannot.
    """

    key: str
    before: str
    after: str
    matters: bool


def config_changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Change]:
    """Return the keys that differ, in the order of the configurations."""
    old, new = dict(_leaves(before or {})), dict(_leaves(after or {}))
    return [
        Change(key, old.get(key, ABSENT), new.get(key, ABSENT), not key.startswith(_WHERE_THINGS_GO))
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    ]


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _leaves(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, Sequence) and not isinstance(value, str) and value and isinstance(value[0], Mapping):
        for name, item in zip(_names(value), value, strict=True):
            yield from _leaves(item, f"{key}[{name}]")
    elif key:
        yield key, _text(value)


def _names(items: Sequence[Any]) -> list[str]:
    """Return labels of the items of a list: their name, numbered where it repeats, or their index."""
    names: list[str] = []
    for place, item in enumerate(items):
        name = str(item.get("name", place)) if isinstance(item, Mapping) else str(place)
        again = sum(other == name or other.startswith(f"{name}#") for other in names)
        names.append(f"{name}#{again + 1}" if again else name)
    return names


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)
