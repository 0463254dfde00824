"""Charts over several runs: trends of a pipeline, and what differs between two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mega_data_factory.analytics.comparison import Comparison, OperatorDifference
from mega_data_factory.visualization.charts.frame import ROW, framed, nothing
from mega_data_factory.visualization.charts.labels import distinct, safe
from mega_data_factory.visualization.formats import count, percent, rate, seconds
from mega_data_factory.visualization.theme import LIGHT, Theme

MOST_RUNS = 600
MOST_OPERATORS = 30


def trends(runs: Sequence[Mapping[str, Any]], theme: Theme = LIGHT, highlight: str | None = None) -> go.Figure:
    """Throughput and pass rate of runs over the time at which they started.

    Args:
        runs: rows of the table `runs`, in any order; of more than 600 the newest.
        theme: the look.
        highlight: id of the run that stands out.
    """
    known = sorted((run for run in runs if run.get("start_time")), key=lambda run: run["start_time"])[-MOST_RUNS:]
    if not known:
        return nothing(theme, "there are no runs yet")
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    one_pipeline = len({run.get("pipeline") for run in known}) == 1  # from one to another no line leads
    lines = (("avg_throughput", "records / s", rate), ("overall_pass_rate", "pass rate %", percent))
    for row, (column, title, written) in enumerate(lines, 1):
        figure.add_scatter(
            x=[run["start_time"] for run in known],
            y=[run.get(column) for run in known],
            mode="lines+markers" if one_pipeline else "markers",
            line={"color": theme.colour(0)},
            marker={
                "size": [11 if run["run_id"] == highlight else 6 for run in known],
                "color": [_colour(run, highlight, theme) for run in known],
                "line": {"color": theme.background, "width": 1},
            },
            customdata=[[safe(run["run_id"]), safe(run.get("status")), written(run.get(column))] for run in known],
            hovertemplate="%{customdata[0]}<br>%{customdata[1]}, %{customdata[2]}<extra></extra>",
            row=row,
            col=1,
        )
        figure.update_yaxes(title_text=title, rangemode="tozero", row=row, col=1)
    figure.update_yaxes(tickformat="~s", row=1, col=1)
    figure.update_xaxes(title_text="start (UTC)", row=2, col=1)
    return framed(figure, theme, 300, showlegend=False, hovermode="closest")


def _colour(run: Mapping[str, Any], highlight: str | None, theme: Theme) -> str:
    if run.get("status") not in ("completed", "running"):
        return theme.bad
    return theme.text if run["run_id"] == highlight else theme.colour(0)


def cost_comparison(comparison: Comparison, theme: Theme = LIGHT) -> go.Figure:
    """Seconds per record of every operator, after / before, with 95 % intervals: right of 1 is slower.

    Filled dots differ by more than noise; of more than 30 operators those that take most time are shown.
    """
    known = [d for d in comparison.operators if d.cost is not None and d.cost.value > 0]
    largest = sorted(known, key=lambda d: -(d.after.busy if d.after else 0.0))[:MOST_OPERATORS]
    shown = [d for d in known if d in largest]
    if not shown:
        return nothing(theme, "the two runs have no operator in common")
    several = len({d.operator.stage for d in shown}) > 1
    labels = distinct([d.operator.label if several else d.operator.name for d in shown])
    figure = go.Figure()
    for verdict, name, colour in (
        ("slower", "slower", theme.bad),
        ("faster", "faster", theme.good),
        ("same", "no difference that counts", theme.muted),
        ("unclear", "too little to tell", theme.muted),
    ):
        rows = [at for at, d in enumerate(shown) if d.speed == verdict]
        if rows:
            _interval_dots(figure, [shown[at] for at in rows], [labels[at] for at in rows], name, colour, theme)
    figure.add_vline(x=1, line={"color": theme.muted, "width": 1, "dash": "dot"})
    figure.update_yaxes(categoryorder="array", categoryarray=labels[::-1], showgrid=True, ticksuffix="  ")
    figure.update_xaxes(
        type="log", title_text="seconds per record, this run / the one before", tickformat="~g", showgrid=True,
        minor={"ticks": ""}, nticks=8,
    )  # fmt: skip
    return framed(figure, theme, 110 + ROW * len(shown), hovermode="closest")


def _interval_dots(
    figure: go.Figure,
    differences: Sequence[OperatorDifference],
    labels: Sequence[str],
    name: str,
    colour: str,
    theme: Theme,
) -> None:
    ratios = [d.cost for d in differences if d.cost is not None]
    filled = name in ("slower", "faster")
    figure.add_scatter(
        x=[ratio.value for ratio in ratios],
        y=list(labels),
        name=name,
        mode="markers",
        marker={
            "color": colour if filled else theme.background,
            "size": 9,
            "line": {"color": colour, "width": 2},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [(ratio.high or np.nan) - ratio.value for ratio in ratios],
            "arrayminus": [ratio.value - (ratio.low or np.nan) for ratio in ratios],
            "color": colour,
            "thickness": 1.5,
            "width": 0,
        },
        customdata=[
            [
                seconds(d.before.cost) if d.before else "-",
                seconds(d.after.cost) if d.after else "-",
                count(d.operator.input),
            ]
            for d in differences
        ],
        hovertemplate="%{x:.2f} times: %{customdata[0]} → %{customdata[1]} per record<extra></extra>",
    )
