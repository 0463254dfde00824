"""Conversion of a selection to what the charts of nodes draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mega_data_factory.history import Series
from mega_data_factory.history.alignment import Statistic
from mega_data_factory.history.attributes import Changes
from mega_data_factory.history.drawing import thinned
from mega_data_factory.visualization.charts.cluster.attributes import attribute_text
from mega_data_factory.visualization.charts.cluster.lines import Curve
from mega_data_factory.visualization.charts.cluster.node_metrics import Anomaly, Marks, Period
from mega_data_factory.visualization.charts.cluster.overview import ClusterGrid
from mega_data_factory.visualization.charts.cluster.strips import MOST_LABELS
from mega_data_factory.visualization.charts.cluster.time_axis import TimeAxis
from mega_data_factory.visualization.charts.labels import node_labels, safe
from mega_data_factory.visualization.nodes.analysis.findings import anomalous_points
from mega_data_factory.visualization.nodes.clocks import (
    Cells,
    Matrix,
    cell_width,
    common_pause,
    typical_pauses,
)
from mega_data_factory.visualization.nodes.metric_names import STATUS, status_word
from mega_data_factory.visualization.nodes.selection import Selection
from mega_data_factory.visualization.nodes.status_words import shown_word, state_of

_PAGE_POINTS = 100_000  # of all curves together: what a page of the usual size has room for
_JUDGED = 15_000  # points of all curves together that detectors are shown when a plot is made: a tenth of a second
_LEAST_JUDGED = 300  # points of a curve: with fewer a detector knows nothing
_STATISTICS: tuple[Statistic, ...] = ("minimum", "mean", "maximum")
_CELLS = 600  # of time, in views of a cluster
_LEAST_CELLS = 100  # of time, of however many nodes
_CLUSTER_CELLS = 50_000  # of all nodes together: what a page of the usual size has room for


def curves(selection: Selection, labels: Mapping[str, str], axis: TimeAxis) -> list[Curve]:
    """Return a curve for every metric of every node except status, with as many points as a page has room for."""
    pairs = [(node, key) for node in selection.nodes for key in selection.metrics_of(node) if key != STATUS]
    share = max(4_000, _PAGE_POINTS // max(len(pairs), 1))
    found = []
    attributes = {node: attribute_text(selection, node) for node in selection.nodes}
    rows: dict[str, int] = {}  # all metrics of a node have the same rows
    for node, metric in pairs:
        series = selection.history.thinned(node, metric, share, selection.start, selection.end)
        if len(series) >= share // 2 and node not in rows:
            rows[node] = len(selection.series(node, metric))
        points = max(rows.get(node, 0), len(series))
        found.append(Curve(node, metric, axis.moved(series), points, labels[node], attributes[node]))
    return [curve for curve in found if np.isfinite(curve.series.values).any()]


def curves_of(
    selection: Selection, pairs: Iterable[tuple[str, str]], hosts: Mapping[str, str], axis: TimeAxis
) -> list[Curve]:
    """Return a curve with all points for each pair of node and metric."""
    labels = node_labels(selection.nodes, hosts)
    series = [(node, metric, axis.moved(selection.series(node, metric))) for node, metric in pairs]
    return [
        Curve(node, metric, each, len(each), labels[node], attribute_text(selection, node))
        for node, metric, each in series
    ]


def marks(selection: Selection, drawn: Sequence[Curve], axis: TimeAxis, sensitivity: float | None) -> Marks:
    """Return anomalies of up to 50 curves, unless `sensitivity` is None, and the states of a single node."""
    share = _JUDGED // max(len(drawn), 1)
    anomalies: list[Anomaly] = []
    if sensitivity is not None and share >= _LEAST_JUDGED:
        anomalies = [found for curve in drawn for found in _anomalies(curve, sensitivity, share)]
    node = selection.nodes[0]
    periods = []
    if len(selection.nodes) == 1 and STATUS in selection.metrics_of(node):
        series = selection.history.thinned(node, STATUS, 4_000, selection.start, selection.end)
        periods = states(node, axis.moved(series))
    return Marks(anomalies, periods)


def _anomalies(curve: Curve, sensitivity: float, most: int) -> list[Anomaly]:
    """Return the anomalies among the points that are drawn: of a long curve, its extremes."""
    series = thinned(curve.series, most)
    whole = not curve.shortened and len(series) == len(curve.series)
    return [
        Anomaly(curve.node, curve.metric, row.timestamp, row.value, row.reason)
        for row in anomalous_points(curve.shown, curve.metric, series, sensitivity, timed=whole)
    ]


def states(node: str, series: Series) -> list[Period]:
    """Return stretches of equal status; each lasts until the next begins."""
    known = series.known()
    if not len(known):
        return []
    codes = np.ceil(known.maximum)
    starts = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
    ends = np.append(known.timestamps[starts[1:]], known.timestamps[-1] + known.interval[-1])
    return [
        Period(node, int(known.timestamps[at]), int(end), float(codes[at]))
        for at, end in zip(starts, ends.tolist(), strict=True)
    ]


def cluster_grid(selection: Selection, labels: Mapping[str, str], axis: TimeAxis) -> ClusterGrid:
    """Return every metric of every node in cells of equal time: means and extremes, of status the worst."""
    nodes = list(selection.nodes)
    most = min(_CELLS, max(_LEAST_CELLS, _CLUSTER_CELLS // len(nodes)))
    span, pauses = (selection.start, selection.end), typical_pauses(selection)
    cells = Cells(span, cell_width(span, most, common_pause(pauses)))

    values: dict[str, Matrix] = {}
    extremes: dict[str, tuple[Matrix, Matrix]] = {}
    for metric in selection.metrics:
        found = [(selection.series(node, metric), pauses[node]) for node in nodes]
        least, mean, greatest = (
            np.array([cells.align(series, pause, statistic) for series, pause in found]) for statistic in _STATISTICS
        )
        values[metric] = greatest if metric == STATUS else mean
        extremes[metric] = least, greatest
    rows = sum(len(selection.series(node, selection.metrics_of(node)[0])) for node in nodes)
    names, attributes = [labels[node] for node in nodes], [attribute_text(selection, node) for node in nodes]
    words = _status_words(selection, values[STATUS], cells.times + cells.step - 1) if STATUS in values else ()
    return ClusterGrid(nodes, names, cells.times + axis.ahead, cells.step, values, extremes, rows, attributes, words)


def _status_words(selection: Selection, codes: Matrix, ends: npt.NDArray[np.int64]) -> list[list[str]]:
    """Return the status of each node in each cell, with the word of the node behind it if that is another."""
    if len(selection.nodes) > MOST_LABELS:
        return []
    found = []
    for node, row in zip(selection.nodes, codes.tolist(), strict=True):
        given = selection.history.attributes(node).changes.get(STATUS, Changes()).at(ends)
        found.append([_status_word(code, word) for code, word in zip(row, given, strict=True)])
    return found


def _status_word(code: float, given: object) -> str:
    if isinstance(given, str) and state_of(given) is None:
        return safe(given)  # whatever the cells before say, which hold until the next point
    word = shown_word(code, given) or ""
    ours = status_word(code) if word else ""
    return ours if word == ours else safe(f"{ours} ({word})")
