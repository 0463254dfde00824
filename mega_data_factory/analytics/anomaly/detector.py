"""Point by point: how strange is this value, after all that this series has shown so far?"""

from __future__ import annotations

import math
from collections import deque

from mega_data_factory.analytics.anomaly.seen_values import SeenValues

_WARM_UP = 48  # points; nothing is known before


class AnomalyDetector:
    """Scores the points of one series, without training and without looking ahead.

    Args:
        sensitivity: in (0, 1); higher alarms earlier. It moves the threshold only, never the scores.
    """

    def __init__(self, sensitivity: float = 0.5) -> None:
        self.threshold = 6.0 * 2.0 ** (1.0 - 2.0 * sensitivity)
        self._seen = SeenValues(0.002)
        self._points = 0
        self._peaks: deque[tuple[int, float]] = deque()

    def update(self, value: float | None, timestamp: int | float | None = None) -> float:  # noqa: ARG002 (gaps follow)
        """The score of the next point: 0 is ordinary, an alarm is a score of `threshold` or more."""
        if value is None or not math.isfinite(value):
            return 0.0
        self._points += 1
        score = math.log10(1.0 + 100.0 * self._seen.learn(value)) / 0.32
        peaks = self._peaks
        while peaks and peaks[0][0] < self._points * 0.9:
            peaks.popleft()
        highest = peaks[0][1] if peaks else 0.0
        while peaks and peaks[-1][1] <= score:
            peaks.pop()
        peaks.append((self._points, score))
        return score if score > highest and self._points > _WARM_UP else 0.0
