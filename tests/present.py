"""Values that a test knows to be there, where their type says that they may be missing."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return the value; a test fails where it is None."""
    assert value is not None
    return value
