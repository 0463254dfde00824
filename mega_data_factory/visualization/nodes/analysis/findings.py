"""Findings of analytics in a history: anomalous points, and metrics that move together. Frames out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mega_data_factory.analytics.anomaly import AnomalyDetector, node_anomaly_rate
from mega_data_factory.analytics.series import correlation
from mega_data_factory.errors import VisualizationError
from mega_data_factory.formats import plural
from mega_data_factory.history import Series
from mega_data_factory.visualization.nodes.clocks import (
    Cells,
    Matrix,
    cell_width,
    common_pause,
    holders,
    in_cells,
    mean_of_known,
    typical_pauses,
)
from mega_data_factory.visualization.nodes.metric_names import STATUS, metric_name
from mega_data_factory.visualization.nodes.selection import Selection

if TYPE_CHECKING:
    import pandas as pd

Pair: TypeAlias = tuple[str, str]
"""A node and a metric."""

_CELLS = 1_000  # of the grid on which series are compared
_LEAST_CELLS = 8  # with a value; fewer have no correlation
_MOVING = ["node_id", "metric", "correlation", "lag", "compared", "points"]


class AnomalousPoint(NamedTuple):
    """An anomalous point.

    Attributes:
        timestamp: microseconds since 1970 UTC.
        value: what was measured; NaN if the anomaly is that nothing was measured.
        score: of the detector.
        reason: in words.
    """

    timestamp: int
    value: float
    score: float
    reason: str


def anomalies(selection: Selection, sensitivity: float) -> pd.DataFrame:
    """Return the anomalous points, in order of time: `node_id, metric, timestamp, value, score, reason`."""
    import pandas as pd

    rows = [
        (node, metric, found.timestamp, found.value, found.score, found.reason)
        for node in selection.nodes
        for metric in selection.metrics_of(node)
        if metric != STATUS
        for found in anomalous_points(node, metric, selection.series(node, metric), sensitivity)
    ]
    frame = pd.DataFrame(rows, columns=["node_id", "metric", "timestamp", "value", "score", "reason"])
    frame = frame.sort_values(["timestamp", "node_id", "metric"], ignore_index=True)
    frame["timestamp"] = selection.zone.datetimes(frame["timestamp"].to_numpy(np.int64))
    return frame


def anomalous_points(
    node: str, metric: str, series: Series, sensitivity: float, *, timed: bool = True
) -> Iterator[AnomalousPoint]:
    """Yield the alarms of a detector that is shown a series point by point.

    Args:
        node: for the words.
        metric: the same.
        series: in order of time.
        sensitivity: of the detector.
        timed: whether the detector gets the times; not of a series that was thinned, whose pauses mean nothing.
    """
    detector = AnomalyDetector(sensitivity)
    unit = metric_name(metric).unit.suffix.strip()
    for timestamp, value in zip(series.timestamps.tolist(), series.values.tolist(), strict=True):
        score = detector.update(value, timestamp if timed else None)
        if score >= detector.threshold:
            reason = detector.reason()
            words = reason.text(metric, node, unit) if reason else ""
            yield AnomalousPoint(timestamp, value, score, words)


def anomaly_rate(selection: Selection, sensitivity: float, window: int) -> pd.DataFrame:
    """Return the share of a node's metrics that were anomalous shortly before each point: `node_id, timestamp, rate`.

    Args:
        selection: nodes and metrics.
        sensitivity: of the detectors.
        window: microseconds that an alarm counts.

    Raises:
        VisualizationError: no node has a metric but its status.
        AnalysisError: the window is not positive.
    """
    import pandas as pd

    frames = []
    for node in selection.nodes:
        found = {metric: selection.series(node, metric) for metric in selection.metrics_of(node) if metric != STATUS}
        if not found:
            continue
        alarms = [
            [one.timestamp for one in anomalous_points(node, metric, series, sensitivity)]
            for metric, series in found.items()
        ]
        moments = next(iter(found.values())).timestamps  # the metrics of a node have the same rows
        rates = node_anomaly_rate(alarms, moments, window)
        frames.append(pd.DataFrame({"node_id": node, "timestamp": selection.zone.datetimes(moments), "rate": rates}))
    if not frames:
        raise VisualizationError("no node has a metric that could be strange: a status alone is none")
    return pd.concat(frames, ignore_index=True)


def moving_with(selection: Selection, target: Pair | str, max_lag: int) -> pd.DataFrame:
    """Return the series that correlate with one: `node_id, metric, correlation, lag, significant`, strongest first.

    Args:
        selection: nodes and metrics to compare, that of the target among them.
        target: node and metric, or a metric, of which the mean over the nodes is taken.
        max_lag: microseconds that one may follow the other.

    Returns:
        `correlation` is signed, -1 to 1; `lag` in seconds, positive where the series follows the target;
        `significant` says whether it is more than chance brings among that many series and lags.

    Raises:
        VisualizationError: the target has no value in the time range.
        AnalysisError: there are too few points for the lag.
    """
    import pandas as pd

    pauses = typical_pauses(selection)
    own = _own_pairs(selection, target)
    pace = common_pause({node: pauses[node] for node, _ in own}) if own else 1
    found = [
        _moving_alike(selection, own, pairs, max(pace, pause), max_lag, pauses)
        for pause, pairs in _by_pause(selection, own, pauses).items()
    ]
    frame = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=_MOVING)
    compared = int(frame.pop("compared").sum())
    points = frame.pop("points").tolist()
    limits = {count: correlation.by_chance(count, compared)[1] for count in set(points)}
    frame["significant"] = frame["correlation"].abs() >= [limits[count] for count in points]
    order = frame["correlation"].abs().sort_values(ascending=False, kind="stable").index
    return frame.loc[order].reset_index(drop=True)


def _own_pairs(selection: Selection, target: Pair | str) -> list[Pair]:
    """Return the series of the target, which are one, or of a metric that of each node."""
    if not isinstance(target, str):
        return [target] if target[0] in holders(selection, target[1]) else []
    return [(node, target) for node in holders(selection, target)]


def _by_pause(selection: Selection, own: Sequence[Pair], pauses: Mapping[str, int]) -> dict[int, list[Pair]]:
    """Return the series to compare with the target, by how far apart their points are; a mean is compared with each."""
    groups: dict[int, list[Pair]] = {}
    for metric in selection.metrics:
        for node in holders(selection, metric):
            if (node, metric) not in own or len(own) > 1:
                groups.setdefault(pauses[node], []).append((node, metric))
    return groups


def _moving_alike(
    selection: Selection,
    own: Sequence[Pair],
    pairs: Sequence[Pair],
    pause: int,
    max_lag: int,
    pauses: Mapping[str, int],
) -> pd.DataFrame:
    """Compare the target with series on cells that are a multiple of the pause of both, and so are the lags."""
    import pandas as pd

    span = (selection.start, selection.end)
    cells = Cells(span, cell_width(span, _CELLS, pause))
    target = mean_of_known(np.array([in_cells(selection, *pair, cells, pauses[pair[0]]) for pair in own]).T)
    if not np.isfinite(target).any():
        raise VisualizationError(f"there is no value of {own[0][1]} in the time range")
    others = np.array([in_cells(selection, *pair, cells, pauses[pair[0]]) for pair in pairs])
    reach = min(round(max_lag / cells.step), others.shape[1] // 2)
    strengths, lags = correlation.lagged_correlations(target, others, reach)
    frame = pd.DataFrame(pairs, columns=_MOVING[:2])
    frame["correlation"], frame["lag"] = strengths, lags * cells.step / 1e6
    frame["compared"] = 2 * reach + 1
    frame["points"] = _compared_points(target, others, lags)
    return frame


def _compared_points(target: Matrix, others: Matrix, lags: npt.NDArray[np.intp]) -> list[int]:
    """Return the number of points of each series paired with the target at its lag, where both have the one before."""
    there = np.isfinite(correlation.innovations(target[None]))[0]
    length, counts = len(there), []
    for row, lag in zip(np.isfinite(correlation.innovations(others)), lags.tolist(), strict=True):
        own, other = there[max(0, -lag) : length - max(0, lag)], row[max(0, lag) : length - max(0, -lag)]
        counts.append(int((own & other).sum()) + 1)  # innovations are one fewer than points
    return counts


def correlation_matrix(selection: Selection) -> tuple[list[str], Matrix]:
    """Return metrics and the correlation of each pair at the same time, shape (metrics, metrics); mean over nodes."""
    pauses, span = typical_pauses(selection), (selection.start, selection.end)
    cells = Cells(span, cell_width(span, _CELLS, common_pause(pauses)))
    names, rows = [], []
    for metric in selection.metrics:
        each = [in_cells(selection, node, metric, cells, pauses[node]) for node in holders(selection, metric)]
        values = mean_of_known(np.array(each).T)
        if metric != STATUS and np.isfinite(values).sum() >= _LEAST_CELLS:
            names.append(metric)
            rows.append(values)
    if len(rows) < 2 or len(rows[0]) < _LEAST_CELLS:
        known = f"{plural(len(rows), 'metric')} with {_LEAST_CELLS} points or more in the time range"
        raise VisualizationError(f"too little is known for a correlation: {known}", hint="at least 2")
    return names, correlation.correlation_matrix(np.array(rows))
