"""Reason of an anomaly: the detector's evidence and its wording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["value", "least", "greatest", "spread", "flat", "missing"]
Direction = Literal["above", "below", "between"]

_MICROSECONDS = {"d": 86_400_000_000, "h": 3_600_000_000, "min": 60_000_000, "s": 1_000_000, "ms": 1_000}

_WORDS: dict[tuple[Kind, Direction], str] = {
    ("value", "above"): "reached {value}, {excess}above anything seen in {seen}",
    ("value", "below"): "fell to {value}, {excess}below anything seen in {seen}",
    ("value", "between"): "took the value {value}, unlike any seen in {seen} (the nearest was {bound})",
    ("least", "above"): "stayed at {value} or more for {run} points, {excess}above any such stretch in {seen}",
    ("least", "below"): "went as low as {value} within {run} points, {excess}below any such stretch in {seen}",
    ("least", "between"): "had {value} as the least of {run} points, unlike any such stretch in {seen}",
    ("greatest", "above"): "went as high as {value} within {run} points, {excess}above any such stretch in {seen}",
    ("greatest", "below"): "stayed at {value} or less for {run} points, {excess}below any such stretch in {seen}",
    ("greatest", "between"): "had {value} as the greatest of {run} points, unlike any such stretch in {seen}",
    ("spread", "above"): "varied by {value} within {run} points, {excess}more than ever in {seen}",
    ("spread", "below"): "varied by only {value} within {run} points, {excess}less than ever in {seen}",
    ("spread", "between"): "varied by {value} within {run} points, unlike any such stretch in {seen}",
    ("flat", "above"): "has stood still at {value} for {run} points, never for more than {bound} before in {seen}",
    ("missing", "above"): "has had no value for {run} steps, never for more than {bound} before in {seen}",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """The evidence of one alarm."""

    kind: Kind
    """Kind of anomaly: a value; the least, greatest or spread of the last `run` values; a streak of one or no value."""
    direction: Direction
    """`above` or `below` everything seen before, or `between`: within the range, but far from every value seen."""
    value: float
    """The strange value, in the metric's unit; of a flat run its value; NaN when values are missing."""
    bound: float
    """Reference: the nearest value seen before; for streaks the longest before, in points or usual steps."""
    run: float
    """Points (of missing values usual steps) that the evidence spans: 1 for a single value."""
    points: int
    """Values seen so far."""
    since: float | None
    """Time of the first point, microseconds since the epoch; None without timestamps."""
    timestamp: float | None
    """Time of this point, likewise."""

    @property
    def excess(self) -> float | None:
        """Distance of the value beyond the bound, as a share of the bound's amount; None for `between` and bound 0."""
        if self.direction == "between" or not self.bound:
            return None
        value = self.run if self.kind in ("flat", "missing") else self.value
        return abs(value - self.bound) / abs(self.bound)

    def text(
        self, metric: str, node: str | None = None, unit: str = "", number: Callable[[float], str] | None = None
    ) -> str:
        """Return one sentence, for example: cpu_usage on node-2 reached 98 %, 12 % above anything seen in 6 h.

        Args:
            metric: name of the series.
            node: if measured.
            unit: put behind the value.
            number: formats a value of the metric; then the unit is its business.
        """
        words = number or (lambda value: f"{value:,.4g} {unit}".rstrip())
        runs = self.kind in ("flat", "missing")
        share = self.excess
        sentence = _WORDS[self.kind, self.direction].format(
            value=words(self.value),
            bound=f"{self.bound:,.0f}" if runs else words(self.bound),
            excess="" if share is None or not 0.005 <= share < 10 else f"{100 * share:.0f} % ",
            run=f"{self.run:,.0f}",
            seen=self._seen(),
        )
        return f"{metric}{f' on {node}' if node else ''} {sentence}"

    def _seen(self) -> str:
        """Return how long, or for how many points, the series has been observed."""
        if self.since is None or self.timestamp is None or self.timestamp <= self.since:
            return f"{self.points:,} points"
        span = self.timestamp - self.since
        unit = next((unit for unit, length in _MICROSECONDS.items() if span >= length), "ms")
        return f"{span / _MICROSECONDS[unit]:.0f} {unit}"
