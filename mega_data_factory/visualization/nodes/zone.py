"""Time zone of times without one: which moments they are, and how a moment reads on a clock there."""

from __future__ import annotations

import warnings
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mega_data_factory.errors import VisualizationError

Micros = npt.NDArray[np.int64]
"""Microseconds, shape (n,): since 1970-01-01 UTC, or since midnight of 1970-01-01 on a clock."""

LOCAL = "local"
_EXAMPLES = "`local`, `UTC`, or a name such as `Europe/Berlin`"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_SLOT = 900_000_000
"""A quarter of an hour: clocks are hardly ever changed but at its ends, and where they are, it is seen and obeyed."""

_DAY = 86_400_000_000
_NEVER = -(2**62)
_FIRST, _LAST = (int((datetime(year, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds()) * 1_000_000 for year in (3, 9998))


class Zone:
    """The zone that times without a zone are in.

    In the hour that a clock repeats at the end of daylight-saving time, `fold` of the datetime chooses (0 the first
    pass, 1 the second, as `datetime.now()` sets it). A time that the clock skipped is read as if the clock had not yet
    been changed (PEP 495), and warned of: it is the moment of a time an hour later too.

    Args:
        timezone: `local` is the zone of this machine; `UTC`, a name of the IANA database, or a `tzinfo`.

    Raises:
        VisualizationError: there is no such zone.
    """

    def __init__(self, timezone: str | tzinfo = LOCAL) -> None:
        self.name, self._tz = _known(timezone)
        self.is_utc = self._tz is UTC
        self._warned: set[int] = set()  # days with a skipped hour that was warned of
        self._latest = (_NEVER, 0)  # a slot of the clock, twice, plus the fold; and its offset

    def __repr__(self) -> str:
        return f"Zone({self.name!r})"

    def moment(self, clock: datetime) -> int:
        """Return the moment of a time without a zone, microseconds since 1970-01-01 UTC."""
        reading: int = (clock - _CLOCK_EPOCH) // _MICROSECOND
        if self.is_utc:
            return reading
        slot = reading // _SLOT * 2 + clock.fold
        latest = self._latest
        if latest[0] == slot:  # nearly every time of a live cluster
            return reading - latest[1]
        offset, other = (self._offset_on_clock(reading, fold) for fold in (clock.fold, 1 - clock.fold))
        if (other - offset) * (1 - 2 * clock.fold) > 0:
            self._warn_of_skipped(reading, other - offset, stacklevel=5)
        first = reading // _SLOT * _SLOT
        if all(self._offset_on_clock(end, clock.fold) == offset for end in (first, first + _SLOT - 1)):
            self._latest = (slot, offset)
        return reading - offset

    def moments(self, readings: Micros) -> Micros:
        """Return the moments of times of one clock; in a repeated hour, their order says which pass they are of.

        Args:
            readings: microseconds since midnight of 1970-01-01 on the clock, in the order in which they were read.
        """
        if self.is_utc:
            return readings
        first, second = np.empty_like(readings), np.empty_like(readings)
        for rows in _slots(readings):
            ends = int(readings[rows].min()), int(readings[rows].max())
            for fold, offsets in enumerate((first, second)):
                least, greatest = (self._offset_on_clock(end, fold) for end in ends)
                each = readings[rows].tolist() if least != greatest else []
                offsets[rows] = [self._offset_on_clock(one, fold) for one in each] or least
        skipped = np.flatnonzero(first < second)
        if len(skipped):
            row = skipped[0]
            self._warn_of_skipped(int(readings[row]), int(second[row] - first[row]), stacklevel=6)
        return readings - np.where(_second_pass(readings, first > second), second, first)

    def offset(self, moment: int) -> int:
        """Return how far the clock is ahead of UTC at a moment; both in microseconds."""
        if self.is_utc:
            return 0
        ahead = self._aware(moment).utcoffset()
        return 0 if ahead is None else ahead // _MICROSECOND

    def readings(self, moments: Micros) -> Micros:
        """Return what the clock reads at moments: microseconds since midnight of 1970-01-01 on it."""
        if self.is_utc:
            return moments
        offsets = np.empty_like(moments)
        for rows in _slots(moments):
            least, greatest = self.offset(int(moments[rows].min())), self.offset(int(moments[rows].max()))
            each = moments[rows].tolist() if least != greatest else []
            offsets[rows] = [self.offset(one) for one in each] or least
        return moments + offsets

    def datetimes(self, moments: Micros) -> npt.NDArray[np.datetime64]:
        """Return what the clock reads at moments as `datetime64[us]`, without a zone."""
        return self.readings(moments).astype("datetime64[us]")

    def clock(self, moment: int) -> datetime:
        """Return what the clock reads at a moment, without a zone; `fold` is 1 in the second pass of an hour."""
        if self._tz is not None:
            return self._aware(moment).replace(tzinfo=None)
        seconds, rest = divmod(min(max(moment, _FIRST), _LAST), 1_000_000)
        return datetime.fromtimestamp(seconds).replace(microsecond=rest)  # `astimezone()` does not set `fold`

    def text(self, moment: int) -> str:
        """Return `2026-11-22 18:30:00`, as the clock reads."""
        return self._aware(moment).strftime("%Y-%m-%d %H:%M:%S")

    def title(self, moment: int) -> str:
        """Return the name of the zone and what its clock is ahead of UTC at a moment: `local time (CET, UTC+01:00)`."""
        if self.is_utc:
            return "UTC"
        at = self._aware(moment)
        ahead = at.strftime("%z")
        known = [] if not ahead else ["UTC" if ahead == "+0000" else f"UTC{ahead[:3]}:{ahead[3:5]}"]
        short = at.tzname() or ""
        words = [short, *known] if short[:1].isalpha() and short not in (*known, self.name) else known
        return f"{'local time' if self.name == LOCAL else self.name} ({', '.join(words)})"

    def _aware(self, moment: int) -> datetime:
        return (_EPOCH + min(max(moment, _FIRST), _LAST) * _MICROSECOND).astimezone(self._tz)

    def _warn_of_skipped(self, reading: int, change: int, stacklevel: int) -> None:
        if reading // _DAY in self._warned:
            return
        self._warned.add(reading // _DAY)
        asked, taken = (str(_CLOCK_EPOCH + at * _MICROSECOND)[:19] for at in (reading, reading + change))
        where = "local time" if self.name == LOCAL else self.name
        warnings.warn(
            f"there is no {asked} in {where}, where clocks were put forward then: it is taken for {taken}, as that "
            "time itself is; are the times of another zone, such as timezone='UTC'?",
            UserWarning,
            stacklevel=stacklevel,
        )

    def _offset_on_clock(self, reading: int, fold: int) -> int:
        reading = min(max(reading, _FIRST), _LAST)
        clock = (_CLOCK_EPOCH + reading * _MICROSECOND).replace(tzinfo=self._tz, fold=fold)
        if self._tz is None:  # local: `astimezone()` reads a skipped time with the offset after the change
            return reading - int(clock.replace(microsecond=0).timestamp()) * 1_000_000 - clock.microsecond
        ahead: int = (clock.replace(tzinfo=None) - clock.astimezone(UTC).replace(tzinfo=None)) // _MICROSECOND
        return ahead


def zone_named(timezone: str | tzinfo | Zone) -> Zone:
    """Return a zone by its name.

    Raises:
        VisualizationError: there is no such zone.
    """
    return timezone if isinstance(timezone, Zone) else Zone(timezone)


def _known(timezone: str | tzinfo) -> tuple[str, tzinfo | None]:
    if isinstance(timezone, tzinfo):
        return ("UTC", UTC) if timezone is UTC else (str(timezone), timezone)
    if not isinstance(timezone, str):
        raise VisualizationError(f"the time zone {timezone!r} is not a zone", hint=_EXAMPLES)
    if timezone.lower() in (LOCAL, "utc"):
        return (LOCAL, None) if timezone.lower() == LOCAL else ("UTC", UTC)
    try:
        return timezone, zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = get_close_matches(timezone, [LOCAL, *zoneinfo.available_timezones()], n=1)
        hint = f"did you mean `{near[0]}`?" if near else _EXAMPLES
        raise VisualizationError(f"there is no time zone `{timezone}`", hint=hint) from None


def _slots(times: Micros) -> Iterator[slice]:
    """Return the streaks of times that are in one quarter of an hour."""
    slots = times // _SLOT
    inner = (np.flatnonzero(slots[1:] != slots[:-1]) + 1).tolist()
    for start, end in pairwise([0, *inner, len(times)] if len(times) else []):
        yield slice(start, end)


def _second_pass(readings: Micros, repeated: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which readings of a repeated hour come after the clock was put back: those since it went backwards."""
    rows = np.flatnonzero(repeated)
    found = np.zeros(len(readings), bool)
    if len(rows):
        apart = np.concatenate(([True], np.diff(rows) > 1))
        back = ~apart & np.concatenate(([False], np.diff(readings[rows]) < 0))
        at = np.arange(len(rows))
        began, put_back = (np.maximum.accumulate(np.where(mark, at, -1)) for mark in (apart, back))
        found[rows] = put_back >= began
    return found
