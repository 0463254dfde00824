"""What analytics find in a history: strange points, metrics that changed, metrics that move together. Frames out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from mega_data_factory.analytics import correlation
from mega_data_factory.analytics.anomaly import AnomalyDetector
from mega_data_factory.errors import VisualizationError
from mega_data_factory.visualization.formats import plural, seconds
from mega_data_factory.visualization.history import Series
from mega_data_factory.visualization.nodes.metric_names import STATUS, metric_name
from mega_data_factory.visualization.nodes.selection import Selection
from mega_data_factory.visualization.nodes.times import TimeRange, bounds, text

Matrix: TypeAlias = npt.NDArray[np.float64]
Pair: TypeAlias = tuple[str, str]
"""A node and a metric."""

_CELLS = 1_000  # of the grid on which series are compared
_WINDOW_CELLS = 64  # of an incident
_LEAST_CELLS = 8  # with a value; fewer have no correlation
_BASELINE = 16  # windows before the incident, where nothing else is said
_LATEST = 10_000  # points that say how far apart points usually are


class Strange(NamedTuple):
    """A strange point.

    Attributes:
        timestamp: microseconds since 1970 UTC.
        value: what was measured; NaN where that nothing was is what is strange.
        score: of the detector.
        reason: in words.
    """

    timestamp: int
    value: float
    score: float
    reason: str


def anomalies(selection: Selection, sensitivity: float) -> pd.DataFrame:
    """The strange points, in order of time: `node_id, metric, timestamp, value, score, reason`."""
    rows = [
        (node, metric, np.datetime64(found.timestamp, "us"), found.value, found.score, found.reason)
        for node in selection.nodes
        for metric in selection.metrics_of(node)
        if metric != STATUS
        for found in strange(node, metric, selection.series(node, metric), sensitivity)
    ]
    frame = pd.DataFrame(rows, columns=["node_id", "metric", "timestamp", "value", "score", "reason"])
    frame["timestamp"] = frame["timestamp"].astype("datetime64[us]")
    return frame.sort_values(["timestamp", "node_id", "metric"], ignore_index=True)


def strange(node: str, metric: str, series: Series, sensitivity: float, *, timed: bool = True) -> Iterator[Strange]:
    """The alarms of a detector that is shown a series point by point.

    Args:
        node: for the words.
        metric: the same.
        series: in order of time.
        sensitivity: of the detector.
        timed: whether the detector is told the times; not of a series that was thinned, whose pauses mean nothing.
    """
    detector = AnomalyDetector(sensitivity)
    unit = metric_name(metric).unit.suffix.strip()
    for timestamp, value in zip(series.timestamps.tolist(), series.values.tolist(), strict=True):
        score = detector.update(value, timestamp if timed else None)
        if score >= detector.threshold:
            reason = detector.reason()
            words = reason.text(metric, node, unit) if reason else ""
            yield Strange(timestamp, value, score, words)


def windows(selection: Selection, window: TimeRange, baseline: TimeRange) -> tuple[tuple[int, int], tuple[int, int]]:
    """An incident and what it is compared with, in microseconds; what lies before it, where nothing is said.

    Raises:
        VisualizationError: no window is given, or there is not twice its length to compare it with.
    """
    span = (selection.start, selection.end)
    if window is None:
        raise VisualizationError("changed in which window?", hint='a pair (start, end), or the last "10m"')
    start, end = bounds(window, span)
    if baseline is not None:
        return (start, end), bounds(baseline, span)
    before = max(selection.start, start - _BASELINE * (end - start + 1))
    if start - before < 2 * (end - start):
        message = f"there is too little before {text(start)} to compare with: {seconds((start - before) / 1e6)}"
        hint = f"at least {seconds(2 * (end - start) / 1e6)}, twice the window"
        raise VisualizationError(message, hint=hint)
    return (start, end), (before, start - 1)


def changed(selection: Selection, window: tuple[int, int], baseline: tuple[int, int]) -> pd.DataFrame:
    """How much every metric of every node is different in a window: `node_id, metric, score, before, during`.

    Args:
        selection: nodes and metrics.
        window: the incident, microseconds since 1970 UTC, both included.
        baseline: with what it is compared.

    Returns:
        Strongest first; `before` and `during` are means.

    Raises:
        VisualizationError: no metric has points both in the window and in the baseline.
    """
    step = max(1, (window[1] - window[0] + 1) // _WINDOW_CELLS, usual_pause(selection))
    metrics = [metric for metric in selection.metrics if metric != STATUS]  # codes: no distance between them
    selection = replace(selection, metrics=metrics)
    pairs, before = on_grid(selection, baseline, step)
    _, during = on_grid(selection, window, step)
    frame = pd.DataFrame(pairs, columns=["node_id", "metric"])
    frame["score"] = correlation.changed_scores(before, during)
    frame["before"], frame["during"] = _means(before), _means(during)
    frame = frame[frame["score"].notna()]
    if frame.empty:
        raise VisualizationError("no metric has enough points both in the window and in the baseline")
    return frame.sort_values("score", ascending=False, kind="stable", ignore_index=True)


def moving_with(selection: Selection, target: Pair | str, max_lag: int) -> pd.DataFrame:
    """Which series move with one: `node_id, metric, correlation, lag, significant`, strongest first.

    Args:
        selection: nodes and metrics to compare, that of the target among them.
        target: node and metric, or a metric, of which the mean over the nodes is taken.
        max_lag: microseconds that one may follow the other.

    Returns:
        `correlation` is signed, -1 to 1; `lag` in seconds, positive where the series follows the target;
        `significant` says whether it is more than chance brings among so many series and lags.

    Raises:
        VisualizationError: the target has no value in the time range.
        AnalysisError: there are too few points for the lag.
    """
    step = _step(selection)
    pairs, values = on_grid(selection, (selection.start, selection.end), step)
    metric = target if isinstance(target, str) else target[1]
    own = [at for at, pair in enumerate(pairs) if pair == target or (isinstance(target, str) and pair[1] == target)]
    if not own or not np.isfinite(values[own]).any():
        raise VisualizationError(f"there is no value of {metric} in the time range")
    others = [at for at in range(len(pairs)) if at not in own or len(own) > 1]
    cells = round(max_lag / step)
    strengths, lags = correlation.lagged_correlations(_means(values[own].T), values[others], cells)
    frame = pd.DataFrame([pairs[at] for at in others], columns=["node_id", "metric"])
    frame["correlation"], frame["lag"] = strengths, lags * step / 1e6
    _, significant = correlation.by_chance(values.shape[1], len(others) * (2 * cells + 1))
    frame["significant"] = np.abs(strengths) >= significant
    order = frame["correlation"].abs().sort_values(ascending=False, kind="stable").index
    return frame.loc[order].reset_index(drop=True)


def correlation_matrix(selection: Selection) -> tuple[list[str], Matrix]:
    """Metrics, and how each moves with each at the same time, shape (metrics, metrics); of several nodes their mean."""
    step = _step(selection)
    names, rows = [], []
    for metric in selection.metrics:
        values = _means(_metric_on_grid(selection, metric, (selection.start, selection.end), step)[1].T)
        if metric != STATUS and np.isfinite(values).sum() >= _LEAST_CELLS:
            names.append(metric)
            rows.append(values)
    if len(rows) < 2 or len(rows[0]) < _LEAST_CELLS:
        message = f"too little is known for a correlation: {plural(len(rows), 'metric')} in the time range"
        raise VisualizationError(message, hint=f"at least 2, with {_LEAST_CELLS} points each")
    return names, correlation.correlation_matrix(np.array(rows))


def on_grid(selection: Selection, span: tuple[int, int], step: int) -> tuple[list[Pair], Matrix]:
    """Every metric of every node that has it, in means over equal cells: names, and values of shape (pairs, cells)."""
    pairs: list[Pair] = []
    blocks: list[Matrix] = []
    for metric in selection.metrics:
        nodes, values = _metric_on_grid(selection, metric, span, step)
        pairs += [(node, metric) for node in nodes]
        blocks.append(values)
    return pairs, np.concatenate(blocks)


def _metric_on_grid(
    selection: Selection, metric: str, span: tuple[int, int], step: int
) -> tuple[Sequence[str], Matrix]:
    nodes = [node for node in selection.nodes if metric in selection.history.metrics(node)]
    _, values = selection.history.resampled(metric, nodes, step=step, start=span[0], end=span[1])
    return nodes, values


def _step(selection: Selection) -> int:
    """Width of a cell: fine enough for `_CELLS` cells, but no finer than the points."""
    return max(1, (selection.end - selection.start + 1) // _CELLS, usual_pause(selection))


def usual_pause(selection: Selection) -> int:
    """Median microseconds between the last points of the first node."""
    node = selection.nodes[0]
    times = selection.series(node, selection.metrics_of(node)[0]).timestamps[-_LATEST:]
    return int(np.median(np.diff(times))) if len(times) > 1 else 1


def _means(values: Matrix) -> Matrix:
    """Mean of what is known of each row, (rows,); NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.asarray(np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0), np.float64)
