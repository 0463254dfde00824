"""Formats of numbers for people, written and read: few digits, with the unit, and no misleading rounding.

The one place for plots, reports, the dashboard and the command line. Python formats text here; what a browser has to
format by itself (axes, hover) gets a D3 format from `Unit`, so that both agree.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeGuard

_AGE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)\s*", re.IGNORECASE)
_AGE_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}

_SIZE = re.compile(r"\s*((?:\d+\.?\d*|\.\d+)(?:e\d+)?)\s*([kmgt]i?)?b?\s*", re.IGNORECASE)
_SIZE_UNITS = (
    {"": 1} | {p: 1000**n for n, p in enumerate("kmgt", 1)} | {f"{p}i": 1024**n for n, p in enumerate("kmgt", 1)}
)

_JOINTS = re.compile(r"(?<=[_\-/.:])(?=\w)")

NOTHING = "-"
"""Text for a missing value: never 0, which would be a value."""


def _known(value: float | None) -> TypeGuard[float]:
    """Return whether there is a value that can be written: neither None nor infinite nor NaN."""
    return value is not None and math.isfinite(value)


def count(value: float | None) -> str:
    """Return `12,345`."""
    return NOTHING if not _known(value) else f"{value:,.0f}"


def short_count(value: float | None) -> str:
    """Return three significant digits, for labels that have little room: `950`, `12.3 k`, `4.56 M`, `7.89 G`."""
    if not _known(value):
        return NOTHING
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= 0.9995 * factor:
            return f"{three_digits(value / factor)} {unit}"
    return f"{value:,.0f}"


def percent(value: float | None) -> str:
    """Return `87.3 %` of a value in percent; `100 %` and `0 %` only where nothing, or everything, was lost."""
    if not _known(value):
        return NOTHING
    if value in (0, 100):
        return f"{value:.0f} %"
    if 0 < value < 0.05:
        return "<0.1 %"
    if 99.95 <= value < 100:
        return ">99.9 %"
    return f"{value:.1f} %"


def seconds(value: float | None) -> str:
    """Return three significant digits in a fitting unit: `850 ns`, `12.3 µs`, `4.56 ms`, `7.89 s`, `12 min 05 s`."""
    if not _known(value):
        return NOTHING
    if value == 0:
        return "0 s"
    if value >= 60:
        minutes, rest = divmod(round(value), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= 0.9995 * factor:
            return f"{three_digits(value / factor)} {unit}"
    return f"{three_digits(value / 1e-9)} ns"


def whole_seconds(value: float) -> str:
    """Return seconds as `seconds` does, without a fraction that would flicker: `7 s`, `2 min 05 s`."""
    return f"{value:.0f} s" if value < 59.5 else seconds(value)


def moment(value: datetime | None) -> str:
    """Return `2026-11-22 03:49`, in the zone that the value is in."""
    return NOTHING if value is None else f"{value:%Y-%m-%d %H:%M}"


def rate(value: float | None) -> str:
    """Return records per second: `8.12 /s`, `12,300 /s`, `4.5 M/s`."""
    if not _known(value):
        return NOTHING
    if value >= 999_500:
        return f"{three_digits(value / 1e6)} M/s"
    return f"{value:,.0f} /s" if value >= 100 else f"{three_digits(value)} /s"


def size(value: float | None) -> str:
    """Return bytes in decimal units: `512 B`, `1.23 MB`."""
    if not _known(value):
        return NOTHING
    if value < 1000:
        return f"{value:.0f} B"
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if value >= 0.9995 * factor:
            return f"{three_digits(value / factor)} {unit}"
    return f"{three_digits(value / 1e3)} kB"


def byte_rate(value: float | None) -> str:
    """Return bytes per second: `512 B/s`, `1.23 MB/s`."""
    return f"{size(value)}/s" if _known(value) else NOTHING


def number(value: float | None) -> str:
    """Return a value of which nothing is known, in three significant digits: `0.00123`, `42`, `12,345`, `1.23e+12`."""
    if not _known(value):
        return NOTHING
    if value == int(value) and abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.3g}"


def three_digits(value: float) -> str:
    """Return three significant digits of a number between 1 and 1,000: `9.87`, `98.7`, `987`."""
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def parse_age(text: str) -> timedelta:
    """Return the length of time of a text such as `90s`, `30m`, `12h`, `30d` or `8w`.

    Raises:
        ValueError: The text is not an age.
        OverflowError: The age is longer than a `timedelta` can be.
    """
    match = _AGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an age; write a number and s, m, h, d or w, such as 30d")
    return timedelta(seconds=float(match[1]) * _AGE_UNITS[match[2].lower()])


def parse_size(text: str) -> int:
    """Return the bytes of a text such as `512MiB`, `2 GB` or `1000000`; units without an `i` are powers of 1000.

    Raises:
        ValueError: The text is not a size.
    """
    match = _SIZE.fullmatch(text)
    number = math.inf if match is None else float(match[1])
    if match is None or math.isinf(number):
        raise ValueError(f"{text!r} is not a size; write bytes, or a number with a unit, such as 512MiB or 2GB")
    return int(number * _SIZE_UNITS[(match[2] or "").lower()])


def money(value: float | None, currency: str) -> str:
    """Return an amount with its currency: `12.35 EUR`; three significant digits where it is small."""
    if not _known(value):
        return NOTHING
    digits = f"{value:,.2f}" if abs(value) >= 1 or not value else f"{value:.3g}"
    return f"{digits} {currency}"


def joints(name: str) -> list[str]:
    """Split a name where a line may end in it: after `_`, `-`, `/`, `.` and `:`."""
    return [piece for piece in _JOINTS.split(name) if piece]


def plural(number: int, noun: str) -> str:
    """Return `1 stage`, `2 stages`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@dataclass(frozen=True)
class Unit:
    """A unit of measure, as an axis and a hover label of Plotly show it.

    Attributes:
        name: what an axis says: `percent`, `bytes/s`; empty for plain numbers.
        d3: D3 format of a value (https://d3js.org/d3-format); `~s` puts SI prefixes.
        suffix: follows a value, with the blank before it where one belongs there.
    """

    name: str
    d3: str
    suffix: str = ""

    def hover(self, variable: str = "y") -> str:
        """Return the value in a Plotly hover template: `%{y:.1f} %`."""
        return f"%{{{variable}:{self.d3}}}{self.suffix}"


PERCENT = Unit("percent", ".1f", " %")
BYTES = Unit("bytes", ".3~s", "B")
BYTES_PER_SECOND = Unit("bytes/s", ".3~s", "B/s")
OPERATIONS_PER_SECOND = Unit("operations/s", ".3~s", " /s")
RECORDS_PER_SECOND = Unit("records/s", ".3~s", " /s")
SECONDS = Unit("seconds", ".3~s", "s")
COUNT = Unit("", ",.0f")
PLAIN = Unit("", ".4~g")


def in_unit(value: float | None, unit: Unit) -> str:
    """Write a value in its unit, in three significant digits: `87.3 %`, `1.23 MB/s`; `-` if there is none."""
    write = {PERCENT: percent, BYTES: size, BYTES_PER_SECOND: byte_rate, OPERATIONS_PER_SECOND: rate, SECONDS: seconds}
    return write.get(unit, number)(value)
