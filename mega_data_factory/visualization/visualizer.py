"""`MetricsVisualizer`: metrics of nodes go in; plots, files, and findings come out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import pandas as pd
import plotly.graph_objects as go

from mega_data_factory.analytics.anomaly import AnomalyDetector
from mega_data_factory.errors import HistoryError, VisualizationError
from mega_data_factory.formats import plural
from mega_data_factory.history import HistoryRetention, MetricsHistory
from mega_data_factory.storage import Location
from mega_data_factory.visualization.charts.cluster import correlation, heatmap, node_metrics, overview
from mega_data_factory.visualization.charts.cluster import curves as drawn
from mega_data_factory.visualization.charts.cluster.lines import Curve
from mega_data_factory.visualization.charts.labels import node_labels
from mega_data_factory.visualization.export import export_frame
from mega_data_factory.visualization.figures import SUFFIXES, checked_suffix, write_figure
from mega_data_factory.visualization.nodes import frames
from mega_data_factory.visualization.nodes.analysis import changes, findings
from mega_data_factory.visualization.nodes.analysis.prominent import prominent
from mega_data_factory.visualization.nodes.metric_names import STATUS, STATUS_CODES
from mega_data_factory.visualization.nodes.points import Value, checked, status_code
from mega_data_factory.visualization.nodes.queries import NodeQueries
from mega_data_factory.visualization.nodes.selection import Names, Selection, select
from mega_data_factory.visualization.nodes.times import TimeRange, Timestamp, microseconds, text
from mega_data_factory.visualization.page.figure_page import MAX_BYTES
from mega_data_factory.visualization.theme import LIGHT, Theme, theme_named

_CLUSTER = ("cpu_usage", "memory_usage", "disk_usage", "network_io", "partition_count", STATUS)


SENSITIVITY = 0.3
"""Of a picture of many metrics."""


class MetricsVisualizer(NodeQueries):
    """Keeps what nodes report, draws it, exports it, and finds what is strange in it.

    The metrics of a node are `cpu_usage`, `memory_usage`, `disk_usage` (percent), `network_io`, `disk_io` (bytes/s),
    `iops` (operations/s), `partition_count` and `status` (active, degraded or unhealthy); any may be missing, and any
    others are kept and drawn as well. Times without a zone are UTC. Points may come in any order, and from any thread;
    of two with one timestamp the last wins, metric by metric. None and NaN are missing values, and gaps in lines.

    Every plot returns its figure, and writes it where an `output_path` is given: `.html` is one page with its
    controls and all points that fit, offline; `.json`, `.png`, `.svg`, `.pdf`. A `time_range` is a pair of times, or
    how far back from the last point: `"1h"`, a `timedelta`; None is everything.

    Args:
        retention: what is kept for how long, see `HistoryRetention`.
        directory: a local folder in which the history lives and survives a crash; without it, in memory.
        theme: `light`, `dark`, or a `Theme` of your own.
        hosts: names of hosts by node id, which plots show in place of long numbers; without one, a long number is shown
            as far as it differs from others.
        sensitivity: of anomaly detection, in (0, 1); lower than that of a single `AnomalyDetector` by default, for a
            picture holds dozens of metrics, and one alarm in 1,000 points of each would fill it with rings.

    Raises:
        VisualizationError: a value cannot be taken, there is no such node or metric, or nothing to show.
        AnalysisError: there are too few points for an answer, or the sensitivity is none.
        OutputError: a file cannot be written.
    """

    def __init__(
        self,
        retention: HistoryRetention | None = None,
        directory: Location | None = None,
        *,
        theme: str | Theme = LIGHT,
        hosts: Mapping[str, str] | None = None,
        sensitivity: float = SENSITIVITY,
    ) -> None:
        self.theme = theme_named(theme)
        self.hosts = dict(hosts or {})
        AnomalyDetector(sensitivity)  # says now, not at the first plot, what is wrong with it
        super().__init__(MetricsHistory(retention, directory), sensitivity)
        self._met: dict[str, tuple[str, ...]] = {}  # names of metrics that were looked at, by node
        self._writing = threading.Lock()  # a history takes one writer

    # In

    def add_metrics(self, node_id: str, metrics: Mapping[str, Value], timestamp: Timestamp | None = None) -> None:
        """Add one point of a node, whole or not at all. About a microsecond, however many there are.

        Args:
            node_id: any text that is not empty.
            metrics: numbers by name, `status` in words; None where nothing was measured.
            timestamp: a datetime, seconds since 1970, or ISO 8601 text; now when None.
        """
        stamp = time.time_ns() // 1_000 if timestamp is None else microseconds(timestamp)
        if isinstance(metrics, dict) and self._met.get(node_id) == tuple(metrics):  # the way of nearly every point
            if STATUS in metrics:
                code = STATUS_CODES.get(metrics[STATUS])
                metrics = {**metrics, STATUS: status_code(node_id, metrics[STATUS]) if code is None else code}
            try:
                with self._writing:
                    self.history.append(node_id, metrics, stamp)  # type: ignore[arg-type]
                return
            except HistoryError:
                pass  # its words are for programmers
        numbers = checked(node_id, metrics)
        with self._writing:
            self.history.append(node_id, numbers, stamp)
            self._met[node_id] = tuple(numbers)

    def add_frame(self, frame: pd.DataFrame, node_id: str | None = None) -> None:
        """Add many points: a column `timestamp` or an index of times, `node_id` unless given, and metrics."""
        with self._writing:
            frames.add_frame(self.history, frame, node_id)

    # Out

    def plot_node_metrics(
        self,
        output_path: Location | None = None,
        node_id: Names = None,
        time_range: TimeRange = None,
        *,
        metrics: Names = None,
        anomalies: bool = True,
        theme: str | Theme | None = None,
        title: str | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> go.Figure:
        """Draw resources, IO and partitions of a node over one axis of time, anomalies ringed, bad states shaded.

        Args:
            output_path: where to; None only returns the figure.
            node_id: one node, or several (None is all), which are drawn over each other metric by metric.
            time_range: all by default.
            metrics: only these.
            anomalies: whether to look for them, in up to 50 lines; of a long one among the extremes that are drawn.
            theme: of this plot.
            title: of this plot.
            max_bytes: of a page; the more, the further in a zoom shows every point.
        """
        part = self._chosen(output_path, node_id, metrics, time_range)
        part, hidden = prominent(part) if metrics is None else (part, "")
        labels = node_labels(part.nodes, self.hosts)
        curves = drawn.curves(part, labels)
        if not curves:
            hint = "plot_cluster_overview draws a status alone" if STATUS in part.metrics else None
            raise VisualizationError(f"there is no value to draw of {part.named}", hint=hint)
        marks = drawn.marks(part, curves, self.sensitivity if anomalies else None)
        look, span = self._look(theme), (part.start, part.end)
        several = plural(len(part.nodes), "node") if len(part.nodes) > 1 else labels[part.nodes[0]]
        figure = node_metrics.node_metrics(curves, look, title=title or several, span=span, marks=marks, hidden=hidden)
        return self._written(figure, output_path, look, curves, max_bytes)

    def plot_cluster_overview(
        self,
        output_path: Location | None = None,
        time_range: TimeRange = None,
        *,
        nodes: Names = None,
        theme: str | Theme | None = None,
        title: str | None = None,
    ) -> go.Figure:
        """Draw average resources, network traffic, distribution of partitions, and status of every node over time.

        Clocks of nodes need not tick together: each is brought to the same grid of time first.
        """
        part = self._chosen(output_path, nodes, None, time_range)
        there = [metric for metric in _CLUSTER if metric in part.metrics]
        if not there:
            raise VisualizationError("no node has a metric of the overview", hint=f"such as {', '.join(_CLUSTER)}")
        grid = drawn.cluster_grid(
            Selection(part.history, part.nodes, there, part.start, part.end), node_labels(part.nodes, self.hosts)
        )
        look, heading = self._look(theme), title or f"Cluster of {plural(len(part.nodes), 'node')}"
        figure = overview.cluster_overview(grid, look, title=heading, span=(part.start, part.end))
        return self._written(figure, output_path, look)

    def plot_heatmap(
        self,
        output_path: Location | None = None,
        time_range: TimeRange = None,
        *,
        metric: str | None = None,
        nodes: Names = None,
        theme: str | Theme | None = None,
        title: str | None = None,
    ) -> go.Figure:
        """Load as colour: the mean of every metric of every node, and one of them over time (`cpu_usage`)."""
        part = self._chosen(output_path, nodes, None, time_range)
        if part.metrics == [STATUS]:
            raise VisualizationError(
                f"{part.named} has no load metrics, only a status", hint="plot_cluster_overview draws it"
            )
        shown = select(self.history, part.nodes, metric).metrics[0]
        part, hidden = prominent(part, keep=shown)
        look, grid = self._look(theme), drawn.cluster_grid(part, node_labels(part.nodes, self.hosts))
        heading, span = title or f"Load of {plural(len(part.nodes), 'node')}", (part.start, part.end)
        figure = heatmap.load_heatmap(grid, look, title=heading, span=span, metric=shown, hidden=hidden)
        return self._written(figure, output_path, look)

    def plot_correlations(
        self,
        output_path: Location | None = None,
        node: Names = None,
        time_range: TimeRange = None,
        *,
        theme: str | Theme | None = None,
        title: str | None = None,
    ) -> go.Figure:
        """Plot the correlation of the metrics of a node, or of the means over several."""
        part, hidden = prominent(self._chosen(output_path, node, None, time_range))
        names, values = findings.correlation_matrix(part)
        look = self._look(theme)
        of = (
            node_labels(part.nodes, self.hosts)[part.nodes[0]]
            if len(part.nodes) == 1
            else f"the mean of {plural(len(part.nodes), 'node')}"
        )
        heading = title or f"Metrics that move together on {of}"
        figure = correlation.correlation_matrix(names, values, look, title=heading, hidden=hidden)
        return self._written(figure, output_path, look)

    def plot_incident(
        self,
        output_path: Location | None = None,
        window: TimeRange = None,
        baseline: TimeRange = None,
        *,
        top: int = 8,
        theme: str | Theme | None = None,
        title: str | None = None,
    ) -> go.Figure:
        """Draw the metrics that changed most in a window, see `changed`, before and during it.

        Drawn are those that changed by more than chance, silent nodes first; where none did, the strongest ones.
        """
        part = self._chosen(output_path)
        inside, before = changes.windows(part, window, baseline)
        found, words = changes.noteworthy(changes.changed(part, inside, before), top)
        span = (before[0], min(inside[1] + (inside[1] - inside[0]), part.end))
        labels = node_labels(part.nodes, self.hosts)
        around = Selection(part.history, part.nodes, part.metrics, *span)
        curves = [
            Curve(node, metric, series, len(series), labels[node])
            for node, metric in zip(found["node_id"], found["metric"], strict=True)
            for series in [around.series(node, metric)]
        ]
        look, heading = self._look(theme), title or f"What changed between {text(inside[0])} and {text(inside[1])}"
        figure = correlation.incident(found, curves, look, title=heading, span=span, window=inside, notes=[words])
        return self._written(figure, output_path, look, curves)

    def export_metrics(
        self,
        output_path: Location,
        *,
        nodes: Names = None,
        metrics: Names = None,
        time_range: TimeRange = None,
        key: str | bytes | None = None,
    ) -> None:
        """Write `to_frame`: as `.csv`, `.parquet`, `.json`, `.jsonl`, `.arrow`, `.xlsx` (an extra) or `.html`.

        Args:
            output_path: where to; the suffix says as what.
            nodes, metrics, time_range: which; all by default.
            key: encrypts a Parquet file (AES-GCM, 16, 24 or 32 bytes); it cannot be read without the key.
        """
        export_frame(lambda: self.to_frame(nodes, metrics, time_range), output_path, key=key, theme=self.theme)

    # Keeping

    def save(self, path: Location) -> None:
        """Write the history as a folder of Parquet files."""
        self.history.save(str(path))

    @classmethod
    def load(cls, path: Location, retention: HistoryRetention | None = None, **options: Any) -> Self:
        """Return a visualizer of what `save` wrote, or of a live directory; `options` as for the constructor."""
        loaded = cls(retention, **options)
        loaded.history = MetricsHistory.load(str(path), retention)
        return loaded

    def close(self) -> None:
        """Let a live directory go; everything in it stays readable here and by `load`."""
        self.history.close()

    def __len__(self) -> int:
        return len(self.history)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _chosen(
        self,
        output_path: Location | None,
        nodes: Names = None,
        metrics: Names = None,
        time_range: TimeRange = None,
    ) -> Selection:
        """Select what a plot shows; refuse a path that cannot be written before any work is done."""
        if output_path is not None:
            checked_suffix(output_path, SUFFIXES)
        return select(self.history, nodes, metrics, time_range)

    def _look(self, theme: str | Theme | None) -> Theme:
        return self.theme if theme is None else theme_named(theme)

    def _written(
        self,
        figure: go.Figure,
        path: Location | None,
        theme: Theme,
        curves: Iterable[Curve] = (),
        max_bytes: int = MAX_BYTES,
    ) -> go.Figure:
        if path is not None:
            write_figure(figure, path, theme, curves=list(curves), max_bytes=max_bytes)
        return figure
