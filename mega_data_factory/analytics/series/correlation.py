"""Correlation of series that move together, with lag and sign. Arrays in, arrays out."""

from __future__ import annotations

from math import e, sqrt, tanh
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from mega_data_factory.analytics.series.changed import changed_scores, strongest
from mega_data_factory.analytics.series.known_values import Floats, Numbers, mean_of_known, quantile_of_known
from mega_data_factory.errors import AnalysisError

__all__ = [
    "by_chance",
    "changed_scores",
    "correlation_matrix",
    "innovations",
    "lagged_correlations",
    "strongest",
]

_ROWS_AT_ONCE = 500  # of 10,000 series: they stay in the cache, and memory stays small
_RELATIVE_NOISE = 1e-9  # of the mean: below it a difference is rounding
_EULER_GAMMA = 0.5772156649
_WINSOR = 3.0  # robust standard deviations
_FAMILY_WISE = 0.05  # chance that any of all independent series passes for related
_LEAST_PAIRS = 8


def lagged_correlations(target: Numbers, others: Numbers, max_lag: int = 0) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Find which series move with the target, at which lag and in which direction.

    What is compared are innovations, not levels, else everything that grows correlates with everything that grows: a
    straight line is removed, then of every series what its own value before predicts (an autoregression of order one:
    a random walk is differenced, noise stays as it is; Haugh, "Checking the Independence of Two Covariance-Stationary
    Time Series", 1976), then outliers are drawn in to 3 robust standard deviations, so that one spike proves nothing.
    `by_chance` says from which strength on a result is more than noise.

    Args:
        target: shape (n,), evenly sampled; NaN if missing.
        others: shape (series, n), on the same clock.
        max_lag: samples by which a series may come before or after; more than n / 2 counts as n / 2.

    Returns:
        strength, shape (series,): the correlation at the best lag, with its sign, -1 to 1; 0 if nothing moves.
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
            f"{len(wanted)} points are too few for correlations with a lag of up to {max_lag}",
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
    """Return the column of the greatest amount in each row; among equals the lag nearest to 0."""
    reach = found.shape[1] // 2
    nearest_first = np.argsort(np.abs(np.arange(-reach, reach + 1)), kind="stable")
    best: npt.NDArray[np.intp] = nearest_first[np.argmax(np.abs(found)[:, nearest_first], axis=1)]
    return best


def by_chance(points: int, comparisons: int) -> tuple[float, float]:
    """Return how strong correlations are among independent series.

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
    """Return the value that a standard normal exceeds with probability `tail`."""
    return -NormalDist().inv_cdf(tail)


def correlation_matrix(series: Numbers) -> Floats:
    """Return the correlation of every series with every other at lag 0, of innovations as in `lagged_correlations`.

    Args:
        series: shape (series, n), on one clock; NaN if missing.

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
    """Return what is new in each value: no straight line, nothing that the value before predicts, outliers drawn in.

    Args:
        series: shape (series, n); NaN if missing.

    Returns:
        Shape (series, n): mean 0 and standard deviation 1 over what is present; NaN if a value or the one before it
        is missing; all 0 if nothing moves. The first column is NaN.
    """
    values = np.array(series, dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        level = _without_line(values)
        before, after = level[:, :-1], level[:, 1:]
        power = mean_of_known(np.where(np.isnan(after), np.nan, before) ** 2, axis=1)
        memory = np.clip(np.nan_to_num(mean_of_known(before * after, axis=1) / power), -1.0, 1.0)
        news = np.full_like(values, np.nan)
        news[:, 1:] = after - memory[:, None] * before
        return _standard(_winsorised(news), scale=np.abs(np.nan_to_num(mean_of_known(values, axis=1))))


def _without_line(values: Floats) -> Floats:
    """Return the residuals of a least-squares straight line through each row."""
    moment = np.broadcast_to(np.arange(values.shape[1], dtype=np.float64), values.shape)
    if np.isnan(values).any():
        moment = np.where(np.isnan(values), np.nan, moment)
    moment = moment - mean_of_known(moment, axis=1)[:, None]
    level = values - mean_of_known(values, axis=1)[:, None]
    slope = np.nan_to_num(mean_of_known(moment * level, axis=1) / mean_of_known(moment * moment, axis=1))
    residual: Floats = level - slope[:, None] * moment
    return residual


def _winsorised(news: Floats) -> Floats:
    """Return the news with outliers drawn in to 3 robust standard deviations; where half of it is 0, ordinary ones."""
    centred = news - quantile_of_known(news, 0.5)[:, None]
    deviation = 1.4826 * quantile_of_known(np.abs(centred), 0.5)
    bound = _WINSOR * np.where(deviation > 0.0, deviation, np.sqrt(mean_of_known(centred * centred, axis=1)))[:, None]
    return np.clip(centred, -bound, bound)


def _standard(news: Floats, scale: Floats) -> Floats:
    centred = news - mean_of_known(news, axis=1)[:, None]
    deviation = np.sqrt(mean_of_known(centred * centred, axis=1))
    moves = deviation > _RELATIVE_NOISE * scale
    result: Floats = np.where(moves[:, None], centred / deviation[:, None], 0.0 * centred)
    return result


def _shifts(row: Floats, max_lag: int) -> Floats:
    """Return shape (n, 2 · max_lag + 1): in column `max_lag + l` the row, l samples later; NaN if missing."""
    padded = np.concatenate((np.full(max_lag, np.nan), row, np.full(max_lag, np.nan)))
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * max_lag + 1)[:, ::-1]


def _correlate(rows: Floats, columns: Floats) -> Floats:
    """Return shape (rows, columns): correlations over the pairs where both are present; 0 for fewer than 8 pairs."""
    has_row, has_column = np.isfinite(rows), np.isfinite(columns)
    row, column = np.where(has_row, rows, 0.0), np.where(has_column, columns, 0.0)
    row_there, column_there = has_row.astype(np.float64), has_column.astype(np.float64)
    energy = ((row * row) @ column_there) * (row_there @ (column * column))
    enough = (row_there @ column_there >= _LEAST_PAIRS) & (energy > 0.0)
    result: Floats = np.where(enough, (row @ column) / np.sqrt(np.where(enough, energy, 1.0)), 0.0)
    return result
