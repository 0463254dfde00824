"""Scripts that track with a collector as users of the original metrics module do: by setting attributes."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from mega_data_factory.framework.metrics import MetricsCollector, OperatorMetrics, StageMetrics
from mega_data_factory.testing import FakeClock
from tests.operator_rows import row
from tests.present import present


def test_a_script_sets_what_it_counted(collector: MetricsCollector, clock: FakeClock) -> None:
    """Run, stage and operator in one another; the block of the run uses what it is given as the collector."""
    collector.set_config({"batch_size": 100})
    with collector.track_run() as run_of_ours:
        c: Any = run_of_ours  # to a type checker it has the totals only
        assert c.run_id == collector.run_id
        with c.track_stage("stage_0") as stage:
            assert (stage.stage_name, f"{stage}") == ("stage_0", "stage_0")
            stage.add_custom_metric("files", 3)
            stage.custom_metrics["shards"] = 2
            assert stage.custom_metrics == {"files": 3, "shards": 2}
            for _ in range(2):
                with c.track_operator("filter", "stage_0", "worker_0") as ctx:
                    clock.advance(0.5)
                    ctx.input_records = 100
                    ctx.output_records = 80
                    ctx.output_records += 5
                    ctx.error_count = 5
                    ctx.custom_metrics["tokens"] = 1000
                    ctx.add_custom_metric("cache_hits", 7)
        assert [one.operator_name for one in c.get_operator_metrics()] == ["filter"]
    (got,) = collector.get_operator_metrics()
    assert (got.input_records, got.output_records, got.error_count, got.rejected_records) == (200, 170, 10, 20)
    assert (got.total_time, got.throughput, got.unbalanced_records) == (1.0, 200.0, 0)
    assert got.custom_metrics == {"tokens": 2000, "cache_hits": 14}
    run = present(collector.get_run_metrics())
    assert (run.status, run.config, run.total_input_records) == ("completed", {"batch_size": 100}, 200)


def test_what_the_run_is_given_is_strict_about_names(collector: MetricsCollector) -> None:
    """It still has the totals of the run, and a name that neither it nor the collector has is an AttributeError."""
    with collector.track_run() as run:
        run.set(pipeline="by hand")
        run.add(output_files=2)
        with pytest.raises(AttributeError, match="track_stagge"):
            run.track_stagge("s")  # type: ignore[attr-defined]
    done = present(collector.get_run_metrics())
    assert (done.pipeline, done.output_files) == ("by hand", 2)


@pytest.mark.parametrize("wrong", [-1, None, "many", 1.5, float("nan"), True])
def test_a_wrong_count_never_raises(wrong: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It would end the user's block, and count as an error of the operator: it is ignored, with one warning."""
    collector = MetricsCollector()
    with caplog.at_level(logging.WARNING):
        for attempt in range(3):
            with collector.track_operator("filter", f"wrong {wrong!r}", "w") as ctx:
                ctx.input_records = 10
                ctx.output_records = 8
                ctx.output_records = wrong
                ctx.output_records = -2 - attempt
                ctx.custom_metrics = wrong
                ctx.update_from_stats({"error_count": wrong, "total_time": "long"})
    (got,) = collector.get_operator_metrics()
    assert (got.input_records, got.output_records, got.error_count, got.unbalanced_records) == (30, 24, 0, 0)
    warned = [text for text in caplog.messages if text.startswith(f"filter in wrong {wrong!r}: output_records")]
    assert len(warned) == 1
    assert repr(wrong) in warned[0]
    assert warned[0].endswith("it stays 8")


def test_counts_of_numpy_and_whole_floats_are_counts(collector: MetricsCollector) -> None:
    """`mask.sum()` is a NumPy integer; a mean times a length a float."""
    with collector.track_operator("filter", "s", "w") as ctx:
        ctx.input_records = np.int64(10)  # type: ignore[assignment]
        ctx.output_records = 8.0  # type: ignore[assignment]
    (got,) = collector.get_operator_metrics()
    assert (got.input_records, got.output_records) == (10, 8)
    assert type(got.input_records) is type(got.output_records) is int


def test_numbers_of_numpy_add_up_and_do_not_overflow(collector: MetricsCollector) -> None:
    """Custom metrics of two batches are summed, also in the narrow types that a `uint8` column has; seconds too."""
    for _ in range(2):
        with collector.track_operator("filter", "s", "w") as ctx:
            ctx.update_from_stats({"input_records": 1, "output_records": 1, "total_time": np.float32(2.5)})
            ctx.custom_metrics["tokens"] = np.int64(5)
            ctx.add_custom_metric("most", np.uint8(200))
            ctx.add_custom_metric("share", np.float32(0.5))
    (got,) = collector.get_operator_metrics()
    assert got.custom_metrics == {"tokens": 10, "most": 400, "share": 1.0}
    assert got.total_time == 5.0


def test_more_out_than_in_was_created(collector: MetricsCollector) -> None:
    """In whatever order they are set: the account balances and the row can be written."""
    with collector.track_operator("chunk", "s", "w") as ctx:
        ctx.output_records = 30
        ctx.input_records = 10
    (got,) = collector.get_operator_metrics()
    assert (got.created_records, got.rejected_records, got.unbalanced_records) == (20, 0, 0)


def test_an_exception_in_the_block_loses_its_batch(collector: MetricsCollector) -> None:
    """All records that came in are errors, whatever was set before."""

    def work() -> None:
        with collector.track_operator("filter", "s", "w") as ctx:
            ctx.input_records = 10
            ctx.output_records = 9
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        work()
    (got,) = collector.get_operator_metrics()
    assert (got.input_records, got.output_records, got.error_count) == (10, 0, 10)


def test_statistics_of_an_operator_stand_for_the_block(collector: MetricsCollector, clock: FakeClock) -> None:
    """Its counts, seconds and latencies are taken; rates follow; other numbers are custom metrics."""
    stats = {
        "input_records": 1000,
        "output_records": 900,
        "pass_rate": 90.0,
        "total_time": 2.0,
        "avg_latency": 0.002,
        "min_latency": 0.001,
        "max_latency": 0.01,
        "p50_latency": 0.0015,
        "p95_latency": 0.004,
        "p99_latency": 0.008,
        "throughput": 500.0,
        "error_count": 3,
        "cache_hits": 12,
        "custom_metrics": '{"tokens": 77}',
    }
    with collector.track_operator("filter", "s", "w") as ctx:
        clock.advance(60.0)
        ctx.update_from_stats(stats)
        ctx.add_custom_metric("later", 1)
    (got,) = collector.get_operator_metrics()
    assert (got.input_records, got.output_records, got.error_count, got.rejected_records) == (1000, 900, 3, 97)
    assert (got.total_time, got.avg_latency, got.throughput, got.pass_rate) == (2.0, 0.002, 500.0, 90.0)
    assert (got.min_latency, got.p50_latency, got.p95_latency, got.max_latency) == (0.001, 0.0015, 0.004, 0.01)
    assert got.custom_metrics == {"cache_hits": 12, "tokens": 77, "later": 1}
    with collector.track_operator("filter", "s", "w") as ctx:
        ctx.update_from_stats({"input_records": 10, "output_records": 10, "total_time": 0.0, "p95_latency": 0.0})
    (both,) = collector.get_operator_metrics()
    assert (both.input_records, both.total_time, both.batches) == (1010, 2.0, 2)
    assert present(both.max_latency) == 0.01


def test_stage_rows_that_a_script_adds_count(collector: MetricsCollector) -> None:
    """They stand for their stages, whatever run they were made for; the run adds them up."""
    with collector.track_run():
        collector.add_operator_metrics(row(stage_name="a"))
        collector.add_stage_metrics(
            StageMetrics("other", "b", num_workers=2, input_records=90, output_records=50, error_count=4)
        )
        collector.add_stage_metrics(
            StageMetrics("other", "b", num_workers=2, input_records=90, output_records=60, error_count=4)
        )
    assert [(s.run_id, s.stage_name, s.output_records) for s in collector.get_stage_metrics()] == [
        ("run_test", "b", 60),
        ("run_test", "a", 90),
    ]
    assert present(collector.get_run_metrics()).total_errors == 4
    with pytest.raises(ValueError, match="input_records"):
        collector.add_stage_metrics(StageMetrics("r", "b", input_records=-1))


def test_a_cleared_collector_tracks_again(collector: MetricsCollector) -> None:
    """Rows, stages and the run that has ended are gone; id and configuration stay."""
    collector.set_config({"a": 1})
    for size in (100, 40):
        with collector.track_run() as run, collector.track_stage("s"):
            run.set(output_files=size)
            collector.add_operator_metrics(row(records=size, passed=size))
        done = present(collector.get_run_metrics())
        assert (done.total_input_records, done.output_files, done.config) == (size, size, {"a": 1})
        collector.clear()
        assert (collector.get_run_metrics(), collector.get_stage_metrics(), collector.get_operator_metrics()) == (
            None,
            [],
            [],
        )
    with collector.track_run():
        collector.add_operator_metrics(row())
        collector.clear()
        assert present(collector.get_run_metrics()).total_input_records == 0
    assert present(collector.get_run_metrics()).status == "completed"
    with pytest.raises(ValueError, match=r"a configuration is a mapping .*, not 'text'"):
        collector.set_config("text")  # type: ignore[arg-type]
    collector.set_config(None)
    assert present(collector.get_run_metrics()).config is None


def test_an_added_row_keeps_its_percentiles_until_it_is_merged(collector: MetricsCollector) -> None:
    """The same for rows made by hand, as before."""
    collector.add_operator_metrics(OperatorMetrics("r", "s", "f", "w", input_records=5, p95_latency=0.5))
    assert collector.get_operator_metrics()[0].p95_latency == 0.5
