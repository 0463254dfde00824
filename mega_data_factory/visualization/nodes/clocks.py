"""Clocks of nodes: how far apart their points are, and cells of time on which nodes can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mega_data_factory.history import Series, alignment
from mega_data_factory.visualization.nodes.selection import Selection

Matrix: TypeAlias = npt.NDArray[np.float64]
Span: TypeAlias = tuple[int, int]
"""First and last microsecond since 1970 UTC, both included."""

_LATEST = 10_000  # points that say how far apart points usually are
_JITTER = 0.05  # of a pause: ticks that are off by less are those of an even clock
_CARRY = 2  # cells, for which a value holds where the next point is late


def typical_pause(selection: Selection, node: str) -> int:
    """Return the median microseconds between the last points of a node, as its clock was set; 1 for a single point."""
    times = selection.series(node, "").timestamps[-_LATEST:]
    return _even(int(np.median(np.diff(times)))) if len(times) > 1 else 1


def typical_pauses(selection: Selection) -> dict[str, int]:
    """Return `typical_pause` of every node."""
    return {node: typical_pause(selection, node) for node in selection.nodes}


def common_pause(pauses: Mapping[str, int]) -> int:
    """Return the pause of the node in the middle: a single slow or fast one does not set the clock for all."""
    ordered = sorted(pauses.values())
    return ordered[len(ordered) // 2]


def cell_width(span: Span, cells: int, pause: int) -> int:
    """Return the least multiple of the pause that cuts the span into at most `cells` cells."""
    return pause * max(1, -(-(span[1] - span[0] + 1) // (cells * pause)))


@dataclass(frozen=True)
class Cells:
    """Equal cells of time, of which the last one ends with the span and the first one may begin before it.

    Attributes:
        span: from where to where.
        step: microseconds of a cell.
    """

    span: Span
    step: int

    @property
    def times(self) -> npt.NDArray[np.int64]:
        """Beginnings of the cells."""
        count = -(-(self.span[1] - self.span[0] + 1) // self.step)
        return self.span[1] + 1 - self.step * np.arange(count, 0, -1, dtype=np.int64)

    def align(self, series: Series, pause: int, statistic: alignment.Statistic = "mean") -> Matrix:
        """Return a series in these cells, (cells,); a value holds until the next point is due, `pause` later."""
        return alignment.aligned(series, self.times, self.step, max(_CARRY, -(-pause // self.step)), statistic)


def in_cells(selection: Selection, node: str, metric: str, cells: Cells, pause: int) -> Matrix:
    """Return the means of one metric of one node in cells of equal time, which hold nothing but what is in the span.

    A node that ticks more slowly than the cells holds its value until its next point is due.

    Args:
        selection: where the node is.
        node: its id.
        metric: key of the metric.
        cells: which.
        pause: usual microseconds between points of the node.

    Returns:
        Shape (cells,), NaN if nothing is known.
    """
    series = selection.history.series(node, metric, *cells.span)
    return cells.align(series, pause)


def holders(selection: Selection, metric: str) -> Sequence[str]:
    """Return the nodes that have a metric."""
    return [node for node in selection.nodes if metric in selection.history.metrics(node)]


def mean_of_known(values: Matrix) -> Matrix:
    """Return the mean of the known values of each row, (rows,); NaN if nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    mean = (np.where(known, values, 0.0) / np.maximum(count, 1)[:, None]).sum(axis=1)  # the sum may be too large
    return np.asarray(np.where(count > 0, mean, np.nan), np.float64)


def _even(pause: int) -> int:
    """Return the pause that a clock was set to, of one that jitters: 30 s of 29.998 s, 0.1 s of 100.3 ms."""
    for unit in (60_000_000, 10_000_000, 5_000_000, 1_000_000, 100_000, 10_000, 1_000):
        rounded = round(pause / unit) * unit
        if rounded and abs(rounded - pause) <= _JITTER * min(pause, unit):
            return rounded
    return max(pause, 1)
