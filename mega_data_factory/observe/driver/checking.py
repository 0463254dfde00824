"""Checks of what a user hands to `observe` and `step`: where it is handed over, not where it is used."""

from __future__ import annotations

import math


def check_text(what: str, value: object) -> None:
    """Refuse what is not a text, or an empty one.

    Raises:
        TypeError: it is not a text.
        ValueError: it is empty.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a text, not {value!r}")
    if not value:
        raise ValueError(f"{what} must not be empty")


def check_number(what: str, value: object, *, above_zero: bool = False, whole: bool = False) -> None:
    """Refuse what is not a finite number of at least 0.

    Args:
        what: name of the argument.
        value: of the argument.
        above_zero: refuse 0 too.
        whole: refuse fractions too.

    Raises:
        TypeError: it is not a number, or not a whole one.
        ValueError: it is too small, or not finite.
    """
    if not isinstance(value, int if whole else (int, float)) or isinstance(value, bool):
        raise TypeError(f"{what} must be a {'whole ' if whole else ''}number, not {value!r}")
    if not math.isfinite(value) or value < 0 or (above_zero and not value):
        raise ValueError(f"{what} must be {'above' if above_zero else 'at least'} 0, not {value!r}")
