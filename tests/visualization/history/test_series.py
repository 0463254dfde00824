"""The laws of ordering, merging and thinning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mega_data_factory.history.series import Series, bucketed, combined, joined, latest
from tests.visualization.history.kit import MANY

VALUES = st.one_of(st.floats(-1e9, 1e9), st.just(float("nan")))
POINTS = st.lists(st.tuples(st.integers(-(10**6), 10**6), VALUES), min_size=1, max_size=60)
SORTED = POINTS.map(lambda points: sorted(dict(points).items()))
INTERVALS = st.integers(1, 10**6)


def series(points: Sequence[tuple[int, float]]) -> Series:
    times, values = zip(*points, strict=True)
    return Series.of_points(np.array(times, np.int64), np.array(values, np.float64))


def assert_same(one: Series, other: Series) -> None:
    np.testing.assert_array_equal(one.timestamps, other.timestamps)
    np.testing.assert_array_equal(one.minimum, other.minimum)
    np.testing.assert_array_equal(one.maximum, other.maximum)
    np.testing.assert_array_equal(one.points, other.points)
    np.testing.assert_array_equal(one.interval, other.interval)
    np.testing.assert_allclose(one.values, other.values, rtol=1e-9, atol=1e-6)


@MANY
@given(POINTS)
def test_the_last_write_of_a_timestamp_wins(points: Sequence[tuple[int, float]]) -> None:
    """Whatever the order of writing, each timestamp has the last value that was known for it."""
    expected: dict[int, float] = {}
    for time, value in points:
        expected[time] = expected.get(time, value) if np.isnan(value) else value
    result = latest(series(points))
    assert result.timestamps.tolist() == sorted(expected)
    np.testing.assert_array_equal(result.values, [expected[time] for time in sorted(expected)])


@MANY
@given(SORTED, INTERVALS, st.integers(1, 1000))
def test_thinning_twice_is_thinning_once(points: Sequence[tuple[int, float]], interval: int, factor: int) -> None:
    """Seconds, then minutes: the same buckets as minutes at once."""
    assert_same(
        bucketed(bucketed(series(points), interval), interval * factor), bucketed(series(points), interval * factor)
    )


@MANY
@given(SORTED, INTERVALS, st.integers(0, 60))
def test_thinning_parts_and_combining_them_is_thinning_the_whole(
    points: Sequence[tuple[int, float]], interval: int, cut: int
) -> None:
    """Where a series is cut before it is thinned makes no difference, not even in the middle of a bucket."""
    parts = [part for part in (points[:cut], points[cut:]) if part]
    assert_same(
        combined(joined([bucketed(series(part), interval) for part in parts])), bucketed(series(points), interval)
    )


@MANY
@given(SORTED, INTERVALS)
def test_a_bucket_says_the_truth_about_its_points(points: Sequence[tuple[int, float]], interval: int) -> None:
    """Minimum, maximum and number of points are exact, the mean lies between the extremes."""
    thin = bucketed(series(points), interval)
    times, values = (np.array(column) for column in zip(*points, strict=True))
    for at, start in enumerate(thin.timestamps):
        inside = values[(times >= start) & (times < start + interval) & ~np.isnan(values)]
        assert thin.points[at] == len(inside)
        if len(inside):
            assert (thin.minimum[at], thin.maximum[at]) == (inside.min(), inside.max())
            assert thin.minimum[at] <= thin.values[at] <= thin.maximum[at]
            assert thin.values[at] == pytest.approx(inside.mean(), rel=1e-9, abs=1e-6)
        else:
            assert np.isnan([thin.values[at], thin.minimum[at], thin.maximum[at]]).all()
    assert thin.points.sum() == (~np.isnan(values)).sum()


def test_a_mean_of_means_is_weighted_by_points() -> None:
    """Three points of 0 and one of 8 are 2 on average, however they are merged."""
    parts = [bucketed(series(part), 100) for part in ([(0, 0.0), (1, 0.0), (2, 0.0)], [(3, 8.0)])]
    assert combined(joined(parts)).values.tolist() == [2.0]


def test_between_takes_both_ends_and_copies_nothing_needlessly() -> None:
    """`start` and `end` are included; a series that is not cut is the series itself."""
    whole = series([(1, 1.0), (2, 2.0), (3, 3.0)])
    assert whole.between(2, 3).timestamps.tolist() == [2, 3]
    assert whole.between(None, 3) is whole


def test_known_leaves_out_what_was_not_measured() -> None:
    """Rows without a value are gaps; `known` has none."""
    assert series([(1, float("nan")), (2, 2.0)]).known().timestamps.tolist() == [2]
