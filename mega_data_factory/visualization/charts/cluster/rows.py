"""Figures of rows, one above the other over one axis of time, each with its title, its unit and its legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from mega_data_factory.formats import Unit
from mega_data_factory.visualization.charts.cluster.time_axis import TimeAxis
from mega_data_factory.visualization.charts.labels import safe
from mega_data_factory.visualization.theme import Theme

_ROW = 170  # pixels of a row of weight 1, with its title
HEAD = 40
"""Pixels of a row that its title and its legend take."""
_LEAST_SPAN = 5_000.0  # milliseconds to both sides of a single moment
_TOP, _BOTTOM = 96, 100  # margins: the title and the buttons; labels of time, its zone, and the note

_BUTTONS = [
    {"count": 5, "step": "minute", "stepmode": "backward", "label": "5 min"},
    {"count": 1, "step": "hour", "stepmode": "backward", "label": "1 h"},
    {"count": 6, "step": "hour", "stepmode": "backward", "label": "6 h"},
    {"count": 1, "step": "day", "stepmode": "backward", "label": "1 d"},
    {"step": "all", "label": "all"},
]


@dataclass
class Row:
    """A row of a figure.

    Attributes:
        title: title above it.
        unit: of its values.
        metrics: keys of the metrics drawn in it.
        weight: of its height.
        layout: of its y axis, on top of what the unit asks for.
        scalable: whether a logarithm makes sense of it.
        crowded: whether its legend would be too long to show; the label at the pointer names everything.
    """

    title: str
    unit: Unit
    metrics: list[str]
    weight: float = 1.0
    layout: dict[str, Any] | None = None
    scalable: bool = True
    crowded: bool = False


def axis_name(number: int, rows: int) -> str:
    """Return the name of the y axis of a row in a trace; row 1 is the top one. The lowest is `y`, tied to time."""
    return "y" if number == rows else f"y{rows - number + 1}"


def legend_name(number: int, rows: int) -> str:
    """Return the name of the legend of a row in a trace."""
    return axis_name(number, rows).replace("y", "legend")


def stacked(rows: Sequence[Row], theme: Theme, *, title: str, axis: TimeAxis) -> go.Figure:
    """Return an empty figure of rows; one axis of time for all, so that a label at one moment tells of every row.

    Args:
        rows: from top to bottom.
        theme: the look.
        title: shown letter by letter.
        axis: of time.
    """
    total = sum(row.weight for row in rows)
    x_axis = {"type": "date", "domain": [0, 1], "rangeselector": _selector(theme), "hoverformat": "%Y-%m-%d %H:%M:%S"}
    inner = _ROW * total
    figure = go.Figure()
    figure.update_layout(
        template=theme.template(),
        title={"text": safe(title, 120), "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 18, "l": 16}},
        height=round(inner) + _TOP + _BOTTOM,
        margin={"t": _TOP, "b": _BOTTOM, "l": 64, "r": 24},
        hovermode="x unified",
        hoversubplots="axis",
        showlegend=True,
        xaxis=x_axis | {"range": shown_span(axis.span), "title": {"text": safe(axis.title, 80), "standoff": 4}},
    )
    entries = [
        {"axis": axis_name(number, len(rows)), "weight": row.weight, "scalable": row.scalable, "crowded": row.crowded}
        for number, row in enumerate(rows, 1)
    ]
    figure.update_layout(
        meta={"rows": entries, "head": HEAD, "span": [time / 1e3 for time in axis.span], "clock": axis.note}
    )
    placed: dict[str, Any] = {}
    titles = []
    top = 1.0
    for number, row in enumerate(rows, 1):
        height = row.weight / total
        upper = top - HEAD / inner
        name = axis_name(number, len(rows))
        placed |= _place(row, name, legend_name(number, len(rows)), (top - height, upper))
        titles.append(_title(row, name, upper, theme))
        top -= height
    figure.update_layout(placed | {"annotations": titles})  # at once: Plotly checks all of a list that is added to
    return figure


def _place(row: Row, axis: str, legend: str, domain: tuple[float, float]) -> dict[str, Any]:
    """Return the layout of the y axis of a row and of its legend, at the right above it."""
    y_axis = {
        "domain": [max(domain[0], 0), domain[1]],
        "title": {"text": row.unit.name},
        "rangemode": "tozero",
        "nticks": 5,
        "exponentformat": "SI",
        "anchor": "x",
    }
    box = {"x": 1, "xanchor": "right", "y": domain[1], "yanchor": "bottom", "orientation": "h"}
    return {
        axis.replace("y", "yaxis"): y_axis | (row.layout or {}),
        legend: box | {"visible": not row.crowded},
    }


def _title(row: Row, axis: str, upper: float, theme: Theme) -> dict[str, Any]:
    """Return the title of a row, at the left above it."""
    return {
        "text": f"<b>{safe(row.title, 80)}</b>",
        "name": f"title {axis}",
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": upper,
        "yshift": 4,
        "xanchor": "left",
        "yanchor": "bottom",
        "font": {"size": theme.font_size + 1, "color": theme.text},
    }


def shown_span(span: tuple[int, int]) -> list[float]:
    """Return the range of the axis of time in milliseconds; of a single moment, some seconds around it."""
    start, end = (time / 1e3 for time in span)
    return [start, end] if end > start else [start - _LEAST_SPAN, end + _LEAST_SPAN]


def add_note(figure: go.Figure, theme: Theme, words: Sequence[str], thinned: Sequence[str] = ()) -> None:
    """Write a line below a figure; a page says by itself what is thinned, because that changes there with the zoom."""
    facts = figure.layout.meta or {}
    words = [*words, *([facts["clock"]] if facts.get("clock") else [])]
    figure.update_layout(meta={**facts, "note": " · ".join(words)})
    figure.add_annotation(
        text=" · ".join([*thinned, *words]),
        name="note",
        xref="paper",
        yref="paper",
        x=0,
        y=0,
        yshift=-62 if figure.layout.xaxis.title.text else -46,  # below the zone of the times
        xanchor="left",
        yanchor="top",
        font={"color": theme.muted, "size": theme.font_size - 1},
    )


def _selector(theme: Theme) -> dict[str, Any]:
    return {
        "buttons": _BUTTONS,
        "x": 0,
        "xanchor": "left",
        "y": 1,
        "yanchor": "bottom",
        "bgcolor": theme.surface,
        "activecolor": theme.grid,
        "bordercolor": theme.border,
        "borderwidth": 1,
        "font": {"color": theme.text, "size": theme.font_size - 1},
    }
