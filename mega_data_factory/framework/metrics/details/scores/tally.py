"""Counts of what the rules of an operator made of many records."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mega_data_factory.framework.metrics.details.array_text import from_text, to_text
from mega_data_factory.framework.metrics.details.scores.buckets import LAST_BUCKET, Bools, Floats, Integers
from mega_data_factory.framework.metrics.details.scores.codes import (
    CODES,
    NOT_JUDGED,
    SIDES,
    UNSCORED,
    ScoreCodes,
    no_extremes,
)
from mega_data_factory.framework.metrics.details.scores.failure_patterns import FailurePatterns
from mega_data_factory.framework.metrics.details.sorted_counts import sorted_counts, summed


@dataclass(eq=False)
class ScoreTally:
    """Counts of the rules of an operator.

    Attributes:
        rejected: Shape (rules,): records of which it is the first rule that they fail.
        extremes: Shape (rules, 4), as those of `ScoreCodes`.
        whole: Shape (rules,): whether all scores are whole numbers.
        cells: Rule and code as one number, `rule * CODES + code`, ascending.
        counts: Records of each cell.
        patterns: Rules that records failed together.
    """

    rejected: Integers
    extremes: Floats
    whole: Bools
    cells: Integers
    counts: Integers
    patterns: FailurePatterns

    @classmethod
    def empty(cls, rules: int) -> Self:
        """Return the counts of no record."""
        none = np.zeros(0, np.int64)
        whole = np.ones(rules, np.bool_)
        return cls(np.zeros(rules, np.int64), no_extremes(rules), whole, none, none.copy(), FailurePatterns())

    @classmethod
    def from_codes(cls, coded: ScoreCodes) -> Self:
        """Return the counts of coded records."""
        failed = coded.failed
        failing = failed[:, failed.any(axis=0)]
        rejected = np.bincount(failing.argmax(axis=0), minlength=len(failed)) if failing.size else None
        codes = np.sort(coded.codes, axis=1, kind="stable")  # a radix sort, of numbers of 16 bits
        cells = np.arange(len(codes), dtype=np.int64)[:, None] * CODES + codes
        return cls(
            np.zeros(len(codes), np.int64) if rejected is None else rejected,
            coded.extremes.copy(),
            coded.whole.copy(),
            *sorted_counts(cells[codes != NOT_JUDGED]),
            FailurePatterns.from_failing(failing),
        )

    def grow(self, rules: int) -> None:
        """Add rules without records at the end, up to this number."""
        more = rules - len(self.rejected)
        if more:
            self.rejected = np.append(self.rejected, np.zeros(more, np.int64))
            self.whole = np.append(self.whole, np.ones(more, np.bool_))
            self.extremes = np.concatenate([self.extremes, no_extremes(more)])

    def add(self, other: ScoreTally, places: Sequence[int]) -> None:
        """Add the counts of other records, in place.

        Args:
            other: The counts.
            places: Where their rules are among those of these, of one entry a rule; -1 leaves a rule out.
        """
        at = np.array(places, np.int64)
        known = at >= 0
        mine = at[known]
        self.rejected[mine] += other.rejected[known]
        self.whole[mine] &= other.whole[known]
        self.extremes[mine] = np.minimum(self.extremes[mine], other.extremes[known])
        rules, codes = np.divmod(other.cells, CODES)
        chosen = known[rules]
        cells = at[rules[chosen]] * CODES + codes[chosen]
        self.cells, self.counts = summed(
            np.concatenate([self.cells, cells]), np.concatenate([self.counts, other.counts[chosen]])
        )
        self.patterns.add(other.patterns, places)

    def histogram(self, rule: int) -> tuple[list[dict[str, int]], dict[str, int]]:
        """Return the records of a rule by bucket, ascending, and those without a number; each by side."""
        first, last = np.searchsorted(self.cells, [rule * CODES, (rule + 1) * CODES])
        codes = self.cells[first:last] - rule * CODES
        found: dict[int, dict[str, int]] = {}
        for code, records in zip(codes.tolist(), self.counts[first:last].tolist(), strict=True):
            bucket, side = divmod(code, len(SIDES))
            entry = found.setdefault(bucket - LAST_BUCKET, {"bucket": bucket - LAST_BUCKET, **dict.fromkeys(SIDES, 0)})
            entry[SIDES[side]] += records
        unscored = found.pop(UNSCORED, dict.fromkeys(SIDES, 0))
        return list(found.values()), {side: unscored[side] for side in SIDES}

    def to_wire(self) -> list[Any]:
        """Return JSON values; the arrays are compressed."""
        gaps = np.diff(self.cells, prepend=0)
        numbers = [to_text(array) for array in (self.rejected, self.whole, self.counts, gaps)]
        extremes = base64.b64encode(self.extremes.astype("<f8").tobytes()).decode()
        return [extremes, *numbers, self.patterns.to_wire()]

    @classmethod
    def from_wire(cls, values: list[Any]) -> Self:
        """Return the counts of which `to_wire` made `values`."""
        packed, *numbers, patterns = values
        extremes = np.frombuffer(base64.b64decode(packed), "<f8").reshape(-1, 4).copy()
        rejected, whole, counts, gaps = map(from_text, numbers)
        return cls(
            rejected, extremes, whole.astype(np.bool_), np.cumsum(gaps), counts, FailurePatterns.from_wire(patterns)
        )
