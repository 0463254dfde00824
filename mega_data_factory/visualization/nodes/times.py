"""Timestamps and time ranges as people give them, as microseconds since 1970-01-01 UTC."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mega_data_factory.errors import VisualizationError
from mega_data_factory.formats import parse_age
from mega_data_factory.visualization.nodes.zone import Zone

if TYPE_CHECKING:
    import pandas as pd

Timestamp: TypeAlias = datetime | date | float | str | np.datetime64
"""A time: a `datetime` (also pandas'), a date, seconds since 1970 as `time.time()` gives them, or ISO 8601 text."""

TimeRange: TypeAlias = timedelta | str | tuple[Timestamp | None, Timestamp | None] | None
"""A pair of start and end, both included and each may be None; or how far back from the last point (`"1h"`)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LATEST_SECONDS = 253_402_300_800.0  # the year 10000, where datetime ends
_RIGHT = "a datetime, seconds since 1970, or text such as 2026-11-22T18:30:00Z"


def microseconds(time: Timestamp, zone: Zone) -> int:
    """Return a time as microseconds since 1970-01-01 UTC; what is finer is cut off.

    Args:
        time: the time.
        zone: of a time that has none.

    Raises:
        VisualizationError: it is no time, or not one between the years 1 and 9999.
    """
    if (type(time) is float or type(time) is int) and abs(time) < _LATEST_SECONDS:
        return round(time * 1e6)
    if type(time) is datetime:
        return zone.moment(time) if time.tzinfo is None else (time - _EPOCH) // _MICROSECOND
    if isinstance(time, (int, float, np.integer, np.floating)):
        if not math.isfinite(time) or abs(time) >= _LATEST_SECONDS:
            hint = "seconds since 1970; divide milliseconds by 1e3, microseconds by 1e6"
            raise VisualizationError(f"the timestamp {time} is not a time in seconds", hint=hint)
        return round(float(time) * 1e6) if isinstance(time, np.generic) else round(time * 1e6)
    return microseconds(_datetime(time), zone)


def _datetime(time: object) -> datetime:
    if isinstance(time, str):
        try:
            return datetime.fromisoformat(time.strip())
        except ValueError:
            raise VisualizationError(f"the timestamp `{time}` is not a time", hint=_RIGHT) from None
    if isinstance(time, (np.datetime64, datetime)) and time != time:
        raise VisualizationError("the timestamp is missing (NaT)", hint=_RIGHT)
    if isinstance(time, np.datetime64):
        time = time.astype("datetime64[us]").item()
    elif hasattr(time, "to_pydatetime"):  # of pandas
        time = time.to_pydatetime(warn=False)
    if isinstance(time, datetime):
        return datetime.combine(time.date(), time.timetz())  # of a subclass
    if isinstance(time, date):
        return datetime(time.year, time.month, time.day)
    raise VisualizationError(f"the timestamp {time!r} is not a time", hint=_RIGHT)


@dataclass(frozen=True)
class TimeColumn:
    """Times of a column.

    Attributes:
        values: int64 (n,): moments, or readings of a clock, in microseconds since 1970.
        on_clock: whether they are readings of a clock whose zone the column does not say.
    """

    values: npt.NDArray[np.int64]
    on_clock: bool

    def moments(self, rows: npt.NDArray[np.intp], zone: Zone) -> npt.NDArray[np.int64]:
        """Return the moments of rows of one node, microseconds since 1970-01-01 UTC."""
        return zone.moments(self.values[rows]) if self.on_clock else self.values[rows]


def time_column(column: pd.Series[Any], zone: Zone) -> TimeColumn:
    """Return the times of a column, shape (n,): datetimes with or without zone, seconds since 1970, or ISO 8601 text.

    Raises:
        VisualizationError: one of them is missing or no time; the message says which row.
    """
    if column.dtype.kind == "M":
        missing = np.flatnonzero(column.isna().to_numpy())
        if len(missing):
            raise VisualizationError(f"row {missing[0]} has no timestamp")
        on_clock = column.dt.tz is None
        plain = column if on_clock else column.dt.tz_convert("UTC").dt.tz_localize(None)
        return TimeColumn(plain.to_numpy().astype("datetime64[us]").astype(np.int64), on_clock)
    if column.dtype.kind in "iuf":
        seconds = column.to_numpy(np.float64, na_value=np.nan)
        wrong = np.flatnonzero(~(np.abs(seconds) < _LATEST_SECONDS))
        if len(wrong):
            microseconds(float(seconds[wrong[0]]), zone)
        return TimeColumn(np.rint(seconds * 1e6).astype(np.int64), on_clock=False)
    found = np.empty(len(column), np.int64)
    for row, value in enumerate(column):
        try:
            found[row] = microseconds(value, zone)
        except VisualizationError as error:
            raise VisualizationError(f"row {row}: {error.message}", hint=error.hint) from None
    return TimeColumn(found, on_clock=False)


def bounds(time_range: TimeRange, span: tuple[int, int], zone: Zone) -> tuple[int, int]:
    """Return start and end of a time range in microseconds, both included.

    Args:
        time_range: None is everything; an age (`timedelta`, or `30s`, `5m`, `1h`, `7d`, `2w`) ends at the last point.
        span: times of the first and the last point that there is.
        zone: of times that have none.

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
    start = first if time_range[0] is None else microseconds(time_range[0], zone)
    end = last if time_range[1] is None else microseconds(time_range[1], zone)
    if time_range[0] is None or time_range[1] is None:  # an open end reaches at least as far as the other one
        return (min(start, end), end) if time_range[0] is None else (start, max(start, end))
    if end < start:
        raise VisualizationError(f"the time range ends before it starts: {zone.text(end)} < {zone.text(start)}")
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
