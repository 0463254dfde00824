"""Histories from frames, and frames from histories."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mega_data_factory.errors import VisualizationError
from mega_data_factory.history import MetricsHistory, Series
from mega_data_factory.visualization.nodes.metric_names import STATUS, status_word
from mega_data_factory.visualization.nodes.points import check_metric, check_name, status_code
from mega_data_factory.visualization.nodes.selection import Selection
from mega_data_factory.visualization.nodes.times import column_microseconds

NODE, TIME = "node_id", "timestamp"
INTERVAL = "interval"


def add_frame(history: MetricsHistory, frame: pd.DataFrame, node_id: str | None = None) -> None:
    """Add the rows of a frame, all of them or none.

    Args:
        history: grows.
        frame: a column `timestamp` (or an index of times), a column `node_id` unless it is given, and metrics.
        node_id: of all rows.

    Raises:
        VisualizationError: a column is missing, or a value is none that could be taken.
    """
    if not isinstance(frame, pd.DataFrame):
        raise VisualizationError(f"a DataFrame was expected, not {type(frame).__name__}")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise VisualizationError(f"the frame has two columns `{twice}`", hint="drop or rename one of them")
    if TIME in frame.columns:
        times = column_microseconds(frame[TIME])
    elif isinstance(frame.index, pd.DatetimeIndex):
        times = column_microseconds(frame.index.to_series())
    else:
        raise VisualizationError("the frame has no times", hint=f"a column `{TIME}`, or an index of datetimes")
    metrics = {str(name): _numbers(frame[name]) for name in frame.columns if name not in (NODE, TIME, INTERVAL)}
    for name in metrics:
        check_metric("metric", name)
    for node, rows in _by_node(frame, node_id).items():
        known = {name: column[rows] for name, column in metrics.items() if not np.isnan(column[rows]).all()}
        history.extend(node, times[rows], known)


def _by_node(frame: pd.DataFrame, node_id: str | None) -> dict[str, npt.NDArray[np.intp]]:
    if node_id is not None:
        return {check_name("node id", node_id): np.arange(len(frame))}
    if NODE not in frame.columns:
        raise VisualizationError("the frame does not name its node", hint=f"a column `{NODE}`, or node_id=…")
    missing = np.flatnonzero(frame[NODE].isna().to_numpy())
    if len(missing):
        raise VisualizationError(f"row {missing[0]} has no node id")
    groups = frame.groupby(NODE, sort=False).indices
    return {check_name("node id", node): np.asarray(rows, np.intp) for node, rows in groups.items()}


def _numbers(column: pd.Series[Any]) -> npt.NDArray[np.float64]:
    """Return the column as float64, NaN where a value is missing; words of `status` as codes."""
    if column.name == STATUS and not pd.api.types.is_numeric_dtype(column.dtype):
        codes = {word: status_code("a row", word) for word in column.dropna().unique()}
        column = column.map(codes)
    if getattr(column.dtype, "kind", "O") in "Mmc":  # NumPy would make numbers of them
        message = f"column `{column.name}` is of type {column.dtype}: no numbers"
        raise VisualizationError(message, hint="drop columns that are no metrics")
    try:
        return column.to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError, OverflowError):
        wrong = next((row, value) for row, value in enumerate(column) if not _is_number(value))
        message = f"column `{column.name}` is {wrong[1]!r} in row {wrong[0]}: no number"
        raise VisualizationError(message, hint="drop columns that are no metrics") from None


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return value is None or value is pd.NA
    return not isinstance(value, str)


def frame_of(selection: Selection) -> pd.DataFrame:
    """Return a selection as a frame: `node_id`, `timestamp` (naive UTC), and a column for each metric.

    Rows are in order of node and time; what was not measured is NaN, `status` is words. Where the history has thinned
    old points already, a row stands for `interval` seconds with the mean in the metric's column, and its extremes
    are in `<metric>_min` and `<metric>_max`; these columns are only there if such rows are.
    """
    frames = [_node_frame(selection, node) for node in selection.nodes]
    frame = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    thinned = INTERVAL in frame.columns
    names = [name for metric in selection.metrics for name in _columns(metric, thinned=thinned)]
    frame = frame.reindex(columns=[NODE, TIME, *([INTERVAL] if thinned else []), *names])
    if thinned:
        frame[INTERVAL] = frame[INTERVAL].fillna(0.0)
    return frame


def _columns(metric: str, *, thinned: bool) -> list[str]:
    return [metric, f"{metric}_min", f"{metric}_max"] if thinned and metric != STATUS else [metric]


def _node_frame(selection: Selection, node: str) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    first: Series | None = None
    found = {metric: selection.series(node, metric) for metric in selection.metrics_of(node)}
    times = np.unique(np.concatenate([series.timestamps for series in found.values()] or [np.empty(0, np.int64)]))
    for metric, series in found.items():
        rows = np.searchsorted(times, series.timestamps)
        for name, values in _values(metric, series).items():
            columns[name] = np.full(len(times), None if values.dtype == object else np.nan, values.dtype)
            columns[name][rows] = values
        if first is None and series.interval.any():
            first = series
            columns[INTERVAL] = np.zeros(len(times))
            columns[INTERVAL][rows] = series.interval / 1e6
    return pd.DataFrame({NODE: node, TIME: times.astype("datetime64[us]"), **columns})


def _values(metric: str, series: Series) -> dict[str, npt.NDArray[Any]]:
    if metric == STATUS:
        words = np.array([None if np.isnan(code) else status_word(code) for code in series.maximum], object)
        return {metric: words}
    columns = {metric: series.values}
    if series.interval.any():
        columns |= {f"{metric}_min": series.minimum, f"{metric}_max": series.maximum}
    return columns
