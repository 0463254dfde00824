"""Novelty of a value, in decades, given all earlier values of its series."""

from __future__ import annotations

from math import log10

from mega_data_factory.analytics.anomaly.seen_values import SeenValues

_BINS_PER_DECADE = 12
_BINS = 6 * _BINS_PER_DECADE
_LEAST_STEPS = 0.01  # a gap of less than a hundredth of the usual step is nothing new
_WIDEST = 1e9  # ranges: beyond, a gap is not stranger still
_WITHOUT_RANGE = 10.0  # the gap, in ranges, of the second value of a series that was constant so far


class Novelty:
    """Strangeness = log10(1 + 100 · gap / range) - log10(share of the points whose gap was as wide or wider).

    The gap is the distance to the nearest value ever seen. The first term says how wide it is beside the range of the
    series, the second how rare, where gaps are measured in the series' own usual step (its mean absolute difference):
    so each series calibrates itself, and the same strangeness means the same on a smooth one and on a jumping one.

    Args:
        resolution: of the sketch of values, as a share of the range.
    """

    __slots__ = ("_gaps", "_last", "_seen", "_travelled", "high", "low", "nearest")

    def __init__(self, resolution: float) -> None:
        self._seen = SeenValues(resolution)
        self._gaps = [0] * _BINS
        self._last: float | None = None
        self._travelled = 0.0
        self.low = self.high = 0.0
        """The range before the last value that scored."""
        self.nearest = 0.0
        """The nearest value seen before the last value that scored."""

    def learn(self, value: float, points: int) -> float:
        """Learn `value`, the `points`-th of its series; return its novelty in decades, 0 if it is unchanged."""
        last, self._last = self._last, value
        if value == last:
            return 0.0
        seen = self._seen
        low, high = seen.low, seen.high
        gap = seen.learn(value)
        if last is not None:
            self._travelled += abs(value - last)
        if gap <= 0.0:
            return 0.0
        steps = gap / self._travelled * points  # in this order neither overflows
        if steps < _LEAST_STEPS:
            return 0.0
        at = int(log10(steps / _LEAST_STEPS) * _BINS_PER_DECADE)
        if at >= _BINS:
            at = _BINS - 1
        gaps = self._gaps
        as_wide = 1 + sum(gaps[at:])
        gaps[at] += 1
        self.low, self.high, self.nearest = low, high, seen.nearest
        share = min(gap / (high - low), _WIDEST) if high > low else _WITHOUT_RANGE
        return log10((1.0 + 100.0 * share) * points / as_wide)
