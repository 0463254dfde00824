"""The values a series has taken, in bounded memory, and how far a new one lies from the nearest of them."""

from __future__ import annotations

from bisect import bisect_left

_MOST = 2.5  # times 1 / resolution: values that are held before those too close together are thinned


class SeenValues:
    """A sorted sketch of all values seen: one is kept only where no kept one lies within `resolution` of it.

    Args:
        resolution: the share of the range within which two values count as the same. Memory is at most
            2.5 / resolution values, for any length of the series.
    """

    __slots__ = ("high", "low", "most", "nearest", "resolution", "values")

    def __init__(self, resolution: float) -> None:
        self.resolution = resolution
        self.most = int(_MOST / resolution)
        self.values: list[float] = []
        self.low = self.high = 0.0
        """The range of all values seen, exact."""
        self.nearest = 0.0
        """The kept value nearest to the last one, before that was learnt."""

    def learn(self, value: float) -> float:
        """Keep `value`; return the gap to the nearest value seen before (0 for the first).

        O(log n) plus the insertion into a short list.
        """
        values = self.values
        if not values:
            values.append(value)
            self.low = self.high = value
            return 0.0
        at = bisect_left(values, value)
        nearest = values[at] if at < len(values) else values[-1]
        if at and value - values[at - 1] < abs(nearest - value):
            nearest = values[at - 1]
        self.nearest = nearest
        gap = abs(value - nearest)
        if gap > self.resolution * (self.high - self.low):
            values.insert(at, value)
            if len(values) > self.most:
                self._thin()
        if value < self.low:
            self.low = value
        elif value > self.high:
            self.high = value
        return gap

    def _thin(self) -> None:
        """Drop values within `resolution` of a kept neighbour after the range has grown; keep the outermost."""
        values = self.values
        nearest = self.resolution * (self.high - self.low)
        kept = [values[0]]
        for value in values[1:-1]:
            if value - kept[-1] > nearest:
                kept.append(value)
        kept.append(values[-1])
        self.values = kept
