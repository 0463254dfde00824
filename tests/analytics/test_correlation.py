"""Which series changed in a window, and which move together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mega_data_factory.analytics.series.changed import GREATEST, LIMITS
from mega_data_factory.analytics.series.correlation import (
    by_chance,
    changed_scores,
    correlation_matrix,
    innovations,
    lagged_correlations,
    strongest,
)
from mega_data_factory.errors import AnalysisError

BASELINE, WINDOW = 400, 40


@pytest.fixture
def chance() -> np.random.Generator:
    return np.random.default_rng(11)


def wandering(chance: np.random.Generator, series: int, points: int) -> npt.NDArray[Any]:
    """Metrics of all kinds: noise around a level, slow waves, bursts."""
    moment = np.arange(points)
    noise = chance.normal(size=(series, points))
    waves = np.sin(moment / chance.uniform(3, 12, size=(series, 1)))
    bursts = 8 * (chance.random((series, points)) < 0.05)
    kind = np.arange(series)[:, None] % 3
    return 100 + np.where(kind == 0, noise, np.where(kind == 1, 5 * waves + 0.3 * noise, noise + bursts))


@pytest.mark.parametrize("change", ["shift", "spread", "trend", "drop"])
def test_changed_series_come_first(chance: np.random.Generator, change: str) -> None:
    """Of 300 series the ten that shift, spread, drift or drop in the window are the ten strongest."""
    values = wandering(chance, 300, BASELINE + WINDOW)
    before, now = values[:, :BASELINE], values[:, BASELINE:].copy()
    spread = before[:10].std(axis=1, keepdims=True)
    if change == "shift":
        now[:10] += 4 * spread
    elif change == "spread":
        now[:10] += chance.normal(size=(10, WINDOW)) * 5 * spread
    elif change == "trend":
        now[:10] += np.linspace(0, 9, WINDOW) * spread
    else:
        now[:10] = 0
    scores = changed_scores(before, now)
    assert set(strongest(scores)[:10]) == set(range(10))
    assert scores[:10].min() > 1.5 * np.median(scores[10:])


def test_a_series_that_always_jumps_does_not_rank(chance: np.random.Generator) -> None:
    """A level that changes by the same amount every forty points is usual, where another does so for once."""
    jumping = np.repeat(chance.choice([0.0, 50.0], size=(1, 22)), 20, axis=1)
    calm = chance.normal(size=(1, 440))
    calm[:, 400:] += 5
    values = np.concatenate([jumping, calm])
    scores = changed_scores(values[:, :400], values[:, 400:])
    assert scores[1] > 2 * scores[0]


def test_an_incident_in_the_baseline_hides_nothing(chance: np.random.Generator) -> None:
    """One bad block in the baseline does not make the next one usual."""
    values = chance.normal(size=(2, 420))
    values[:, 400:] += 5
    values[1, 80:100] += 20
    clean, marred = changed_scores(values[:, :400], values[:, 400:])
    assert marred > clean / 4
    assert marred > 2


def test_scale_and_offset_do_not_change_the_scores(chance: np.random.Generator) -> None:
    """The same metric in bytes or in gibibytes ranks the same."""
    values = wandering(chance, 30, BASELINE + WINDOW)
    scores = changed_scores(values[:, :BASELINE], values[:, BASELINE:])
    other = 2.0**30 * values
    assert changed_scores(other[:, :BASELINE], other[:, BASELINE:]) == pytest.approx(scores, rel=1e-6)


def test_constant_series() -> None:
    """A constant that stays scores 0; one that moves for the first time ranks before all others."""
    before = np.array([[5.0] * 100, [5.0] * 100, [0.0] * 100, [1.0, 2.0] * 50])
    now = np.array([[5.0] * 10, [5.0] * 9 + [6.0], [0.0] * 10, [3.0, 4.0] * 5])
    scores = changed_scores(before, now)
    assert scores[0] == scores[2] == 0
    assert strongest(scores)[0] == 1
    assert np.isfinite(scores).all()


def test_missing_values_change_little(chance: np.random.Generator) -> None:
    """A fifth of the values missing leaves the ranking; series without a window or a baseline have no score."""
    values = wandering(chance, 60, BASELINE + WINDOW)
    values[:5, BASELINE:] += 10 * values[:5, :BASELINE].std(axis=1, keepdims=True)
    values[chance.random(values.shape) < 0.2] = np.nan
    values[6, BASELINE + 10 :] = np.nan
    values[7, :BASELINE] = np.nan
    values[8, : BASELINE - 30] = np.nan
    scores = changed_scores(values[:, :BASELINE], values[:, BASELINE:])
    assert set(strongest(scores)[:5]) == set(range(5))
    assert np.isnan(scores).nonzero()[0].tolist() == [6, 7, 8]
    assert len(strongest(scores)) == 57


def test_unlike_lengths_are_padded(chance: np.random.Generator) -> None:
    """A series that began later, its head filled with NaN, scores as it would alone."""
    values = chance.normal(size=(1, 200 + WINDOW))
    alone = changed_scores(values[:, :200], values[:, 200:])
    padded = np.concatenate([np.full((1, 200), np.nan), values[:, :200]], axis=1)
    assert changed_scores(padded, values[:, 200:]) == pytest.approx(alone)


def test_whole_numbers_are_taken(chance: np.random.Generator) -> None:
    """Counts need not be made floats first, and inputs are not written to."""
    before, now = chance.integers(0, 9, (5, 100)), chance.integers(0, 9, (5, 10))
    kept = before.copy()
    assert changed_scores(before, now) == pytest.approx(changed_scores(before.astype(float), now.astype(float)))
    assert (before == kept).all()


@pytest.mark.parametrize(
    ("before", "now"),
    [((3, 10), (3, 6)), ((3, 7), (3, 2)), ((3, 100), (4, 10)), ((100,), (10,)), ((3, 100), (3, 0))],
)
def test_a_window_needs_a_baseline_of_twice_its_length(before: tuple[int, ...], now: tuple[int, ...]) -> None:
    """Too short a baseline and shapes that do not match are told, with what would do."""
    with pytest.raises(AnalysisError):
        changed_scores(np.zeros(before), np.zeros(now))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("lag", [-7, 0, 12])
def test_a_follower_is_found_with_lag_and_sign(chance: np.random.Generator, lag: int, sign: int) -> None:
    """Of random walks the one that repeats the target's steps earlier or later, up or down, is found as such."""
    steps = chance.normal(size=1_040)
    target = steps[20:-20].cumsum()
    follower = sign * steps[20 - lag : 1_020 - lag].cumsum() + 0.1 * chance.normal(size=1_000)
    others = np.concatenate([chance.normal(size=(50, 1_000)).cumsum(axis=1), follower[None]])
    strength, lags = lagged_correlations(target, others, max_lag=20)
    assert strongest(strength)[0] == 50
    assert lags[50] == lag
    assert sign * strength[50] > 0.9


@pytest.mark.parametrize("kind", ["walks", "trends"])
def test_what_only_grows_alike_is_not_related(chance: np.random.Generator, kind: str) -> None:
    """Random walks and straight lines, whose levels correlate, stay below what chance brings."""
    if kind == "walks":
        series = chance.normal(size=(200, 1_000)).cumsum(axis=1)
    else:
        series = np.arange(1_000) * chance.uniform(-1, 1, (200, 1)) + chance.normal(size=(200, 1_000))
    assert np.abs(np.corrcoef(series)[0, 1:]).max() > 0.8
    strength, _ = lagged_correlations(series[0], series[1:], max_lag=10)
    assert np.abs(strength).max() < by_chance(1_000, 199 * 21)[1]


def test_one_spike_proves_nothing(chance: np.random.Generator) -> None:
    """Two series that have only one great outlier in common are not related."""
    series = chance.normal(size=(2, 300))
    (calm,), _ = lagged_correlations(series[0], series[1:])
    series[:, 150] += 1_000
    assert np.asarray(np.corrcoef(series))[0, 1] > 0.99
    (found,), _ = lagged_correlations(series[0], series[1:])
    assert found == pytest.approx(calm, abs=0.1)


def test_chance_brings_what_it_says(chance: np.random.Generator) -> None:
    """Over many searches among independent series the mean maximum is the expected one, and 5 % pass the bound."""
    greatest = np.array(
        [
            np.abs(lagged_correlations(chance.normal(size=200), chance.normal(size=(40, 200)), 3)[0]).max()
            for _ in range(300)
        ]
    )
    expected, bound = by_chance(200, 40 * 7)
    assert greatest.mean() == pytest.approx(expected, rel=0.03)
    assert 0.01 < (greatest > bound).mean() < 0.09


def test_correlations_bear_missing_values(chance: np.random.Generator) -> None:
    """With a third of the points missing the follower is still found; a series without values has strength 0."""
    target = chance.normal(size=600).cumsum()
    others = np.concatenate([np.roll(target, 4)[None], chance.normal(size=(20, 600)).cumsum(axis=1)])
    others[chance.random(others.shape) < 0.2] = np.nan
    target[chance.random(600) < 0.15] = np.nan
    others[5] = np.nan
    others[6] = 3.0
    strength, lag = lagged_correlations(target, others, max_lag=10)
    assert (strongest(strength)[0], lag[0]) == (0, 4)
    assert strength[0] > 0.8
    assert strength[5] == strength[6] == 0
    assert lag[5] == lag[6] == 0


def test_the_matrix_is_one_of_correlations(chance: np.random.Generator) -> None:
    """It is symmetric, 1 on the diagonal, within -1 and 1, and agrees with the search at lag 0."""
    series = chance.normal(size=(6, 500)).cumsum(axis=1)
    series[1] = -2 * series[0]
    series[2, ::7] = np.nan
    series[3] = 1.0
    matrix = correlation_matrix(series)
    assert matrix == pytest.approx(matrix.T)
    assert np.diag(matrix).tolist() == pytest.approx([1, 1, 1, 0, 1, 1])
    assert matrix[0, 1] == pytest.approx(-1)
    assert np.abs(matrix).max() <= 1
    assert matrix[4] == pytest.approx(lagged_correlations(series[4], series)[0])


def test_innovations_are_news(chance: np.random.Generator) -> None:
    """Noise and what is left of a random walk have mean 0, deviation 1, and no memory."""
    series = np.stack([chance.normal(size=4_000), chance.normal(size=4_000).cumsum() + 1e6])
    news = innovations(series)[:, 1:]
    assert news.mean(axis=1) == pytest.approx(0, abs=1e-9)
    assert news.std(axis=1) == pytest.approx(1)
    assert np.abs((news[:, 1:] * news[:, :-1]).mean(axis=1)).max() < 0.05


def test_correlations_of_unlike_shapes_are_refused() -> None:
    """Shapes that do not match, too few points and negative lags are told."""
    for target, others, lag in (((9,), (2, 8), 0), ((2, 9), (2, 9), 0), ((7,), (2, 7), 0), ((9,), (2, 9), -1)):
        with pytest.raises(AnalysisError):
            lagged_correlations(np.zeros(target), np.zeros(others), lag)
    with pytest.raises(AnalysisError):
        correlation_matrix(np.zeros(9))
    assert lagged_correlations(np.zeros(9), np.zeros((0, 9)), 99)[0].shape == (0,)


def test_a_constant_that_changes_does_not_outrank_everything(chance: np.random.Generator) -> None:
    """How far a constant wanders is unknown: its score is bounded, and a great change of a noisy series wins."""
    before = np.stack([np.full(400, 100.0), np.zeros(400), 0.05 + 0.005 * chance.normal(size=400)])
    now = np.stack([np.r_[np.full(20, 100.0), np.full(20, 97.0)], np.r_[0.0, np.full(39, 1e9)], np.full(40, 0.9)])
    now[2, :10] = 0.05
    constant, from_zero, noisy = changed_scores(before, now)
    assert 3 < constant < from_zero < LIMITS.still
    assert LIMITS.still < noisy < GREATEST


def test_what_was_different_before_the_window_ranks_behind_what_changes_in_it(chance: np.random.Generator) -> None:
    """Of two new levels the one that is reached inside the window is far stronger, unless the baseline ends at it."""
    before = chance.normal(size=(2, 400))
    now = 40 + 0.1 * chance.normal(size=(2, 40))
    now[1, :12] = before[1, :12]
    settled, moved = changed_scores(before, now)
    assert 3 < settled < moved / 2
    settled, moved = changed_scores(before, now, adjoining=True)
    assert settled > 0.9 * moved


def test_scores_are_finite_whatever_the_values(chance: np.random.Generator) -> None:
    """Infinities are missing values, and no number is so large that a score is not finite."""
    before, now = chance.normal(size=(4, 100)), chance.normal(size=(4, 10))
    before[0, 7], now[0, 3] = np.inf, -np.inf
    before[1], now[1] = 1e308, -1e308
    now[2, 4] = 1e308
    before[3] = 5e-324
    scores = changed_scores(before, now)
    assert np.isfinite(scores).all()
    assert (scores < GREATEST).all()
