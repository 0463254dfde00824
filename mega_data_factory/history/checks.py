"""Checks of new points: one clear error for an invalid one."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping

import numpy as np

from mega_data_factory.errors import HistoryError
from mega_data_factory.history.series import Floats, Times
from mega_data_factory.history.storage.records import NO_TIME


def number(node_id: str, name: str, value: object) -> float:
    """Return the value as a float; None is not measured, NaN.

    Raises:
        HistoryError: it is not a number; text that looks like one is none.
    """
    if value is None:
        return math.nan
    if not isinstance(value, str | bytes | bytearray):
        try:
            return float(value)  # type: ignore[arg-type]  # anything that can be a float; the rest raises
        except (TypeError, ValueError, OverflowError):
            pass
    raise HistoryError(f"node {node_id!r}: {name} is {value!r}, which is not a number", hint="a number, or None")


def moment(node_id: str, timestamp: object) -> int:
    """Return the timestamp as an int.

    Raises:
        HistoryError: it is not an integer, or does not fit 64 bits.
    """
    try:
        when = operator.index(timestamp)  # type: ignore[arg-type]  # what is no integer raises
    except TypeError:
        when = NO_TIME
    if not NO_TIME < when < -NO_TIME:
        raise HistoryError(
            f"node {node_id!r}: timestamp {timestamp!r} is not a moment",
            hint="an integer: microseconds since 1970-01-01 UTC",
        )
    return when


def arrays(node_id: str, timestamps: Times, columns: Mapping[str, Floats]) -> tuple[Times, Mapping[str, Floats]]:
    """Return timestamps and columns as arrays that fit each other.

    Raises:
        HistoryError: they do not.
    """
    times = np.asarray(timestamps)
    if times.ndim != 1 or times.dtype.kind not in "iu" or (times == NO_TIME).any():
        raise HistoryError(
            f"node {node_id!r}: timestamps are {times.dtype} of shape {times.shape}, or one of them is not a time",
            hint="int64 of shape (n,): microseconds since 1970-01-01 UTC",
        )
    values = {}
    for name, column in columns.items():
        try:
            values[name] = np.asarray(column, np.float64)
        except (TypeError, ValueError) as error:
            raise HistoryError(f"node {node_id!r}: {name} is not an array of numbers: {error}") from error
        if values[name].shape != times.shape:
            raise HistoryError(
                f"node {node_id!r}: {name} has shape {values[name].shape}, the timestamps have {times.shape}",
                hint="one value for each timestamp",
            )
    return times.astype(np.int64, copy=False), values
