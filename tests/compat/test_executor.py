"""Scripts that run a pipeline as users of the original executor do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mega_data_factory import framework
from mega_data_factory.framework.driver.progress import Progress
from mega_data_factory.framework.executor import Executor
from mega_data_factory.framework.metrics import MetricsReader
from tests.engines.running import jsonl

pytestmark = pytest.mark.slow


def config(tmp_path: Path) -> dict[str, Any]:
    """A stage of two filters that keep 6 of 10 texts, twelve times, in batches of 10."""
    texts = ["short", "a text that is long enough"] * 5
    source = jsonl(tmp_path / "in.jsonl", [f"{text} {n % 2}" for n, text in enumerate(texts * 12)])
    return {
        "data_loader": {"type": "jsonl_loader", "params": {"path": source}},
        "stages": [
            {
                "name": "clean",
                "operators": [
                    {"name": "text_length_filter", "params": {"min_length": 10}},
                    {"name": "exact_deduplicator"},
                ],
            }
        ],
        "data_writer": {"type": "parquet_writer", "params": {"output_path": str(tmp_path / "out")}},
        "executor": {"batch_size": 10, "metrics": {"output_path": str(tmp_path / "metrics")}},
    }


def test_a_progress_is_a_pair_and_the_executor_has_statistics(tmp_path: Path) -> None:
    """Pairs add up to the totals; statistics are numbers that a script can print, also while it runs."""
    executor = framework.Executor(config(tmp_path))
    assert isinstance(executor, Executor)
    assert executor.get_operator_stats() == {}
    offered = passed = 0
    for input_count, output_count in executor.execute():
        assert 0.0 <= output_count / input_count <= 1.0
        offered += input_count
        passed += output_count
        for operators in executor.get_operator_stats().values():
            assert {*operators} <= {"text_length_filter", "exact_deduplicator", "_stage_summary"}
    executor.shutdown()
    assert (offered, passed) == (120, 1)
    stats = executor.get_operator_stats()["clean"]
    assert list(stats) == ["text_length_filter", "exact_deduplicator", "_stage_summary"]
    assert (stats["text_length_filter"]["input_records"], stats["text_length_filter"]["output_records"]) == (120, 60)
    assert (stats["_stage_summary"]["input_records"], stats["_stage_summary"]["output_records"]) == (120, 1)
    assert stats["_stage_summary"]["throughput"] == pytest.approx(120 / stats["_stage_summary"]["total_time"])
    assert stats["exact_deduplicator"]["error_count"] == 0
    for name in ("pass_rate", "avg_latency", "min_latency", "p50_latency", "p99_latency", "throughput"):
        assert f"{stats['text_length_filter'][name]:.3f}"


@pytest.mark.parametrize("kind", [Executor, framework.Executor])
def test_shutdown_ends_a_run_that_is_not_iterated_further(tmp_path: Path, kind: type[Executor]) -> None:
    """What has passed is committed and the run says that it was interrupted; a second call does nothing."""
    executor = kind(config(tmp_path))
    executor.shutdown()
    steps = executor.execute()
    first = next(steps)
    assert isinstance(first, Progress)
    assert len(tuple(first)) == 2
    executor.shutdown()
    executor.shutdown()
    assert next(steps, None) is None
    assert MetricsReader(tmp_path / "metrics").run(executor.run_id)["status"] == "interrupted"
