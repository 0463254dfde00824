"""Charts of latency: the whole distribution of each operator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mega_data_factory.analytics.runs.latency import density
from mega_data_factory.analytics.runs.totals import OperatorTotals
from mega_data_factory.formats import seconds
from mega_data_factory.framework.metrics.rows.histogram import BUCKETS_PER_DOUBLING, ZERO_BUCKET
from mega_data_factory.visualization.charts.frame import ROW_LETTERS, compact, framed, log_seconds, nothing
from mega_data_factory.visualization.charts.labels import distinct
from mega_data_factory.visualization.theme import LIGHT, Theme

MOST_ROWS = 14

_MARKS = (("p50", 0.50, "circle"), ("p95", 0.95, "diamond"), ("p99", 0.99, "triangle-up"))
_NARROW = 6 * BUCKETS_PER_DOUBLING
_OVERLAP = 1.35  # a curve may rise into the row above it


def latency_ridges(operators: Sequence[OperatorTotals], theme: Theme = LIGHT) -> go.Figure:
    """Return the share of records by seconds per record: a ridge for each operator over one log axis, with percentiles.

    Args:
        operators: in plan order; of more than 14 those that take most time.
        theme: the look.
    """
    known = [operator for operator in operators if operator.counts.sum() > 0]
    longest = sorted(known, key=lambda operator: -operator.busy)[:MOST_ROWS]
    shown = [operator for operator in known if operator in longest]
    if not shown:
        return nothing(theme, "this run has no latency histograms")
    labels = distinct([operator.name for operator in shown], ROW_LETTERS)
    figure = go.Figure()
    for row, operator in enumerate(shown):
        _ridge(figure, operator, len(shown) - 1 - row, theme)
    for name, quantile, symbol in _MARKS:
        _marks(figure, shown, labels, (name, quantile, symbol), theme)
    figure.update_yaxes(
        tickvals=list(range(len(shown))),
        ticktext=labels[::-1],
        showgrid=True,
        range=[-0.35, len(shown) - 1 + _OVERLAP],
        ticksuffix="  ",
    )
    buckets = np.concatenate([operator.buckets[operator.buckets != ZERO_BUCKET] for operator in shown])
    ends = (buckets.min(), buckets.max() + 1) if len(buckets) else (-BUCKETS_PER_DOUBLING, 0)
    low, high = (float(2 ** (end / BUCKETS_PER_DOUBLING)) for end in ends)
    figure.update_xaxes(title_text="seconds per record", showgrid=True, **log_seconds(low / 1.3, high * 1.3))
    return framed(figure, theme, 96 + 44 * len(shown), hovermode="closest")


def _ridge(figure: go.Figure, operator: OperatorTotals, base: int, theme: Theme) -> None:
    narrow = operator.buckets[-1] - operator.buckets[0] < _NARROW
    per_doubling = 8 if narrow else 4
    middles, shares = density(operator, per_doubling)
    if not len(middles):
        return
    step = 2 ** (1 / per_doubling)
    x = np.concatenate([[middles[0] / step], middles, [middles[-1] * step]])
    y = np.concatenate([[0.0], shares / shares.max() * _OVERLAP * 0.9, [0.0]])
    figure.add_scatter(
        x=compact(x),
        y=compact(base + y),
        fill="toself",
        mode="lines",
        line={"color": theme.colour(0), "width": 1, "shape": "linear"},
        fillcolor=theme.faint(theme.colour(0), 0.22),
        hoverinfo="skip",
        showlegend=False,
    )


def _marks(
    figure: go.Figure,
    shown: Sequence[OperatorTotals],
    labels: Sequence[str],
    mark: tuple[str, float, str],
    theme: Theme,
) -> None:
    name, quantile, symbol = mark
    values = [operator.histogram.quantile(quantile) or None for operator in shown]
    figure.add_scatter(
        x=values,
        y=[len(shown) - 1 - row for row in range(len(shown))],
        mode="markers",
        name=name,
        marker={"symbol": symbol, "size": 8, "color": theme.text, "line": {"color": theme.background, "width": 1}},
        customdata=[[label, seconds(value)] for label, value in zip(labels, values, strict=True)],
        hovertemplate=f"%{{customdata[0]}}<br>{name} %{{customdata[1]}}<extra></extra>",
    )
