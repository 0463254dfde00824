"""Aggregating: workers that are dead, slow or confused do not cost the others' metrics."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from mega_data_factory.framework.metrics import MetricsAggregator, MetricsCollector
from tests.operator_rows import row


def test_a_dead_slow_or_confused_worker_is_named_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """The others' metrics are kept, within the timeout."""
    release = threading.Event()

    class Worker:
        def __init__(self, name: str, get: Callable[..., Any]) -> None:
            self.name, self.get_operator_metrics = name, get

        def __str__(self) -> str:
            return self.name

    def die() -> None:
        raise ConnectionError("gone")

    answers: dict[str, Callable[..., Any]] = {
        "good": row,
        "dead": die,
        "slow": release.wait,
        "confused": lambda: [{"no": "names"}],
    }
    aggregator = MetricsAggregator("run_test")
    with caplog.at_level("WARNING", logger="mega_data_factory.metrics"):
        rows = aggregator.collect_from_workers([Worker(*item) for item in answers.items()], timeout=0.2)
    release.set()
    assert len(rows) == 1
    assert aggregator.unreachable == ["dead", "slow", "confused"]
    assert all(name in caplog.text for name in ("dead", "ConnectionError: gone", "slow", "no answer within 0.2 s"))


def actor_classes() -> tuple[Any, ...]:
    """Classes without a module, which travel to workers by value: a worker cannot import a test."""

    class Counter:
        """A worker that counts one batch."""

        def get_operator_metrics(self) -> Any:
            collector = MetricsCollector("run_test")
            with collector.track_operator("filter", "stage_0", "actor") as op:
                op.records(input=10, output=9)
            return collector.get_operator_metrics()

    class Sleeper:
        """A worker that is busy for a long time."""

        def get_operator_metrics(self) -> None:
            time.sleep(60)

    return Counter, Sleeper


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_actors_of_ray_are_asked_and_dead_or_slow_ones_left_out() -> None:
    """A living actor answers; a killed one and a busy one are named, within the timeout."""
    import ray

    Counter, Sleeper = actor_classes()
    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        good, dead = (ray.remote(num_cpus=0)(Counter).remote() for _ in range(2))
        slow = ray.remote(num_cpus=0)(Sleeper).remote()
        ray.get(good.get_operator_metrics.remote())
        ray.kill(dead)
        aggregator = MetricsAggregator("run_test")
        started = time.monotonic()
        rows = aggregator.collect_from_workers([dead, good, slow, Counter()], timeout=5.0)
        assert time.monotonic() - started < 40  # it sleeps for 60
        assert [row.input_records for row in rows] == [10, 10]
        assert aggregator.unreachable == [str(dead), str(slow)]
    finally:
        ray.shutdown()
