"""Nodes and operators over one time axis: which machine was under load, and which operators were running then."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import pyarrow as pa
from plotly.subplots import make_subplots

from mega_data_factory.analytics.runs.series import Series
from mega_data_factory.visualization.charts.frame import compact, framed, milliseconds, nothing
from mega_data_factory.visualization.charts.labels import distinct
from mega_data_factory.visualization.theme import LIGHT, Theme

MOST_STEPS = 200
MOST_ROWS = 32
"""Nodes, and operators, that have a row: those under most load."""


def nodes_and_operators(
    nodes: pa.Table,
    operators: Mapping[tuple[str, str], Series],
    theme: Theme = LIGHT,
    metric: str = "cpu_usage",
    title: str = "CPU %",
) -> go.Figure:
    """Draw two heat maps over one time axis: a metric of every node, and the workers that each operator kept busy.

    Args:
        nodes: rows of the table `nodes` of one run.
        operators: `(stage, operator)` → what it did over the same time.
        theme: the look.
        metric: column of `nodes`, in percent.
        title: what the metric is called.
    """
    if not len(nodes) or metric not in nodes.column_names:
        return nothing(theme, "no node metrics were recorded in this run")
    names, times, load = _node_grid(nodes, metric)
    working = _busiest(operators)
    rows = 2 if working else 1
    heights = [max(1, len(names)), max(1, len(working))][:rows]
    figure = make_subplots(rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.08, row_heights=heights)
    heat = {"colorscale": theme.scale(theme.sequential), "zmin": 0, "col": 1}
    bar = {"thickness": 10, "outlinewidth": 0, "len": 0.45, "nticks": 3, "xpad": 4}
    figure.add_heatmap(
        x=_edges(times),
        y=distinct(names, 24),
        z=compact(load),
        zmax=100,
        colorbar={**bar, "y": 0.8, "title": {"text": title}},
        hovertemplate="%{y}<br>%{z:.0f} %<extra></extra>",
        row=1,
        **heat,
    )
    if working:
        figure.add_heatmap(
            x=_edges(next(iter(working.values())).starts),
            y=distinct([name for _, name in working], 28),
            z=compact(np.array([series.busy for series in working.values()])),
            colorbar={**bar, "y": 0.25, "title": {"text": "workers"}},
            hovertemplate="%{y}<br>%{z:.2f} workers busy<extra></extra>",
            row=2,
            **heat,
        )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticksuffix="  ")
    figure.update_xaxes(type="date", nticks=3, tickangle=0)
    figure.update_xaxes(title_text="time (UTC)", row=rows, col=1)
    return framed(figure, theme, 120 + 22 * sum(max(3, rows) for rows in heights), hovermode="closest")


_ONLY_STEP = np.timedelta64(5, "s")
"""Width of the cells of a heat map that has one step only."""


def _edges(starts: npt.NDArray[np.datetime64]) -> npt.NDArray[np.float64]:
    """Return the edges of equal steps for Plotly, one more than there are steps: a single cell has a width too."""
    width = starts[1] - starts[0] if len(starts) > 1 else _ONLY_STEP
    return milliseconds(np.append(starts, starts[-1] + width))


def _node_grid(nodes: pa.Table, metric: str) -> tuple[list[str], npt.NDArray[np.datetime64], npt.NDArray[np.float64]]:
    """Return names, starts of at most 200 equal steps, and means of the metric, shape (nodes, steps); NaN: silent."""
    stamps = nodes["timestamp"].to_numpy().astype("datetime64[us]").astype(np.int64)
    values = nodes[metric].to_numpy(zero_copy_only=False).astype(np.float64)
    who, index = np.unique(np.array(nodes["node_id"].to_pylist(), dtype=object).astype(str), return_inverse=True)
    first, last = int(stamps.min()), int(stamps.max())
    per_node = len(stamps) / len(who)  # a step of one and a half samples leaves no gap where a sample came late
    steps = min(MOST_STEPS, max(1, int(per_node / 1.5)))
    width = max(1, -(-(last - first + 1) // steps))
    at = index * steps + (stamps - first) // width
    known = np.isfinite(values)
    sums = np.bincount(at[known], values[known], steps * len(who)).reshape(len(who), steps)
    seen = np.bincount(at[known], minlength=steps * len(who)).reshape(len(who), steps)
    mean = np.divide(sums, seen, out=np.full(sums.shape, np.nan), where=seen > 0)
    order = np.argsort(-sums.sum(axis=1) / np.maximum(seen.sum(axis=1), 1), kind="stable")[:MOST_ROWS]
    order = np.sort(order)
    starts = (first + width * np.arange(steps)).astype("datetime64[us]")
    return [str(name) for name in who[order]], starts, mean[order]


def _busiest(operators: Mapping[tuple[str, str], Series]) -> dict[tuple[str, str], Series]:
    ranked = sorted(operators, key=lambda key: -float(operators[key].columns["busy_time"].sum()))[:MOST_ROWS]
    return {key: operators[key] for key in operators if key in ranked}
