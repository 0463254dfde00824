"""Ranking of series by how much they changed in a window. Arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mega_data_factory.analytics.series.known_values import Floats, Numbers, mean_of_known, quantile_of_known
from mega_data_factory.errors import AnalysisError

GREATEST = 100.0
"""Limit of a score: no change, however large, reaches it."""

_QUANTILES = (np.arange(32) + 0.5) / 32
_ROWS_AT_ONCE = 500  # of 10,000 series: they stay in the cache, and memory stays small
_LEAST_BASELINE = 8  # values, below which nothing is known about how a series wanders
_USUAL_SHARE = 0.9  # of the baseline's blocks wander less than what a change is measured by
_SPREAD_SHARE = 0.3  # of the standard deviation is added: calm blocks alone must not make a change large


@dataclass(frozen=True)
class ChangeLimits:
    """Limits that keep a single kind of change from outranking all others.

    Attributes:
        at_rest: Score of a series that is different in the window but does not move within it; each usual movement in
            the window raises the limit by one. 3 is where chance ends.
        still: Limit for a series that was still in the baseline: how far it usually wanders is unknown, so that its
            score says "certainly changed" and little about by how much.
        resolution: Smallest change that counts, as a share of the largest amount of the series.
    """

    at_rest: float = 3.0
    still: float = 15.0
    resolution: float = 1e-5


LIMITS = ChangeLimits()
"""Chosen on the training part of PetShop, see docs/decisions/0023-changes-are-bounded.md."""


def changed_scores(
    baseline: Numbers, window: Numbers, *, adjoining: bool = False, limits: ChangeLimits = LIMITS
) -> Floats:
    """Return how much each series differs in the window from what it does in its baseline; higher is stranger.

    Block-Wasserstein: the distance of the window's quantiles to the median quantiles of the baseline's own blocks of
    the window's length, in units of how far those blocks wander themselves (their ninth decile, so that one incident in
    the baseline hides nothing). A series that always jumps does not rank; shifts, spreads, trends and drops all do.
    A series that was different before the window began and then stays there ranks behind those that move in it.
    About 1 is usual, beyond 3 seldom chance. Measured in docs/decisions/0011-which-metrics-changed.md and 0023.

    Args:
        baseline: shape (series, n_b): what is usual, evenly sampled, in time order. NaN if a value is missing;
            series of unlike lengths are padded with NaN.
        window: shape (series, n_w), sampled alike, with n_b >= 2 · n_w and n_b >= 8.
        adjoining: Whether the window begins where the baseline ends. A step between them is then a movement in it.
        limits: Limits of scores.

    Returns:
        Shape (series,), at least 0 and less than `GREATEST`: 0 for a constant series that stays so; NaN if less than
        half of the window, or fewer than two blocks of the baseline, have values. `strongest` orders them.

    Raises:
        AnalysisError: the shapes do not match, or the baseline is too short.
    """
    before, now = np.asarray(baseline), np.asarray(window)
    if before.ndim != 2 or now.ndim != 2 or len(before) != len(now):
        raise AnalysisError(
            f"baseline and window have shapes {before.shape} and {now.shape}",
            hint="(series, points) both, with the same series",
        )
    width = now.shape[1]
    if before.shape[1] < least_baseline(width) or not width:
        raise AnalysisError(
            f"a baseline of {before.shape[1]} points is too short for a window of {width}",
            hint=f"at least two windows, and {_LEAST_BASELINE} points",
        )
    scores = np.empty(len(before))
    for start in range(0, len(before), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        scores[rows] = _changed(before[rows].astype(np.float64), now[rows].astype(np.float64), adjoining, limits)
    return scores


def least_baseline(width: int) -> int:
    """Return the number of baseline points that a window of `width` points needs."""
    return max(2 * width, _LEAST_BASELINE)


def strongest(scores: Floats) -> npt.NDArray[np.intp]:
    """Return indices of the series from the strongest to the weakest score, by amount, without those that are NaN."""
    order: npt.NDArray[np.intp] = np.argsort(-np.abs(scores), kind="stable")
    return order[: int(np.isfinite(scores).sum())]


def _changed(before: Floats, now: Floats, adjoining: bool, limits: ChangeLimits) -> Floats:
    series, width = now.shape
    before[~np.isfinite(before)], now[~np.isfinite(now)] = np.nan, np.nan
    largest = np.fmax(_amount(before), _amount(now))[:, None]
    np.divide(before, largest, out=before, where=largest > 0.0)  # no difference and no square is too large for a float
    np.divide(now, largest, out=now, where=largest > 0.0)
    blocks = before.shape[1] // width
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        then = _quantiles(before[:, -blocks * width :].reshape(series, blocks, width))
        usual = quantile_of_known(then, 0.5)
        wander = quantile_of_known(np.abs(then - usual[:, None]).mean(axis=2), _USUAL_SHARE)
        travel = quantile_of_known(then[..., -1] - then[..., 0], _USUAL_SHARE)
        scale = _SPREAD_SHARE * _spread(before) + limits.resolution
        distance = np.abs(_quantiles(now) - usual).mean(axis=1)
        moved = _range(np.concatenate((before[:, -1:], now), axis=1) if adjoining else now)
        level = distance / (wander + scale)
        scores = np.fmin(level, limits.at_rest + moved / (travel + scale))
        scores[np.isnan(level)] = np.nan
        limit = np.where(wander <= limits.resolution, limits.still, GREATEST)
        bounded: Floats = limit * scores / (limit + scores)
    return bounded


def _amount(values: Floats) -> Floats:
    """Return the largest absolute value of each row; 0 if none is known."""
    return np.asarray(np.where(np.isnan(values), 0.0, np.abs(values)).max(axis=1))


def _range(values: Floats) -> Floats:
    """Return greatest minus least known value of each row; 0 if none is known."""
    known = ~np.isnan(values)
    high, low = np.where(known, values, -np.inf).max(axis=1), np.where(known, values, np.inf).min(axis=1)
    return np.where(known.any(axis=1), high - low, 0.0)


def _spread(values: Floats) -> Floats:
    centre = mean_of_known(values, axis=1)
    return np.asarray(np.sqrt(mean_of_known((values - centre[:, None]) ** 2, axis=1)))


def _quantiles(values: Floats) -> Floats:
    """Return the 32 mid-quantiles over the last axis; NaN if more than half of the values are missing."""
    ordered = np.sort(values, axis=-1)  # NaN come last
    width = values.shape[-1]
    if not np.isnan(ordered[..., -1]).any():
        found: Floats = ordered[..., (_QUANTILES * width).astype(np.intp)]
        return found
    present = np.isfinite(values).sum(axis=-1)
    at = (_QUANTILES * present[..., None]).astype(np.intp)
    found = np.take_along_axis(ordered, at, axis=-1)
    found[2 * present < width] = np.nan
    return found
