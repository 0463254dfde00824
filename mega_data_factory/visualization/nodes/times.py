"""Timestamps and time ranges as people give them, as microseconds since 1970-01-01 UTC.

A time without a zone is UTC: everywhere, so that a plot does not depend on the machine that draws it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from mega_data_factory.errors import VisualizationError
from mega_data_factory.formats import parse_age

Timestamp: TypeAlias = datetime | date | float | str | np.datetime64
"""A time: a `datetime` (also pandas'), a date, seconds since 1970 as `time.time()` gives them, or ISO 8601 text."""

TimeRange: TypeAlias = timedelta | str | tuple[Timestamp | None, Timestamp | None] | None
"""A pair of start and end, both included and each may be None; or how far back from the last point (`"1h"`)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LATEST_SECONDS = 253_402_300_800.0  # the year 10000, where datetime ends
_RIGHT = "a datetime, seconds since 1970, or text such as 2026-11-22T18:30:00Z"


def microseconds(time: Timestamp) -> int:
    """Return a time as microseconds since 1970-01-01 UTC; what is finer is cut off.

    Raises:
        VisualizationError: it is no time, or not one between the years 1 and 9999.
    """
    if isinstance(time, (int, float, np.integer, np.floating)):
        if not math.isfinite(time) or abs(time) >= _LATEST_SECONDS:
            hint = "seconds since 1970; divide milliseconds by 1e3, microseconds by 1e6"
            raise VisualizationError(f"the timestamp {time} is not a time in seconds", hint=hint)
        return round(float(time) * 1e6) if isinstance(time, np.generic) else round(time * 1e6)
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time.strip())
        except ValueError:
            raise VisualizationError(f"the timestamp `{time}` is not a time", hint=_RIGHT) from None
    if isinstance(time, (np.datetime64, datetime)) and pd.isna(time):
        raise VisualizationError("the timestamp is missing (NaT)", hint=_RIGHT)
    if isinstance(time, np.datetime64):
        time = pd.Timestamp(time).to_pydatetime(warn=False)
    if isinstance(time, date) and not isinstance(time, datetime):
        time = datetime(time.year, time.month, time.day)
    if not isinstance(time, datetime):
        raise VisualizationError(f"the timestamp {time!r} is not a time", hint=_RIGHT)
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def column_microseconds(column: pd.Series[Any]) -> npt.NDArray[np.int64]:
    """Return the times of a column, shape (n,): datetimes with or without zone, seconds since 1970, or ISO 8601 text.

    Raises:
        VisualizationError: one of them is missing or no time; the message says which row.
    """
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        missing = np.flatnonzero(column.isna().to_numpy())
        if len(missing):
            raise VisualizationError(f"row {missing[0]} has no timestamp")
        zoneless = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
        return zoneless.to_numpy().astype("datetime64[us]").astype(np.int64)
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        seconds = column.to_numpy(np.float64, na_value=np.nan)
        wrong = np.flatnonzero(~(np.abs(seconds) < _LATEST_SECONDS))
        if len(wrong):
            microseconds(float(seconds[wrong[0]]))
        return np.rint(seconds * 1e6).astype(np.int64)
    found = np.empty(len(column), np.int64)
    for row, value in enumerate(column):
        try:
            found[row] = microseconds(value)
        except VisualizationError as error:
            raise VisualizationError(f"row {row}: {error.message}", hint=error.hint) from None
    return found


def bounds(time_range: TimeRange, span: tuple[int, int]) -> tuple[int, int]:
    """Start and end of a time range in microseconds, both included.

    Args:
        time_range: None is everything; an age (`timedelta`, or `30s`, `5m`, `1h`, `7d`, `2w`) ends at the last point.
        span: times of the first and the last point that there is.

    Raises:
        VisualizationError: it is no time range, or ends before it starts.
    """
    first, last = span
    if time_range is None:
        return span
    if isinstance(time_range, str):
        time_range = _age(time_range)
    if isinstance(time_range, timedelta):
        if time_range <= timedelta(0):
            raise VisualizationError(f"the time range {time_range} is not a duration", hint="such as 30m, 1h or 7d")
        return max(first, last - time_range // _MICROSECOND), last
    if not isinstance(time_range, Sequence) or len(time_range) != 2:
        raise VisualizationError(f"the time range {time_range!r} is none", hint='a pair (start, end), or an age: "1h"')
    start = first if time_range[0] is None else microseconds(time_range[0])
    end = last if time_range[1] is None else microseconds(time_range[1])
    if time_range[0] is None or time_range[1] is None:  # an open end reaches at least as far as the other one
        return (min(start, end), end) if time_range[0] is None else (start, max(start, end))
    if end < start:
        raise VisualizationError(f"the time range ends before it starts: {text(end)} < {text(start)}")
    return start, end


def _age(age: str) -> timedelta:
    try:
        return parse_age(age)
    except (ValueError, OverflowError):
        hint = "such as 30s, 5m, 1h, 7d or 2w"
        raise VisualizationError(f"the time range `{age}` is not an age", hint=hint) from None


def lag_microseconds(lag: timedelta | float | str) -> int:
    """Return a length of time in microseconds: seconds, a `timedelta`, or `30s`, `5m`.

    Raises:
        VisualizationError: it is none, or negative.
    """
    length = _age(lag) if isinstance(lag, str) else lag if isinstance(lag, timedelta) else timedelta(seconds=lag)
    if length < timedelta(0):
        raise VisualizationError(f"the lag {lag} is negative", hint="lags in both directions are looked at anyway")
    return length // _MICROSECOND


def text(time: int) -> str:
    """Return `2026-11-22 18:30:00` in UTC of microseconds since 1970."""
    return (_EPOCH + time * _MICROSECOND).strftime("%Y-%m-%d %H:%M:%S")
