"""Counts of the slices of one operator, as arrays of one column a slice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mega_data_factory.framework.metrics.rows.reasons import MOST_REASONS, OTHER_REASONS, heaviest

Integers: TypeAlias = npt.NDArray[np.int64]

COUNTS = (
    "input_records",
    "output_records",
    "error_count",
    "input_text_bytes",
    "output_text_bytes",
    "input_tokens",
    "output_tokens",
)
"""What is counted of every slice, beside its rejected records by reason."""

ALWAYS = COUNTS[:3]
"""Counts that are always known; the others are unknown if the records have no such column."""

_ROOM = 8


@dataclass
class SliceCounts:
    """Counts of the slices of one operator.

    Attributes:
        index: Place of the operator in its stage.
        present: Whether the records had the column that the slices are of. Where none had, there are no slices.
        counts: Shape (len(COUNTS), room): a column for each slice, room for more.
        reasons: Reason → rejected records, shape (room,).
        known: Names of the counts that are known.
    """

    index: int
    present: bool
    counts: Integers = field(default_factory=lambda: np.zeros((len(COUNTS), _ROOM), np.int64))
    reasons: dict[str, Integers] = field(default_factory=dict)
    known: set[str] = field(default_factory=lambda: set(ALWAYS))

    def make_room(self, slices: int) -> None:
        """Grow the arrays to hold at least this number of slices."""
        room = self.counts.shape[1]
        if room < slices:
            more = max(slices, 2 * room) - room
            self.counts = np.pad(self.counts, ((0, 0), (0, more)))
            self.reasons = {reason: np.pad(counts, (0, more)) for reason, counts in self.reasons.items()}

    def add_at(self, places: Integers, other: SliceCounts) -> None:
        """Add other counts, the slices of which are at these places here.

        Args:
            places: Shape (slices of the other,), no place twice, and room for all.
            other: Stays as it is.
        """
        number = len(places)
        self.present |= other.present
        self.known |= other.known
        self.counts[:, places] += other.counts[:, :number]
        for reason, counts in other.reasons.items():
            self.of_reason(reason)[places] += counts[:number]
        self.bound_reasons()

    def bound_reasons(self) -> None:
        """Add up the lighter reasons as `other` if there are more than `MOST_REASONS`."""
        if len(self.reasons) <= MOST_REASONS:
            return
        kept = heaviest({reason: int(counts.sum()) for reason, counts in self.reasons.items()})
        rest = sum((counts for reason, counts in self.reasons.items() if reason not in kept), np.zeros((), np.int64))
        self.reasons = {reason: self.reasons[reason] for reason in kept} | {OTHER_REASONS: rest}

    def of_reason(self, reason: str) -> Integers:
        """Return the rejected records with a reason, by slice; to be added to."""
        if reason not in self.reasons:
            self.reasons[reason] = np.zeros(self.counts.shape[1], np.int64)
        return self.reasons[reason]

    def sums(self, places: Integers) -> tuple[Integers, dict[str, int]]:
        """Return counts, shape (len(COUNTS),), and rejected records by reason, added up over some slices."""
        reasons = {reason: int(counts[places].sum()) for reason, counts in self.reasons.items()}
        return self.counts[:, places].sum(axis=1), reasons

    def chosen(self, places: Integers) -> SliceCounts:
        """Return the counts of some slices alone, in that order."""
        reasons = {reason: counts[places] for reason, counts in self.reasons.items()}
        return SliceCounts(self.index, self.present, self.counts[:, places], reasons, set(self.known))


def row_of(counts: Integers, reasons: Mapping[str, int], known: set[str]) -> dict[str, object]:
    """Return counts of one slice as columns of the table of slices.

    Args:
        counts: Shape (len(COUNTS),).
        reasons: Rejected records by reason.
        known: Names of the counts that are known; the others become null.
    """
    values = {name: int(count) if name in known else None for name, count in zip(COUNTS, counts, strict=True)}
    came, went = int(counts[0]), int(counts[1])
    return {
        **values,
        "pass_rate": 100.0 * went / came if came else None,
        "rejected_records": sum(reasons.values()),
        "rejected_reasons": {
            reason: records for reason, records in sorted(reasons.items(), key=lambda r: (-r[1], r[0])) if records
        },
    }
