"""What a node reports beside numbers: texts and lists of texts, each kept when it changes and not at every point."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mega_data_factory.history.series import Times

Text: TypeAlias = str | tuple[str, ...]
"""Value of an attribute: a text, or a list of them."""

MOST_LETTERS = 262_144
"""Letters of all values of one node that are kept; beyond, the oldest changes are dropped, never the last of a name."""

_OVERHEAD = 64
"""Letters that a change counts for, whatever it holds."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Values of one attribute over time.

    Attributes:
        times: when each value began, microseconds since 1970-01-01 UTC, strictly increasing.
        values: the values; each holds until the next one begins.
        letters: room that they take.
    """

    times: tuple[int, ...] = ()
    values: tuple[Text, ...] = ()
    letters: int = 0

    def added(self, time: int, value: Text, *, late: bool = False) -> Changes:
        """Return the changes with one report more; the last report of a moment wins.

        Args:
            time: of the report.
            value: what holds then.
            late: whether there were later reports. Then the value is true at its moment only: what held after it
                continues to hold.
        """
        at = bisect_right(self.times, time)
        before = self.values[at - 1] if at else None
        if before == value:
            return self
        first = at - 1 if at and self.times[at - 1] == time else at
        new = [(time, value)]
        if late and before is not None and time + 1 not in self.times[at : at + 1]:
            new.append((time + 1, before))
        if first and self.values[first - 1] == value:  # holds already
            del new[0]
        holds = new[-1][1] if new else value
        if self.values[at : at + 1] == (holds,):
            at += 1
        return Changes(
            (*self.times[:first], *(each for each, _ in new), *self.times[at:]),
            (*self.values[:first], *(each for _, each in new), *self.values[at:]),
            self.letters + sum(_letters(each) for _, each in new) - sum(map(_letters, self.values[first:at])),
        )

    def without_first(self) -> Changes:
        """Return the changes without the oldest one."""
        return Changes(self.times[1:], self.values[1:], self.letters - _letters(self.values[0]))

    def at(self, times: Times) -> list[Text | None]:
        """Return the value that holds at each time; None before the first one."""
        return [
            self.values[found - 1] if (found := bisect_right(self.times, time)) else None for time in times.tolist()
        ]

    def between(self, start: int, end: int) -> list[Text]:
        """Return the values that hold from `start` to `end`, microseconds, both included, in order of time."""
        return list(self.values[max(bisect_right(self.times, start) - 1, 0) : bisect_right(self.times, end)])


@dataclass(frozen=True, slots=True)
class Attributes:
    """Description of one node. Immutable: a reader keeps what it has while another thread adds.

    Attributes:
        names: of metrics and attributes, in the order in which they were first given.
        whole: metrics that were given as whole numbers.
        changes: the values of each attribute.
    """

    names: tuple[str, ...] = ()
    whole: frozenset[str] = frozenset()
    changes: Mapping[str, Changes] = field(default_factory=dict)

    def described(self, names: Iterable[str], whole: Iterable[str], fractional: Iterable[str]) -> Attributes:
        """Return the description with the names of a point, and which of its values are whole numbers, or are not.

        A metric that is new is whole when `whole` says so, and is no more when a later point says otherwise.
        """
        known = dict.fromkeys(self.names)
        all_names = known | dict.fromkeys(names)
        integers = self.whole.difference(fractional) | {name for name in whole if name not in known}
        if len(all_names) == len(known) and integers == self.whole:
            return self
        return Attributes(tuple(all_names), frozenset(integers), self.changes)

    def reported(self, values: Mapping[str, Text], time: int, *, late: bool = False) -> Attributes:
        """Return the description with the attributes of a point at a time in microseconds, see `Changes.added`."""
        changes = dict(self.changes)
        for name, value in values.items():
            changes[name] = changes.get(name, Changes()).added(time, value, late=late)
        if all(changes[name] is self.changes.get(name) for name in values):
            return self
        return Attributes(self.names, self.whole, _shortened(changes))

    @property
    def count(self) -> int:
        """Number of values, of all attributes."""
        return sum(len(one.times) for one in self.changes.values())

    def lines(self) -> Iterator[str]:
        """Return the description as lines of JSON, which `read_lines` reads."""
        yield json.dumps({"names": self.names, "whole": sorted(self.whole)})
        for name, changes in self.changes.items():
            for time, value in zip(changes.times, changes.values, strict=True):
                yield attribute_line({name: value}, time)


def attribute_line(values: Mapping[str, Text], time: int, *, late: bool = False) -> str:
    """Return the attributes of one point as a line of JSON."""
    return json.dumps({"time": time, "values": values} | ({"late": True} if late else {}))


def read_lines(lines: Sequence[str]) -> Attributes:
    """Return the description that lines of JSON hold; the last one may be cut off, as its process was killed.

    Raises:
        ValueError: another line is damaged.
    """
    found = Attributes()
    for number, line in enumerate(lines, 1):
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            if number == len(lines):
                break
            raise
        if "names" in entry:
            found = Attributes(tuple(entry["names"]), frozenset(entry["whole"]), found.changes)
        else:
            values = {
                name: value if isinstance(value, str) else tuple(value) for name, value in entry["values"].items()
            }
            found = found.reported(values, entry["time"], late=entry.get("late", False))
    return found


def _letters(value: Text) -> int:
    return _OVERHEAD + (len(value) if isinstance(value, str) else sum(len(part) + 8 for part in value))


def _shortened(changes: dict[str, Changes]) -> dict[str, Changes]:
    """Drop the oldest changes until the rest has room; the last value of each attribute stays."""
    letters = sum(one.letters for one in changes.values())
    while letters > MOST_LETTERS:
        several = [name for name, one in changes.items() if len(one.times) > 1]
        if not several:
            break
        oldest = min(several, key=lambda name: changes[name].times[0])
        letters -= changes[oldest].letters
        changes[oldest] = changes[oldest].without_first()
        letters += changes[oldest].letters
    return changes
