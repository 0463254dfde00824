"""Checks of constructor parameters: each raises a ValueError that names the parameter, the value and what would do."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def check_name(parameter: str, value: object) -> str:
    """Return a column name: text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{parameter} is {value!r}, not the name of a column")
    return value


def check_count(parameter: str, value: object, *, least: int = 0) -> int:
    """Return a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{parameter} is {value!r}, not a whole number of at least {least}")
    return value


def check_optional_count(parameter: str, value: object, *, least: int = 0) -> int | None:
    """Return a whole number of at least `least`, or None for no limit."""
    return None if value is None else check_count(parameter, value, least=least)


def check_number(parameter: str, value: object, *, least: float = 0.0, most: float = float("inf")) -> float:
    """Return a number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        wanted = f"of at least {least:g}" if most == float("inf") else f"from {least:g} to {most:g}"
        raise ValueError(f"{parameter} is {value!r}, not a number {wanted}")
    return float(value)


def check_optional_number(
    parameter: str, value: object, *, least: float = 0.0, most: float = float("inf")
) -> float | None:
    """Return a number from `least` to `most`, or None to turn the test off."""
    return None if value is None else check_number(parameter, value, least=least, most=most)


def check_optional_fraction(parameter: str, value: object) -> float | None:
    """Return a fraction from 0 to 1, or None to turn the test off."""
    return check_optional_number(parameter, value, most=1.0)


def check_flag(parameter: str, value: object) -> bool:
    """Check that a value is true or false, and return it."""
    if not isinstance(value, bool):
        raise ValueError(f"{parameter} is {value!r}, not true or false")
    return value


def check_choice(parameter: str, value: object, choices: Collection[str]) -> str:
    """Return the value if it is one of a few words."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{parameter} is {value!r}, not one of {', '.join(choices)}")
    return value


def check_strings(parameter: str, value: object) -> tuple[str, ...]:
    """Return a list of texts, none of them empty; a single text is taken for a mistake."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError(f"{parameter} is {value!r}, not a list of texts")
    for item in value:
        if not isinstance(item, str) or not item:
            raise ValueError(f"{parameter} holds {item!r}, not a non-empty text")
    return tuple(value)


def check_order(low_name: str, low: float | None, high_name: str, high: float | None) -> None:
    """Check that the lower limit is not above the upper one; None means no limit."""
    if low is not None and high is not None and low > high:
        raise ValueError(f"{low_name} is {low!r}, above {high_name} {high!r}; no record could pass")
