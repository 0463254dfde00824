"""Histogram of numbers whose buckets widen only as far as the numbers need.

A bucket is the numbers that share the first bits of their float64 form: it is `2^-m` of its numbers wide when `m` bits
of the mantissa are kept. A histogram starts with all 64 bits, so few distinct numbers are kept exactly, and drops
bits, one at a time, while it has more than `MOST_BUCKETS` buckets. A part never has more buckets than the whole at the
same width, so the whole never needs finer buckets than a part has: the result does not depend on how the numbers were
split or in which order the parts were added.

Source: the uniform collapse of UDDSketch (Epicoco, Melle, Cafaro, Pulimeno, Morleo: IEEE Access 8, 2020), on the bits
of the number instead of its logarithm, as HdrHistogram does.
"""

from __future__ import annotations

import math
from typing import Any, Self, TypeAlias

import numpy as np

from mega_data_factory.framework.metrics.details.array_text import from_text, to_text
from mega_data_factory.framework.metrics.details.sorted_counts import sorted_counts, summed

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Integers: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

MOST_BUCKETS = 1024

_MANTISSA = 52
"""Bits of the mantissa of a float64."""

_MAGNITUDE = np.int64(0x7FFF_FFFF_FFFF_FFFF)
_LARGEST = np.finfo(np.float64).max
_LEAST = np.finfo(np.float64).tiny


class ValueHistogram:
    """Counts of finite numbers by bucket.

    Args:
        dropped_bits: low bits of the numbers that buckets do not tell apart, 0 to 63.
        buckets: numbers of the buckets, ascending, each once.
        counts: numbers in each bucket, of the same length.
    """

    def __init__(self, dropped_bits: int = 0, buckets: Integers | None = None, counts: Integers | None = None) -> None:
        self.dropped_bits = dropped_bits
        self.buckets = np.zeros(0, np.int64) if buckets is None else buckets
        self.counts = np.zeros(0, np.int64) if counts is None else counts

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ValueHistogram):
            return NotImplemented
        return self.to_wire() == other.to_wire()

    __hash__ = None  # type: ignore[assignment]  # mutable

    @classmethod
    def from_values(cls, values: Floats) -> Self:
        """Return the histogram of finite numbers, of shape (n,)."""
        keys = np.sort(_keys_of(values))
        dropped = _needed(keys)
        return cls(dropped, *sorted_counts(keys >> dropped))

    @property
    def total(self) -> int:
        """How many numbers it counts."""
        return int(self.counts.sum())

    @property
    def relative_width(self) -> float:
        """Width of a bucket divided by its least number, at most; 0 if numbers are kept exactly."""
        if self.dropped_bits <= _MANTISSA:
            return 0.0 if self.dropped_bits == 0 else 2.0 ** (self.dropped_bits - _MANTISSA)
        return math.ldexp(1.0, min(2 ** (self.dropped_bits - _MANTISSA), 1023)) - 1.0  # several powers of two in one

    def add(self, other: ValueHistogram) -> None:
        """Add another histogram to this one; the other stays as it is."""
        dropped = max(self.dropped_bits, other.dropped_bits)
        buckets = np.concatenate([self._at(dropped), other._at(dropped)])
        counts = np.concatenate([self.counts, other.counts])
        self.buckets, self.counts = summed(buckets, counts)
        self.dropped_bits = dropped
        if more := _needed(self.buckets):
            self.buckets, self.counts = summed(self.buckets >> more, self.counts)
            self.dropped_bits += more

    def coarser(self, dropped_bits: int) -> ValueHistogram:
        """Return the histogram with at least `dropped_bits` low bits dropped."""
        dropped = max(self.dropped_bits, dropped_bits)
        return ValueHistogram(dropped, *summed(self._at(dropped), self.counts))

    def edges(self) -> tuple[Floats, Floats]:
        """Return the lower and upper edges of the buckets, each of shape (buckets,)."""
        low = self.buckets << self.dropped_bits
        high = low + ((1 << self.dropped_bits) - 1)
        return _values_of(low), _values_of(high)

    def quantile(self, q: float) -> float | None:
        """Return the number that a share `q` of all numbers does not exceed, interpolated in its bucket; None if empty.

        Args:
            q: 0 to 1.
        """
        total = self.total
        if not total:
            return None
        rank = q * (total - 1)
        upto = np.cumsum(self.counts)
        place = int(np.searchsorted(upto, rank, side="right"))
        low, high = (float(edge[place]) for edge in self.edges())
        if low == 0.0 and high < _LEAST:
            return 0.0  # the bucket of 0, and of numbers that are as good as that
        inside = (rank - float(upto[place] - self.counts[place]) + 0.5) / float(self.counts[place])
        return low + (high - low) * min(max(inside, 0.0), 1.0)

    def to_wire(self) -> list[Any]:
        """Return JSON values: bits dropped, low bits that are 0 in all buckets, the first bucket, the steps, counts."""
        if not len(self.buckets):
            return []
        zeros = _zero_bits(self.buckets)
        steps = np.diff(self.buckets).view(np.uint64) >> np.uint64(zeros)
        return [self.dropped_bits, zeros, int(self.buckets[0]), to_text(steps), to_text(self.counts)]

    @classmethod
    def from_wire(cls, values: list[Any]) -> Self:
        """Return the histogram of which `to_wire` made `values`."""
        if not values:
            return cls()
        dropped, zeros, first, steps, counts = values
        return cls(dropped, np.cumsum(np.concatenate([[first], from_text(steps) << zeros])), from_text(counts))

    def _at(self, dropped_bits: int) -> Integers:
        """Return the buckets with `dropped_bits` low bits dropped, repeated where several become one."""
        shifted: Integers = self.buckets >> (dropped_bits - self.dropped_bits)
        return shifted


def _needed(keys: Integers) -> int:
    """Return how many more low bits of ascending keys must be dropped to leave at most `MOST_BUCKETS` distinct ones."""
    if _distinct(keys) <= MOST_BUCKETS:
        return 0
    fits, fails = 63, 0
    while fits - fails > 1:
        middle = (fits + fails) // 2
        if _distinct(keys >> middle) <= MOST_BUCKETS:
            fits = middle
        else:
            fails = middle
    return fits


def _distinct(ascending: Integers) -> int:
    return int(np.count_nonzero(ascending[1:] != ascending[:-1])) + (len(ascending) > 0)


def _zero_bits(numbers: Integers) -> int:
    """Return how many low bits are 0 in all numbers, at least one; 0 if all of them are 0."""
    bits = int(np.bitwise_or.reduce(numbers))
    return (bits & -bits).bit_length() - 1 if bits else 0


def _keys_of(values: Floats) -> Integers:
    """Return integers in the order of the numbers."""
    bits = (values + 0.0).view(np.int64)  # which makes -0.0 a 0.0
    keys: Integers = np.where(bits >= 0, bits, -(bits & _MAGNITUDE))
    return keys


def _values_of(keys: Integers) -> Floats:
    """Return the numbers of keys; those beyond the largest number are the largest."""
    sizes = np.abs(keys).view(np.float64)
    sizes = np.where(np.isfinite(sizes), sizes, _LARGEST)
    found: Floats = np.where(keys >= 0, sizes, -sizes)
    return found
