"""The values a series has taken, in bounded memory, and how far a new one lies from the nearest of them."""

from __future__ import annotations

from bisect import bisect_left

_FIRST_NOVELTY = 10.0  # a second value where only one was ever seen: the range is zero, the ratio would be infinite


class SeenValues:
    """A sorted sketch of all values seen: one is kept only where it is not within `resolution` of a neighbour.

    Args:
        resolution: the share of the range within which two values count as the same; memory is about 1 / resolution
            values, at most 2.5 / resolution.
    """

    __slots__ = ("high", "low", "resolution", "values")

    def __init__(self, resolution: float = 0.01) -> None:
        self.resolution = resolution
        self.values: list[float] = []
        self.low = 0.0
        self.high = 0.0

    def learn(self, value: float) -> float:
        """The gap between `value` and the nearest value seen before, as a share of the range seen before; then keep it.

        Returns 0 for the first value, and 10 for any second value of a series that was constant so far.
        """
        values = self.values
        if not values:
            values.append(value)
            self.low = self.high = value
            return 0.0
        at = bisect_left(values, value)
        gap = values[at] - value if at < len(values) else value - values[-1]
        if 0 < at < len(values):
            gap = min(gap, value - values[at - 1])
        reach = self.high - self.low
        if gap > self.resolution * reach:
            values.insert(at, value)
            self.low = values[0]
            self.high = values[-1]
            if len(values) * self.resolution > 2.5:
                self._thin()
        if reach > 0.0:
            return gap / reach
        return _FIRST_NOVELTY if gap > 0.0 else 0.0

    def _thin(self) -> None:
        """Drops what has come within `resolution` of a neighbour since the range has grown; keeps the extremes."""
        nearest = self.resolution * (self.high - self.low)
        kept = [self.values[0]]
        for value in self.values[1:-1]:
            if value - kept[-1] > nearest:
                kept.append(value)
        kept.append(self.values[-1])
        self.values = kept
