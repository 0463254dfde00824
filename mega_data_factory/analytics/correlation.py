"""Which series changed in a window, and which series move together. Arrays in, arrays out."""

from __future__ import annotations

from math import e, sqrt, tanh
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from mega_data_factory.errors import AnalysisError

Numbers = npt.NDArray[Any]  # of integers or floats, of any width
Floats = npt.NDArray[np.float64]

_QUANTILES = (np.arange(32) + 0.5) / 32
_ROWS_AT_ONCE = 500  # of 10,000 series: they stay in the cache, and memory stays small
_LEAST_BASELINE = 8  # values, below which nothing is known about how a series wanders
_USUAL_SHARE = 0.9  # of the baseline's blocks wander less than what a change is measured by
_SPREAD_SHARE = 0.3  # of the standard deviation is added: calm blocks alone must not make a change large
_RELATIVE_NOISE = 1e-9  # of the mean: below it a difference is rounding
_EULER_GAMMA = 0.5772156649
_WINSOR = 3.0  # robust standard deviations
_FAMILY_WISE = 0.05  # chance that any of all independent series passes for related
_LEAST_PAIRS = 8


def changed_scores(baseline: Numbers, window: Numbers) -> Floats:
    """How much each series differs in the window from what it does in its baseline; higher is stranger.

    Block-Wasserstein: the distance of the window's quantiles to the median quantiles of the baseline's own blocks of
    the window's length, in units of how far those blocks wander themselves (their ninth decile, so that one incident in
    the baseline hides nothing). A series that always jumps does not rank; shifts, spreads, trends and drops all do.
    About 1 is usual, beyond 3 seldom chance. Measured against others in docs/decisions/0011-which-metrics-changed.md.

    Args:
        baseline: shape (series, n_b): what is usual, evenly sampled, in time order. NaN where a value is missing;
            series of unlike lengths are padded with NaN.
        window: shape (series, n_w), sampled alike, with n_b >= 2 · n_w and n_b >= 8.

    Returns:
        Shape (series,): 0 for a constant series that stays so; NaN where less than half of the window, or fewer than
        two blocks of the baseline, have values. `strongest` orders them.

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
    if not width or before.shape[1] < max(2 * width, _LEAST_BASELINE):
        raise AnalysisError(
            f"a baseline of {before.shape[1]} points is too short for a window of {width}",
            hint=f"at least two windows, and {_LEAST_BASELINE} points",
        )
    scores = np.empty(len(before))
    for start in range(0, len(before), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        scores[rows] = _changed(before[rows].astype(np.float64), now[rows].astype(np.float64))
    return scores


def strongest(scores: Floats) -> npt.NDArray[np.intp]:
    """Indices of the series from the strongest to the weakest score, by amount; those with NaN are left out."""
    order: npt.NDArray[np.intp] = np.argsort(-np.abs(scores), kind="stable")
    return order[: int(np.isfinite(scores).sum())]


def _changed(before: Floats, now: Floats) -> Floats:
    series, width = now.shape
    blocks = before.shape[1] // width
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        then = _quantiles(before[:, -blocks * width :].reshape(series, blocks, width))
        usual = _of_present(then, 0.5)
        wander = _of_present(np.abs(then - usual[:, None]).mean(axis=2), _USUAL_SHARE)
        distance = np.abs(_quantiles(now) - usual).mean(axis=1)
        centre = _mean(before, axis=1)
        spread = np.sqrt(_mean((before - centre[:, None]) ** 2, axis=1)) + _RELATIVE_NOISE * (1.0 + np.abs(centre))
        scores: Floats = distance / (wander + _SPREAD_SHARE * spread)
    return scores


def _quantiles(values: Floats) -> Floats:
    """The 32 mid-quantiles over the last axis; NaN where more than half of the values are missing."""
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


def _of_present(values: Floats, share: float) -> Floats:
    """The quantile `share` over axis 1 of what is present, as numpy has it; NaN where fewer than two values are."""
    ordered = np.sort(values, axis=1)  # NaN come last
    last = np.isfinite(ordered).sum(axis=1, keepdims=True) - 1
    place = share * np.maximum(last, 0)
    below = place.astype(np.intp)
    low = np.take_along_axis(ordered, below, axis=1)
    high = np.take_along_axis(ordered, np.minimum(below + 1, np.maximum(last, 0)), axis=1)
    found: Floats = np.where(last > 0, low + (place - below) * (high - low), np.nan)
    return found[:, 0]


def _mean(values: Floats, axis: int) -> Floats:
    """The mean of what is present; NaN where nothing is."""
    present = np.isfinite(values)
    if present.all():
        return np.asarray(values.mean(axis=axis))
    total: Floats = np.where(present, values, 0.0).sum(axis=axis) / present.sum(axis=axis)
    return total


def lagged_correlations(target: Numbers, others: Numbers, max_lag: int = 0) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Which series move with the target, at which lag and in which direction.

    What is compared are innovations, not levels, else everything that grows correlates with everything that grows: a
    straight line is removed, then of every series what its own value before predicts (an autoregression of order one:
    a random walk is differenced, noise stays as it is; Haugh, "Checking the Independence of Two Covariance-Stationary
    Time Series", 1976), then outliers are drawn in to 3 robust standard deviations, so that one spike proves nothing.
    `by_chance` says from which strength on a result is more than noise.

    Args:
        target: shape (n,), evenly sampled; NaN where missing.
        others: shape (series, n), on the same clock.
        max_lag: samples by which a series may come before or after; more than n / 2 counts as n / 2.

    Returns:
        strength, shape (series,): the correlation at the best lag, with its sign, -1 to 1; 0 where nothing moves.
        lag, shape (series,): of it, in samples; positive where the series moves after the target.

    Raises:
        AnalysisError: the shapes do not match, there are fewer than 8 points, or the lag is negative.
    """
    wanted, candidates = np.asarray(target), np.asarray(others)
    if wanted.ndim != 1 or candidates.ndim != 2 or candidates.shape[1] != len(wanted):
        raise AnalysisError(
            f"target and others have shapes {wanted.shape} and {candidates.shape}", hint="(n,) and (series, n)"
        )
    if len(wanted) < _LEAST_PAIRS or max_lag < 0:
        raise AnalysisError(
            f"{len(wanted)} points do not tell of correlations with a lag of up to {max_lag}",
            hint=f"at least {_LEAST_PAIRS} points, and a lag of 0 or more",
        )
    reach = min(max_lag, len(wanted) // 2)
    shifted = _shifts(innovations(wanted[None])[0], reach)
    strength = np.empty(len(candidates))
    lag = np.empty(len(candidates), np.intp)
    for start in range(0, len(candidates), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        found = _correlate(innovations(candidates[rows]), shifted)
        best = _strongest_lag(found)
        strength[rows] = found[np.arange(len(found)), best]
        lag[rows] = best - reach
    return strength, lag


def _strongest_lag(found: Floats) -> npt.NDArray[np.intp]:
    """Column of the greatest amount in each row; among equals the lag nearest to 0."""
    reach = found.shape[1] // 2
    nearest_first = np.argsort(np.abs(np.arange(-reach, reach + 1)), kind="stable")
    best: npt.NDArray[np.intp] = nearest_first[np.argmax(np.abs(found)[:, nearest_first], axis=1)]
    return best


def by_chance(points: int, comparisons: int) -> tuple[float, float]:
    """How strong correlations are among independent series.

    Args:
        points: of each series.
        comparisons: how many were made: series times lags (2 · max_lag + 1).

    Returns:
        The greatest strength to expect, and the strength that any of them reaches in 5 of 100 such searches: from
        there on a result is significant (Fisher's z; the maximum after Gumbel).
    """
    tail = 1.0 / (2.0 * max(comparisons, 1))
    expected = (1.0 - _EULER_GAMMA) * _upper(tail) + _EULER_GAMMA * _upper(tail / e)
    width = sqrt(max(points - 4, 1))  # one point is lost to the innovations, three to Fisher's z
    return tanh(expected / width), tanh(_upper(_FAMILY_WISE * tail) / width)


def _upper(tail: float) -> float:
    """The value that a standard normal exceeds with probability `tail`."""
    return -NormalDist().inv_cdf(tail)


def correlation_matrix(series: Numbers) -> Floats:
    """The correlation of every series with every other at lag 0, of innovations as `lagged_correlations` has them.

    Args:
        series: shape (series, n), on one clock; NaN where missing.

    Returns:
        Shape (series, series), symmetric; 0 for a series that does not move, also with itself.
    """
    values = np.asarray(series)
    if values.ndim != 2 or values.shape[1] < _LEAST_PAIRS:
        raise AnalysisError(
            f"series of shape {values.shape} cannot be correlated", hint=f"(series, n), n at least {_LEAST_PAIRS}"
        )
    moves = innovations(values)
    matrix = _correlate(moves, moves.T)
    return np.clip((matrix + matrix.T) / 2.0, -1.0, 1.0)


def innovations(series: Numbers) -> Floats:
    """What of each value is news: without straight line, without what the value before predicts, outliers drawn in.

    Args:
        series: shape (series, n); NaN where missing.

    Returns:
        Shape (series, n): mean 0 and standard deviation 1 over what is present; NaN where a value or the one before it
        is missing; all 0 where nothing moves. The first column is NaN.
    """
    values = np.array(series, dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        level = _without_line(values)
        before, after = level[:, :-1], level[:, 1:]
        power = _mean(np.where(np.isnan(after), np.nan, before) ** 2, axis=1)
        memory = np.clip(np.nan_to_num(_mean(before * after, axis=1) / power), -1.0, 1.0)
        news = np.full_like(values, np.nan)
        news[:, 1:] = after - memory[:, None] * before
        return _standard(_winsorised(news), scale=np.abs(np.nan_to_num(_mean(values, axis=1))))


def _without_line(values: Floats) -> Floats:
    """The residuals of a least-squares straight line through each row."""
    moment = np.broadcast_to(np.arange(values.shape[1], dtype=np.float64), values.shape)
    if np.isnan(values).any():
        moment = np.where(np.isnan(values), np.nan, moment)
    moment = moment - _mean(moment, axis=1)[:, None]
    level = values - _mean(values, axis=1)[:, None]
    slope = np.nan_to_num(_mean(moment * level, axis=1) / _mean(moment * moment, axis=1))
    residual: Floats = level - slope[:, None] * moment
    return residual


def _winsorised(news: Floats) -> Floats:
    """Outliers drawn in to 3 robust standard deviations; where half of the news is none, to 3 ordinary ones."""
    centred = news - _of_present(news, 0.5)[:, None]
    deviation = 1.4826 * _of_present(np.abs(centred), 0.5)
    bound = _WINSOR * np.where(deviation > 0.0, deviation, np.sqrt(_mean(centred * centred, axis=1)))[:, None]
    return np.clip(centred, -bound, bound)


def _standard(news: Floats, scale: Floats) -> Floats:
    centred = news - _mean(news, axis=1)[:, None]
    deviation = np.sqrt(_mean(centred * centred, axis=1))
    moves = deviation > _RELATIVE_NOISE * scale
    result: Floats = np.where(moves[:, None], centred / deviation[:, None], 0.0 * centred)
    return result


def _shifts(row: Floats, max_lag: int) -> Floats:
    """Shape (n, 2 · max_lag + 1): in column `max_lag + l` the row, l samples later; NaN where it has no value."""
    padded = np.concatenate((np.full(max_lag, np.nan), row, np.full(max_lag, np.nan)))
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * max_lag + 1)[:, ::-1]


def _correlate(rows: Floats, columns: Floats) -> Floats:
    """Shape (rows, columns): correlations over the pairs where both are present; 0 for fewer than 8 pairs."""
    has_row, has_column = np.isfinite(rows), np.isfinite(columns)
    row, column = np.where(has_row, rows, 0.0), np.where(has_column, columns, 0.0)
    row_there, column_there = has_row.astype(np.float64), has_column.astype(np.float64)
    energy = ((row * row) @ column_there) * (row_there @ (column * column))
    enough = (row_there @ column_there >= _LEAST_PAIRS) & (energy > 0.0)
    result: Floats = np.where(enough, (row @ column) / np.sqrt(np.where(enough, energy, 1.0)), 0.0)
    return result
