"""Nodes whose clocks tick at different moments, on one grid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mega_data_factory.errors import HistoryError
from mega_data_factory.history.alignment import aligned, grid
from mega_data_factory.history.series import Series, bucketed
from mega_data_factory.visualization import MetricsHistory
from tests.visualization.history.kit import MANY, NAN, SECOND, START, ticks


def two_nodes() -> MetricsHistory:
    """Both report every second, `b` 400 ms later than `a`."""
    history = MetricsHistory()
    history.extend("a", ticks(60), {"cpu": np.arange(60.0)})
    history.extend("b", ticks(60, start=START + 400_000), {"cpu": np.arange(60.0) * 2})
    return history


def test_nodes_meet_on_the_grid_though_they_share_no_timestamp() -> None:
    """Each cell has the mean of each node's points in it."""
    times, values = two_nodes().resampled("cpu", step=timedelta(seconds=10))
    assert times.tolist() == ticks(6, 10 * SECOND).tolist()
    np.testing.assert_allclose(values, [np.arange(6) * 10 + 4.5, np.arange(6) * 20 + 9])


def test_order_of_nodes_statistics_and_time_can_be_chosen() -> None:
    """Rows follow `nodes`, an unknown one is unmeasured; extremes are the true ones."""
    times, values = two_nodes().resampled(
        "cpu",
        ["b", "c", "a"],
        step=10 * SECOND,
        start=START + 20 * SECOND,
        end=START + 39 * SECOND,
        statistic="maximum",
    )
    assert len(times) == 2
    assert values[0].tolist() == [58.0, 78.0]
    assert np.isnan(values[1]).all()
    assert values[2].tolist() == [29.0, 39.0]
    _, low = two_nodes().resampled("cpu", ["a"], step=60 * SECOND, statistic="minimum")
    assert low.tolist() == [[0.0]]


def test_a_value_is_carried_on_for_a_few_cells_only() -> None:
    """Two silent cells take the last value, the third is unmeasured: silence must not look like health."""
    history = MetricsHistory()
    history.append("a", {"cpu": 7.0}, START)
    history.append("b", {"cpu": 1.0}, START + 5 * SECOND)
    _, values = history.resampled("cpu", step=SECOND, carry=2)
    np.testing.assert_array_equal(values[0], [7, 7, 7, NAN, NAN, NAN])
    np.testing.assert_array_equal(values[1], [NAN] * 5 + [1])


def test_a_value_from_before_the_start_is_carried_in() -> None:
    """The first cells of a time range know what came just before it."""
    history = two_nodes()
    _, values = history.resampled("cpu", ["a"], step=SECOND, start=START + 60 * SECOND, end=START + 64 * SECOND)
    np.testing.assert_array_equal(values[0], [59, 59, NAN, NAN, NAN])


def test_a_wide_bucket_fills_the_cells_that_it_covers() -> None:
    """An old minute is known in each of its seconds."""
    minutes = bucketed(Series.of_points(ticks(120, start=START), np.arange(120.0)), 60 * SECOND)
    times = grid(START, START + 119 * SECOND, 10 * SECOND)
    values = aligned(minutes, times, 10 * SECOND, carry=0)
    np.testing.assert_array_equal(values, np.repeat([29.5, 89.5], 6))


@MANY
@given(
    st.lists(st.tuples(st.integers(0, 1000), st.floats(-1e6, 1e6)), min_size=1, max_size=50).map(
        lambda points: sorted(dict(points).items())
    ),
    st.integers(1, 300),
)
def test_a_cell_is_the_mean_of_its_points(points: Sequence[tuple[int, float]], step: int) -> None:
    """Without carrying, each cell is exactly what is in it."""
    times, values = (np.array(column) for column in zip(*points, strict=True))
    cells = grid(0, 1000, step)
    result = aligned(Series.of_points(times.astype(np.int64), values.astype(float)), cells, step, carry=0)
    for start, value in zip(cells, result, strict=True):
        inside = values[(times >= start) & (times < start + step)]
        assert (len(inside) == 0 and np.isnan(value)) or value == pytest.approx(inside.mean(), abs=1e-6)


def test_nothing_gives_an_empty_grid_and_a_senseless_step_an_error() -> None:
    """No points: no cells. A step of nothing, or of the wrong unit, is refused."""
    times, values = MetricsHistory().resampled("cpu", step=SECOND)
    assert times.shape == (0,)
    assert values.shape == (0, 0)
    with pytest.raises(HistoryError, match="not positive"):
        two_nodes().resampled("cpu", step=0)
    with pytest.raises(HistoryError, match="59,400,000 cells"):
        two_nodes().resampled("cpu", step=1)
