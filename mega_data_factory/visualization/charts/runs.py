"""Charts over several runs: trends of a pipeline, and what differs between two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mega_data_factory.analytics.comparison import Comparison, OperatorDifference
from mega_data_factory.formats import count, percent, rate, seconds
from mega_data_factory.visualization.charts.frame import ROW, ROW_LETTERS, framed, milliseconds, nothing, time_range
from mega_data_factory.visualization.charts.labels import distinct, safe
from mega_data_factory.visualization.theme import LIGHT, Theme

MOST_RUNS = 600
MOST_OPERATORS = 30


def trends(runs: Sequence[Mapping[str, Any]], theme: Theme = LIGHT, highlight: str | None = None) -> go.Figure:
    """Return throughput and pass rate of runs over their start; failed runs are crosses.

    Args:
        runs: Rows of the table `runs`, in any order; of more than 600 the newest are drawn.
        theme: The look.
        highlight: Id of the run that stands out.
    """
    known = sorted((run for run in runs if run.get("start_time")), key=lambda run: run["start_time"])[-MOST_RUNS:]
    if not known:
        return nothing(theme, "there are no runs yet")
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    groups = _by_pipeline(known, theme)
    for name, colour, members in groups:
        _add_trend(figure, name, colour, members, theme, highlight, joined=len(groups) == 1)
    for row, title in enumerate(("records / s", "pass rate %"), 1):
        figure.update_yaxes(title_text=title, rangemode="tozero", row=row, col=1)
    figure.update_yaxes(tickformat="~s", row=1, col=1)
    figure.update_yaxes(range=[0, 103], row=2, col=1)
    starts = np.array([run["start_time"] for run in known], "datetime64[ms]")
    figure.update_xaxes(type="date", range=time_range([milliseconds(starts)]))
    figure.update_xaxes(title_text="start (UTC)", row=2, col=1)
    return framed(figure, theme, 300 if len(groups) == 1 else 340, showlegend=len(groups) > 1, hovermode="closest")


_Group = tuple[str, str, Sequence[Mapping[str, Any]]]


def _by_pipeline(runs: Sequence[Mapping[str, Any]], theme: Theme) -> list[_Group]:
    """Return name, colour and runs of each pipeline, the one with most runs first; the rest is one grey group."""
    members: dict[Any, list[Mapping[str, Any]]] = {}
    for run in runs:
        members.setdefault(run.get("pipeline"), []).append(run)
    ranked = sorted(members.items(), key=lambda item: -len(item[1]))
    most = len(theme.palette)
    own = ranked if len(ranked) <= most else ranked[: most - 1]
    labels = distinct([name or "no name" for name, _ in own], 24)
    groups: list[_Group] = [
        (label, theme.colour(at), list(found)) for at, (label, (_, found)) in enumerate(zip(labels, own, strict=True))
    ]
    if rest := ranked[len(own) :]:
        others = [run for _, found in rest for run in found]
        groups.append((f"{len(rest)} other pipelines", theme.muted, others))
    return groups


def _add_trend(
    figure: go.Figure,
    name: str,
    colour: str,
    runs: Sequence[Mapping[str, Any]],
    theme: Theme,
    highlight: str | None,
    *,
    joined: bool,
) -> None:
    failed = [run.get("status") not in ("completed", "running") for run in runs]
    marked = [run["run_id"] == highlight for run in runs]
    for row, (column, written) in enumerate((("avg_throughput", rate), ("overall_pass_rate", percent)), 1):
        figure.add_scatter(
            x=[run["start_time"] for run in runs],
            y=[run.get(column) for run in runs],
            name=name,
            legendgroup=name,
            showlegend=row == 1,
            mode="lines+markers" if joined else "markers",  # lines lead from run to run of one pipeline only
            line={"color": colour},
            marker={
                "size": [11 if this else 8 if bad else 6 for this, bad in zip(marked, failed, strict=True)],
                "symbol": ["x" if bad else "circle" for bad in failed],
                "color": [
                    (theme.bad if joined else colour) if bad else theme.text if this else colour
                    for this, bad in zip(marked, failed, strict=True)
                ],
                "line": {"color": theme.background, "width": 1},
            },
            customdata=[
                [safe(run["run_id"]), safe(run.get("pipeline")), safe(run.get("status")), written(run.get(column))]
                for run in runs
            ],
            hovertemplate="%{customdata[0]}<br>%{customdata[1]}<br>%{customdata[2]}, %{customdata[3]}<extra></extra>",
            row=row,
            col=1,
        )


def cost_comparison(comparison: Comparison, theme: Theme = LIGHT) -> go.Figure:
    """Draw seconds per record of every operator, after / before, with 95 % intervals: right of 1 is slower.

    Filled dots differ by more than noise; of more than 30 operators those that take most time are shown.
    """
    known = [d for d in comparison.operators if d.cost is not None and d.cost.value > 0]
    largest = sorted(known, key=lambda d: -(d.after.busy if d.after else 0.0))[:MOST_OPERATORS]
    shown = [d for d in known if d in largest]
    if not shown:
        return nothing(theme, "the two runs have no operator in common")
    several = len({d.operator.stage for d in shown}) > 1
    labels = distinct([d.operator.label if several else d.operator.name for d in shown], ROW_LETTERS)
    figure = go.Figure()
    for verdict, name, colour in (
        ("slower", "slower", theme.bad),
        ("faster", "faster", theme.good),
        ("same", "no clear difference", theme.muted),
        ("unclear", "not clear", theme.muted),
    ):
        rows = [at for at, d in enumerate(shown) if d.speed == verdict]
        if rows:
            _interval_dots(figure, [shown[at] for at in rows], [labels[at] for at in rows], name, colour, theme)
    figure.add_vline(x=1, line={"color": theme.muted, "width": 1, "dash": "dot"})
    figure.update_yaxes(categoryorder="array", categoryarray=labels[::-1], showgrid=True, ticksuffix="  ")
    figure.update_xaxes(
        type="log", title_text="this run / baseline", tickformat="~g", showgrid=True,
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
                *(seconds(cost) for cost in d.costs),
                count(d.operator.input),
            ]
            for d in differences
        ],
        hovertemplate="%{x:.2f} times: %{customdata[0]} → %{customdata[1]} per record<extra></extra>",
    )
