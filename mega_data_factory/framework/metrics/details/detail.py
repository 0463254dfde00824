"""Contract of a detail: a small mergeable summary of what one batch has shown.

A detail travels in the batch that it was measured on. So a retried batch carries the details of the attempt that
counts, a resumed run restores them from the commit log, and workers share no state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Self


class Detail(ABC):
    """A summary that adds up: over calls, batches, workers and nodes, in any order.

    Attributes:
        table: Table of the metrics schema that its rows belong to.
        most_keys: Keys of a run that are added up; None if they are few by nature.
    """

    table: ClassVar[str]
    most_keys: ClassVar[int | None] = None

    __hash__ = None  # type: ignore[assignment]  # mutable, so it must not be a key

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Detail):
            return NotImplemented
        return self.table == other.table and self.to_wire() == other.to_wire()

    @property
    @abstractmethod
    def key(self) -> tuple[str, ...]:
        """Names of what is summarised; details of one table and key add up."""

    @abstractmethod
    def add(self, other: Self) -> None:
        """Add another detail of the same key to this one, in place; the other stays as it is."""

    @abstractmethod
    def to_wire(self) -> list[Any]:
        """Return the detail as JSON values; bytes as base64 text."""

    @classmethod
    @abstractmethod
    def from_wire(cls, values: list[Any]) -> Self:
        """Return the detail of which `to_wire` made `values`."""

    def copy(self) -> Self:
        """Return an equal detail that is not changed by adding to this one, nor this one by adding to it."""
        return self.from_wire(self.to_wire())

    @property
    def has_rows(self) -> bool:
        """Whether `rows` yields any."""
        return True

    @abstractmethod
    def rows(self, run_id: str, timestamp: datetime) -> Iterable[Mapping[str, object]]:
        """Yield its rows of the table, as values by column; a column that is absent is null.

        Args:
            run_id: The run.
            timestamp: When the rows are written, naive UTC.
        """


def add_up(details: Iterable[Detail]) -> tuple[Detail, ...]:
    """Return the details with those of one table and key added up; none of those given is changed."""
    sums: dict[tuple[str, ...], Detail] = {}
    shared: set[tuple[str, ...]] = set()  # still objects of the caller's
    for detail in details:
        place = detail.table, *detail.key
        if place not in sums:
            sums[place] = detail
            shared.add(place)
            continue
        if place in shared:
            sums[place] = sums[place].copy()
            shared.discard(place)
        sums[place].add(detail)
    return tuple(sums.values())
