"""Metrics of nodes over one shared axis of time: a row for each unit, anomalies marked, bad states shaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import plotly.graph_objects as go

from mega_data_factory.formats import COUNT, plural
from mega_data_factory.visualization.charts.cluster.attributes import HOVER
from mega_data_factory.visualization.charts.cluster.lines import POINTS, Curve, Line, line
from mega_data_factory.visualization.charts.cluster.rows import Row, add_note, axis_name, legend_name, stacked
from mega_data_factory.visualization.charts.cluster.time_axis import TimeAxis
from mega_data_factory.visualization.charts.frame import dashes
from mega_data_factory.visualization.charts.labels import safe, sentence
from mega_data_factory.visualization.nodes.metric_names import metric_name, status_word
from mega_data_factory.visualization.theme import LIGHT, Theme

MOST_NAMES = 8
"""Nodes that a legend names; of more, the label at the pointer does, and the chooser of the page."""


@dataclass(frozen=True)
class Anomaly:
    """A strange point.

    Attributes:
        node: id of the node.
        metric: key of the metric.
        timestamp: microseconds since 1970 on the axis.
        value: what was measured.
        reason: in words.
    """

    node: str
    metric: str
    timestamp: int
    value: float
    reason: str


@dataclass(frozen=True)
class Period:
    """A stretch of time in which a node was in some state.

    Attributes:
        node: id of the node.
        start: microseconds since 1970 on the axis.
        end: when it was over.
        code: 0 active, 1 degraded, 2 unhealthy.
    """

    node: str
    start: int
    end: int
    code: float


@dataclass(frozen=True)
class Marks:
    """Marks on the curves.

    Attributes:
        anomalies: strange points.
        periods: states of nodes; active ones are not drawn.
    """

    anomalies: Sequence[Anomaly] = field(default_factory=tuple)
    periods: Sequence[Period] = field(default_factory=tuple)


NO_MARKS = Marks()


def node_metrics(
    curves: Sequence[Curve],
    theme: Theme = LIGHT,
    *,
    title: str,
    axis: TimeAxis,
    marks: Marks = NO_MARKS,
    points: int = POINTS,
    hidden: str = "",
) -> go.Figure:
    """Return the curves of one node, in rows of one unit each; of several nodes, in a row for each metric.

    Args:
        curves: at least one.
        theme: the look.
        title: of the figure, shown letter by letter.
        axis: of time.
        marks: anomalies and states to mark.
        points: of a line, at most.
        hidden: says what is left out.
    """
    nodes = list(dict.fromkeys(curve.node for curve in curves))
    rows = _rows(curves, len(nodes))
    figure = stacked(rows, theme, title=title, axis=axis)
    notes = []
    for at, curve in enumerate(curves):
        drawn = line(curve, points)
        notes.append(drawn)
        first = next(one for one in curves if one.node == curve.node) is curve
        figure.add_trace(_trace(at, curve, drawn, rows, nodes, theme, attributes=curve.attributes if first else ""))
    for trace in _marks(marks.anomalies, rows, theme):
        figure.add_trace(trace)
    for shape in _shading(marks.periods, theme):
        figure.add_shape(shape)
    _add_notes(figure, notes, theme, hidden)
    return figure


def _rows(curves: Sequence[Curve], nodes: int) -> list[Row]:
    """Return the rows of a plot, from top to bottom."""
    rows: dict[str, Row] = {}
    for curve in curves:
        name = metric_name(curve.metric)
        title = name.title if nodes > 1 else name.group
        row = rows.setdefault(title, Row(title, name.unit, [], crowded=nodes > MOST_NAMES))
        if curve.metric not in row.metrics:
            row.metrics.append(curve.metric)
    return list(rows.values())


def _trace(
    at: int,
    curve: Curve,
    drawn: Line,
    rows: Sequence[Row],
    nodes: Sequence[str],
    theme: Theme,
    attributes: str,
) -> go.Scatter:
    number, row = next((number, row) for number, row in enumerate(rows, 1) if curve.metric in row.metrics)
    several = len(nodes) > 1
    colour = nodes.index(curve.node) if several else row.metrics.index(curve.metric)
    name = metric_name(curve.metric)
    shape = "hv" if name.unit is COUNT else "linear"
    return go.Scatter(
        x=drawn.x,
        y=drawn.y,
        name=safe(curve.shown if several else name.title),
        mode="lines+markers" if len(drawn.x) == 1 else "lines",
        line={"color": theme.colour(colour), "dash": dashes(colour, len(theme.palette)), "shape": shape},
        yaxis=axis_name(number, len(rows)),
        legend=legend_name(number, len(rows)),
        legendgroup=safe(curve.node) if several else None,
        hovertemplate=name.unit.hover() + (HOVER if attributes else ""),
        meta={"curve": at, "node": curve.node, "label": curve.shown, "metric": curve.metric, "attributes": attributes},
    )


def _marks(anomalies: Iterable[Anomaly], rows: Sequence[Row], theme: Theme) -> Iterable[go.Scatter]:
    """Return one trace of rings for the anomalies of every node and metric."""
    groups: dict[tuple[str, str], list[Anomaly]] = {}
    for anomaly in anomalies:
        groups.setdefault((anomaly.node, anomaly.metric), []).append(anomaly)
    for (node, metric), found in groups.items():
        number = next(number for number, row in enumerate(rows, 1) if metric in row.metrics)
        yield go.Scatter(
            x=np.array([anomaly.timestamp for anomaly in found]) / 1e3,
            y=np.array([anomaly.value for anomaly in found]),
            text=[sentence(anomaly.reason) for anomaly in found],
            name="anomaly",
            mode="markers",
            marker={"symbol": "circle-open", "size": 9, "color": theme.text, "line": {"width": 1.5}},
            yaxis=axis_name(number, len(rows)),
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
            meta={"node": node, "metric": metric, "mark": True},
        )


def _shading(periods: Iterable[Period], theme: Theme) -> Iterable[dict[str, object]]:
    for period in periods:
        if period.code > 0:
            colour = theme.bad if period.code > 1 else theme.warning
            yield {
                "type": "rect",
                "x0": period.start / 1e3,
                "x1": period.end / 1e3,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "layer": "below",
                "line": {"width": 0},
                "fillcolor": theme.faint(colour, 0.16),
                "name": status_word(period.code),
            }


def _add_notes(figure: go.Figure, lines: Sequence[Line], theme: Theme, hidden: str) -> None:
    """Add notes below the plot: what was thinned, and what rings and shades mean."""
    thinned = []
    if shortened := [line for line in lines if line.shortened]:
        most = max(shortened, key=lambda line: line.points)
        thinned.append(most.note + (f" (and {plural(len(shortened) - 1, 'more line')})" if len(shortened) > 1 else ""))
    names = sorted({shape.name for shape in figure.layout.shapes})
    legend = [hidden] if hidden else []
    legend += [f"shaded: {' or '.join(names)}"] if names else []
    if any((trace.meta or {}).get("mark") for trace in figure.data):
        legend.append("rings: anomalies")
    add_note(figure, theme, legend, thinned)
