"""What analytics find in a history: strange points, metrics that changed, metrics that move together. Frames out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from mega_data_factory.analytics import correlation
from mega_data_factory.analytics.anomaly import AnomalyDetector, node_anomaly_rate
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


def anomaly_rate(selection: Selection, sensitivity: float, window: int) -> pd.DataFrame:
    """The share of a node's metrics that were strange shortly before each of its points: `node_id, timestamp, rate`.

    Args:
        selection: nodes and metrics.
        sensitivity: of the detectors.
        window: microseconds that an alarm counts.

    Raises:
        VisualizationError: no node has a metric but its status.
        AnalysisError: the window is not positive.
    """
    frames = []
    for node in selection.nodes:
        found = {metric: selection.series(node, metric) for metric in selection.metrics_of(node) if metric != STATUS}
        if not found:
            continue
        alarms = [
            [one.timestamp for one in strange(node, metric, series, sensitivity)] for metric, series in found.items()
        ]
        moments = next(iter(found.values())).timestamps  # the metrics of a node have the same rows
        rates = node_anomaly_rate(alarms, moments, window)
        frames.append(pd.DataFrame({"node_id": node, "timestamp": moments.astype("datetime64[us]"), "rate": rates}))
    if not frames:
        raise VisualizationError("no node has a metric that could be strange: a status alone is none")
    return pd.concat(frames, ignore_index=True)


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
    if not metrics:
        raise VisualizationError("no node has a metric that could change by some amount: a status alone is none")
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
    cells = min(round(max_lag / step), values.shape[1] // 2)
    wanted = _means(values[own].T)
    strengths, lags = correlation.lagged_correlations(wanted, values[others], cells)
    frame = pd.DataFrame([pairs[at] for at in others], columns=["node_id", "metric"])
    frame["correlation"], frame["lag"] = strengths, lags * step / 1e6
    compared = len(others) * (2 * cells + 1)
    pairs_of = _compared_points(wanted, values[others], lags)
    bounds_of = {points: correlation.by_chance(points, compared)[1] for points in set(pairs_of)}
    frame["significant"] = np.abs(strengths) >= [bounds_of[points] for points in pairs_of]
    order = frame["correlation"].abs().sort_values(ascending=False, kind="stable").index
    return frame.loc[order].reset_index(drop=True)


def _compared_points(target: Matrix, others: Matrix, lags: npt.NDArray[np.intp]) -> list[int]:
    """How many points of each series stood against one of the target at its lag, where both have the one before."""
    there = np.isfinite(correlation.innovations(target[None]))[0]
    length, counts = len(there), []
    for row, lag in zip(np.isfinite(correlation.innovations(others)), lags.tolist(), strict=True):
        own, other = there[max(0, -lag) : length - max(0, lag)], row[max(0, lag) : length - max(0, -lag)]
        counts.append(int((own & other).sum()) + 1)  # innovations are one fewer than points
    return counts


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
        known = f"{plural(len(rows), 'metric')} with {_LEAST_CELLS} points or more in the time range"
        raise VisualizationError(f"too little is known for a correlation: {known}", hint="at least 2")
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
    mean = (np.where(known, values, 0.0) / np.maximum(count, 1)[:, None]).sum(axis=1)  # the sum may be too large
    return np.asarray(np.where(count > 0, mean, np.nan), np.float64)
