"""Nodes of a run: plots of the visualizer, anomalies, and changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.dashboard import parts
from mega_data_factory.dashboard.context import View
from mega_data_factory.errors import MdfError
from mega_data_factory.formats import moment, number, plural, whole_seconds
from mega_data_factory.visualization import MetricsVisualizer
from mega_data_factory.visualization.charts.labels import node_labels
from mega_data_factory.visualization.nodes.analysis.changes import NODE_SILENT

RANGES = {"": "the whole run", "1m": "last minute", "10m": "last 10 minutes", "1h": "last hour", "24h": "last day"}
MOST_ANOMALIES = 200
_OF_ALL_NODES = ("changed",)
_OF_ALL_METRICS = ("cluster", "together", "changed")
"""Views that ignore the choice of metrics."""

_ANOMALY_COLUMNS = ("metric", "time (UTC)", "value", "score", "why")
_CHANGE_COLUMNS = ("metric", "before", "during", "score")


@dataclass(frozen=True)
class NodeQuery:
    """RunQuery of nodes and metrics.

    Attributes:
        view: A key of `VIEWS`.
        nodes: Nodes to show; None for all.
        metrics: Metrics to show; None for all.
        period: Time before the end of the run; None for all.
    """

    view: str
    nodes: list[str] | None
    metrics: list[str] | None
    period: str | None


def show(view: View, run_id: str) -> tuple[str, Component]:
    """Return the page of the nodes of a run.

    Raises:
        MdfError: There is no such run.
    """
    recording = view.store.recording(run_id)
    trail = [("Runs", "/"), (recording.run_id, parts.run_path(recording.run_id))]
    title = f"Nodes of {recording.run_id}"
    if not len(recording.nodes):
        return title, html.Article([parts.heading("Nodes", trail=trail), _nothing(recording)])
    visualizer = view.store.visualizer(run_id)
    wanted = _wanted(view)
    known = visualizer.history.nodes()
    head = parts.heading("Nodes", html.Span(plural(len(known), "node"), className="note"), trail=trail)
    body = html.Div(_body(view, visualizer, wanted), id="nodes-body")
    return title, html.Article([head, _tabs(recording.run_id, wanted), _controls(visualizer, wanted), body])


def _nothing(recording: Recording) -> Component:
    if recording.run.get("status") == "running":
        return html.P("No node metrics yet: the first rows come with the next flush.", className="calm")
    text = "No node metrics were recorded for this run. `metrics.node_interval` sets how often nodes are sampled."
    return html.P(text, className="calm")


def _wanted(view: View) -> NodeQuery:
    shown = view.first("view", "cluster")
    period = view.first("range")
    return NodeQuery(
        shown if shown in VIEWS else "cluster",
        view.query.get("node"),
        view.query.get("metric"),
        period if period in RANGES and period else None,
    )


def _tabs(run_id: str, wanted: NodeQuery) -> Component:
    base = parts.run_path(run_id, "nodes")
    links = [
        dcc.Link(
            title,
            href=f"{base}{address(name, wanted.nodes, wanted.metrics, wanted.period)}",
            className="here" if name == wanted.view else "",
        )
        for name, (title, _) in VIEWS.items()
    ]
    return html.Nav(links, className="tabs", **parts.aria(label="Views of the nodes"))


def address(view: str, nodes: list[str] | None, metrics: list[str] | None, period: str | None) -> str:
    """Return the query of the address of a view."""
    pairs = [("view", view), *(("node", node) for node in nodes or []), *(("metric", name) for name in metrics or [])]
    return f"?{urlencode([*pairs, *([('range', period)] if period else [])])}"


def _controls(visualizer: MetricsVisualizer, wanted: NodeQuery) -> Component:
    history = visualizer.history
    names = node_labels(history.nodes(), visualizer.hosts)
    period = {key: text for key, text in RANGES.items() if key}
    return html.Div(
        [
            dcc.Store(id="nodes-view", data=wanted.view),
            _choice("Nodes", "nodes-nodes", names, wanted.nodes, wanted.view not in _OF_ALL_NODES),
            _choice(
                "Metrics",
                "nodes-metrics",
                {name: name for name in history.metrics()},
                wanted.metrics,
                wanted.view not in _OF_ALL_METRICS,
            ),
            html.Div(
                [
                    html.Label("Time", htmlFor="nodes-period"),
                    dcc.Dropdown(id="nodes-period", options=period, value=wanted.period, placeholder=RANGES[""]),
                ],
                className="control",
            ),
        ],
        className="controls",
    )


def _choice(title: str, name: str, options: dict[str, str], value: list[str] | None, counts: bool) -> Component:
    picker = dcc.Dropdown(
        id=name, options=options, value=value or [], multi=True, placeholder=f"all {title.lower()}", disabled=not counts
    )
    return html.Div([html.Label(title, htmlFor=name), picker], className="control")


def _body(view: View, visualizer: MetricsVisualizer, wanted: NodeQuery) -> list[Component]:
    try:
        return VIEWS[wanted.view][1](view, visualizer, wanted)
    except MdfError as error:  # an empty choice is an answer, not a missing page
        return [html.P(error.message, className="calm"), *([html.P(error.hint)] if error.hint else [])]


def _chart(name: str, figure: go.Figure) -> list[Component]:
    label = figure.layout.title.text or name
    return [parts.graph(f"nodes-{name}", figure, label)]


def _cluster(view: View, visualizer: MetricsVisualizer, wanted: NodeQuery) -> list[Component]:
    return _chart(
        "cluster", visualizer.plot_cluster_overview(None, wanted.period, nodes=wanted.nodes, theme=view.theme)
    )


def _node(view: View, visualizer: MetricsVisualizer, wanted: NodeQuery) -> list[Component]:
    figure = visualizer.plot_node_metrics(None, wanted.nodes, wanted.period, metrics=wanted.metrics, theme=view.theme)
    return _chart("node", figure)


def _heat(view: View, visualizer: MetricsVisualizer, wanted: NodeQuery) -> list[Component]:
    metric = wanted.metrics[0] if wanted.metrics else None
    figure = visualizer.plot_heatmap(None, wanted.period, metric=metric, nodes=wanted.nodes, theme=view.theme)
    return _chart("heat", figure)


def _together(view: View, visualizer: MetricsVisualizer, wanted: NodeQuery) -> list[Component]:
    return _chart("together", visualizer.plot_correlations(None, wanted.nodes, wanted.period, theme=view.theme))


def _changed(view: View, visualizer: MetricsVisualizer, wanted: NodeQuery) -> list[Component]:
    window = wanted.period or _last_fifth(visualizer)
    labels = node_labels(visualizer.history.nodes(), visualizer.hosts)
    rows = [
        (labels[row["node_id"]], _what_changed(row), *(number(row[key]) for key in ("before", "during", "score")))
        for row in visualizer.changed(window).head(40).to_dict("records")
    ]
    figure = visualizer.plot_incident(None, window, theme=view.theme)
    note = html.P("A score near 1 is normal; above 3 it is rarely chance. Choose a time range to explain.")
    table = parts.table("Changes, the largest first", _CHANGE_COLUMNS, rows, first="node", words=("metric",))
    return [note, *_chart("changed", figure), parts.section("What changed", table)]


def _what_changed(row: Mapping[Any, Any]) -> str:
    if row["change"] == NODE_SILENT:
        return f"all metrics: no value for {whole_seconds(row['silence'])}"
    return f"{row['metric']}: no value for {whole_seconds(row['silence'])}" if row["silence"] else str(row["metric"])


def _last_fifth(visualizer: MetricsVisualizer) -> str:
    first, last = visualizer.history.span() or (0, 0)
    return f"{max(1.0, (last - first) / 5e6):.0f}s"


def _anomalies(_: View, visualizer: MetricsVisualizer, wanted: NodeQuery) -> list[Component]:
    found = visualizer.detect_anomalies(wanted.nodes, wanted.metrics, wanted.period)
    if not len(found):
        return [html.P("No anomalies were found.", className="calm")]
    strongest = found.sort_values("score", ascending=False).head(MOST_ANOMALIES).sort_values("timestamp")
    rows = [
        (
            row["node_id"],
            row["metric"],
            f"{row['timestamp']:%Y-%m-%d %H:%M:%S}",
            *(number(row[key]) for key in ("value", "score")),
            row["reason"],
        )
        for row in strongest.to_dict("records")
    ]
    more = "" if len(found) <= MOST_ANOMALIES else f"; the {MOST_ANOMALIES} strongest are shown"
    note = f"{plural(len(found), 'point')} since {moment(found['timestamp'].min())}{more}"
    shown = parts.table("Anomalies", _ANOMALY_COLUMNS, rows, first="node", words=("metric", "why"))
    return [html.P(note, className="note"), shown]


_Body = Callable[[View, MetricsVisualizer, NodeQuery], list[Component]]

VIEWS: dict[str, tuple[str, _Body]] = {
    "cluster": ("Cluster", _cluster),
    "node": ("Metrics", _node),
    "heat": ("Heat map", _heat),
    "together": ("Correlations", _together),
    "changed": ("Changes", _changed),
    "strange": ("Anomalies", _anomalies),
}
"""Views of the nodes, with their titles."""


def search_of(view: str, nodes: Any, metrics: Any, period: Any) -> str:
    """Return the query string of the address for the values of the controls."""
    return address(view if view in VIEWS else "cluster", nodes or None, metrics or None, period or None)
