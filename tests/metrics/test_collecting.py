"""Collecting: interruptions, threads, and what was not said."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from mega_data_factory.framework.metrics import MetricsCollector, OperatorMetrics
from mega_data_factory.testing import FakeClock
from tests.operator_rows import row
from tests.present import present


def test_closing_the_generator_or_ctrl_c_makes_the_run_interrupted(collector: MetricsCollector) -> None:
    """Neither is a failure, and both go through."""

    def batches() -> Generator[int]:
        with collector.track_run():
            yield 1

    stream = batches()
    next(stream)
    stream.close()
    assert present(collector.get_run_metrics()).status == "interrupted"
    other = MetricsCollector("run_other")
    with pytest.raises(KeyboardInterrupt), other.track_run():
        raise KeyboardInterrupt
    assert present(other.get_run_metrics()).status == "interrupted"


def test_a_run_cannot_be_tracked_inside_itself(collector: MetricsCollector) -> None:
    """Two runs at once need two collectors."""
    with collector.track_run(), pytest.raises(RuntimeError, match="already"), collector.track_run():
        pass


def test_output_is_by_default_what_was_neither_rejected_nor_set_aside(collector: MetricsCollector) -> None:
    """A refiner says only what came in."""
    with collector.track_operator("refine", "s", "w") as op:
        op.records(10, errors=1, reasons={"x": 2})
    assert collector.get_operator_metrics()[0].output_records == 7


def test_records_that_vanish_open_the_books(collector: MetricsCollector) -> None:
    """What the reasons do not explain is a difference, not a rejection."""
    with collector.track_operator("filter", "s", "w") as op:
        op.records(input=10, output=7, reasons={"short": 1})
    assert collector.get_operator_metrics()[0].unbalanced_records == 2


@pytest.mark.parametrize("known", [None, 40])
def test_an_exception_counts_the_batch_as_errors(
    collector: MetricsCollector, clock: FakeClock, known: int | None
) -> None:
    """All its records are errors, one when their number is not known; the exception goes through."""

    def work() -> None:
        with collector.track_operator("filter", "s", "w") as op:
            if known:
                op.records(input=known, output=30)
            clock.seconds = 1.0
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        work()
    (got,) = collector.get_operator_metrics()
    assert (got.error_count, got.input_records, got.output_records) == (known or 1, known or 1, 0)
    assert (got.unbalanced_records, got.total_time) == (0, 1.0)


def test_tracking_without_counts_keeps_the_time(collector: MetricsCollector, clock: FakeClock) -> None:
    """Nothing came in, so there is no rate and no latency, not 0."""
    with collector.track_operator("filter", "s", "w"):
        clock.seconds = 3.0
    (got,) = collector.get_operator_metrics()
    assert (got.total_time, got.input_records, got.batches) == (3.0, 0, 1)
    assert got.pass_rate is got.avg_latency is got.min_latency is got.p99_latency is got.throughput is None


def test_what_is_read_is_a_copy(collector: MetricsCollector) -> None:
    """Neither side's later changes reach the other."""
    given = row()
    collector.add_operator_metrics(given)
    given.input_records = 0
    collector.get_operator_metrics()[0].observe(1.0, 100, 100)
    assert collector.get_operator_metrics()[0].input_records == 100


def test_many_threads_lose_nothing(collector: MetricsCollector) -> None:
    """Threads that track while another reads: every count is there, and memory stays bounded."""

    def work(name: str) -> None:
        for _ in range(2000):
            with collector.track_operator("filter", "s", name) as op:
                op.records(input=3, output=2, reasons={"x": 1})

    threads = [threading.Thread(target=work, args=(f"w{i % 2}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    drained = []
    while any(thread.is_alive() for thread in threads):
        drained += collector.drain_operator_metrics()
    assert len(collector._operators.pending) < 2000
    total = OperatorMetrics.merged(drained + collector.drain_operator_metrics())
    assert (total.batches, total.input_records, total.rejected_reasons) == (8000, 24000, {"x": 8000})


def test_measurements_are_merged_without_being_read(collector: MetricsCollector) -> None:
    """The queue does not grow with the run."""
    for _ in range(5000):
        with collector.track_operator("filter", "s", "w") as op:
            op.records(1)
    assert len(collector._operators.pending) <= 1024
    assert collector.get_operator_metrics()[0].batches == 5000


def test_the_instrument_knows_its_own_cost(collector: MetricsCollector) -> None:
    """Measurements times the cost of one, which is far below a millisecond."""
    for _ in range(100):
        with collector.track_operator("filter", "s", "w") as op:
            op.records(1)
    with collector.track_run():
        pass
    assert 0 < present(collector.get_run_metrics()).instrumentation_seconds < 0.1


def test_what_the_driver_spends_is_part_of_measuring() -> None:
    """Writing, exporting and details are added to what measuring took, also where a subclass knows that better."""

    class Observed(MetricsCollector):
        def _seconds_of_measuring(self, rows: list[OperatorMetrics]) -> float:
            return 0.25

    collector = Observed("run_test")
    collector.writing_seconds, collector.exporting_seconds, collector.detail_seconds = 1.0, 2.0, 4.0
    with collector.track_run():
        pass
    assert present(collector.get_run_metrics()).instrumentation_seconds == 7.25
