"""Charts of correlated metrics, and of the changes in an incident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mega_data_factory import formats
from mega_data_factory.visualization.charts.cluster.attributes import HOVER
from mega_data_factory.visualization.charts.cluster.lines import Curve, line
from mega_data_factory.visualization.charts.cluster.rows import Row, add_note, axis_name, stacked
from mega_data_factory.visualization.charts.cluster.time_axis import TimeAxis
from mega_data_factory.visualization.charts.labels import distinct, safe
from mega_data_factory.visualization.nodes.analysis.changes import NODE_SILENT, SILENT
from mega_data_factory.visualization.nodes.metric_names import metric_name
from mega_data_factory.visualization.theme import LIGHT, Theme

if TYPE_CHECKING:
    import pandas as pd

_LETTERS = 24  # of the name of a metric beside the square
_MOST_TEXTS = 16  # metrics: of more, numbers do not fit into their squares


def correlation_matrix(
    metrics: Sequence[str], values: npt.NDArray[np.float64], theme: Theme = LIGHT, *, title: str, hidden: str = ""
) -> go.Figure:
    """Draw a square of colours from -1 (they move against each other) to +1 (together).

    Args:
        metrics: keys, n of them.
        values: (n, n).
        theme: the look.
        title: of the figure, shown letter by letter.
        hidden: says what is left out.
    """
    titles = distinct((metric_name(metric).title for metric in metrics), _LETTERS)
    heat = go.Heatmap(
        x=titles,
        y=titles,
        z=values.astype(np.float32),
        zmin=-1,
        zmax=1,
        colorscale=theme.scale(theme.diverging),
        texttemplate="%{z:.2f}" if len(metrics) <= _MOST_TEXTS else None,
        showscale=len(metrics) > _MOST_TEXTS,
        xgap=2,
        ygap=2,
        colorbar={"thickness": 10, "outlinewidth": 0, "len": 0.9},
        hovertemplate="%{y} and %{x}: %{z:.2f}<extra></extra>",
    )
    figure = go.Figure(heat)
    figure.update_layout(
        template=theme.template(),
        title={"text": safe(title, 120), "y": 1, "yanchor": "top", "pad": {"t": 18, "l": 16}},
        height=150 + 52 * max(len(metrics), 4),
        margin={"t": 64, "b": 64, "l": 96, "r": 24},
        hovermode="closest",
        xaxis={"showline": False, "ticks": "", "constrain": "domain"},
        yaxis={"autorange": "reversed", "scaleanchor": "x", "constrain": "domain", "showgrid": False},
    )
    words = ["correlation of changes; -1 against each other, +1 together"]
    add_note(figure, theme, [*words, hidden] if hidden else words)
    return figure


def incident(
    found: pd.DataFrame,
    curves: Sequence[Curve],
    theme: Theme = LIGHT,
    *,
    title: str,
    axis: TimeAxis,
    window: tuple[int, int],
    notes: Sequence[str] = (),
) -> go.Figure:
    """Draw the metrics that changed most, one row each, strongest on top, with the window shaded.

    Args:
        found: a row of `changed` for each curve, in their order.
        curves: what to draw, before and during the incident.
        theme: the look.
        title: of the figure, shown letter by letter.
        axis: of time.
        window: the incident, the same.
        notes: words below the figure.
    """
    rows = _rows(found, curves)
    figure = stacked(rows, theme, title=title, axis=axis)
    for at, curve in enumerate(curves):
        drawn, name = line(curve), metric_name(curve.metric)
        figure.add_scatter(
            x=drawn.x,
            y=drawn.y,
            mode="lines+markers" if len(drawn.x) == 1 else "lines",
            name=safe(f"{name.title} on {curve.shown}"),
            line={"color": theme.colour(at)},
            yaxis=axis_name(at + 1, len(rows)),
            showlegend=False,
            hovertemplate=name.unit.hover() + (HOVER if curve.attributes else ""),
            meta={
                "curve": at,
                "node": curve.node,
                "label": curve.shown,
                "metric": curve.metric,
                "attributes": curve.attributes,
            },
        )
    _shade(figure, window, theme)
    add_note(figure, theme, ["shaded: the window that is compared with the baseline", *notes])
    return figure


def _rows(found: pd.DataFrame, curves: Sequence[Curve]) -> list[Row]:
    """Return a row for each change; the axis need not start at 0, so that a small change of a large value shows."""
    return [
        Row(
            _heading(entry, curve.shown),
            metric_name(curve.metric).unit,
            [curve.metric],
            0.8,
            {"rangemode": "normal"},
            crowded=True,
        )
        for entry, curve in zip(found.to_dict("records"), curves, strict=True)
    ]


def _heading(entry: Mapping[Any, Any], node: str) -> str:
    """Say what changed, in one line: `CPU on node-1: 12 % → 98 % (score 24)`."""
    name = metric_name(entry["metric"])
    if entry["change"] == NODE_SILENT:
        return f"{node} fell silent for {formats.whole_seconds(entry['silence'])} (drawn: {name.title})"
    if entry["change"] == SILENT:
        return f"{name.title} on {node}: no value for {formats.whole_seconds(entry['silence'])}"
    before, during = (formats.in_unit(entry[column], name.unit) for column in ("before", "during"))
    return f"{name.title} on {node}: {before} → {during} (score {entry['score']:.1f})"


def _shade(figure: go.Figure, window: tuple[int, int], theme: Theme) -> None:
    figure.add_shape(
        type="rect",
        x0=window[0] / 1e3,
        x1=window[1] / 1e3,
        y0=0,
        y1=1,
        yref="paper",
        layer="below",
        line={"width": 0},
        fillcolor=theme.faint(theme.accent, 0.12),
    )
