"""One alarm for one incident: a score counts only when it exceeds those shortly before it."""

from __future__ import annotations

from collections import deque


class HoldOff:
    """Lets a score pass only if it exceeds all scores of the last points by a factor; others become 0.

    How long it looks back grows with what it knows: a share of the points so far, up to a limit.

    Args:
        share: of the points so far.
        most: points.
        factor: by which a score must exceed the greatest of the last ones.
    """

    __slots__ = ("_recent", "factor", "most", "share")

    def __init__(self, share: float, most: int, factor: float) -> None:
        self.share = share
        self.most = most
        self.factor = factor
        self._recent: deque[tuple[int, float]] = deque()  # falling scores; the first is the greatest that still counts

    def let_pass(self, score: float, points: int) -> float:
        """Return the score of the `points`-th point, or 0 while it is held off."""
        recent = self._recent
        if recent:
            expired = points - min(self.share * points, self.most)
            while recent and recent[0][0] < expired:
                recent.popleft()
        if score <= 0.0:
            return 0.0
        passes = not recent or score > self.factor * recent[0][1]
        while recent and recent[-1][1] <= score:
            recent.pop()
        recent.append((points, score))
        return score if passes else 0.0
