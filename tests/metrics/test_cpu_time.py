"""Seconds of CPU of operators: measured beside busy seconds, and added up like them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.framework.metrics import MetricsCollector, MetricsReader, MetricsWriter, OperatorMetrics
from mega_data_factory.framework.metrics.rows.interval import SampleMetrics
from mega_data_factory.testing import FakeClock, run_operator
from tests.operator_rows import row


def test_cpu_is_measured_by_a_clock_of_its_own() -> None:
    """Of two seconds that a block took, the half second that it had the CPU is its CPU time; batches add up."""
    clock, cpu = FakeClock(), FakeClock()
    collector = MetricsCollector("run_a", clock=clock, cpu_clock=cpu)
    for _ in range(2):
        with collector.track_operator("f", "s", "w0") as op:
            clock.advance(2.0)
            cpu.advance(0.5)
            op.records(input=10, output=10)
    (found,) = collector.get_operator_metrics()
    assert (found.total_time, found.cpu_time) == (4.0, 1.0)


def test_cpu_travels_and_adds() -> None:
    """It survives the journey in a batch, copies, merging over workers, and is entered in interval samples."""
    one, other = row(seconds=2.0, cpu_time=0.5), row(worker="w1", cpu_time=0.25)
    assert OperatorMetrics.from_wire(one.to_wire()) == one
    assert OperatorMetrics.merged([one.copy(), other]).cpu_time == 0.75
    sample = SampleMetrics("run_a", "s", "f", "w0", one.timestamp, 5.0)
    sample.include(one)
    sample.include(other)
    assert sample.cpu_time == 0.75


def test_a_stage_measures_the_cpu_of_its_operators() -> None:
    """An operator of a pipeline that works has used the CPU."""
    found = run_operator("gopher_repetition_filter", [{"text": "some words that are judged " * 2000}] * 20)
    assert found.metrics.cpu_time > 0


def test_samples_of_older_files_have_no_cpu(tmp_path: Path) -> None:
    """A file without the column is read as 0 seconds of CPU, and its other numbers are as they were."""
    writer = MetricsWriter(tmp_path)
    collector = MetricsCollector("run_a")
    with collector.track_run(), collector.track_operator("f", "s", "w0") as op:
        op.records(input=10, output=9)
    rows = collector.get_operator_metrics()
    sample = SampleMetrics("run_a", "s", "f", "w0", rows[0].timestamp.replace(microsecond=0), 1.0)
    sample.include(rows[0])
    writer.write_samples([sample], "run_a")
    run = collector.get_run_metrics()
    assert run is not None
    writer.write_all(run, collector.get_stage_metrics(), rows)
    for file in (*(tmp_path / "samples").iterdir(), *(tmp_path / "operators").iterdir()):
        _without_cpu(file)
    recording = Recording.read(MetricsReader(tmp_path), "run_a")
    assert recording.samples["cpu_time"].to_pylist() == [0.0]
    assert recording.samples["input_records"].to_pylist() == [10]
    assert recording.stages[0].operators[0].cpu == 0.0


def _without_cpu(file: Path) -> None:
    import pyarrow.parquet as pq

    table: pa.Table = pq.read_table(file)
    pq.write_table(table.drop_columns(["cpu_time"]), file)
