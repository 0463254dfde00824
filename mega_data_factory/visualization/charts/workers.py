"""Charts of workers compared within a stage, and of how busy the parts of a run were."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mega_data_factory.analytics.performance.bottleneck import Bottleneck
from mega_data_factory.analytics.runs.totals import StageTotals
from mega_data_factory.formats import count, percent, plural, rate, seconds
from mega_data_factory.visualization.charts.frame import ROW, compact, framed, nothing
from mega_data_factory.visualization.charts.labels import distinct, safe
from mega_data_factory.visualization.theme import LIGHT, Theme

MOST_DOTS = 2000


def worker_spread(stages: Sequence[StageTotals], theme: Theme = LIGHT) -> go.Figure:
    """Return a dot for each worker: its speed and its busy time, each in percent of the median of its stage.

    Stages of a single worker have nothing to be compared with and are left out; of very many workers every n-th is
    shown, and the slowest and the busiest in any case.
    """
    several = [stage for stage in stages if sum(worker.rate is not None for worker in stage.workers) > 1]
    if not several:
        return nothing(theme, "no stage has more than one worker")
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.04, subplot_titles=("speed", "time busy")
    )
    labels = distinct([stage.name for stage in several], 28)
    for row, stage in enumerate(several):
        _dots(figure, stage, row, theme, every=1 + sum(len(s.workers) for s in several) // MOST_DOTS)
    figure.update_yaxes(
        tickvals=list(range(len(several))), ticktext=labels, range=[len(several) - 0.5, -0.5], showgrid=False
    )
    figure.update_xaxes(ticksuffix=" %", rangemode="tozero", showgrid=True, title_text="of the median", nticks=5)
    figure.add_vline(x=100, line={"color": theme.muted, "width": 1, "dash": "dot"})
    figure.update_annotations(font={"size": theme.font_size, "color": theme.muted})
    return framed(figure, theme, 110 + 44 * len(several), hovermode="closest", showlegend=False)


def _dots(figure: go.Figure, stage: StageTotals, row: int, theme: Theme, every: int) -> None:
    workers = [worker for worker in stage.workers if worker.rate is not None]
    speeds = [worker.rate or 0.0 for worker in workers]
    busy = [worker.busy for worker in workers]
    extremes = {int(np.argmin(speeds)), int(np.argmax(busy))}
    kept = [at for at in range(len(workers)) if at % every == 0 or at in extremes]
    jitter = np.linspace(-0.22, 0.22, len(kept)) if len(kept) > 2 else np.zeros(len(kept))
    texts = [
        f"{safe(worker.worker)}<br>{rate(worker.rate)} busy · {seconds(worker.busy)} · {count(worker.records)} records"
        for worker in (workers[at] for at in kept)
    ]
    for column, values in ((1, speeds), (2, busy)):
        median = statistics.median(values) or 1.0
        shares = 100 * np.array(values)[kept] / median
        odd = shares < 100 / 1.5 if column == 1 else shares > 150
        figure.add_scatter(
            x=compact(shares),
            y=compact(row + jitter),
            mode="markers",
            marker={
                "color": odd.astype(np.uint8),  # Plotly checks a text for each dot letter by letter
                "colorscale": [[0, theme.colour(0)], [1, theme.bad]],
                "cmin": 0,
                "cmax": 1,
                "size": 8,
                "opacity": 0.75,
            },
            customdata=texts,
            hovertemplate="%{customdata}<br>%{x:.0f} % of the median<extra></extra>",
            row=1,
            col=column,
        )


def utilisation(found: Bottleneck, theme: Theme = LIGHT) -> go.Figure:
    """Draw how busy each part of the run was, in percent of its workers' time; the bottleneck is highlighted."""
    stations = found.stations
    limit = found.limit.name if found.limit else None
    shares = [min(100.0, 100 * station.utilisation) for station in stations]
    labels = distinct([station.name for station in stations], 26)
    figure = go.Figure(
        go.Bar(
            y=[f"{label} ({s.workers})" for label, s in zip(labels, stations, strict=True)],
            x=shares,
            orientation="h",
            marker={
                "color": [theme.bad if station.name == limit else theme.colour(0) for station in stations],
                "line": {"width": 0},
            },
            text=[percent(share) for share in shares],
            textposition="auto",
            insidetextfont={"color": theme.background},
            outsidetextfont={"color": theme.text},
            customdata=[[seconds(s.busy), plural(s.workers, "worker")] for s in stations],
            hovertemplate="busy %{customdata[0]} over %{customdata[1]}<extra></extra>",
        )
    )
    figure.update_xaxes(range=[0, 105], ticksuffix=" %", showgrid=True, title_text="of the workers' time")
    figure.update_yaxes(autorange="reversed", showgrid=False, ticksuffix="  ")
    return framed(figure, theme, 76 + (ROW + 6) * len(stations), showlegend=False, bargap=0.25, hovermode="closest")
