"""Filters of the reader, the status of a silent run, and what a query may see."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from mega_data_factory.clock import utc_now
from mega_data_factory.errors import MetricsError
from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, RunMetrics
from mega_data_factory.framework.metrics.store.files.layout import file_of
from mega_data_factory.framework.metrics.store.files.listing import TableFiles
from mega_data_factory.framework.metrics.store.reading.single_runs import SingleRunFiles
from tests.metrics.test_compacting import NOW, START, fold, write


@pytest.fixture(params=[False, True], ids=["small", "compacted"])
def reader(tmp_path: Path, request: pytest.FixtureRequest) -> MetricsReader:
    for number, status in enumerate(["completed", "failed", "completed", "interrupted"]):
        write(tmp_path, number, status=status)
    if request.param:
        fold(tmp_path, unit_runs=2)
    return MetricsReader(tmp_path)


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


def test_runs_are_listed_by_status_time_and_number(reader: MetricsReader) -> None:
    """Filters combine; `newest_first` turns the order round before `limit` cuts it; time zones are understood."""
    assert reader.list_runs(status="completed") == ["run_00000", "run_00002"]
    assert reader.list_runs(status=["failed", "interrupted"], newest_first=True) == ["run_00003", "run_00001"]
    assert reader.list_runs(since=minute(1), until=minute(3)) == ["run_00001", "run_00002"]
    assert reader.list_runs(since=minute(3).replace(tzinfo=UTC)) == ["run_00003"]
    assert reader.list_runs(newest_first=True, limit=1) == ["run_00003"]
    assert reader.list_runs(pipeline="other") == []
    assert reader.runs(status="failed").column("run_id").to_pylist() == ["run_00001"]


def test_tables_are_cut_by_run_stage_operator_and_time(reader: MetricsReader) -> None:
    """Every level takes the same filters, wherever its rows are stored."""
    assert reader.operators(since=minute(1), until=minute(2)).num_rows == 2
    assert reader.operators("run_00001", stage="s", operator="o").num_rows == 2
    assert reader.operators(operator="p").num_rows == reader.operators("run_00001", since=minute(2)).num_rows == 0
    assert reader.stages(stage="s", since=minute(2)).num_rows == 2
    assert reader.samples(operator="o", until=minute(1)).num_rows == 2
    assert reader.nodes("run_00001").column("cpu_usage").to_pylist() == [0, 1]
    assert reader.nodes(node="n", since=minute(2)).num_rows == 4
    assert reader.nodes(node="m").num_rows == 0


@pytest.mark.parametrize(
    ("interval", "silence", "status"),
    [(5.0, 14.9, "running"), (5.0, 15.1, "aborted"), (60.0, 179, "running"), (60.0, 181, "aborted")],
)
def test_a_silent_run_is_aborted(tmp_path: Path, interval: float, silence: float, status: str) -> None:
    """After max(3 intervals, 15 s) without a heartbeat every way of reading says so; another status stays."""
    heartbeat = NOW - timedelta(seconds=silence)
    writer = MetricsWriter(tmp_path)
    for run_id, said in (("run_live", "running"), ("run_over", "completed")):
        writer.write_run_metrics(RunMetrics(run_id, START, status=said, heartbeat=heartbeat, flush_interval=interval))
    reader = MetricsReader(tmp_path, now=lambda: NOW)
    assert reader.run("run_live")["status"] == status
    assert reader.list_runs(status=status) == ["run_live"]
    assert reader.runs().column("status").to_pylist() == [status, "completed"]
    assert reader.sql("SELECT status FROM runs ORDER BY run_id").column(0).to_pylist() == [status, "completed"]


def test_a_driver_of_this_machine_that_is_gone_is_aborted_at_once(tmp_path: Path) -> None:
    """While its process lives a run is running, whatever the process is doing; then it is aborted, without waiting."""
    driver = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    run = RunMetrics("run_a", START, status="running", flush_interval=5.0, heartbeat=utc_now() + timedelta(seconds=1))
    run.hostname, run.pid = platform.node(), driver.pid
    MetricsWriter(tmp_path).write_run_metrics(run)
    reader = MetricsReader(tmp_path)
    try:
        assert reader.run("run_a")["status"] == "running"
    finally:
        driver.kill()
    while psutil.Process(driver.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert reader.run("run_a")["status"] == "aborted", "dead, though nobody has waited for it"
    driver.communicate()
    assert reader.list_runs(status="aborted") == ["run_a"]
    assert reader.sql("SELECT status FROM runs").to_pylist() == [{"status": "aborted"}]


@pytest.mark.parametrize(
    ("hostname", "age", "status"),
    [(platform.node(), 3600, "aborted"), ("elsewhere", 3600, "running"), (platform.node(), -3600, "running")],
)
def test_a_later_process_of_the_same_number_is_not_the_driver(
    tmp_path: Path, hostname: str, age: int, status: str
) -> None:
    """A process that began after the last heartbeat did not give it; of other machines nothing is known."""
    beat = datetime.fromtimestamp(psutil.Process().create_time() - age, UTC).replace(tzinfo=None)
    run = RunMetrics("run_a", START, status="running", flush_interval=5.0, heartbeat=beat, hostname=hostname)
    run.pid = os.getpid()
    MetricsWriter(tmp_path).write_run_metrics(run)
    assert MetricsReader(tmp_path, now=lambda: beat + timedelta(seconds=1)).run("run_a")["status"] == status


def test_a_query_sees_every_view_and_nothing_else(reader: MetricsReader, tmp_path: Path) -> None:
    """All five tables can be named, in any case and order; files cannot, nor can settings be opened again."""
    counts = ", ".join(f"(SELECT count(*) FROM {name}) AS {name}" for name in ("Runs", "stages", "OPERATORS"))
    assert reader.sql(f"SELECT {counts}").to_pylist() == [{"Runs": 4, "stages": 4, "OPERATORS": 8}]
    assert reader.sql("SELECT (SELECT count(*) FROM samples) AS s, (SELECT count(*) FROM nodes) AS n").to_pylist() == [
        {"s": 8, "n": 8}
    ]
    tables = reader.sql("SHOW TABLES").column(0).to_pylist()
    assert {"runs", "stages", "operators", "samples", "nodes"} <= set(tables)
    for wrong in (
        "SELEKT",
        "SELECT * FROM nothing",
        f"SELECT * FROM read_csv('{tmp_path}/x')",
        f"COPY runs TO '{tmp_path}/out.csv'",
        "SET enable_external_access = true",
    ):
        with pytest.raises(MetricsError, match=r"cannot be answered|only read"):
            reader.sql(wrong)


def test_a_file_that_goes_between_listing_and_reading_is_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is compacted just after it was listed is read from its unit, once."""
    write(tmp_path, 1)
    listed = SingleRunFiles.paths
    left = [1]

    def then_compacted(self: SingleRunFiles, kind: str, files: TableFiles, run_id: str | None = None) -> list[str]:
        found = listed(self, kind, files, run_id)
        if kind == "operators" and left and left.pop():
            fold(tmp_path)
            assert not (tmp_path / file_of(kind, "run_00001")).exists()
        return found

    monkeypatch.setattr(SingleRunFiles, "paths", then_compacted)
    assert MetricsReader(tmp_path).operators().num_rows == 2
    assert left == []
