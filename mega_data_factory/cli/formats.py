"""How numbers are written for people: few digits, the unit beside them, and never a rounding that lies."""

from __future__ import annotations

from datetime import datetime

NOTHING = "-"


def count(value: float | None) -> str:
    """`12,345`."""
    return NOTHING if value is None else f"{value:,.0f}"


def percent(value: float | None) -> str:
    """`87.3 %` of a value in percent; `100 %` and `0 %` only where nothing, or everything, was lost."""
    if value is None:
        return NOTHING
    if value in (0, 100):
        return f"{value:.0f} %"
    if 0 < value < 0.05:
        return "<0.1 %"
    if 99.95 <= value < 100:
        return ">99.9 %"
    return f"{value:.1f} %"


def seconds(value: float | None) -> str:
    """Three significant digits in the unit that suits: `850 ns`, `12.3 µs`, `4.56 ms`, `7.89 s`, `12 min 05 s`."""
    if value is None:
        return NOTHING
    if value == 0:
        return "0 s"
    if value >= 60:
        minutes, rest = divmod(round(value), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= 0.9995 * size:
            return f"{_three_digits(value / size)} {unit}"
    return f"{_three_digits(value / 1e-9)} ns"


def moment(value: datetime | None) -> str:
    """`2026-11-22 03:49`, in the zone that the value is in."""
    return NOTHING if value is None else f"{value:%Y-%m-%d %H:%M}"


def rate(value: float | None) -> str:
    """Records per second: `8.12 /s`, `12,300 /s`, `4.5 M/s`."""
    if value is None:
        return NOTHING
    if value >= 999_500:
        return f"{_three_digits(value / 1e6)} M/s"
    return f"{value:,.0f} /s" if value >= 100 else f"{_three_digits(value)} /s"


def size(value: float | None) -> str:
    """Bytes in decimal units: `512 B`, `1.23 MB`."""
    if value is None:
        return NOTHING
    if value < 1000:
        return f"{value:.0f} B"
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if value >= 0.9995 * factor:
            return f"{_three_digits(value / factor)} {unit}"
    return f"{_three_digits(value / 1e3)} kB"


def _three_digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def plural(number: int, noun: str) -> str:
    """`1 stage`, `2 stages`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
