"""Series of nodes whose clocks tick at different moments, on one grid of time."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mega_data_factory.errors import HistoryError
from mega_data_factory.history.series import Floats, Series, Times

Statistic = Literal["mean", "minimum", "maximum"]


_MOST_CELLS = 10_000_000
"""More is a mistake: a wrong unit, or a clock that is wrong by years."""


def grid(start: int, end: int, step: int) -> Times:
    """Return multiples of `step` whose cells [t, t + step) cover `start` to `end`, in µs. Empty if end < start.

    Raises:
        HistoryError: `step` is not positive, or there would be too many cells.
    """
    if step < 1:
        raise HistoryError(f"a step of {step} us is not positive", hint="microseconds, or a timedelta")
    if (end - start) // step > _MOST_CELLS:
        raise HistoryError(
            f"a step of {step} us makes {(end - start) // step:,} cells", hint="a wider step, or a `start` and an `end`"
        )
    if end < start:
        return np.empty(0, np.int64)
    return np.arange(start // step * step, end + 1, step, dtype=np.int64)


def aligned(series: Series, times: Times, step: int, carry: int, statistic: Statistic = "mean") -> Floats:
    """Return one value of the series for each cell of a grid.

    A cell holds the mean by number of points (or the true minimum or maximum) of the rows that begin in it. A bucket
    that is wider than a cell fills all cells that it covers. A cell without rows carries the last value on, for at
    most `carry` cells; further on it is NaN.

    Args:
        series: in order of time.
        times: beginnings of the cells, `step` apart.
        step: microseconds.
        carry: cells.
        statistic: what of the rows in a cell.

    Returns:
        float64, the shape of `times`.
    """
    result = np.full(len(times), np.nan)
    series = series.known()
    if not len(series) or not len(times):
        return result
    cell = (series.timestamps - times[0]) // step
    starts = np.flatnonzero(np.concatenate(([True], cell[1:] != cell[:-1])))
    values = _statistic(series, starts, statistic)
    cells = cell[starts]
    reach = np.maximum(np.maximum.reduceat(series.interval, starts) // step - 1, carry)
    last = np.searchsorted(cells, np.arange(len(times)), "right") - 1  # the last cell with rows, up to each cell
    within = (last >= 0) & (np.arange(len(times)) - cells[last] <= reach[last])
    result[within] = values[last[within]]
    return result


def _statistic(series: Series, starts: np.ndarray[tuple[int], np.dtype[np.intp]], statistic: Statistic) -> Floats:
    if statistic == "minimum":
        return np.asarray(np.minimum.reduceat(series.minimum, starts))
    if statistic == "maximum":
        return np.asarray(np.maximum.reduceat(series.maximum, starts))
    return np.asarray(np.add.reduceat(series.values * series.points, starts) / np.add.reduceat(series.points, starts))
