"""Common frame of the charts of runs: size, margins, and small arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mega_data_factory.formats import SECONDS, seconds
from mega_data_factory.visualization.theme import Theme

ROW = 26
"""Height of a row in pixels, in charts with a row per operator, stage or node."""

ROW_LETTERS = 30
"""Longest label of such a row in characters: half of the width of a phone."""


def framed(figure: go.Figure, theme: Theme, height: int, **layout: Any) -> go.Figure:
    """Give a figure the theme, a height in pixels and further layout options; return the figure."""
    figure.update_layout(
        template=theme.template(),
        height=height,
        margin={"l": 8, "r": 16, "t": 28, "b": 8},
        legend={"yanchor": "bottom", "y": 1.0, "x": 0, "title": {"text": ""}, "traceorder": "normal"},
        hoverlabel={"namelength": -1},
    )
    figure.update_layout(**layout)
    return figure


def nothing(theme: Theme, why: str) -> go.Figure:
    """Return a figure that says why there is nothing to see."""
    figure = go.Figure()
    figure.add_annotation(text=why, x=0.5, y=0.5, xref="paper", yref="paper", font={"color": theme.muted})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return framed(figure, theme, 120)


def milliseconds(times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.float64]:
    """Return times as Plotly takes them on a date axis: a third of the bytes of text."""
    return times.astype("datetime64[ms]").astype(np.float64)


def time_range(times: Iterable[npt.NDArray[np.float64]]) -> list[float] | None:
    """Return the range of a time axis whose points are so close that Plotly would label fractions of milliseconds.

    Args:
        times: Milliseconds of the points of each line.

    Returns:
        Five seconds to both sides of the points; None if they span ten seconds or more, or there are none.
    """
    points = np.concatenate([*times, np.zeros(0)])
    if not len(points) or np.ptp(points) >= 2 * _LEAST_SPAN:
        return None
    middle = (points.min() + points.max()) / 2
    return [float(middle - _LEAST_SPAN), float(middle + _LEAST_SPAN)]


_LEAST_SPAN = 5000.0
"""Milliseconds to both sides of a single point in time."""


def compact(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return values with seven digits, more than a picture shows."""
    return values.astype(np.float32)


def log_seconds(low: float, high: float) -> dict[str, Any]:
    """Return a logarithmic axis of seconds of at least a decade, so that it has ticks and noise looks small.

    Args:
        low, high: least and greatest value, above 0.
    """
    start, end = float(np.log10(low)), float(np.log10(high))
    missing = max(0.0, 1 - (end - start)) / 2
    margin = 0.03 * (end - start) + 0.01
    start, end = start - missing - margin, end + missing + margin
    axis: dict[str, Any] = {"type": "log", "range": [start, end]}
    if end - start > 2:
        return axis | {"dtick": 1, "tickformat": SECONDS.d3, "ticksuffix": "s"}
    ticks = [digit * 10.0**power for power in range(int(np.floor(start)), int(np.ceil(end))) for digit in (1, 2, 5)]
    return axis | {"tickvals": ticks, "ticktext": [_round_seconds(tick) for tick in ticks]}


def _round_seconds(value: float) -> str:
    return seconds(value).replace(".00 ", " ").replace(".0 ", " ")


def dashes(index: int, palette: int) -> str:
    """Return the line style of series number `index`: those that share a colour differ in it."""
    return ("solid", "dash", "dot", "dashdot")[index // palette % 4]
