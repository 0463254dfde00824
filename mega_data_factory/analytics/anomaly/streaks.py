"""Runs that last too long: of one value (a frozen metric), of no value (missing data)."""

from __future__ import annotations

from math import floor, log2

_PACE = 0.05  # of the usual step


class RunLength:
    """Judges a run by the longest one that its series has had before.

    Args:
        least: a run of fewer steps is never strange.
        factor: a streak this many times as long as the longest before is an anomaly.
    """

    __slots__ = ("_due", "factor", "least", "longest")

    def __init__(self, least: float, factor: float) -> None:
        self.least = least
        self.factor = factor
        self.longest = 0.0
        self._due = 0.0  # the length at which the run scores again; 0 while there is none

    def score(self, length: float) -> float:
        """Return 0.5 when the streak reaches half the limit, 1 at the limit, half more each time it doubles, else 0."""
        due = self._due
        if not due:
            due = self._due = max(self.least, self.factor * self.longest) / 2.0
        if length < due:
            return 0.0
        limit = max(self.least, self.factor * self.longest)
        doublings = floor(log2(length / limit))
        self._due = limit * 2.0 ** (doublings + 1)
        return 1.0 + 0.5 * doublings

    def ended(self, length: float) -> None:
        """Record the end of a streak of `length` steps: the next one is compared with it too."""
        if length > self.longest:
            self.longest = length
        self._due = 0.0


class Silence:
    """Steps without a value: missing values that are announced, and time that passed without any point.

    The usual step is a median in one number, right to 5 %: it moves by a twentieth towards each step seen, and rests
    where all steps are equal (after Ma, Muthukrishnan and Sandler, "Frugal Streaming for Estimating Quantiles", 2013).
    """

    __slots__ = ("_last", "_missing", "_pace", "_step", "_valued")

    def __init__(self) -> None:
        self._missing = 0
        self._step = 0.0
        self._pace = 1.0  # doubles or halves at first: the first two points may be anything
        self._last: float | None = None  # time of the last point
        self._valued: float | None = None  # time of the last point with a value

    def steps(self, timestamp: float | None, missing: bool) -> float:
        """Return the number of usual steps without a value, up to this point; 0 if there is no gap."""
        self._missing = missed = self._missing + 1 if missing else 0
        if timestamp is None:
            return missed
        if self._last is None or self._valued is None:
            self._last = self._valued = timestamp
            return missed
        silent = (timestamp - self._valued) / self._step if self._step else 0.0
        if not missing:
            self._valued = max(self._valued, timestamp)
            silent -= 1.0
        passed = timestamp - self._last
        if passed > 0.0:
            self._last = timestamp
            self._learn(passed)
        return max(silent, missed, 0.0)

    def _learn(self, passed: float) -> None:
        step, factor = self._step, 1.0 + self._pace
        self._pace = max(_PACE, 0.9 * self._pace)
        if not step:
            self._step = passed
        elif passed > factor * step:
            self._step = factor * step
        elif passed < step / factor:
            self._step = step / factor
