"""Stages that are timed, with and without operators in them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mega_data_factory.framework.metrics import MetricsCollector, MetricsReader, MetricsWriter
from mega_data_factory.testing import FakeClock
from tests.operator_rows import row
from tests.present import present


def test_a_stage_alone_has_time_and_throughput(collector: MetricsCollector, clock: FakeClock, tmp_path: Path) -> None:
    """Its blocks add up; the run knows its records, and what is read back is the same."""
    with collector.track_run():
        for size in (100, 50):
            with collector.track_stage("clean") as stage:
                clock.advance(1.5)
                stage.records(size, size - 10)
            clock.advance(7.0)  # between blocks it is idle
        with collector.track_stage("publish") as stage:
            clock.advance(0.5)
            stage.records(130, errors=5)
    run, (clean, publish) = present(collector.get_run_metrics()), collector.get_stage_metrics()
    assert (clean.total_time, clean.avg_throughput, clean.num_workers) == (3.0, 50.0, 1)
    assert (clean.input_records, clean.output_records, clean.rejected_records) == (150, 130, 20)
    assert (publish.total_time, publish.output_records, publish.error_count) == (0.5, 125, 5)
    assert clean.pass_rate == pytest.approx(100 * 130 / 150)
    assert (run.total_input_records, run.total_output_records, run.total_errors, run.duration) == (150, 125, 5, 17.5)
    MetricsWriter(tmp_path).write_all(run, [clean, publish], [])
    assert [r["total_time"] for r in MetricsReader(tmp_path).rows("stages", "run_test")] == [3.0, 0.5]


def test_a_stage_without_counts_has_its_time(collector: MetricsCollector, clock: FakeClock) -> None:
    """No records are known: there is no throughput, not 0."""
    with collector.track_stage("clean"):
        clock.advance(2.0)
    (stage,) = collector.get_stage_metrics()
    assert (stage.total_time, stage.num_workers, stage.input_records) == (2.0, 1, 0)
    assert stage.avg_throughput is stage.max_throughput is stage.pass_rate is None


def test_a_stage_that_raises_keeps_its_time(collector: MetricsCollector, clock: FakeClock) -> None:
    """Of one that is open, the time so far is known."""

    def work() -> None:
        with collector.track_stage("clean"):
            clock.advance(1.0)
            assert collector.get_stage_metrics()[0].total_time == 1.0
            clock.advance(1.0)
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        work()
    assert collector.get_stage_metrics()[0].total_time == 2.0


def test_operators_that_measure_decide(collector: MetricsCollector, clock: FakeClock) -> None:
    """What a stage says of itself does not count beside what its operators measured."""
    with collector.track_stage("stage_0") as stage:
        clock.advance(10.0)
        stage.records(1, 1)
        collector.add_operator_metrics(row())
    (got,) = collector.get_stage_metrics()
    assert (got.total_time, got.input_records, got.avg_throughput) == (1.0, 100, 100.0)


def test_operators_without_time_leave_it_to_the_stage(collector: MetricsCollector, clock: FakeClock) -> None:
    """Their records, by the time of its blocks."""
    with collector.track_stage("stage_0"):
        clock.advance(4.0)
        collector.add_operator_metrics(row(seconds=0.0))
        collector.add_operator_metrics(row(worker="w1", seconds=0.0))
    (got,) = collector.get_stage_metrics()
    assert (got.total_time, got.input_records, got.num_workers, got.avg_throughput) == (4.0, 200, 2, 50.0)


def test_each_thread_is_a_worker_and_nested_blocks_count_once(collector: MetricsCollector, clock: FakeClock) -> None:
    """Busy is the busiest thread; throughput is of one worker."""

    def work(seconds: float, records: int) -> None:
        with collector.track_stage("clean") as outer, collector.track_stage("clean"):
            clock.advance(seconds)
            outer.records(records)

    for seconds, records in ((1.0, 100), (3.0, 30)):
        thread = threading.Thread(target=work, args=(seconds, records))
        thread.start()
        with collector.track_stage("other"):  # keeps this thread apart, so that no identity is used twice
            thread.join()
    (clean, _) = collector.get_stage_metrics()
    assert clean.total_time in (3.0, 4.0)  # 4 where the second thread got the identity of the first
    assert (clean.input_records, clean.output_records) == (130, 130)


def test_stages_that_are_only_named_are_not_timed(collector: MetricsCollector, clock: FakeClock) -> None:
    """The stages of a pipeline overlap: how long each was at work, its operators measure."""
    with collector.track_run():
        collector.name_stages(["read", "clean"])
        clock.advance(5.0)
        collector.add_operator_metrics(row(stage_name="clean", stage_index=1))
    assert [(s.stage_name, s.total_time) for s in collector.get_stage_metrics()] == [("read", 0.0), ("clean", 1.0)]


def test_a_run_is_tracked_once(clock: FakeClock) -> None:
    """A second `track_run` is refused, however the first ended, and the first row stays."""
    for ending in (None, OSError("disk")):
        collector = MetricsCollector("run_test", clock=clock, now=clock.now)
        try:
            with collector.track_run() as run:
                run.set(output_files=3)
                clock.advance(2.0)
                if ending:
                    raise ending
        except OSError:
            pass
        before = present(collector.get_run_metrics())
        said = f"run_test .*{before.status}.*another MetricsCollector"
        with pytest.raises(RuntimeError, match=said), collector.track_run():
            pass
        assert collector.get_run_metrics() == before
