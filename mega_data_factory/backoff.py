"""Pauses between attempts at something that may fail."""

from __future__ import annotations

import math

_MOST_DOUBLINGS = 64
"""More would make no difference to any pause that a program can wait."""


class Backoff:
    """Exponential backoff: the pause doubles with every failure in a row.

    Args:
        first: Pause in seconds before the first failure; the regular interval of work that is repeated.
        longest: Longest pause in seconds; at least `first`.
    """

    def __init__(self, first: float, longest: float = math.inf) -> None:
        self._first = first
        self._longest = max(first, longest)
        self._failures = 0

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt failed."""
        return self._failures > 0

    @property
    def pause(self) -> float:
        """Seconds to wait now: `first`, doubled for every failure since the last success."""
        return min(self._first * 2.0**self._failures, self._longest)

    def failed(self) -> None:
        """Note a failed attempt: double the pause."""
        self._failures = min(self._failures + 1, _MOST_DOUBLINGS)

    def succeeded(self) -> None:
        """Note a successful attempt: return to the first pause."""
        self._failures = 0
