"""Choice of the metrics to draw if there are more than a picture has room for."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mega_data_factory.history import Series
from mega_data_factory.visualization.nodes.metric_names import KNOWN, STATUS
from mega_data_factory.visualization.nodes.selection import Selection

MOST_METRICS = 50
"""Metrics that a plot draws unless they are chosen: no reader follows more, and no browser draws thousands of rows."""

_POINTS = 200  # of a series, that say how far it moved
_NODES = 16  # that are asked how far a metric moved
_SPREAD_SHARE = 0.3
_RESOLUTION = 1e-5


def prominent(selection: Selection, most: int = MOST_METRICS, keep: str = STATUS) -> tuple[Selection, str]:
    """Leave out the metrics that moved least if there are more than `most`; those known by name and `keep` stay.

    Returns:
        The selection with at most `most` metrics (and the status), and a note that says how many are hidden and how to
        choose them; the note is empty when none is.
    """
    metrics = [metric for metric in selection.metrics if metric != STATUS]
    if len(metrics) <= most:
        return selection, ""
    known = [metric for metric in metrics if metric in KNOWN or metric == keep]
    others = _distances(selection, [metric for metric in metrics if metric not in known])
    kept = {*known, *heapq.nlargest(most - len(known), others, key=lambda metric: others[metric]), STATUS}
    note = f"{most} of {len(metrics):,} metrics, those that moved most; choose others with metrics=[…]"
    return replace(selection, metrics=[metric for metric in selection.metrics if metric in kept]), note


def _distances(selection: Selection, metrics: Sequence[str]) -> dict[str, float]:
    """Return how far each metric went from its median, in its usual steps: the farthest of some nodes."""
    found = dict.fromkeys(metrics, 0.0)
    asked = dict.fromkeys(metrics, 0)
    for node in selection.nodes:
        for metric in selection.history.metrics(node):
            if metric in found and asked[metric] < _NODES:
                series = selection.history.thinned(node, metric, _POINTS, selection.start, selection.end)
                found[metric] = max(found[metric], _distance(series))
                asked[metric] += 1
    return found


def _distance(series: Series) -> float:
    values = np.concatenate((series.minimum, series.maximum)) if series.interval.any() else series.values
    values = values[np.isfinite(values)]
    largest = float(np.abs(values).max(initial=0.0))
    if len(values) < 2 or not largest:
        return 0.0
    values = values / largest
    step = float(np.median(np.abs(np.diff(values)))) + _SPREAD_SHARE * float(values.std()) + _RESOLUTION
    return float(np.abs(values - np.median(values)).max()) / step
