"""Taking out of operators' costs what other programs on the machine did to all of them.

Where other programs take the CPU, caches are cold and every operator needs more seconds of CPU for a record, one 3 %
and another 30 %; but operators move together, each by about as many widths of its own interval, as an operator that is
disturbed easily varies more within a run too. So the change of an operator is compared with that of the operator that
is nearest to it, in these widths: what both have in common is the disturbance, and the rest is the operator's own.
A change that all operators have cannot be distinguished from a disturbance; it shows on a machine that is left alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mega_data_factory.analytics.series.ratio import Ratio

LEAST_CORRECTED = 0.03
"""Least difference of a corrected cost; chosen with `_WIDTHS` on one half of `benchmarks/gate_calibration.py`."""

LEAST_OPERATORS = 3
"""Operators that it takes to know what they have in common."""

_WIDTHS = 1.25
"""Half widths of its own interval by which an operator must differ from the nearest other one."""


@dataclass(frozen=True)
class _Change:
    middle: float
    half: float

    @property
    def widths(self) -> float:
        return self.middle / self.half


def corrected(costs: Sequence[Ratio | None]) -> list[Ratio | None]:
    """Return the ratios of costs without what the operators have in common; 95 % intervals become those of the rule.

    Args:
        costs: After / before of every operator, with their intervals.

    Returns:
        One for each; None if an operator has no interval, or fewer than three have one.
    """
    changes = [_change(ratio) for ratio in costs]
    if sum(change is not None for change in changes) < LEAST_OPERATORS:
        return [None] * len(costs)
    found: list[Ratio | None] = []
    for at, change in enumerate(changes):
        others = [other.widths for place, other in enumerate(changes) if other is not None and place != at]
        if change is None:
            found.append(None)
            continue
        common = min(others, key=lambda other: abs(other - change.widths))
        own, half = change.middle - common * change.half, _WIDTHS * change.half
        found.append(Ratio(math.exp(own), math.exp(own - half), math.exp(own + half)))
    return found


def _change(ratio: Ratio | None) -> _Change | None:
    if ratio is None or not ratio.low or not ratio.high or ratio.high <= ratio.low:
        return None
    return _Change(math.log(ratio.value), (math.log(ratio.high) - math.log(ratio.low)) / 2)
