"""The line of a series: all points if it is short, else least and greatest of every bucket."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mega_data_factory.formats import count
from mega_data_factory.history import Series
from mega_data_factory.history.drawing import thinned, with_gaps

POINTS = 4_000
"""Points of a line that a figure draws: no screen shows more, and SVG stays quick."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One metric of one node, to be drawn.

    Attributes:
        node: id of the node.
        metric: key of the metric.
        series: its points in the time range, all of them or as many as a page is to hold, at times of the axis.
        points: how many there were.
        label: name of the node in the plot; its id when empty.
        attributes: what the node says beside numbers, safe for a figure.
    """

    node: str
    metric: str
    series: Series
    points: int
    label: str = ""
    attributes: str = ""

    @property
    def shown(self) -> str:
        """Name of the node in the plot."""
        return self.label or self.node

    @property
    def shortened(self) -> bool:
        """Whether the series lost rows already."""
        return len(self.series) < self.points


@dataclass(frozen=True, eq=False)
class Line:
    """Drawn points of a curve.

    Attributes:
        x: float64 (n,), milliseconds since 1970: Plotly hands floats on as bytes and reads them as dates.
        y: float32 (n,), NaN if the line is interrupted.
        points: rows that the curve had.
        shortened: whether some of them are not drawn.
    """

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float32]
    points: int
    shortened: bool

    @property
    def note(self) -> str:
        """Return a note on what was thinned; empty when nothing was."""
        return f"{count(self.points)} points drawn as {count(len(self.x))} min/max" if self.shortened else ""


def line(curve: Curve, points: int = POINTS) -> Line:
    """Return the line of a curve in about `points` points: true peaks at their times, and gaps stay gaps."""
    rows = thinned(curve.series, points)
    return Line(*coordinates(with_gaps(rows)), curve.points, curve.shortened or len(rows) < len(curve.series))


def coordinates(series: Series) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """Return milliseconds and values of the rows; a row of many points gives two, its least and its greatest."""
    wide = np.flatnonzero((series.interval > 0) & (series.minimum < series.maximum))
    with np.errstate(over="ignore"):  # what float32 does not reach is infinite, and not drawn
        x, y = series.timestamps / 1e3, series.values.astype(np.float32)
        if not len(wide):
            return x, y
        y[wide] = series.minimum[wide]
        x = np.insert(x, wide + 1, (series.timestamps[wide] + series.interval[wide] // 2) / 1e3)
        return x, np.insert(y, wide + 1, series.maximum[wide].astype(np.float32))
