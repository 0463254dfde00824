"""Charts of scores: what the rules of filters compare, with the threshold among them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mega_data_factory.analytics.whatif.rules import Cells, Floats, RuleScores
from mega_data_factory.visualization.charts.frame import compact, framed, nothing
from mega_data_factory.visualization.theme import LIGHT, Theme

MOST_BARS = 60

_WIDE = 30.0
"""Greatest score divided by the least from which on the axis is logarithmic."""


def score_distribution(rule: RuleScores, theme: Theme = LIGHT) -> go.Figure:
    """Return the records of a rule by score, stacked by what became of them, with a line at the threshold.

    Args:
        rule: The rule.
        theme: The look.
    """
    cells = [cells for cells in (rule.passing, rule.failing) if len(cells.least)]
    if not cells:
        return nothing(theme, "this rule has no scores")
    edges, logarithmic = _bars(cells, rule.threshold)
    parts = (
        ("pass all rules", rule.passing, rule.passing.alone, theme.good, 0.75),
        ("fail other rules only", rule.passing, rule.passing.others, theme.muted, 0.35),
        ("fail this rule alone", rule.failing, rule.failing.alone, theme.bad, 0.85),
        ("fail this and others", rule.failing, rule.failing.others, theme.bad, 0.4),
    )
    figure = go.Figure()
    for name, side, records, colour, opacity in parts:
        _stack(figure, name, edges, _binned(side, records, edges), theme.faint(colour, opacity))
    _line(figure, rule, theme, logarithmic=logarithmic)
    low, high = float(edges[0]), float(edges[-1])
    reach = [float(np.log10(low)), float(np.log10(high))] if logarithmic else [low, high]
    figure.update_xaxes(title_text="score", type="log" if logarithmic else "linear", range=reach)
    figure.update_yaxes(title_text="records")
    return framed(figure, theme, 300, barmode="stack", bargap=0)


def _bars(cells: list[Cells], threshold: float | None) -> tuple[Floats, bool]:
    """Return the edges of the bars, one of which is the threshold, and whether the axis is logarithmic."""
    least = min(float(side.least.min()) for side in cells)
    greatest = max(float(np.nan_to_num(side.greatest, posinf=0).max()) for side in cells)
    ends = [least, greatest, *([threshold] if threshold is not None else [])]
    positive = [float(side.least[side.least > 0].min()) for side in cells if (side.least > 0).any()]
    low, high = min(ends), max(ends)
    if low >= 0 and positive and high > 1 and high / min(positive) > _WIDE:
        lowest = min([*positive, *([threshold] if threshold else [])]) / 1.2
        edges = np.geomspace(lowest, high * 1.05, MOST_BARS + 1)
        return _with_edge(edges, threshold), True
    margin = (high - low or abs(high) or 1.0) / MOST_BARS
    if all(side.whole for side in cells) and high - low <= MOST_BARS:
        return np.arange(np.floor(low), np.ceil(high) + 2) - 0.5, False
    return _with_edge(np.linspace(low - margin / 2, high + margin, MOST_BARS + 1), threshold), False


def _with_edge(edges: Floats, threshold: float | None) -> Floats:
    """Move the nearest edge to the threshold, so that no bar has records on both sides of it."""
    if threshold is not None and edges[0] < threshold < edges[-1]:
        edges[1 + np.abs(edges[1:-1] - threshold).argmin()] = threshold
    return edges


def _binned(side: Cells, records: Floats, edges: Floats) -> Floats:
    if not len(records):
        return np.zeros(len(edges) - 1)
    middles = np.clip((side.least + np.nan_to_num(side.greatest, posinf=edges[-1])) / 2, edges[0], edges[-1])
    return np.histogram(middles, edges, weights=records)[0]


def _stack(figure: go.Figure, name: str, edges: Floats, records: Floats, colour: str) -> None:
    if not records.any():
        return
    figure.add_bar(
        x=compact((edges[1:] + edges[:-1]) / 2),
        y=compact(records),
        width=compact(np.diff(edges)),
        name=name,
        marker={"color": colour, "line": {"width": 0}},
        customdata=[[f"{low:.4g}", f"{high:.4g}"] for low, high in pairwise(edges)],
        hovertemplate=f"%{{y:,}} {name}<br>score %{{customdata[0]}} to %{{customdata[1]}}<extra></extra>",
    )


def _line(figure: go.Figure, rule: RuleScores, theme: Theme, *, logarithmic: bool) -> None:
    """Draw the threshold, as the first shape of the figure: a slider moves it, in the numbers of the axis."""
    if rule.threshold is None or (logarithmic and rule.threshold <= 0):
        return
    shape: dict[str, Any] = {"type": "line", "yref": "paper", "y0": 0, "y1": 1}
    figure.add_shape(shape, x0=rule.threshold, x1=rule.threshold, line={"color": theme.text, "width": 2, "dash": "dot"})
