"""Load as colour: every metric of every node, and one metric of every node over time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mega_data_factory import formats
from mega_data_factory.visualization.charts.cluster.attributes import HOVER
from mega_data_factory.visualization.charts.cluster.overview import ClusterGrid, over_nodes
from mega_data_factory.visualization.charts.cluster.rows import Row, add_note, stacked
from mega_data_factory.visualization.charts.cluster.strips import strip_axis
from mega_data_factory.visualization.charts.cluster.time_axis import TimeAxis
from mega_data_factory.visualization.charts.labels import distinct, safe
from mega_data_factory.visualization.nodes.metric_names import STATUS, metric_name
from mega_data_factory.visualization.theme import LIGHT, Theme

_NODES = 20  # that a row of normal height has room for
_LETTERS = 16  # of a metric's name below its column, where it may have to be slanted


def load_heatmap(
    grid: ClusterGrid, theme: Theme = LIGHT, *, title: str, axis: TimeAxis, metric: str, hidden: str = ""
) -> go.Figure:
    """Draw one metric of every node over time, and above it the mean of every metric of every node.

    Percent are coloured from 0 to 100. Other metrics have no common scale: a column is coloured from 0 to twice the
    median of its nodes, so that nodes that are alike look alike, in a middle tone, and one with twice as much is dark.

    Args:
        grid: metrics of nodes.
        theme: the look.
        title: of the figure, shown letter by letter.
        axis: of time.
        metric: of the map over time.
        hidden: says what is left out.
    """
    name = metric_name(metric)
    weight = max(1.0, 0.35 + len(grid.nodes) / _NODES * 2.2)
    strips = strip_axis(grid.labels)
    by_time = Row(f"{name.title} over time", formats.COUNT, [metric], weight, strips, scalable=False, crowded=True)
    by_metric = Row("Mean of each metric", formats.COUNT, [], weight, strips | {"anchor": "x2"}, False, True)
    figure = stacked([by_metric, by_time], theme, title=title, axis=axis)
    _over_time(figure, grid, metric, theme)
    _by_metric(figure, grid, theme)
    figure.update_layout(hovermode="closest")
    words = [f"{formats.count(grid.points)} points, means in cells of {formats.seconds(grid.step / 1e6)}"]
    if any(metric_name(metric).unit is not formats.PERCENT for metric in grid.values if metric != STATUS):
        words.append("columns that are not percent: from 0 to twice the median of the nodes")
    add_note(figure, theme, [*words, hidden] if hidden else words)
    return figure


def _over_time(figure: go.Figure, grid: ClusterGrid, metric: str, theme: Theme) -> None:
    name, values = metric_name(metric), grid.values[metric]
    most = 100.0 if name.unit is formats.PERCENT else float(np.nanmax(values, initial=0.0)) or 1.0
    domain = figure.layout.yaxis.domain
    for at, (node, row) in enumerate(zip(grid.nodes, values, strict=True)):
        figure.add_heatmap(
            x0=float(grid.x[0]),
            dx=grid.step / 1e3,
            y=[at],
            name=safe(grid.labels[at]),
            z=row[None].astype(np.float32),
            zmin=0,
            zmax=most,
            colorscale=theme.scale(theme.sequential),
            showscale=at == 0,
            colorbar=_bar(domain, name.unit.name),
            ygap=1,
            hovertemplate=f"%{{fullData.name}}<br>%{{x|%Y-%m-%d %H:%M:%S}}<br>{name.unit.hover('z')}"
            f"{HOVER if grid.attributes[at] else ''}<extra></extra>",
            meta={"node": node, "label": grid.labels[at], "strip": True, "attributes": grid.attributes[at]},
        )


def _by_metric(figure: go.Figure, grid: ClusterGrid, theme: Theme) -> None:
    metrics = [metric for metric in grid.values if metric != STATUS]
    means = np.array([over_nodes(grid.values[metric].T)[1] for metric in metrics]).T
    titles = distinct((metric_name(metric).title for metric in metrics), _LETTERS)
    shares = np.array([_shares(means[:, at], metric) for at, metric in enumerate(metrics)]).T
    domain = figure.layout.yaxis2.domain
    for at, node in enumerate(grid.nodes):
        figure.add_heatmap(
            x=titles,
            y=[at],
            name=safe(grid.labels[at]),
            z=shares[at][None].astype(np.float32),
            text=[
                [
                    formats.in_unit(value, metric_name(metric).unit)
                    for value, metric in zip(means[at], metrics, strict=True)
                ]
            ],
            texttemplate="%{text}" if len(grid.nodes) <= _NODES else None,
            zmin=0,
            zmax=100,
            colorscale=theme.scale(theme.sequential),
            showscale=at == 0,
            colorbar=_bar(domain, "% of scale"),
            xgap=1,
            ygap=1,
            xaxis="x2",
            yaxis="y2",
            hovertemplate="%{fullData.name}<br>%{x}: %{text}<extra></extra>",
            meta={"node": node, "label": grid.labels[at], "strip": True},
        )
    figure.update_layout(xaxis2={"type": "category", "anchor": "y2", "showgrid": False, "ticks": ""})


def _bar(domain: tuple[float, float], title: str) -> dict[str, object]:
    middle, length = (domain[0] + domain[1]) / 2, domain[1] - domain[0]
    return {"y": middle, "len": length, "thickness": 10, "outlinewidth": 0, "title": {"text": title, "side": "right"}}


def _shares(means: npt.NDArray[np.float64], metric: str) -> npt.NDArray[np.float64]:
    """Return means of one metric as percent of its scale: of 100 percent, or of twice the median of the nodes."""
    if metric_name(metric).unit is formats.PERCENT:
        return means
    known = means[np.isfinite(means)]
    middle = float(np.median(known)) if len(known) else 0.0
    scale = 2.0 * middle if middle > 0.0 else float(known.max(initial=0.0)) or 1.0
    with np.errstate(over="ignore"):
        shares: npt.NDArray[np.float64] = 100.0 * (means / scale)
    return np.clip(shares, 0.0, 100.0)
