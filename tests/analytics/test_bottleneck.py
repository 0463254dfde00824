"""What limits a run, and what would help."""

from __future__ import annotations

from pathlib import Path

import pytest

from mega_data_factory.analytics.performance.bottleneck import find_bottleneck, idle_stages, predicted_gain
from tests.made_runs import Op, Pool, recorded
from tests.present import present

BUSY = Op("slow_refiner", cost=0.009)  # 10,000 records in 100 s: 90 busy seconds a worker where there is one
LIGHT = Op("light_refiner", cost=0.003)


def test_the_busiest_stage_limits_the_run(tmp_path: Path) -> None:
    """The stage whose workers are busy the greatest share of the time is the limit, whatever its share of seconds."""
    run = recorded(tmp_path, [Pool("wide", [Op("a", 0.015)], workers=4), Pool("narrow", [BUSY], workers=1)], noise=0)
    found = present(find_bottleneck(run))
    limit = present(found.limit)
    assert limit.name == "narrow"
    assert limit.utilisation == pytest.approx(0.9)
    assert present(found.heaviest).name == "slow_refiner"
    assert found.heaviest_share == pytest.approx(1.0)


def test_a_worker_more_promises_what_the_utilisation_law_gives(tmp_path: Path) -> None:
    """A second worker halves the utilisation of the limit; the gain ends where the next station is as busy."""
    run = recorded(tmp_path, [Pool("a", [LIGHT], workers=1), Pool("b", [BUSY], workers=1)], noise=0)
    found = present(find_bottleneck(run))
    by_workers = {remedy.workers: remedy for remedy in found.remedies if remedy.kind == "workers"}
    assert by_workers[2].gain == pytest.approx(2.0)
    assert by_workers[2].limit_after == "b"
    assert by_workers[3].gain == pytest.approx(3.0)


def test_a_moved_worker_counts_on_both_sides(tmp_path: Path) -> None:
    """A worker that leaves a stage makes it busier: the promise is the lesser of both."""
    run = recorded(tmp_path, [Pool("a", [Op("a", 0.012)], workers=3), Pool("b", [BUSY], workers=1)], noise=0)
    move = next(remedy for remedy in present(find_bottleneck(run)).remedies if remedy.kind == "move")
    assert move.taken_from == "a"
    assert move.gain == pytest.approx(0.9 / 0.6)
    assert move.limit_after == "a"


def test_the_loader_may_be_the_limit(tmp_path: Path) -> None:
    """Where reading is busiest, reading is named."""
    run = recorded(tmp_path, [Pool("a", [LIGHT], workers=1)], loader_seconds=95.0)
    found = present(find_bottleneck(run))
    assert (present(found.limit).kind, found.heaviest) == ("loader", None)


def test_the_writer_cannot_grow(tmp_path: Path) -> None:
    """A writer that limits the run is named, and no workers are promised for it."""
    run = recorded(tmp_path, [Pool("a", [LIGHT], workers=1)], writer_seconds=90.0)
    found = present(find_bottleneck(run))
    assert present(found.limit).kind == "writer"
    assert found.remedies == ()


def test_full_processors_promise_nothing_of_more_workers(tmp_path: Path) -> None:
    """Where the machines are full, another worker gains nothing and a faster one what it saves."""
    run = recorded(
        tmp_path, [Pool("a", [LIGHT], workers=1), Pool("b", [BUSY], workers=1)], noise=0, nodes=[99.0, 100.0]
    )
    found = present(find_bottleneck(run))
    assert found.processors_full
    assert {remedy.kind for remedy in found.remedies} == {"speed"}
    assert found.remedies[0].limit_after == "the processors"
    assert found.remedies[0].gain < 1.7


def test_a_run_that_waits_has_no_limit(tmp_path: Path) -> None:
    """Where nothing is busy half of the time, no station is blamed."""
    run = recorded(tmp_path, [Pool("a", [Op("a", 0.0005)], workers=1)])
    assert present(find_bottleneck(run)).limit is None


def test_a_run_of_no_time_has_no_verdict(tmp_path: Path) -> None:
    """Nothing is said of a run that took no time."""
    assert find_bottleneck(recorded(tmp_path, [Pool("a", [LIGHT])], intervals=1, duration=0.0, samples=False)) is None


def test_idle_workers_are_those_that_the_pace_does_not_need(tmp_path: Path) -> None:
    """A stage that is hardly busy needs as many workers as carry it at the utilisation of the limit."""
    run = recorded(tmp_path, [Pool("a", [LIGHT], workers=3), Pool("b", [BUSY], workers=1)], noise=0)
    ((station, needed),) = idle_stages(present(find_bottleneck(run)).stations)
    assert (station.name, needed) == ("a", 1)


def test_a_cheaper_station_gains_like_more_workers(tmp_path: Path) -> None:
    """Half the seconds per record is worth as much as twice the workers."""
    run = recorded(tmp_path, [Pool("a", [LIGHT], workers=1), Pool("b", [BUSY], workers=1)], noise=0)
    stations = present(find_bottleneck(run)).stations
    assert predicted_gain(stations, cost={"b": 0.5})[0] == pytest.approx(predicted_gain(stations, {"b": 2})[0])


def test_workers_that_bring_nothing_are_not_asked_for(tmp_path: Path) -> None:
    """Where the processors are the next limit, one more worker is proposed, and not five for the same gain."""
    pools = [Pool("clean", [Op("a", 0.001)], workers=2), Pool("judge", [Op("b", 0.008)], workers=2)]
    found = present(find_bottleneck(recorded(tmp_path, pools, records=20_000, nodes=[83.0])))
    wanted = [remedy for remedy in found.remedies if remedy.kind == "workers"]
    assert [remedy.workers for remedy in wanted] == [3]
