"""Numbers as text: nothing that is not finite reaches a page."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mega_data_factory import formats

_ALL = (
    formats.count,
    formats.short_count,
    formats.percent,
    formats.seconds,
    formats.rate,
    formats.size,
    formats.byte_rate,
    formats.number,
)


@pytest.mark.parametrize("write", _ALL, ids=lambda write: write.__name__)
@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_nothing(write: Callable[[float | None], str], value: float | None) -> None:
    """None, NaN and infinities are written as a dash, never as a number."""
    assert write(value) == formats.NOTHING


@pytest.mark.parametrize("write", _ALL, ids=lambda write: write.__name__)
def test_finite_numbers_are_written(write: Callable[[float | None], str]) -> None:
    """Zero and large numbers have digits."""
    assert "0" in write(0.0)
    assert any(letter.isdigit() for letter in write(1.5e15))
