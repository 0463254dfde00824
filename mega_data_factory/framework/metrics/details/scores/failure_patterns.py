"""Patterns of failed rules: which rules records failed together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from mega_data_factory.framework.metrics.details.scores.buckets import Bools
from mega_data_factory.framework.metrics.details.sorted_counts import sorted_counts

MOST_PATTERNS = 64
"""Patterns of failed rules that the rows of an operator name; the rest is one number."""

_KEPT_PATTERNS = 4096
"""Patterns that are counted during a run before the rarest are dropped to the rest."""

_BITS_OF_A_NUMBER = 62
"""Rules whose pattern of failures fits in an int64."""


class FailurePatterns:
    """Records by the rules that they failed, the most frequent patterns exactly and the rest as one number.

    Args:
        records: Failed rules, as bits → records.
        others: Records of patterns that were dropped.
    """

    def __init__(self, records: Mapping[int, int] | None = None, others: int = 0) -> None:
        self._records = dict(records or {})
        self._others = others

    @classmethod
    def from_failing(cls, failing: Bools) -> Self:
        """Return the patterns of records that fail at least one rule, of shape (rules, records)."""
        if not failing.size:
            return cls()
        if len(failing) <= _BITS_OF_A_NUMBER:
            patterns, counts = sorted_counts(np.sort((1 << np.arange(len(failing))) @ failing))
            return cls(dict(zip(patterns.tolist(), counts.tolist(), strict=True)))
        packed, counts = np.unique(np.packbits(failing, axis=0, bitorder="little"), axis=1, return_counts=True)
        numbers = (int.from_bytes(pattern.tobytes(), "little") for pattern in packed.T)
        return cls(dict(zip(numbers, counts.tolist(), strict=True)))

    def add(self, other: FailurePatterns, places: Sequence[int]) -> None:
        """Add the patterns of other records, in place.

        Args:
            other: The patterns.
            places: Where their rules are among those of these, of one entry a rule; -1 leaves a rule out.
        """
        same = all(place == rule for rule, place in enumerate(places))
        self._others += other._others
        for pattern, records in other._records.items():
            moved = pattern if same else sum(1 << places[rule] for rule in _rules_in(pattern) if places[rule] >= 0)
            if moved:
                self._records[moved] = self._records.get(moved, 0) + records
            else:
                self._others += records
        if len(self._records) > _KEPT_PATTERNS:
            self._drop_rarest(_KEPT_PATTERNS // 2)

    def _drop_rarest(self, most: int) -> None:
        kept = self._most_frequent(most)
        self._others += sum(self._records.values()) - sum(kept.values())
        self._records = kept

    def _most_frequent(self, most: int) -> dict[int, int]:
        return dict(sorted(self._records.items(), key=lambda item: (-item[1], item[0]))[:most])

    def by_rules(self) -> dict[str, int]:
        """Return rules that records failed together, by number and comma-separated → records; `other` is the rest."""
        frequent = self._most_frequent(MOST_PATTERNS)
        named = {",".join(map(str, _rules_in(pattern))): records for pattern, records in frequent.items()}
        rest = self._others + sum(self._records.values()) - sum(frequent.values())
        return named | ({"other": rest} if rest else {})

    def to_wire(self) -> list[Any]:
        """Return JSON values."""
        return [[[pattern, records] for pattern, records in self._records.items()], self._others]

    @classmethod
    def from_wire(cls, values: list[Any]) -> Self:
        """Return the patterns of which `to_wire` made `values`."""
        records, others = values
        return cls(dict(records), others)


def _rules_in(pattern: int) -> Iterator[int]:
    return (rule for rule in range(pattern.bit_length()) if pattern >> rule & 1)
