"""Charts of stages and operators over the time of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mega_data_factory.analytics.runs.series import Series
from mega_data_factory.formats import RECORDS_PER_SECOND, SECONDS
from mega_data_factory.visualization.charts.frame import (
    ROW_LETTERS,
    compact,
    dashes,
    framed,
    log_seconds,
    milliseconds,
    nothing,
    time_range,
)
from mega_data_factory.visualization.charts.labels import safe
from mega_data_factory.visualization.theme import LIGHT, Theme

MOST_LINES = 12
"""Stages, or operators, that have a line of their own: those that worked most."""

Key = TypeVar("Key")

NO_SAMPLES = "this run has no samples over time"


def stages_over_time(stages: Mapping[str, Series], theme: Theme = LIGHT) -> go.Figure:
    """Draw three rows over one time axis: records per second, workers busy on average, pass rate.

    Args:
        stages: stage → what it did, in plan order.
        theme: the look.
    """
    if not stages:
        return nothing(theme, NO_SAMPLES)
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.44, 0.28, 0.28])
    for index, (name, series) in enumerate(_busiest(stages)):
        label, style = safe(name, 30), _style(index, theme)
        times = milliseconds(series.starts)
        rows = (
            (series.throughput, f"%{{y:{RECORDS_PER_SECOND.d3}}} records/s"),
            (series.busy, "%{y:.2f} workers"),
            (series.pass_rate, "%{y:.1f} %"),
        )
        for row, (values, hover) in enumerate(rows, 1):
            figure.add_scatter(
                x=times,
                y=compact(values),
                name=label,
                legendgroup=str(index),
                showlegend=row == 1,
                mode="lines" if len(times) > 1 else "markers",
                line=style,
                hovertemplate=hover,
                row=row,
                col=1,
            )
    for row, title in enumerate(("records / s", "busy workers", "pass rate %"), 1):
        figure.update_yaxes(title_text=title, rangemode="tozero", row=row, col=1)
    figure.update_yaxes(tickformat="~s", row=1, col=1)
    highest = max(
        (float(np.nan_to_num(series.pass_rate).max(initial=100.0)) for series in stages.values()), default=100.0
    )
    figure.update_yaxes(range=[0, 1.03 * highest], row=3, col=1)  # over 100 % where records are created
    figure.update_xaxes(type="date", range=time_range(milliseconds(series.starts) for series in stages.values()))
    figure.update_xaxes(title_text="time (UTC)", row=3, col=1)
    return framed(figure, theme, 560)


def operator_cost_over_time(
    operators: Mapping[tuple[str, str], Series], theme: Theme = LIGHT, lines: int = 7
) -> go.Figure:
    """Draw seconds per record of the operators that take most time: a line that rises is an operator that gets slower.

    Args:
        operators: `(stage, operator)` → what it did.
        theme: the look.
        lines: operators to draw at most.
    """
    busiest = _busiest(operators, lines)
    if not busiest:
        return nothing(theme, NO_SAMPLES)
    figure, seen = go.Figure(), []
    for index, ((stage, name), series) in enumerate(busiest):
        came, busy = series.columns["input_records"], series.columns["busy_time"]
        cost = np.divide(busy, came, out=np.full(len(came), np.nan), where=(came > 0) & (busy > 0))
        seen.append(cost[np.isfinite(cost)])
        figure.add_scatter(
            x=milliseconds(series.starts),
            y=compact(cost),
            name=safe(f"{stage} / {name}", ROW_LETTERS),
            mode="lines" if len(came) > 1 else "markers",
            line=_style(index, theme),
            hovertemplate=f"%{{y:{SECONDS.d3}}}s per record",
        )
    values = np.concatenate(seen)
    if len(values):
        figure.update_yaxes(title_text="seconds / record", **log_seconds(values.min(), values.max()))
    around = time_range(milliseconds(series.starts) for _, series in busiest)
    figure.update_xaxes(type="date", title_text="time (UTC)", range=around)
    return framed(figure, theme, 360)


def _style(index: int, theme: Theme) -> dict[str, object]:
    dash = dashes(index, len(theme.palette))
    return {"color": theme.colour(index), "dash": dash, "width": theme.line_width}


def _busiest(series: Mapping[Key, Series], most: int = MOST_LINES) -> Sequence[tuple[Key, Series]]:
    """Return the entries that worked most, in their own order."""
    ranked = sorted(series, key=lambda key: -float(series[key].columns["busy_time"].sum()))[:most]
    return [(key, series[key]) for key in series if key in ranked]
