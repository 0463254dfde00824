"""The least and the greatest of the last values, point by point."""

from __future__ import annotations

from collections import deque


class RollingExtremes:
    """Minimum and maximum over the last `window` values: two monotone queues, O(1) a value on average.

    Args:
        window: number of values.
    """

    __slots__ = ("_falling", "_points", "_rising", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self._points = 0
        self._rising: deque[tuple[int, float]] = deque()  # its first is the minimum
        self._falling: deque[tuple[int, float]] = deque()  # its first is the maximum

    def push(self, value: float) -> tuple[float, float]:
        """Add the next value; return (minimum, maximum) of the last `window`, or of all while there are fewer."""
        now = self._points = self._points + 1
        expired = now - self.window
        rising, falling = self._rising, self._falling
        while rising and rising[-1][1] >= value:
            rising.pop()
        rising.append((now, value))
        if rising[0][0] <= expired:
            rising.popleft()
        while falling and falling[-1][1] <= value:
            falling.pop()
        falling.append((now, value))
        if falling[0][0] <= expired:
            falling.popleft()
        return rising[0][1], falling[0][1]
