"""What goes into a history comes out of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mega_data_factory.errors import HistoryError
from mega_data_factory.history import HistoryRetention
from mega_data_factory.visualization import MetricsHistory
from tests.visualization.history.kit import FEW, NAN, START, ticks

EVERYTHING = HistoryRetention.everything()
SMALL = HistoryRetention(tiers=EVERYTHING.tiers, max_bytes=None, chunk_points=8)

VALUE = st.one_of(st.none(), st.floats(-100, 100), st.integers(-5, 5))
WRITES = st.lists(
    st.tuples(st.integers(0, 40), st.dictionaries(st.sampled_from(["cpu", "memory", "gpu"]), VALUE, max_size=3)),
    min_size=1,
    max_size=60,
)


def expected_of(writes: Sequence[tuple[int, dict[str, Any]]]) -> dict[int, dict[str, float]]:
    """The model: a dict for each timestamp, in which a value is replaced by a later one that is known."""
    points: dict[int, dict[str, float]] = {}
    for time, metrics in writes:
        point = points.setdefault(time, {})
        point.update({name: float(value) for name, value in metrics.items() if value is not None})
    return dict(sorted(points.items()))


@FEW
@given(WRITES)
def test_points_of_any_shape_in_any_order_come_back_in_order(writes: Sequence[tuple[int, dict[str, Any]]]) -> None:
    """Late, repeated and partial points, over many small chunks, read as from a plain dict."""
    history = MetricsHistory(SMALL)
    for time, metrics in writes:
        history.append("n", metrics, time)
    expected = expected_of(writes)
    assert history.span("n") == history.span() == (min(expected), max(expected))
    for name in ("cpu", "memory", "gpu"):
        series = history.series("n", name)
        assert series.timestamps.tolist() == list(expected)
        np.testing.assert_array_equal(series.values, [point.get(name, NAN) for point in expected.values()])


@FEW
@given(WRITES, st.integers(0, 40), st.integers(0, 40))
def test_a_part_of_the_time_is_that_part_of_the_series(
    writes: Sequence[tuple[int, dict[str, Any]]], start: int, end: int
) -> None:
    """`start` and `end` cut the same rows, whether chunks are skipped or not."""
    history = MetricsHistory(SMALL)
    for time, metrics in writes:
        history.append("n", metrics, time)
    part = history.series("n", "cpu", start, end)
    assert part.timestamps.tolist() == [time for time in expected_of(writes) if start <= time <= end]


@FEW
@given(st.integers(0, 30), st.integers(0, 30), st.integers(2, 12))
def test_bulk_and_single_points_are_the_same(number: int, already: int, chunk: int) -> None:
    """`extend` is `append` for every row, wherever chunks begin."""
    retention = HistoryRetention(tiers=EVERYTHING.tiers, chunk_points=chunk)
    one, bulk = MetricsHistory(retention), MetricsHistory(retention)
    times, values = ticks(already + number), np.arange(already + number) / 10
    for time, value in zip(times.tolist(), values.tolist(), strict=True):
        one.append("n", {"cpu": value}, time)
    for time, value in zip(times[:already].tolist(), values[:already].tolist(), strict=True):
        bulk.append("n", {"cpu": value}, time)
    bulk.extend("n", times[already:], {"cpu": values[already:]})
    assert len(one) == len(bulk) == already + number
    np.testing.assert_array_equal(one.series("n", "cpu").values, bulk.series("n", "cpu").values)


def test_metrics_and_nodes_are_listed() -> None:
    """Nodes sorted, metrics in the order in which they appeared; nothing of what is unknown."""
    history = MetricsHistory()
    history.append("b", {"cpu": 1.0, "memory": 2.0}, START)
    history.append("a", {"gpu": None, "cpu": 1.0}, START)
    assert history.nodes() == ["a", "b"]
    assert history.metrics("b") == ["cpu", "memory"]
    assert history.metrics() == ["cpu", "memory", "gpu"]
    assert len(history) == 2
    assert history.metrics("c") == []
    assert history.span("c") is None
    assert len(history.series("c", "cpu")) == len(history.thinned("c", "cpu")) == 0
    assert np.isnan(history.series("a", "unknown").values).all()


def test_an_empty_history_is_empty() -> None:
    """No nodes, no span, no points."""
    history = MetricsHistory()
    assert (history.nodes(), history.metrics(), history.span(), len(history)) == ([], [], None, 0)


@pytest.mark.parametrize("value", ["12", b"1", [1], complex(1, 2), 10**400], ids=repr)
def test_what_is_not_a_number_is_refused_and_nothing_added(value: Any) -> None:
    """One clear error, and the history is as it was, also when the point looks like the one before."""
    history = MetricsHistory()
    with pytest.raises(HistoryError, match=r"cpu is .* not a number"):
        history.append("n", {"cpu": value}, START)
    assert history.nodes() == []
    history.append("n", {"cpu": 1.0}, START)
    with pytest.raises(HistoryError, match=r"cpu is .* not a number"):
        history.append("n", {"cpu": value}, START + 1)
    assert history.series("n", "cpu").timestamps.tolist() == [START]


@pytest.mark.parametrize("timestamp", [1.5, "now", None, 2**63, -(2**63)])
def test_what_is_not_a_moment_is_refused(timestamp: Any) -> None:
    """A timestamp is an int64 of microseconds, and the one that means `no time` is none."""
    history = MetricsHistory()
    for already in range(2):
        with pytest.raises(HistoryError, match="not a moment"):
            history.append("n", {"cpu": 1.0}, timestamp)
        assert len(history) == already
        history.append("n", {"cpu": 1.0}, START)


def test_numbers_of_numpy_and_truth_are_numbers() -> None:
    """NumPy scalars, integers and booleans are taken as what they are worth."""
    history = MetricsHistory()
    numbers: list[Any] = [np.float32(0.5), np.int64(2), True, 3]
    moments: list[Any] = [np.int64(at) for at in range(4)]
    for at, value in zip(moments, numbers, strict=True):
        history.append("n", {"cpu": value}, at)
    assert history.series("n", "cpu").values.tolist() == [0.5, 2.0, 1.0, 3.0]


@pytest.mark.parametrize(
    ("timestamps", "columns", "message"),
    [
        ([1.5], {"cpu": [1.0]}, "timestamps are float64"),
        ([[1]], {"cpu": [1.0]}, "of shape"),
        ([1, 2], {"cpu": [1.0]}, r"cpu has shape \(1,\)"),
        ([1], {"cpu": ["a"]}, "cpu is not an array of numbers"),
        ([-(2**63)], {"cpu": [1.0]}, "not a time"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(timestamps: Any, columns: Mapping[str, Any], message: str) -> None:
    """Types and shapes are checked before anything is added."""
    history = MetricsHistory()
    with pytest.raises(HistoryError, match=message):
        history.extend("n", timestamps, columns)
    assert len(history) == 0


def test_a_node_without_a_name_is_refused() -> None:
    """A node is named by text."""
    with pytest.raises(HistoryError, match="not text"):
        MetricsHistory().append(cast("str", 7), {"cpu": 1.0}, START)


def test_a_buffer_takes_ten_bytes_for_a_sample() -> None:
    """Seven metrics share one timestamp: 64 bytes a point, before anything is compressed."""
    history = MetricsHistory(EVERYTHING)
    points = EVERYTHING.chunk_points - 1
    history.extend("n", ticks(points), {f"m{at}": np.zeros(points) for at in range(7)})
    assert history.nbytes / (points * 7) < 9.2


def test_one_thread_writes_while_another_reads() -> None:
    """A reader sees the points so far, each once and in order, though chunks are sealed under it."""
    retention = HistoryRetention(tiers=EVERYTHING.tiers, chunk_points=256)
    history, total = MetricsHistory(retention), 4_000

    def write() -> None:
        for at in range(total):
            history.append("n", {"cpu": float(at)}, at)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    seen = 0
    while seen < total:
        series = history.series("n", "cpu")
        np.testing.assert_array_equal(series.values, np.arange(len(series)))
        assert len(series) >= seen
        seen = len(series)
    writer.join()
