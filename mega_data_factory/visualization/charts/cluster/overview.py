"""A cluster at a glance: average resources, network traffic, the state of every node, and who holds how much work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mega_data_factory import formats
from mega_data_factory.visualization.charts.cluster.attributes import HOVER
from mega_data_factory.visualization.charts.cluster.rows import Row, add_note, axis_name, legend_name, stacked
from mega_data_factory.visualization.charts.cluster.strips import gap, strip_axis
from mega_data_factory.visualization.charts.cluster.time_axis import TimeAxis
from mega_data_factory.visualization.charts.labels import safe
from mega_data_factory.visualization.nodes.metric_names import STATUS, STATUS_CODES, metric_name
from mega_data_factory.visualization.theme import LIGHT, Theme

MOST_LINES = 8
"""Nodes that have lines of their own; of more, a band shows the greatest and the mean."""

Grid = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClusterGrid:
    """Metrics of all nodes on one grid of time, as their clocks tick at different moments.

    Attributes:
        nodes: ids, n of them.
        labels: their names in the plot.
        times: int64 (cells,), beginnings, microseconds since 1970 on the axis.
        step: width of a cell in microseconds.
        values: of each metric, float64 (n, cells): mean in the cell, of `status` the worst; NaN if unknown.
        extremes: of each metric, least and greatest value in the cell, (n, cells) each.
        points: rows that went into it, of all nodes.
        attributes: what each node says beside numbers, safe for a figure.
        status: status of each node in each cell, as the node calls it; empty for many nodes, as words fill a page.
    """

    nodes: Sequence[str]
    labels: Sequence[str]
    times: npt.NDArray[np.int64]
    step: int
    values: Mapping[str, Grid]
    extremes: Mapping[str, tuple[Grid, Grid]]
    points: int
    attributes: Sequence[str]
    status: Sequence[Sequence[str]] = ()

    @property
    def x(self) -> npt.NDArray[np.float64]:
        """Middles of the cells, milliseconds."""
        return np.asarray((self.times + self.step / 2) / 1e3, np.float64)


def cluster_overview(grid: ClusterGrid, theme: Theme = LIGHT, *, title: str, axis: TimeAxis) -> go.Figure:
    """Draw rows for resources (mean over nodes and the band from least to greatest), traffic, status, partitions.

    Args:
        grid: at least one of cpu_usage, memory_usage, disk_usage, network_io, partition_count, status.
        theme: the look.
        title: of the figure, shown letter by letter.
        axis: of time.
    """
    resources = [metric for metric in ("cpu_usage", "memory_usage", "disk_usage") if metric in grid.values]
    rows = [Row("Average resources", formats.PERCENT, resources)] if resources else []
    for metric, name in (("network_io", "Network traffic"), ("partition_count", "Partitions held")):
        if metric in grid.values:
            rows.append(Row(name, metric_name(metric).unit, [metric], crowded=len(grid.nodes) > MOST_LINES))
    if STATUS in grid.values:
        rows.append(_status_row(grid))
    figure = stacked(rows, theme, title=title, axis=axis)
    for number, row in enumerate(rows, 1):
        place = {"yaxis": axis_name(number, len(rows)), "legend": legend_name(number, len(rows))}
        for metric in row.metrics:
            draw = _status if metric == STATUS else _averages if metric in resources else _by_node
            for trace in draw(grid, metric, row, theme):
                figure.add_trace(trace.update(place) if trace.type == "scatter" else trace.update(yaxis=place["yaxis"]))
    words = [f"mean over {formats.plural(len(grid.nodes), 'node')}, band from the least to the greatest"]
    words += ["status: " + ", ".join(STATUS_CODES)] if STATUS in grid.values else []
    thinned = f"{formats.count(grid.points)} points in cells of {formats.seconds(grid.step / 1e6)}"
    add_note(figure, theme, [*words, thinned])
    return figure


def _averages(grid: ClusterGrid, metric: str, row: Row, theme: Theme) -> list[go.Scatter]:
    """Return the mean of the nodes, on the band that they fill."""
    mean = over_nodes(grid.values[metric])[1]
    least, greatest = grid.extremes[metric]
    low, high = over_nodes(least)[0], over_nodes(greatest)[2]
    name, colour = metric_name(metric), theme.colour(row.metrics.index(metric))
    label = f"{name.unit.hover()} ({name.unit.hover('customdata[0]')} to {name.unit.hover('customdata[1]')})"
    traces = []
    if len(grid.nodes) > 1:
        x, y = _band(grid.x, low, high)
        band = {"fill": "toself", "fillcolor": theme.faint(colour, 0.12), "line": {"width": 0}, "hoverinfo": "skip"}
        traces.append(go.Scatter(x=x, y=y, mode="lines", showlegend=False, meta={"metric": metric}, **band))
    traces.append(
        go.Scatter(
            x=grid.x,
            y=mean.astype(np.float32),
            name=name.title,
            mode=_mode(mean),
            line={"color": colour},
            customdata=np.stack([low, high], axis=1).astype(np.float32),
            hovertemplate=label,
            meta={"metric": metric},
        )
    )
    return traces


def _band(x: Grid, low: Grid, high: Grid) -> tuple[Grid, npt.NDArray[np.float32]]:
    """Return the outline of a band, a polygon for each streak of cells that are known, with a gap between them."""
    known = np.flatnonzero(np.isfinite(low))
    streaks = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1)
    xs = [np.concatenate([x[streak], x[streak][::-1], [np.nan]]) for streak in streaks]
    ys = [np.concatenate([high[streak], low[streak][::-1], [np.nan]]) for streak in streaks]
    return np.concatenate(xs)[:-1], np.concatenate(ys)[:-1].astype(np.float32)


def _by_node(grid: ClusterGrid, metric: str, row: Row, theme: Theme) -> list[go.Scatter]:
    """Return a line for each node; of many nodes faint ones, and their mean."""
    many = row.crowded
    unit = metric_name(metric).unit
    clock = {"x0": float(grid.x[0]), "dx": grid.step / 1e3} if many else {"x": grid.x}  # of many a third of the page
    traces = []
    for at, node in enumerate(grid.nodes):
        values = grid.values[metric][at]
        colour = theme.faint(theme.muted, 0.45) if many else theme.colour(at)
        traces.append(
            go.Scatter(
                y=values.astype(np.float32),
                name=safe(grid.labels[at]),
                mode=_mode(values),
                line={"color": colour, "width": 1 if many else theme.line_width},
                hovertemplate=unit.hover(),
                hoverinfo="skip" if many else None,
                meta={"metric": metric, "node": node, "label": grid.labels[at]},
                **clock,
            )
        )
        if many:
            traces[-1].hovertemplate = None
    if many:
        mean, high = over_nodes(grid.values[metric])[1], over_nodes(grid.extremes[metric][1])[2]
        line = {"color": theme.colour(0), "width": theme.line_width * 1.4}
        label = f"{unit.hover()} (at most {unit.hover('customdata')})"
        traces.append(
            go.Scatter(
                x=grid.x,
                y=mean.astype(np.float32),
                name="mean",
                mode=_mode(mean),
                line=line,
                customdata=high.astype(np.float32),
                hovertemplate=label,
                meta={"metric": metric},
            )
        )
    return traces


def _status_row(grid: ClusterGrid) -> Row:
    nodes = len(grid.nodes)
    weight = min(0.45 + 0.1 * nodes, 3.0)
    layout = strip_axis(grid.labels)
    return Row("Status of nodes", formats.COUNT, [STATUS], weight, layout, scalable=False, crowded=True)


def _status(grid: ClusterGrid, metric: str, _row: Row, theme: Theme) -> list[go.Heatmap]:
    """Return a strip for each node, in three colours; empty if it was silent."""
    steps = (theme.faint(theme.good, 0.45), theme.warning, theme.bad)  # calm where nothing is to be done
    scale = [(edge, colour) for at, colour in enumerate(steps) for edge in (at / 3, (at + 1) / 3)]
    few = bool(grid.status)
    word = "%{text}" if few else f"%{{z}} ({', '.join(f'{code:.0f} {word}' for word, code in STATUS_CODES.items())})"
    traces = []
    for at, (node, codes) in enumerate(zip(grid.nodes, grid.values[metric], strict=True)):
        strip = {"zmin": 0, "zmax": 2, "colorscale": scale, "showscale": False, "ygap": gap(grid.nodes)}
        traces.append(
            go.Heatmap(
                x0=float(grid.x[0]),
                dx=grid.step / 1e3,
                y=[at],
                z=np.ceil(codes)[None].astype(np.float32),
                name=safe(grid.labels[at]),
                text=[grid.status[at]] if few else None,
                hovertemplate=f"%{{fullData.name}}: {word}{HOVER if grid.attributes[at] else ''}<extra></extra>",
                meta={
                    "metric": STATUS,
                    "node": node,
                    "label": grid.labels[at],
                    "strip": True,
                    "attributes": grid.attributes[at],
                },
                **strip,
            )
        )
    return traces


def over_nodes(values: Grid) -> tuple[Grid, Grid, Grid]:
    """Return least, mean and greatest of (nodes, cells) over the known nodes, (cells,) each; NaN if none is."""
    known = np.isfinite(values)
    some = known.any(axis=0)
    count = np.maximum(known.sum(axis=0), 1)
    low = np.where(some, np.where(known, values, np.inf).min(axis=0), np.nan)
    high = np.where(some, np.where(known, values, -np.inf).max(axis=0), np.nan)
    mean = np.where(some, (np.where(known, values, 0) / count).sum(axis=0), np.nan)  # the sum alone may be too large
    return low, mean, high


def _mode(values: Grid) -> str:
    return "lines+markers" if np.isfinite(values).sum() < 3 else "lines"
