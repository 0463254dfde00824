"""A latency histogram that adds: percentiles over any workers, nodes, runs or weeks stay right."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping

SCALE = 6
"""2 ** SCALE buckets per doubling of the value."""

BUCKETS_PER_DOUBLING: int = 1 << SCALE

_BASE: float = 2 ** (1 / BUCKETS_PER_DOUBLING)

RELATIVE_ERROR = (_BASE - 1) / (_BASE + 1)
"""Largest relative error of a quantile: 0.00542, that is 0.54 %."""

ZERO_BUCKET = -(2**31)
"""Bucket of 0, of negative values and of values too close to 0. It sorts below every other bucket, and
`power(2, bucket / 64.0)` is 0 for it, so SQL over the buckets needs no special case."""

_COUNT_BITS = 47
_COUNT_MASK = (1 << _COUNT_BITS) - 1

_MIDDLE = 1 << 16
"""Added to a bucket's number it gives the upper 17 bits of its word; 0 there is the zero bucket."""

_SMALLEST = 2.0**-1022  # the smallest normal float64; below it a logarithm loses its precision


def bucket_of(value: float) -> int:
    """Return the bucket that `value` falls into.

    Raises:
        ValueError: the value is NaN or infinite.
    """
    if value >= _SMALLEST:
        try:
            return math.ceil(math.log2(value) * BUCKETS_PER_DOUBLING) - 1
        except OverflowError:
            raise ValueError(f"{value} has no bucket: a histogram takes finite values") from None
    if value != value or value == -math.inf:
        raise ValueError(f"{value} has no bucket: a histogram takes finite values")
    return ZERO_BUCKET


def middle_of(bucket: int) -> float:
    """Return the value that stands for all values of a bucket: the one whose largest relative error is smallest."""
    if bucket == ZERO_BUCKET:
        return 0.0
    upper: float = 2.0 ** ((bucket + 1) / BUCKETS_PER_DOUBLING)
    return upper * (1 - RELATIVE_ERROR)


def _word(bucket: int, count: int) -> int:
    number = 0 if bucket == ZERO_BUCKET else bucket + _MIDDLE
    if not 0 <= number < 2 * _MIDDLE or (number == 0 and bucket != ZERO_BUCKET):
        raise ValueError(f"there is no bucket {bucket}")
    if not 0 < count <= _COUNT_MASK:
        raise ValueError(f"{count} values in bucket {bucket}: a bucket holds 1 to {_COUNT_MASK}")
    return number << _COUNT_BITS | count


def _bucket(word: int) -> int:
    return (word >> _COUNT_BITS) - _MIDDLE if word > _COUNT_MASK else ZERO_BUCKET


class LatencyHistogram:
    """Counts of values in base-2 exponential buckets, kept sparsely.

    With `base = 2 ** (2 ** -6) = 2 ** (1/64)`, bucket `i` counts the values of the interval `(base**i, base**(i+1)]`.
    A quantile is answered with `2 · base**(i+1) / (base + 1)` of the bucket that holds the wanted rank. That value is
    off by at most `(base - 1) / (base + 1) = 0.54 %` of the true value, for any distribution. The quantile is the
    value of the rank `ceil(q · total)` (the "inverted CDF"), so it belongs to a value that was seen.

    Buckets are fixed beforehand, so histograms add without loss: adding is associative and commutative, and splitting
    and merging changes nothing.

    Source: OpenTelemetry, metrics data model, section ExponentialHistogram (scale 6), which is also the scheme of
    Prometheus' native histograms; the middle and its bound are those of DDSketch (Masson, Rim, Lee: "DDSketch: a fast
    and fully-mergeable quantile sketch with relative-error guarantees", PVLDB 12(12), 2019).

    A bucket that is occupied takes 8 bytes: a word with its number in the upper 17 bits and its count in the other 47.
    The words are sorted. A bucket holds up to 1.4e14 values.

    Args:
        counts: bucket → count; no count is 0.

    Raises:
        ValueError: a bucket is none that `bucket_of` gives, or a count is not positive, or too large.
    """

    __slots__ = ("_words",)

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self._words = array("Q", sorted(map(_word, counts, counts.values())) if counts else ())

    @property
    def counts(self) -> dict[int, int]:
        """Bucket → count, by bucket; no count is 0."""
        return dict(self.to_pairs())

    def _count(self, number: int, weight: int) -> None:
        """Add to the bucket that has this number in its word."""
        words = self._words
        at = bisect_left(words, number << _COUNT_BITS)
        if at < len(words) and (word := words[at]) >> _COUNT_BITS == number:
            if (word & _COUNT_MASK) + weight > _COUNT_MASK:
                raise OverflowError(f"a bucket holds at most {_COUNT_MASK} values")
            words[at] = word + weight
        else:  # not `insert`, which would reserve room for more: most histograms have all their buckets early
            self._words = words[:at] + array("Q", (number << _COUNT_BITS | weight,)) + words[at:]

    def _discount(self, bucket: int, weight: int) -> None:
        at = bisect_left(self._words, _word(bucket, 1))
        self._words[at] -= weight
        if not self._words[at] & _COUNT_MASK:
            del self._words[at]

    def add(self, value: float, weight: int = 1) -> None:
        """Count `value` `weight` times.

        Raises:
            ValueError: the value is not finite, or the weight is negative.
        """
        if weight > 0:
            bucket = bucket_of(value)
            self._count(bucket + _MIDDLE if bucket != ZERO_BUCKET else 0, weight)
        elif weight < 0:
            raise ValueError(f"weight {weight} is negative; `subtract` takes away")

    def subtract(self, value: float, weight: int = 1) -> None:
        """Take back what `add(value, weight)` counted.

        Raises:
            ValueError: the bucket of `value` does not hold so much.
        """
        bucket = bucket_of(value)
        held = self.counts.get(bucket, 0)
        if not 0 <= weight <= held:
            raise ValueError(f"cannot take {weight} from bucket {bucket}, which holds {held}")
        if weight:
            self._discount(bucket, weight)

    def remove(self, weight: int) -> None:
        """Take `weight` values away, from the fullest buckets first.

        Raises:
            ValueError: there are fewer, or the weight is negative.
        """
        if not 0 <= weight <= self.total:
            raise ValueError(f"cannot take {weight} values from {self.total}")
        for bucket, count in sorted(self.counts.items(), key=lambda pair: (-pair[1], pair[0])):
            if not weight:
                break
            taken = min(weight, count)
            weight -= taken
            self._discount(bucket, taken)

    def include(self, other: LatencyHistogram) -> None:
        """Add another histogram to this one, in place."""
        if not self._words:
            self._words = other._words[:]
            return
        for word in other._words:
            self._count(word >> _COUNT_BITS, word & _COUNT_MASK)

    @property
    def total(self) -> int:
        """Number of values counted."""
        return sum(word & _COUNT_MASK for word in self._words)

    def quantile(self, q: float) -> float | None:
        """Return the value below or at which a share `q` of the counted values lies; None when nothing was counted.

        Args:
            q: between 0 and 1.

        Raises:
            ValueError: `q` is outside of 0 to 1.
        """
        if not 0.0 <= q <= 1.0:
            raise ValueError(f"q is {q}, not between 0 and 1")
        rank = math.ceil(q * self.total - 1e-9)  # 0.07 * 100 is 7.000000000000001, and its rank is 7
        seen = 0
        for word in self._words:
            seen += word & _COUNT_MASK
            if seen >= rank:
                return middle_of(_bucket(word))
        return None

    def to_pairs(self) -> list[tuple[int, int]]:
        """Return `(bucket, count)`, by bucket."""
        return [(_bucket(word), word & _COUNT_MASK) for word in self._words]

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[int, int]]) -> LatencyHistogram:
        """Return the histogram that `to_pairs` was called on; a bucket that comes twice is added up."""
        counts: dict[int, int] = {}
        for bucket, count in pairs:
            counts[bucket] = counts.get(bucket, 0) + count
        return cls({bucket: count for bucket, count in counts.items() if count})

    def copy(self) -> LatencyHistogram:
        """Return an equal histogram that shares nothing with this one."""
        result = LatencyHistogram()
        result._words = self._words[:]
        return result

    def __add__(self, other: LatencyHistogram) -> LatencyHistogram:
        if not isinstance(other, LatencyHistogram):
            return NotImplemented
        result = self.copy()
        result.include(other)
        return result

    def __radd__(self, other: int) -> LatencyHistogram:
        if other == 0:  # the start value of `sum`
            return self.copy()
        return NotImplemented

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LatencyHistogram):
            return NotImplemented
        return self._words == other._words

    def __bool__(self) -> bool:
        return bool(self._words)

    __hash__ = None  # type: ignore[assignment]  # mutable, so it must not be a key

    def __repr__(self) -> str:
        return f"LatencyHistogram(total={self.total}, buckets={len(self._words)})"


def bounded_quantile(histogram: LatencyHistogram, q: float, lower: float | None, upper: float | None) -> float | None:
    """Return the quantile `q` of a histogram, moved to within the least and most value where these are known."""
    value = histogram.quantile(q)
    if value is None or lower is None or upper is None:
        return value
    return min(max(value, lower), upper)
