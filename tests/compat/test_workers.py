"""Workers as users of the original metrics module have them: they answer `get_operator_stats()`."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from mega_data_factory.framework.metrics import MetricsAggregator, MetricsCollector
from mega_data_factory.framework.metrics.distributed import GatheringAggregator
from tests.operator_rows import row
from tests.present import present


def worker_class() -> Any:
    """A class without a module, which travels to workers by value: a worker cannot import a test."""

    class Worker:
        """Two operators, which keep statistics by the name of their class."""

        def __init__(self, name: str, records: int) -> None:
            self.name = name
            self.records = records

        def get_operator_stats(self) -> dict[str, dict[str, Any]]:
            return {
                "TextLengthFilter": {
                    "input_records": self.records,
                    "output_records": self.records - 10,
                    "pass_rate": 0.0,
                    "total_time": 2.0,
                    "min_latency": 0.001,
                    "max_latency": 0.5,
                    "p95_latency": 0.25,
                    "throughput": 0.0,
                    "error_count": 4,
                },
                "Deduplicator": {"input_records": self.records - 10, "output_records": 50, "total_time": 1.0},
                "_stage_summary": {"input_records": self.records},
            }

    return Worker


def test_statistics_of_workers_become_rows_of_their_stage(collector: MetricsCollector) -> None:
    """As the original executor does it: stage by stage, the stage row and then its operator rows."""
    Worker = worker_class()
    aggregator = MetricsAggregator("run_test")
    with collector.track_run():
        stage = aggregator.collect_stage_metrics([Worker("clean_0", 100), Worker("clean_1", 60)], "clean")
        collector.add_stage_metrics(stage)
        for operator in stage.operator_metrics:
            collector.add_operator_metrics(operator)
    assert aggregator.unreachable == []
    assert (stage.num_workers, stage.input_records, stage.output_records, stage.error_count) == (2, 160, 100, 8)
    assert (stage.total_time, stage.rejected_records) == (3.0, 160 - 100 - 8)
    rows = collector.get_operator_metrics()
    assert [(r.stage_name, r.operator_name, r.worker_id) for r in rows] == [
        ("clean", "TextLengthFilter", "clean_0"),
        ("clean", "TextLengthFilter", "clean_1"),
        ("clean", "Deduplicator", "clean_0"),
        ("clean", "Deduplicator", "clean_1"),
    ]
    assert (rows[0].throughput, rows[0].pass_rate, rows[0].p95_latency, rows[0].max_latency) == (50.0, 90.0, 0.25, 0.5)
    assert collector.get_stage_metrics() == [stage]
    assert present(collector.get_run_metrics()).total_output_records == 100


def test_workers_of_both_kinds_and_confused_ones(caplog: pytest.LogCaptureFixture) -> None:
    """A worker that has rows is asked for rows; one that answers anything else is named and left out."""

    class Both:
        def get_operator_metrics(self) -> Any:
            return row()

        def get_operator_stats(self) -> Any:
            raise AssertionError("its rows say more")

    class Confused:
        name = ""

        def get_operator_stats(self) -> Any:
            return {"Filter": [1, 2]}

    class Odd:
        def get_operator_stats(self) -> Any:
            return {"Filter": {"input_records": 10, "output_records": 9, "total_time": float("inf")}}

    aggregator = MetricsAggregator("run_test")
    with caplog.at_level("WARNING", logger="mega_data_factory.metrics"):
        rows = aggregator.collect_from_workers([Both(), Confused(), Odd()])
    assert [(r.operator_name, r.worker_id, r.input_records) for r in rows] == [
        ("filter", "w0", 100),
        ("Filter", "worker_2", 10),
    ]
    assert len(aggregator.unreachable) == 1
    assert "must return a dict of dicts" in caplog.text
    assert "total_time must be a finite number" in caplog.text


def test_rows_are_gathered_over_calls() -> None:
    """The later answer of a worker replaces the one before; a stage is summed up from rows or from all of them."""
    Worker = worker_class()
    gathered = GatheringAggregator("run_test")
    first = gathered.collect_from_workers([Worker("w0", 60)])
    gathered.collect_from_workers([Worker("w0", 100), Worker("w1", 60)])
    assert [r.input_records for r in gathered.get_all_metrics()] == [100, 90, 60, 50]
    assert gathered.aggregate_to_stage_metrics(first, "clean").input_records == 60
    assert gathered.aggregate_to_stage_metrics("clean").input_records == 160
    assert gathered.aggregate_to_stage_metrics(stage_name="clean").stage_name == "clean"
    with pytest.raises(TypeError, match="name the stage"):
        gathered.aggregate_to_stage_metrics(first)
    gathered.clear()
    assert gathered.get_all_metrics() == []


def test_ray_is_needed_for_the_actor_only() -> None:
    """All other names of the package are there without it, also for `import *`."""
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from mega_data_factory.framework.metrics import *\n"
        "from mega_data_factory.framework import metrics\n"
        "print(MetricsAggregator.__name__)\n"
        "try:\n    metrics.DistributedMetricsAggregator\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second, *_ = done.stdout.splitlines()
    assert first == "MetricsAggregator"
    assert second == "DistributedMetricsAggregator needs the package ray, which is not installed"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_the_distributed_aggregator_is_an_actor() -> None:
    """It asks actors and keeps what they say, in a process of its own."""
    import ray

    from mega_data_factory.framework.metrics import DistributedMetricsAggregator

    Worker = worker_class()
    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        workers = [ray.remote(num_cpus=0)(Worker).remote(f"w{i}", 60) for i in range(2)]
        aggregator = DistributedMetricsAggregator.options(name="metrics").remote("run_test")
        rows = ray.get(aggregator.collect_from_workers.remote(workers))
        assert len({one.worker_id for one in rows}) == 2
        stage = ray.get(aggregator.aggregate_to_stage_metrics.remote(rows, "clean"))
        assert (stage.num_workers, stage.input_records, len(stage.operator_metrics)) == (2, 120, 4)
        assert ray.get(aggregator.get_all_metrics.remote()) == rows
        ray.get(aggregator.clear.remote())
        assert ray.get(aggregator.get_all_metrics.remote()) == []
    finally:
        ray.shutdown()
