"""Fewer rows that show the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from mega_data_factory.history import HistoryRetention, Series, thinned, with_gaps
from mega_data_factory.history.series import bucketed
from mega_data_factory.visualization import MetricsHistory
from tests.visualization.history.kit import MANY, NAN, SECOND, START, ticks

VALUES = st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(NAN)), min_size=1, max_size=300)


def series(values: Sequence[float] | npt.NDArray[Any], every: int = SECOND) -> Series:
    return Series.of_points(ticks(len(values), every), np.asarray(values, float))


@MANY
@given(VALUES, st.integers(4, 60))
def test_extremes_ends_and_rows_are_true(values: Sequence[float], points: int) -> None:
    """What stays are rows of the series, with its ends and its least and greatest value, and no more than asked for."""
    whole = series(values)
    thin = thinned(whole, points)
    rows = np.searchsorted(whole.timestamps, thin.timestamps)
    np.testing.assert_array_equal(whole.values[rows], thin.values)
    assert (thin.timestamps[0], thin.timestamps[-1]) == (whole.timestamps[0], whole.timestamps[-1])
    if not np.isnan(values).all():
        assert np.nanmin(thin.values) == np.nanmin(values)
        assert np.nanmax(thin.values) == np.nanmax(values)
    assert len(thin.known()) <= points


def test_a_single_unmeasured_row_still_breaks_the_line() -> None:
    """One NaN among 100,000 rows is among the 500 that are drawn."""
    values = np.sin(np.arange(100_000) / 1000)
    values[56_789] = NAN
    assert np.isnan(thinned(series(values), 500).values).sum() == 1


def test_buckets_keep_their_extremes() -> None:
    """Of rows that stand for many points, the ones with the least minimum and the greatest maximum stay."""
    values = np.zeros(50_000)
    values[[777, 33_333]] = [-5, 9]
    thin = thinned(bucketed(series(values), 10 * SECOND), 100)
    assert (thin.minimum.min(), thin.maximum.max()) == (-5, 9)
    assert len(thin) <= 100


def test_time_without_rows_becomes_a_gap() -> None:
    """A stretch five times the usual spacing gets an unmeasured row in its middle; `longer_than` says otherwise."""
    times = np.concatenate((ticks(10), ticks(10, start=START + 60 * SECOND)))
    broken = with_gaps(Series.of_points(times, np.ones(20)))
    assert len(broken) == 21
    assert np.isnan(broken.values[10])
    assert times[9] < broken.timestamps[10] < times[10]
    assert len(with_gaps(Series.of_points(times, np.ones(20)), 60 * SECOND)) == 20


def test_wide_buckets_beside_points_are_no_gaps() -> None:
    """Older buckets are as far apart as they are wide; only a missing bucket is a gap."""
    values = np.ones(7200)
    buckets = bucketed(series(values), 600 * SECOND)
    assert len(with_gaps(buckets)) == len(buckets)
    missing = buckets[np.array([0, 1, 2, 10, 11])]
    assert np.isnan(with_gaps(missing).values).sum() == 1


def test_a_history_thins_long_stretches_as_it_thins_series() -> None:
    """Without decompressing its chunks, a history draws the same extremes, ends and gaps."""
    history = MetricsHistory(HistoryRetention.everything())
    values = np.round(np.random.default_rng(0).normal(50, 5, 100_000), 1)
    values[[4_000, 60_000]] = [500.0, -500.0]
    values[20_000:20_100] = NAN
    history.extend("n", ticks(len(values)), {"cpu": values})
    thin = history.thinned("n", "cpu", 100)
    rows = (thin.timestamps - START) // SECOND
    np.testing.assert_array_equal(values[rows], thin.values)
    assert (np.nanmin(thin.values), np.nanmax(thin.values)) == (-500.0, 500.0)
    assert np.isnan(thin.values).sum() == 1
    assert (rows[0], rows[-1]) == (0, len(values) - 1)
    part = history.thinned("n", "cpu", 100, START + 50_000 * SECOND, START + 70_000 * SECOND)
    assert part.values.min() == -500.0
    assert (part.timestamps[0] - START) // SECOND == 50_000


def test_short_series_are_drawn_whole() -> None:
    """Nothing is left out where nothing has to be."""
    whole = series(np.arange(10))
    assert thinned(whole, 10) is whole
    assert with_gaps(whole) is whole
