"""The three levels of a run in progress are of one moment, in memory and in the files."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.clock import utc_now
from mega_data_factory.framework.metrics import MetricsCollector, MetricsReader, MetricsWriter, OperatorMetrics
from mega_data_factory.framework.metrics.collector import Snapshot
from mega_data_factory.framework.metrics.tracking.entries import BatchEntry

MOMENT = datetime(2026, 1, 24, 12)


def measured(records: int = 10) -> list[OperatorMetrics]:
    """Return what one batch measured in a stage of two operators."""
    names = ("filter", "refiner")
    return [
        OperatorMetrics("run_a", "clean", name, "w0", input_records=records, output_records=records, operator_index=at)
        for at, name in enumerate(names)
    ]


def entered(collector: MetricsCollector, total: int) -> Snapshot:
    """Return the snapshot after another batch of ten records."""
    collector.enter_batch(BatchEntry(measured(), {"total_input_records": total}))
    snapshot = collector.snapshot()
    assert snapshot is not None
    return snapshot


def test_a_snapshot_has_the_rows_and_the_totals_of_a_batch_or_neither() -> None:
    """However batches are entered while snapshots are taken."""
    collector = MetricsCollector("run_a")
    ended = threading.Event()
    seen = set()

    def work() -> None:
        for number in range(1, 3001):
            collector.enter_batch(BatchEntry(measured(), {"total_input_records": 10 * number}))
        ended.set()

    with collector.track_run():
        collector.enter_batch(BatchEntry(measured(0), {"total_input_records": 0}))
        thread = threading.Thread(target=work)
        thread.start()
        while not ended.is_set():
            snapshot = collector.snapshot()
            assert snapshot is not None
            counts = {row.input_records for row in snapshot.operators} | {snapshot.stages[0].input_records}
            assert counts == {snapshot.run.total_input_records}
            seen |= counts
        thread.join()
    snapshot = collector.snapshot()
    assert snapshot is not None
    assert snapshot.run.total_input_records == 30_000 == snapshot.stages[0].output_records
    assert len(seen) > 1


def test_levels_are_read_of_one_moment_while_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three files are written one after the other; a reader that comes in between waits until all are there."""
    collector, writer = MetricsCollector("run_a"), MetricsWriter(tmp_path)
    waits: list[float] = []
    with collector.track_run():
        first, second = entered(collector, 10), entered(collector, 20)
        writer.write_snapshot(first.run, MOMENT, first.stages, first.operators)
        steps: Iterator[tuple[str, Sequence[Any]]] = iter([("stages", second.stages), ("runs", [second.run])])

        def write_on(seconds: float) -> None:
            waits.append(seconds)
            for kind, rows in [step] if (step := next(steps, None)) else []:
                writer._write(kind, rows, "run_a", MOMENT + timedelta(seconds=5))

        writer._write("operators", second.operators, "run_a", MOMENT + timedelta(seconds=5))
        monkeypatch.setattr(time, "sleep", write_on)
        levels = MetricsReader(tmp_path).levels("latest")
    assert len(waits) == 2
    assert levels.run["total_input_records"] == 20
    assert levels.stages["input_records"].to_pylist() == [20]
    assert levels.operators["input_records"].to_pylist() == [20, 20]


def test_a_driver_killed_between_two_files_leaves_a_run_that_is_read(tmp_path: Path) -> None:
    """The levels are of two moments for ever then; they are read all the same, without a wait."""
    collector, writer = MetricsCollector("run_a"), MetricsWriter(tmp_path)
    with collector.track_run():
        first, second = entered(collector, 10), entered(collector, 20)
    first.run.heartbeat, first.run.flush_interval = MOMENT, 5.0
    writer.write_snapshot(first.run, MOMENT, first.stages, first.operators)
    writer._write("operators", second.operators, "run_a", MOMENT + timedelta(seconds=5))
    levels = MetricsReader(tmp_path).levels("run_a")
    assert levels.run["status"] == "aborted"
    assert levels.run["total_input_records"] == 10
    assert levels.operators["input_records"].to_pylist() == [20, 20]


def test_a_heartbeat_alone_belongs_to_the_levels_written_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing was measured since, only the run row is written; that is one moment still, read without a wait."""
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it waited"))
    collector, writer = MetricsCollector("run_a"), MetricsWriter(tmp_path)
    with collector.track_run():
        first = entered(collector, 10)
        writer.write_snapshot(first.run, MOMENT, first.stages, first.operators)
        first.run.heartbeat = utc_now()
        writer.write_snapshot(first.run, MOMENT)
    levels = MetricsReader(tmp_path).levels("run_a")
    assert levels.run["heartbeat"] == first.run.heartbeat
    assert levels.stages["input_records"].to_pylist() == [10]
