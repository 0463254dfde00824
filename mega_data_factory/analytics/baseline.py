"""Usual range of the numbers of a pipeline, from its earlier runs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_RUNS = 4
"""Earlier runs that it takes to know what is usual."""

_MAD_TO_SIGMA = 1.4826  # of a normal distribution
_WIDTH = 3.5  # Iglewicz and Hoaglin, "How to detect and handle outliers", 1993


@dataclass(frozen=True)
class UsualRange:
    """The range in which a value of a pipeline usually lies.

    Attributes:
        middle: median of the earlier runs.
        low, high: bounds of the range.
        runs: how many earlier runs it is known from.
    """

    middle: float
    low: float
    high: float
    runs: int

    def contains(self, value: float) -> bool:
        """Return whether a value is usual."""
        return self.low <= value <= self.high


def usual_range(values: Sequence[float], *, least_width: float = 0.0) -> UsualRange | None:
    """Return median ± 3.5 robust standard deviations (1.4826 · median absolute deviation) of earlier values.

    Args:
        values: of the earlier runs; NaN is left out.
        least_width: the range reaches so far from the median at least: runs that were all alike do not make every
            difference remarkable.

    Returns:
        None if there are fewer than `LEAST_RUNS` values.
    """
    known = [value for value in values if not math.isnan(value)]
    if len(known) < LEAST_RUNS:
        return None
    middle = statistics.median(known)
    deviation = _MAD_TO_SIGMA * statistics.median(abs(value - middle) for value in known)
    # Few runs know their own spread badly: the factor of Student's t for it, without its tables.
    width = max(_WIDTH * deviation * (1 + 2 / len(known)), least_width)
    return UsualRange(middle, middle - width, middle + width, len(known))


def pass_rate_noise(percent: float, records: int) -> float:
    """Return how far a pass rate varies by chance: 3 standard errors, in percentage points.

    Up to 100 % it is a share of records. Above, records are created: then it is a mean of a geometric number.
    """
    share = max(percent / 100, 0.0)
    return 300 * math.sqrt(max(abs(share * (1 - share)), 1e-6) / records) if records else 100.0
