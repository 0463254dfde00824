"""Live metrics: there from the start, whole at any moment, and never in the way of the run."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mega_data_factory.clock import utc_now
from mega_data_factory.errors import OutputError
from mega_data_factory.framework.metrics import IntervalSampler, MetricsCollector, MetricsFlusher, MetricsWriter
from mega_data_factory.framework.metrics.live import flusher as flushing
from mega_data_factory.framework.metrics.store.files.encoding import write_tables
from mega_data_factory.framework.metrics.store.files.layout import segment_files
from mega_data_factory.storage import Location
from tests.present import present


class Store:
    """A store that can be made slow or broken."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.broken = False
        self.writes = 0

    def write(self, path: Location, tables: Iterable[pa.Table]) -> None:
        time.sleep(self.delay)
        self.writes += 1
        if self.broken:
            raise OutputError(f"cannot write {path}: No space left on device")
        write_tables(path, tables)


class Run:
    """A run of one operator, measured by hand."""

    def __init__(self, folder: Path, store: Store | None = None, interval: float = 0.05, **options: Any) -> None:
        self.folder = folder
        self.collector = MetricsCollector("run_a")
        self.sampler = IntervalSampler("run_a", interval)
        writer = MetricsWriter(folder, write=store.write if store else write_tables)
        self.flusher = MetricsFlusher(self.collector, self.sampler, writer, interval=interval, **options)

    def work(self, records: int = 10, worker: str = "w0") -> None:
        """One batch."""
        with MetricsCollector("run_a").track_operator("filter", "stage_0", worker) as op:
            op.records(input=records, output=records)
        row = op.to_row()
        op.count_into(row)
        self.collector.add_operator_metrics(row)
        self.sampler.add_rows([row])


def rows(folder: Path, kind: str) -> list[dict[str, Any]]:
    """What a table holds now, for samples by the names of the files alone."""
    names = [path.name for path in (folder / kind).glob("*.parquet")]
    if kind == "samples":
        names = [name for files in segment_files("samples", names).values() for name in files.names]
    # opened once: a file that is replaced between two openings would be read half from the one and half from the other
    wholes = [io.BytesIO((folder / kind / name).read_bytes()) for name in names]
    return [row for whole in wholes for row in pq.read_table(whole).to_pylist()]


def eventually(condition: Callable[..., Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_a_run_is_there_from_the_start_and_moves(tmp_path: Path) -> None:
    """Its row at once, then its operators and samples, with a heartbeat; at the end one file for each table."""
    run = Run(tmp_path)
    with run.collector.track_run():
        run.flusher.start()
        eventually(lambda: rows(tmp_path, "runs"))
        (first,) = rows(tmp_path, "runs")
        assert (first["status"], first["end_time"]) == ("running", None)
        run.work()
        eventually(lambda: [row["input_records"] for row in rows(tmp_path, "operators")] == [10])
        eventually(lambda: [row["input_records"] for row in rows(tmp_path, "samples")] == [10])
        eventually(lambda: rows(tmp_path, "runs")[0]["heartbeat"] > first["heartbeat"])
        run.work()
    assert run.flusher.finish() is None
    (last,) = rows(tmp_path, "runs")
    assert (last["status"], last["total_input_records"], last["flush_failures"]) == ("completed", 20, 0)
    assert sum(row["input_records"] for row in rows(tmp_path, "samples")) == 20
    assert [len(list((tmp_path / kind).iterdir())) for kind in ("runs", "stages", "operators", "samples")] == [1] * 4


def test_what_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    """A run that waits costs one small file for each interval: the heartbeat."""
    store = Store()
    run = Run(tmp_path, store)
    with run.collector.track_run():
        run.work()
        run.flusher.start()
        eventually(lambda: store.writes > 8)
        stages = (tmp_path / "stages" / "stages_a.parquet").stat().st_mtime_ns
        eventually(lambda: store.writes > 12)
        assert (tmp_path / "stages" / "stages_a.parquet").stat().st_mtime_ns == stages
    run.flusher.finish()


def test_a_store_that_fails_for_a_while_loses_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One warning for the whole time, a count of the failures, and all samples in the end."""
    store = Store()
    store.broken = True
    run = Run(tmp_path, store)
    caplog.set_level("INFO", logger="mega_data_factory.metrics")
    with run.collector.track_run():
        run.flusher.start()
        for _ in range(5):
            run.work()
            time.sleep(0.03)
        eventually(lambda: run.flusher.failures >= 2)
        store.broken = False
        eventually(lambda: rows(tmp_path, "samples"))
        run.work()
    assert run.flusher.finish() is None
    assert rows(tmp_path, "runs")[0]["flush_failures"] == run.flusher.failures >= 2
    assert sum(row["input_records"] for row in rows(tmp_path, "samples")) == 60
    messages = [record.getMessage() for record in caplog.records]
    assert len([text for text in messages if "No space left on device" in text]) == 1
    assert "the metrics are written again" in messages


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempts at the last write follow each other faster."""
    monkeypatch.setattr(flushing, "_FIRST_PAUSE", 0.01)


def test_a_store_that_fails_to_the_end_is_reported(tmp_path: Path, impatient: None) -> None:
    """The last write is tried a few times; then `finish` says what was wrong, and the run goes its way."""
    store = Store()
    run = Run(tmp_path, store)
    with run.collector.track_run():
        run.flusher.start()
        eventually(lambda: rows(tmp_path, "runs"))
        store.broken = True
    started = time.monotonic()
    failure = run.flusher.finish()
    assert failure is not None
    assert "No space left on device" in str(failure)
    assert time.monotonic() - started < 30
    assert [row["status"] for row in rows(tmp_path, "runs")] == ["running"]  # the last state that could be written


def test_what_a_store_says_of_its_failure_tells_no_credentials(
    tmp_path: Path, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a client of a store raises: user and password of its address are in neither the log nor the error."""

    def refused(path: Location, tables: Iterable[pa.Table]) -> None:
        raise ConnectionError("https://user:hunter2@store.example/bucket answered 403")

    collector = MetricsCollector("run_a")
    writer = MetricsWriter(tmp_path, write=refused)
    flusher = MetricsFlusher(collector, IntervalSampler("run_a", 0.05), writer, interval=0.05)
    with collector.track_run():
        flusher.start()
    error = present(flusher.finish())
    assert "answered 403" in error.message
    assert "hunter2" not in error.message + caplog.text


def test_a_slow_store_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work goes on while a write takes its time; the end waits for it, but not longer than it has patience."""
    store = Store()
    store.delay = 2.0
    run = Run(tmp_path, store)
    with run.collector.track_run():
        run.flusher.start()
        slowest = 0.0
        for _ in range(200):
            started = time.perf_counter()
            run.work()
            slowest = max(slowest, time.perf_counter() - started)
            time.sleep(0.001)
        assert slowest < 1.0  # a machine with other work stops a thread for tenths of a second
    assert run.flusher.finish() is None
    assert sum(row["input_records"] for row in rows(tmp_path, "samples")) == 2000

    hangs = threading.Event()
    monkeypatch.setattr(store, "write", lambda path, tables: hangs.wait(20))
    stuck = Run(tmp_path / "stuck", store, patience=0.2)
    with stuck.collector.track_run():
        stuck.flusher.start()
    assert "within 0.2 s" in str(stuck.flusher.finish())
    hangs.set()


def test_the_files_of_another_run_are_not_touched(tmp_path: Path, impatient: None) -> None:
    """`x` and `run_x` share file names: the second is not written, and that is said."""
    MetricsWriter(tmp_path).write_operator_metrics([], "a")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    run = Run(tmp_path)
    with run.collector.track_run():
        run.work()
        run.flusher.start()
    assert "belongs to the run a" in str(run.flusher.finish())
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == before


_DRIVER = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.metrics.test_flushing import Run

run = Run(Path({folder!r}), interval={interval})
with run.collector.track_run() as totals:
    totals.set(flush_interval={interval})
    run.flusher.start()
    with open({log!r}, "a", buffering=1) as log:
        for number in range(1, 1_000_000):
            run.work(worker=f"w{{number % 8}}")
            log.write(f"{{time.time()}} {{10 * number}}\\n")
            time.sleep(0.001)
"""

INTERVAL = 0.02
"""Of the runs that are killed: small, so that kills fall into writes and folds."""


@pytest.mark.parametrize("alive", [0.0, 0.35, *(pytest.param(at, marks=pytest.mark.slow) for at in (0.1, 0.9, 1.7))])
def test_a_driver_killed_at_any_moment(tmp_path: Path, alive: float) -> None:
    """Every file is whole, no sample counts twice, nothing is lost but the last interval, and the run looks dead."""
    folder, log = tmp_path / "metrics", tmp_path / "log"
    root = str(Path(__file__).parents[2])
    code = _DRIVER.format(root=root, folder=str(folder), log=str(log), interval=INTERVAL)
    driver = subprocess.Popen([sys.executable, "-c", code])
    try:
        eventually(lambda: rows(folder, "runs"))  # the file that is written last
        time.sleep(alive)
        killed = time.time()
        os.kill(driver.pid, signal.SIGKILL)
    finally:
        driver.kill()
        driver.wait()
    (run,) = rows(folder, "runs")
    assert run["status"] == "running"
    assert run["heartbeat"] <= utc_now() < run["heartbeat"] + timedelta(seconds=10)
    added = [line.split() for line in log.read_text().splitlines() if line.count(" ") == 1]
    # an interval, and what a machine that is busy takes to write the files of one more
    due = max((int(count) for when, count in added if float(when) < killed - INTERVAL - 0.5), default=0)
    for kind in ("operators", "samples"):
        assert due <= sum(row["input_records"] for row in rows(folder, kind)) <= int(added[-1][1]) + 10
    assert_samples_are_no_more_than_operators_or_a_flush_ahead(folder)
    hidden = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".parquet"]
    assert all(path.name.startswith(".") for path in hidden)


def assert_samples_are_no_more_than_operators_or_a_flush_ahead(folder: Path) -> None:
    """Samples are written first: they hold what the operators hold, and at most one flush more."""
    totals: defaultdict[str, int] = defaultdict(int)
    for row in rows(folder, "samples"):
        totals[row["worker_id"]] += row["input_records"]
    for row in rows(folder, "operators"):
        assert totals[row["worker_id"]] >= row["input_records"] - 10  # a batch between the two readings


def test_the_heartbeat_is_the_time_of_the_write(tmp_path: Path) -> None:
    """By the clock that was given: nothing else tells a run that is alive from one that was killed."""
    run = Run(tmp_path, now=lambda: datetime(2026, 1, 1))
    with run.collector.track_run():
        run.flusher.start()
    run.flusher.finish()
    assert rows(tmp_path, "runs")[0]["heartbeat"] == datetime(2026, 1, 1)
