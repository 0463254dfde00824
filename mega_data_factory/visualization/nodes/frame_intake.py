"""Frames on their way into a history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mega_data_factory.errors import VisualizationError
from mega_data_factory.history import MetricsHistory
from mega_data_factory.history.attributes import Text
from mega_data_factory.visualization.nodes.frames import INTERVAL, NODE, TIME
from mega_data_factory.visualization.nodes.metric_names import KNOWN, STATUS, STATUS_CODES
from mega_data_factory.visualization.nodes.points import attribute, check_metric, check_name, is_missing, status_code
from mega_data_factory.visualization.nodes.times import time_column
from mega_data_factory.visualization.nodes.zone import Zone


@dataclass(frozen=True, eq=False)
class _Columns:
    """Columns of a frame: numbers as float64 (n,), texts or None; all names in order, and those of whole metrics."""

    names: list[str]
    numbers: dict[str, npt.NDArray[np.float64]]
    texts: dict[str, Sequence[Text | None]]
    whole: list[str]


def add_frame(history: MetricsHistory, frame: pd.DataFrame, node_id: str | None, zone: Zone) -> dict[str, str]:
    """Add the rows of a frame, all of them or none.

    Args:
        history: grows.
        frame: a column `timestamp` (or an index of times), a column `node_id` unless it is given, metrics, attributes.
        node_id: of all rows.
        zone: of times that have none.

    Returns:
        Words of `status` that are none of our three, each with a node that has it.

    Raises:
        VisualizationError: a column is missing, or a value cannot be taken.
    """
    if not isinstance(frame, pd.DataFrame):
        raise VisualizationError(f"a DataFrame was expected, not {type(frame).__name__}")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise VisualizationError(f"the frame has two columns `{twice}`", hint="drop or rename one of them")
    if TIME in frame.columns:
        times = time_column(frame[TIME], zone)
    elif isinstance(frame.index, pd.DatetimeIndex):
        times = time_column(frame.index.to_series(), zone)
    else:
        raise VisualizationError("the frame has no times", hint=f"a column `{TIME}`, or an index of datetimes")
    columns = _columns(frame)
    foreign: dict[str, str] = {}
    for node, rows in _by_node(frame, node_id).items():
        _add_node(history, node, columns, rows, times.moments(rows, zone))
        words = [columns.texts[STATUS][row] for row in rows.tolist()] if STATUS in columns.texts else []
        foreign |= {str(word): node for word in words if word is not None and word not in STATUS_CODES}
    return {node: word for word, node in foreign.items()}


def _add_node(
    history: MetricsHistory,
    node: str,
    columns: _Columns,
    rows: npt.NDArray[np.intp],
    moments: npt.NDArray[np.int64],
) -> None:
    if not len(rows):
        return
    latest = history.span(node)
    known = {name: column[rows] for name, column in columns.numbers.items() if not np.isnan(column[rows]).all()}
    history.extend(node, moments, known)
    whole = [name for name in columns.whole if name in known]
    fractional = [name for name in known if name not in columns.whole]
    texts = {name: values for name, values in columns.texts.items() if any(values[row] is not None for row in rows)}
    words = {texts[STATUS][row] for row in rows} - {None} if STATUS in texts else set()
    if STATUS_CODES.keys() >= words and STATUS not in history.attributes(node).changes:
        texts.pop(STATUS, None)  # its code says it all
    names = [name for name in columns.names if name in known or name in texts]
    order = np.argsort(moments, kind="stable").tolist()
    history.describe(node, int(moments[order[0]]), names, whole=whole, fractional=fractional)
    late = latest is not None and moments[order[0]] < latest[1]  # then each report holds at its moment alone
    before: dict[str, Text] = {}
    for at in order if texts else ():
        given = {name: value for name, values in texts.items() if (value := values[rows[at]]) is not None}
        if late or at == order[-1] or any(before.get(name) != value for name, value in given.items()):
            history.describe(node, int(moments[at]), (), attributes=given)
        before |= given


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


def _columns(frame: pd.DataFrame) -> _Columns:
    found = _Columns([], {}, {}, [])
    for column in frame.columns:
        if column in (NODE, TIME, INTERVAL):
            continue
        name = check_metric("metric", str(column))
        found.names.append(name)
        if name == STATUS and not pd.api.types.is_numeric_dtype(frame[column].dtype):
            words = frame[column]
            codes = {word: status_code("a row", word) for word in words.dropna().unique()}
            found.numbers[name] = words.map(codes).to_numpy(np.float64, na_value=np.nan)
            found.texts[name] = [None if is_missing(word) else str(word) for word in words]
        elif name not in KNOWN and _holds_text(frame[column]):
            found.texts[name] = [
                None if is_missing(value) else attribute("a row", name, value) for value in frame[column]
            ]
        else:
            found.numbers[name] = _numbers(frame[column])
            if frame[column].dtype.kind in "iub":
                found.whole.append(name)
    return found


def _holds_text(column: pd.Series[Any]) -> bool:
    """Return whether a column holds texts or lists: of numbers and texts mixed, it is a column of numbers."""
    if getattr(column.dtype, "kind", "O") not in "OUT":
        return False
    known = [value for value in column if not is_missing(value)]
    return bool(known) and all(isinstance(value, (str, list, tuple, set, frozenset, dict)) for value in known)


def _numbers(column: pd.Series[Any]) -> npt.NDArray[np.float64]:
    """Return the column as float64, NaN if a value is missing."""
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
