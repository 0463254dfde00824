"""One metric of one node over time, as arrays; and the laws by which rows are put in order, merged and thinned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]
"""Microseconds since 1970-01-01 UTC, shape (n,)."""

Floats = npt.NDArray[np.float64]
"""Values, shape (n,); NaN if nothing was measured."""

Rows = npt.NDArray[np.intp]
"""Row numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Rows in order of time, each at a time of its own: measured points and, further back, buckets of many points.

    Attributes:
        timestamps: int64 (n,), microseconds since epoch UTC, strictly increasing; of a bucket, where it begins.
        values: float64 (n,): the value of a point, the mean of a bucket. NaN: nothing was measured.
        minimum: float64 (n,): least value of the bucket; of points the same array as `values`.
        maximum: float64 (n,): greatest value of the bucket; of points the same array as `values`.
        interval: int64 (n,): width of the bucket in microseconds, 0 for a measured point.
        weights: float64 (n,): measured values in each row; None when no row holds more than one, see `points`.
    """

    timestamps: Times
    values: Floats
    minimum: Floats
    maximum: Floats
    interval: Times
    weights: Floats | None = None

    @classmethod
    def of_points(cls, timestamps: Times, values: Floats) -> Series:
        """Return the series of measured points; takes no memory beyond the two arrays."""
        return cls(timestamps, values, values, values, np.broadcast_to(np.int64(0), timestamps.shape))

    @classmethod
    def unknown(cls, timestamps: Times, interval: int = 0) -> Series:
        """Return a series without values at these times."""
        nothing = np.full(len(timestamps), np.nan)
        return cls(timestamps, nothing, nothing, nothing, np.broadcast_to(np.int64(interval), timestamps.shape))

    @property
    def points(self) -> Floats:
        """float64 (n,): how many measured values a row stands for, which is the weight of its mean; 0 if none."""
        return np.where(np.isnan(self.values), 0.0, 1.0) if self.weights is None else self.weights

    def __len__(self) -> int:
        return len(self.timestamps)

    def __getitem__(self, rows: slice | Rows | npt.NDArray[np.bool_]) -> Series:
        """Return the series of some rows."""
        values = self.values[rows]
        same = self.minimum is self.values
        return Series(
            self.timestamps[rows],
            values,
            values if same else self.minimum[rows],
            values if self.maximum is self.values else self.maximum[rows],
            self.interval[rows],
            None if self.weights is None else self.weights[rows],
        )

    def known(self) -> Series:
        """Return the series without the rows in which nothing was measured."""
        return self[~np.isnan(self.values)]

    def between(self, start: int | None, end: int | None) -> Series:
        """Return the rows from `start` to `end`, microseconds, both included; a bucket counts by where it begins.

        The series itself when nothing is cut off.
        """
        first = 0 if start is None else int(np.searchsorted(self.timestamps, start, "left"))
        last = len(self) if end is None else int(np.searchsorted(self.timestamps, end, "right"))
        return self if last - first == len(self) else self[first:last]


def joined(parts: Sequence[Series]) -> Series:
    """Return the rows of all parts, one part after the other, as they are."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Series.of_points(np.empty(0, np.int64), np.empty(0))
    timestamps = np.concatenate([part.timestamps for part in parts])
    values = np.concatenate([part.values for part in parts])
    if all(part.minimum is part.values and part.weights is None and not part.interval.any() for part in parts):
        return Series.of_points(timestamps, values)
    return Series(
        timestamps,
        values,
        np.concatenate([part.minimum for part in parts]),
        np.concatenate([part.maximum for part in parts]),
        np.concatenate([part.interval for part in parts]),
        np.concatenate([part.points for part in parts]),
    )


def in_order(timestamps: Times) -> bool:
    """Return whether each timestamp is later than the one before."""
    return bool((timestamps[1:] > timestamps[:-1]).all())


def latest(series: Series) -> Series:
    """Return points in order of time; the last write of a timestamp wins.

    Args:
        series: measured points in the order in which they were written.

    Returns:
        One row for each timestamp. Where a later write does not know the metric (NaN), the earlier value stays.
    """
    if in_order(series.timestamps):
        return series
    rows = np.argsort(series.timestamps, kind="stable")
    times = series.timestamps[rows]
    starts = _starts(times)
    if len(starts) == len(times):
        return series[rows]
    known = np.where(np.isnan(series.values[rows]), -1, np.arange(len(rows)))
    chosen = np.maximum.reduceat(known, starts)
    return series[rows[np.where(chosen < 0, starts, chosen)]]


def combined(series: Series) -> Series:
    """Return rows in order of time; rows of the same timestamp become one that stands for the points of all of them."""
    if in_order(series.timestamps):
        return series
    series = series[np.argsort(series.timestamps, kind="stable")]
    return _reduced(series, series.timestamps)


def bucketed(series: Series, interval: int) -> Series:
    """Return the series thinned to buckets: mean by number of points, and the true minimum and maximum.

    Thinning twice, or thinning parts and combining them, gives the buckets of thinning once: counts and extremes
    exactly, means up to rounding.

    Args:
        series: points, or buckets whose width divides `interval`; in order of time.
        interval: microseconds; buckets begin at its multiples since the epoch.
    """
    if not len(series):
        return series
    starts = series.timestamps // interval * interval
    thin = _reduced(series, starts)
    wide = np.broadcast_to(np.int64(interval), thin.timestamps.shape)
    return Series(thin.timestamps, thin.values, thin.minimum, thin.maximum, wide, thin.weights)


def _starts(keys: Times) -> Rows:
    """Return the start of each streak of equal keys."""
    return np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))


def _reduced(series: Series, keys: Times) -> Series:
    """Return one row for each streak of equal `keys`, which becomes its timestamp."""
    starts = _starts(keys)
    weights = series.points
    points = np.add.reduceat(weights, starts)
    minimum = np.fmin.reduceat(series.minimum, starts)
    maximum = np.fmax.reduceat(series.maximum, starts)
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.add.reduceat(np.where(weights > 0, series.values * weights, 0.0), starts)
        mean = np.divide(total, points, out=np.full(len(starts), np.nan), where=points > 0)
    mean = np.clip(mean, minimum, maximum)  # the mean of equal values is that value, despite the rounding of the sum
    return Series(keys[starts], mean, minimum, maximum, np.maximum.reduceat(series.interval, starts), points)
