"""Difference of two shares of records, with its confidence interval.

Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven methods",
Statistics in Medicine 17, 1998, method 10: Wilson's score intervals of both shares, combined. It holds for records that
are independent of each other. Neighbours in a source are not: where the interval samples of a run show that the share
varies more from one interval to the next than independent records would, the records count as fewer, by the design
effect (Kish, "Survey sampling", 1965), which is never taken to be below 1. The variance over intervals is that of
blocks of n^(1/3) of them (Künsch 1989, as in `series.ratio`).

Where both runs read the same records nothing was sampled: the difference of the counts is exact and has no interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mega_data_factory.analytics.series.ratio import LEAST_INTERVALS, block_sums

Floats = npt.NDArray[np.float64]

_Z = 1.959963984540054
"""Quantile of the normal distribution at 97.5 %."""


@dataclass(frozen=True)
class PointsDifference:
    """A share of records in two runs, in percent of what came in.

    Attributes:
        before, after: The shares, percent; None if nothing came in.
        points: after - before, percentage points; None if one is not known.
        low, high: 95 % interval of `points`; None if it is not known, or not needed.
        exact: Whether the same records were judged, so that any difference is one.
    """

    before: float | None
    after: float | None
    points: float | None = None
    low: float | None = None
    high: float | None = None
    exact: bool = False

    @property
    def is_real(self) -> bool:
        """Whether the difference is more than chance: exact and not 0, or with an interval that leaves out 0."""
        if not self.points:
            return False
        if self.exact:
            return True
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


NO_DIFFERENCE = PointsDifference(None, None)
"""The difference of two shares that are not known."""


@dataclass(frozen=True)
class Tally:
    """Records of one run that something happened to.

    Attributes:
        records: How many came in.
        hits: To how many it happened; more than `records` where records are created.
        design_effect: By how many times the variance of the share exceeds that of independent records; 1 or more.
    """

    records: int
    hits: int
    design_effect: float = 1.0

    @property
    def share(self) -> float | None:
        """Return hits / records; None without records."""
        return self.hits / self.records if self.records else None


def difference(before: Tally, after: Tally, *, exact: bool) -> PointsDifference:
    """Return the difference of two shares, in percentage points.

    Args:
        before, after: The records of both runs.
        exact: Whether both judged the same records.
    """
    old, new = before.share, after.share
    if old is None or new is None:
        return PointsDifference(None if old is None else 100 * old, None if new is None else 100 * new)
    points = 100 * (new - old)
    if exact:
        return PointsDifference(100 * old, 100 * new, points, exact=True)
    low, high = _newcombe(before, after) if max(old, new) <= 1 else _normal(before, after)
    return PointsDifference(100 * old, 100 * new, points, 100 * low, 100 * high)


def _newcombe(before: Tally, after: Tally) -> tuple[float, float]:
    old, new = before.share or 0.0, after.share or 0.0
    (old_low, old_high), (new_low, new_high) = _wilson(before), _wilson(after)
    change = new - old
    return (
        change - math.hypot(new - new_low, old_high - old),
        change + math.hypot(new_high - new, old - old_low),
    )


def _wilson(tally: Tally) -> tuple[float, float]:
    """Return Wilson's score interval of a share."""
    n = tally.records / tally.design_effect
    share = tally.share or 0.0
    middle = share + _Z**2 / (2 * n)
    half = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    scale = 1 + _Z**2 / n
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def _normal(before: Tally, after: Tally) -> tuple[float, float]:
    """Return the interval of a difference of means over 1: of a geometric number of records of 1 or more."""
    change = (after.share or 0.0) - (before.share or 0.0)
    variance = sum(
        tally.design_effect * max(abs((tally.share or 0.0) * (1 - (tally.share or 0.0))), 1e-9) / tally.records
        for tally in (before, after)
    )
    return change - _Z * math.sqrt(variance), change + _Z * math.sqrt(variance)


def design_effect(records: Floats, hits: Floats) -> float:
    """Return the variance of Σ hits / Σ records over blocks of intervals / that of independent records; 1 or more.

    Args:
        records, hits: Records that came in, and those that something happened to, of every interval, shape (n,) each.

    Returns:
        1 if there are fewer than 8 intervals with records, or all or none of the records were hit.
    """
    used = records > 0
    records, hits = records[used], hits[used]
    n = len(records)
    if n < LEAST_INTERVALS:
        return 1.0
    total = float(records.sum())
    share = float(hits.sum()) / total
    independent = abs(share * (1 - share)) * total
    if not independent:
        return 1.0
    length: int = max(1, round(n ** (1 / 3)))
    residuals = block_sums(hits - share * records, length)  # around the end, so each interval is in `length` blocks
    observed = float(np.sum(residuals**2)) / length * n / (n - 1)
    return float(max(1.0, observed / independent))
