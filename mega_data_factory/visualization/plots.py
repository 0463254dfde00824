"""Plots of a history of nodes: what is selected, drawn, and written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import tzinfo

import plotly.graph_objects as go

from mega_data_factory.errors import VisualizationError
from mega_data_factory.formats import plural
from mega_data_factory.storage import Location
from mega_data_factory.visualization.charts.cluster import correlation, heatmap, node_metrics, overview
from mega_data_factory.visualization.charts.cluster import curves as drawn
from mega_data_factory.visualization.charts.cluster.lines import Curve
from mega_data_factory.visualization.charts.cluster.time_axis import TimeAxis, time_axis
from mega_data_factory.visualization.charts.labels import node_labels
from mega_data_factory.visualization.figures import write_figure, written_suffix
from mega_data_factory.visualization.nodes.analysis import changes, findings
from mega_data_factory.visualization.nodes.analysis.prominent import prominent
from mega_data_factory.visualization.nodes.metric_names import STATUS
from mega_data_factory.visualization.nodes.queries import NodeQueries
from mega_data_factory.visualization.nodes.selection import Names, Selection
from mega_data_factory.visualization.nodes.times import TimeRange
from mega_data_factory.visualization.nodes.zone import zone_named
from mega_data_factory.visualization.page.figure_page import MAX_BYTES
from mega_data_factory.visualization.theme import Theme, theme_named

_CLUSTER = ("cpu_usage", "memory_usage", "disk_usage", "network_io", "partition_count", STATUS)


class NodePlots(NodeQueries):
    """Plots. Each returns its figure, and writes it if an `output_path` is given: a page unless its suffix says else.

    Attributes:
        theme: of plots.
        hosts: names of hosts by node id.
    """

    theme: Theme
    hosts: dict[str, str]

    def plot_node_metrics(
        self,
        output_path: Location | None = None,
        node_id: Names = None,
        time_range: TimeRange = None,
        *,
        metrics: Names = None,
        anomalies: bool = True,
        timezone: str | tzinfo | None = None,
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
            timezone: of the axis of time: `local`, `UTC`, a name, a `tzinfo`; that of the visualizer by default.
            theme: of this plot.
            title: of this plot.
            max_bytes: of a page; the more, the further in a zoom shows every point.
        """
        part = self._chosen(output_path, node_id, metrics, time_range)
        part, hidden = prominent(part) if metrics is None else (part, "")
        labels, axis = node_labels(part.nodes, self.hosts), self._axis(part, timezone)
        curves = drawn.curves(part, labels, axis)
        if not curves:
            hint = "plot_cluster_overview draws a status alone" if STATUS in part.metrics else None
            raise VisualizationError(f"there is no value to draw of {part.named}", hint=hint)
        marks = drawn.marks(part, curves, axis, self.sensitivity if anomalies else None)
        look = self._look(theme)
        several = plural(len(part.nodes), "node") if len(part.nodes) > 1 else labels[part.nodes[0]]
        figure = node_metrics.node_metrics(curves, look, title=title or several, axis=axis, marks=marks, hidden=hidden)
        return self._written(figure, output_path, look, curves, max_bytes)

    def plot_cluster_overview(
        self,
        output_path: Location | None = None,
        time_range: TimeRange = None,
        *,
        nodes: Names = None,
        timezone: str | tzinfo | None = None,
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
        axis = self._axis(part, timezone)
        grid = drawn.cluster_grid(replace(part, metrics=there), node_labels(part.nodes, self.hosts), axis)
        look, heading = self._look(theme), title or f"Cluster of {plural(len(part.nodes), 'node')}"
        figure = overview.cluster_overview(grid, look, title=heading, axis=axis)
        return self._written(figure, output_path, look)

    def plot_heatmap(
        self,
        output_path: Location | None = None,
        time_range: TimeRange = None,
        *,
        metric: str | None = None,
        nodes: Names = None,
        timezone: str | tzinfo | None = None,
        theme: str | Theme | None = None,
        title: str | None = None,
    ) -> go.Figure:
        """Load as colour: the mean of every metric of every node, and one of them over time (`cpu_usage`)."""
        part = self._chosen(output_path, nodes, None, time_range)
        if part.metrics == [STATUS]:
            raise VisualizationError(
                f"{part.named} has no load metrics, only a status", hint="plot_cluster_overview draws it"
            )
        shown = self._selected(part.nodes, metric).metrics[0]
        part, hidden = prominent(part, keep=shown)
        look, axis = self._look(theme), self._axis(part, timezone)
        grid = drawn.cluster_grid(part, node_labels(part.nodes, self.hosts), axis)
        heading = title or f"Load of {plural(len(part.nodes), 'node')}"
        figure = heatmap.load_heatmap(grid, look, title=heading, axis=axis, metric=shown, hidden=hidden)
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
        timezone: str | tzinfo | None = None,
        theme: str | Theme | None = None,
        title: str | None = None,
    ) -> go.Figure:
        """Draw the metrics that changed most in a window, see `changed`, before and during it.

        Drawn are those that changed by more than chance, silent nodes first; where none did, the strongest ones.
        """
        part = self._chosen(output_path)
        inside, before = changes.windows(part, window, baseline)
        found, words = changes.noteworthy(changes.changed(part, inside, before), top)
        around = replace(part, start=before[0], end=min(inside[1] + (inside[1] - inside[0]), part.end))
        axis = self._axis(around, timezone)
        curves = drawn.curves_of(around, found[["node_id", "metric"]].itertuples(index=False), self.hosts, axis)
        zone = self.zone if timezone is None else zone_named(timezone)
        look = self._look(theme)
        heading = title or f"What changed between {zone.text(inside[0])} and {zone.text(inside[1])}"
        window_on_axis = (axis.at(inside[0]), axis.at(inside[1]))
        figure = correlation.incident(
            found, curves, look, title=heading, axis=axis, window=window_on_axis, notes=[words]
        )
        return self._written(figure, output_path, look, curves)

    def _chosen(
        self,
        output_path: Location | None,
        nodes: Names = None,
        metrics: Names = None,
        time_range: TimeRange = None,
    ) -> Selection:
        """Select what a plot shows; refuse a path that cannot be written before any work is done."""
        if output_path is not None:
            written_suffix(output_path)
        return self._selected(nodes, metrics, time_range)

    def _axis(self, part: Selection, timezone: str | tzinfo | None) -> TimeAxis:
        return time_axis(self.zone if timezone is None else zone_named(timezone), part.start, part.end)

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
