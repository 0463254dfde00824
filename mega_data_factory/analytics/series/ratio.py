"""Ratio of two rates, each measured over intervals, with its confidence interval.

The intervals of a run are not independent, so the confidence interval comes from a moving block bootstrap (Künsch, "The
jackknife and the bootstrap for general stationary observations", Annals of Statistics 17(3), 1989): blocks of about
n^(1/3) intervals are drawn with replacement from each run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEAST_INTERVALS = 8
_RESAMPLES = 1000
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """A value of one run / that of another, with its confidence interval.

    Attributes:
        value: after / before.
        low, high: 95 % interval; None if there are too few intervals to tell.
    """

    value: float
    low: float | None = None
    high: float | None = None


def ratio_interval(
    before: tuple[Floats, Floats], after: tuple[Floats, Floats], *, seed: int = 0
) -> tuple[float | None, float | None]:
    """Return the 95 % interval of (Σ a / Σ b of after) / (Σ a / Σ b of before), from a moving block bootstrap of each.

    Args:
        before, after: numerators a and denominators b of every interval, shape (n,) each.
        seed: of the resampling; the same input gives the same answer.

    Returns:
        Low and high end; None and None if a run has fewer than 8 intervals.
    """
    if min(len(before[0]), len(after[0])) < LEAST_INTERVALS:
        return None, None
    draw = np.random.default_rng(seed)
    logs = [_resampled_logs(*side, draw) for side in (before, after)]
    tails = [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2]
    difference = logs[1] - logs[0]
    difference = difference[np.isfinite(difference)]
    if len(difference) < _RESAMPLES / 2:
        return None, None
    low, high = np.exp(np.quantile(difference, tails))
    return float(low), float(high)


def _resampled_logs(numerators: Floats, denominators: Floats, draw: np.random.Generator) -> Floats:
    """Return logarithms of Σ a / Σ b over resampled rows of intervals, shape (resamples,)."""
    n = len(numerators)
    length = max(1, round(n ** (1 / 3)))
    blocks = math.ceil(n / length)
    starts = draw.integers(0, n, (_RESAMPLES, blocks))  # circular: every interval is drawn as often
    above, below = (block_sums(values, length)[starts].sum(axis=1) for values in (numerators, denominators))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs: Floats = np.log(above) - np.log(below)
    return logs


def block_sums(values: Floats, length: int) -> Floats:
    """Sum of the block of `length` values that starts at each place, around the end."""
    around = np.concatenate([[0.0], np.cumsum(np.concatenate([values, values[: length - 1]]))])
    sums: Floats = around[length:] - around[:-length]
    return sums
