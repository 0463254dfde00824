"""Memory stays bounded, and what was thinned stays true."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from mega_data_factory.errors import HistoryError
from mega_data_factory.history import HistoryRetention, Tier
from mega_data_factory.visualization import MetricsHistory
from tests.visualization.history.kit import SECOND, START, ticks

MINUTE = 60 * SECOND
FORGETFUL = HistoryRetention(
    tiers=(
        Tier(timedelta(0), timedelta(minutes=10)),
        Tier(timedelta(seconds=10), timedelta(hours=2)),
        Tier(timedelta(minutes=10), timedelta(days=2)),
    ),
    max_bytes=None,
    chunk_points=512,
)
"""Points ten a second become ten-second buckets, and those ten-minute buckets, which are kept for two days."""


def hours_of(retention: HistoryRetention, hours: int = 5) -> tuple[MetricsHistory, npt.NDArray[Any], npt.NDArray[Any]]:
    """A node that reports ten times a second and jumps for one point in the first hour."""
    history = MetricsHistory(retention)
    times = ticks(hours * 36_000, SECOND // 10)
    values = np.round(50 + 10 * np.sin(np.arange(len(times)) / 5000), 1)
    values[12_345] = 99.9
    history.extend("n", times, {"cpu": values})
    return history, times, values


def test_older_rows_are_wider_and_a_peak_never_vanishes() -> None:
    """Points, then ten seconds, then ten minutes; the one peak is still the maximum, and no point is lost."""
    history, times, values = hours_of(FORGETFUL)
    series = history.series("n", "cpu")
    assert len(history) < len(times) / 20
    widths = series.interval.tolist()
    assert widths == sorted(widths, reverse=True)
    assert set(widths) == {600 * SECOND, 10 * SECOND, 0}
    assert series.maximum.max() == 99.9
    assert series.minimum.min() == values.min()
    assert series.points.sum() == len(values)
    assert np.average(series.values, weights=series.points) == pytest.approx(values.mean())


def test_every_bucket_has_the_true_extremes_of_its_points() -> None:
    """Thinned in pieces and in steps, each bucket equals what the points say."""
    history, times, values = hours_of(FORGETFUL)
    series = history.series("n", "cpu")
    for at in np.flatnonzero(series.interval)[::17]:
        start, width = series.timestamps[at], series.interval[at]
        inside = values[(times >= start) & (times < start + width)]
        assert inside.min() <= series.minimum[at] <= series.values[at] <= series.maximum[at] <= inside.max()
        if series.points[at] == len(inside):  # else a chunk ended in it, and its other points are in the rows beside
            assert (series.minimum[at], series.maximum[at]) == (inside.min(), inside.max())
            assert series.values[at] == pytest.approx(inside.mean())


def test_what_is_older_than_the_last_tier_is_dropped() -> None:
    """Two days after, the first day is gone, up to a chunk."""
    retention = HistoryRetention(tiers=(Tier(timedelta(0), timedelta(minutes=1)),), max_bytes=None, chunk_points=100)
    history = MetricsHistory(retention)
    history.extend("n", ticks(10_000), {"cpu": np.zeros(10_000)})
    span = history.span("n")
    assert span is not None
    assert span[1] == START + 9999 * SECOND
    assert len(history) <= 60 + 2 * 100


def test_a_month_stays_small() -> None:
    """Seven metrics every 15 seconds for a month, in the tiers of the default: less than 3 bytes a value."""
    history = MetricsHistory()
    number = 31 * 24 * 240
    times = ticks(number, 15 * SECOND)
    random = np.random.default_rng(0)
    for at in range(0, number, 50_000):
        part = times[at : at + 50_000]
        columns = {f"m{metric}": np.round(random.normal(50, 5, len(part)), 1) for metric in range(7)}
        history.extend("n", part, columns)
    assert history.nbytes < 3 * 7 * number


@pytest.mark.parametrize("limit", [{"max_points": 3_000}, {"max_bytes": 40_000}])
def test_limits_hold_over_all_nodes_and_thin_before_they_drop(limit: Mapping[str, int]) -> None:
    """However many points come, points or bytes stay within the limit, and the oldest time is still there, thinned."""
    ages = (timedelta(days=1), timedelta(days=2), timedelta(days=3))
    tiers = tuple(Tier(tier.interval, age) for tier, age in zip(FORGETFUL.tiers, ages, strict=True))
    retention = HistoryRetention(tiers=tiers, **{"max_bytes": None, **limit}, chunk_points=256)
    history = MetricsHistory(retention)
    values = np.random.default_rng(0).random(1000)
    for part in range(40):
        for node in ("a", "b"):
            history.extend(node, ticks(1000, SECOND // 10, START + part * 100 * SECOND), {"cpu": values})
    buffers = 2 * 256
    assert retention.max_points is None or len(history) <= retention.max_points + buffers
    assert retention.max_bytes is None or history.nbytes <= retention.max_bytes + buffers * 16
    for node in ("a", "b"):
        series = history.series(node, "cpu")
        assert series.timestamps[0] <= START
        assert series.points.sum() == 40_000


def test_when_nothing_can_be_thinned_the_oldest_is_dropped() -> None:
    """With points only, the newest stay."""
    history = MetricsHistory(
        HistoryRetention(tiers=(Tier(timedelta(0), timedelta.max),), max_points=1000, chunk_points=100)
    )
    history.extend("old", ticks(150), {"cpu": np.zeros(150)})
    history.extend("new", ticks(5000, start=START + 1000 * SECOND), {"cpu": np.zeros(5000)})
    assert len(history) <= 1000
    assert history.span("new") == (
        START + 5999 * SECOND - (len(history.series("new", "cpu")) - 1) * SECOND,
        START + 5999 * SECOND,
    )


def test_a_silent_node_gives_its_buffer_back() -> None:
    """A node from which nothing comes any more is sealed, and is still readable."""
    history = MetricsHistory(FORGETFUL)
    history.append("gone", {"cpu": 1.0}, START)
    history.extend("alive", ticks(2000, start=START), {"cpu": np.zeros(2000)})
    assert history.series("gone", "cpu").values.tolist() == [1.0]
    assert history.nbytes < 2 * FORGETFUL.chunk_points * 16
    history.append("gone", {"cpu": 2.0}, START + 1)
    assert history.series("gone", "cpu").values.tolist() == [1.0, 2.0]


def test_a_late_point_joins_its_bucket() -> None:
    """A point older than what is thinned is seen at once, and its extreme survives when its chunk is thinned."""
    history, _, values = hours_of(FORGETFUL)
    history.append("n", {"cpu": 500.0}, START + 1)
    assert history.series("n", "cpu").maximum.max() == 500.0
    history.extend("n", ticks(36_000, SECOND // 10, START + 5 * 3600 * SECOND), {"cpu": np.ones(36_000)})
    series = history.series("n", "cpu")
    assert series.maximum.max() == 500.0
    assert series.points.sum() == len(values) + 1 + 36_000
    assert (np.diff(series.timestamps) > 0).all()


def test_a_clock_that_is_wrong_harms_its_own_node_only() -> None:
    """Age is counted from each node's newest point."""
    history = MetricsHistory(FORGETFUL)
    history.extend("right", ticks(1000), {"cpu": np.zeros(1000)})
    history.extend("wrong", ticks(1000, start=START * 2), {"cpu": np.zeros(1000)})
    assert len(history.series("right", "cpu")) == 1000


@pytest.mark.parametrize(
    "tiers",
    [
        (),
        (Tier(timedelta(0), timedelta(0)),),
        (Tier(timedelta(seconds=-1), timedelta(1)),),
        (Tier(timedelta(0), timedelta(2)), Tier(timedelta(seconds=1), timedelta(1))),
        (Tier(timedelta(seconds=2), timedelta(1)), Tier(timedelta(seconds=3), timedelta(2))),
    ],
)
def test_tiers_that_do_not_follow_each_other_are_refused(tiers: tuple[Tier, ...]) -> None:
    """Each coarser by a whole factor, and kept longer."""
    with pytest.raises(HistoryError, match="retention"):
        HistoryRetention(tiers=tiers)


@pytest.mark.parametrize("name", ["max_points", "max_bytes", "chunk_points"])
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    """A limit is positive, or there is none."""
    with pytest.raises(HistoryError, match=name):
        HistoryRetention(**cast("dict[str, Any]", {name: 0}))
