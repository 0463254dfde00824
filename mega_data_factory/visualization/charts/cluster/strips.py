"""Rows of colour, one trace for each node, so that a page can show and hide them one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mega_data_factory.visualization.charts.labels import distinct

MOST_LABELS = 40


def gap(nodes: Sequence[str]) -> int:
    """Return pixels between strips: none if that would hide strips that are only a pixel or two high."""
    return 2 if len(nodes) <= MOST_LABELS else 0


def strip_axis(nodes: Sequence[str]) -> dict[str, Any]:
    """Return the layout of the y axis of strips, the first on top: strip `k` lies at `k`.

    Numbers with labels, not categories: Plotly reads the rows of a heat map on a category axis by the category's place
    among those of all traces, and so cannot have a trace for each.
    """
    every = -(-len(nodes) // MOST_LABELS)
    labels = distinct(nodes, 24)
    return {
        "range": [len(nodes) - 0.5, -0.5],
        "tickvals": list(range(0, len(nodes), every)),
        "ticktext": labels[::every],
        "showgrid": False,
        "title": {"text": ""},
        "ticksuffix": " ",
    }
