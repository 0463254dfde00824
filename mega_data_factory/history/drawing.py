"""Fewer rows that draw the same picture: true extremes at their true times, and gaps that stay gaps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mega_data_factory.history.series import Floats, Rows, Series

_GAP = 5
"""Spacings without a row that make a gap."""


def thinned(series: Series, points: int) -> Series:
    """Return at most about `points` rows of the series that look as all of them do.

    The time is cut into equal buckets; of each the row with the least minimum and the row with the greatest maximum
    stay (M4 without first and last: Jugel et al., VLDB 2014), and the first unmeasured row if there is one, so that a
    gap of a single row still breaks the line. The first and last row of all stay too.

    Args:
        series: in order of time.
        points: rows to draw, at least 4. It may be exceeded by unmeasured rows: one for each bucket.

    Returns:
        Some of the rows, as they are; all of them when there are no more than `points`.
    """
    if len(series) <= max(points, 4):
        return series
    buckets = max(1, points // 2 - 1)
    unknown = np.isnan(series.values)
    gaps = bool(unknown.any())
    least = np.where(unknown, np.inf, series.minimum) if gaps else series.minimum
    greatest = np.where(unknown, -np.inf, series.maximum) if gaps else series.maximum
    edges = np.linspace(series.timestamps[0], series.timestamps[-1] + 1, buckets + 1)
    cuts = np.searchsorted(series.timestamps, edges[1:-1].astype(np.int64)).tolist()
    chosen = _extremes(least, greatest, [0, *cuts, len(series)])
    if gaps:
        rows = np.flatnonzero(unknown)
        bucket = np.searchsorted(cuts, rows, "right")
        chosen = np.concatenate((chosen, rows[np.unique(bucket, return_index=True)[1]]))
    return series[np.unique(np.concatenate((chosen, [0, len(series) - 1])))]


def _extremes(least: Floats, greatest: Floats, cuts: list[int]) -> Rows:
    """Return rows of the least and the greatest value between each two cuts.

    A loop over buckets: `argmin` of a contiguous slice runs at the speed of memory, and buckets are few.
    """
    rows = []
    for start, end in pairwise(cuts):
        if start < end:
            rows.append(start + int(least[start:end].argmin()))
            rows.append(start + int(greatest[start:end].argmax()))
    return np.array(rows, np.intp)


def with_gaps(series: Series, longer_than: int | None = None) -> Series:
    """Return the series with an unmeasured row in every gap, so that a line drawn through it breaks there.

    Args:
        series: in order of time.
        longer_than: microseconds without a row that make a gap; by default five times the usual spacing (the median,
            or the width of the bucket if that is larger).
    """
    if len(series) < 3:
        return series
    spacing = np.diff(series.timestamps)
    usual = int(np.median(spacing[:: max(1, len(spacing) // 10_000)]))
    holes = np.flatnonzero(spacing > max(usual * _GAP if longer_than is None else longer_than, 1))
    if longer_than is None:
        holes = holes[spacing[holes] > series.interval[holes] * _GAP]
    if not len(holes):
        return series
    middle = series.timestamps[holes] + spacing[holes] // 2
    at = holes + 1
    values = np.insert(series.values, at, np.nan)
    same = series.minimum is series.values
    return Series(
        np.insert(series.timestamps, at, middle),
        values,
        values if same else np.insert(series.minimum, at, np.nan),
        values if same else np.insert(series.maximum, at, np.nan),
        np.insert(series.interval, at, 0),
        None if series.weights is None else np.insert(series.weights, at, 0.0),
    )
