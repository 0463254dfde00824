"""However a pipeline ends, its metrics are readable and say so; and nothing about them slows or fails it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem

from mega_data_factory.analytics.findings import find
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.cli import main
from mega_data_factory.clock import utc_now
from mega_data_factory.errors import MdfError
from mega_data_factory.framework.executor import Executor
from mega_data_factory.framework.metrics import MetricsReader, schema
from tests.engines.running import Pipeline, fake, jsonl, stage


def pipeline(folder: Path, *operators: Any, rows: int = 600, **executor: Any) -> Pipeline:
    """Small batches, a file for each, metrics as often as can be."""
    source = jsonl(folder / "a.jsonl", [f"text {n} {'y' * 40}" for n in range(rows)])
    metrics = {"flush_interval": 0.1, **executor.pop("metrics", {})}
    return Pipeline(
        folder,
        source,
        [stage("only", *(operators or (fake("Slow", seconds=0.05),)))],
        writer={"params": {"target_file_mb": 0}},
        executor={"batch_size": 20, "metrics": metrics, **executor},
    )


def table(folder: Path, kind: str) -> list[dict[str, Any]]:
    """All rows of a level, as the files are; each is opened once, for it may be replaced between two openings."""
    wholes = [io.BytesIO(path.read_bytes()) for path in sorted((folder / kind).glob("*.parquet"))]
    return [row for whole in wholes for row in pq.read_table(whole).to_pylist()]


def run_row(folder: Path) -> dict[str, Any]:
    (row,) = table(folder, "runs")
    return row


def eventually(condition: Callable[[], Any], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def assert_samples_match(folder: Path) -> None:
    """The samples of a run that has ended add up to its operator rows."""
    sums: dict[tuple[str, ...], Counter[str]] = {}
    counts = ("input_records", "output_records", "rejected_records", "error_count", "batches")
    for kind in ("operators", "samples"):
        totals: Counter[str] = Counter()
        for row in table(folder, kind):
            name = f"{row['stage_name']}/{row['operator_name']}/{row['worker_id']}"
            for column in counts:
                totals[f"{name} {column}"] += row[column] or 0
            for bucket in row["latency_histogram"]:
                totals[f"{name} {bucket['bucket']}"] += bucket["count"]
        sums[kind,] = +totals
    assert sums["operators",] == sums["samples",]


def test_samples_over_time_add_up_to_the_operators(tmp_path: Path) -> None:
    """Over the whole run, for every count and bucket; and they are spread over the time that it took."""
    result = pipeline(tmp_path, fake("Slow", seconds=0.02), fake("ShortFilter", min_length=48)).run()
    assert result.error is None
    assert 0 < result.count("only/short_filter", "rejected_records") < 600
    assert_samples_match(tmp_path / "metrics")
    starts = {row["timestamp"] for row in table(tmp_path / "metrics", "samples")}
    assert len(starts) > 3
    assert {row["interval"] for row in table(tmp_path / "metrics", "samples")} == {0.1}
    run = run_row(tmp_path / "metrics")
    assert (run["flush_interval"], run["pid"], run["flush_failures"]) == (0.1, os.getpid(), 0)


def test_a_run_can_be_read_while_it_goes_on(tmp_path: Path) -> None:
    """Before its end the three levels show committed work, and the status is `running`."""
    seen: list[dict[str, Any]] = []

    def look(executor: Executor, progress: Any) -> None:
        rows = table(tmp_path / "metrics", "runs")
        seen.extend(row for row in rows if row["committed_records"])

    replace(pipeline(tmp_path, rows=300), loader={"params": {"split_mb": 0.003}}).run(look)
    assert {row["status"] for row in seen} == {"running"}
    assert len({row["committed_records"] for row in seen}) > 2
    assert {row["planned_records"] for row in seen} == {None}  # JSON lines do not tell their number
    shares = [row["source_share"] for row in seen if row["source_share"] is not None]
    assert 0 < shares[0] < shares[-1] <= 1
    assert {row["source_unit"] for row in seen[-3:]} == {"bytes"}


def test_the_size_of_the_source_is_known_with_the_first_batch(tmp_path: Path) -> None:
    """Parquet footers tell the records: share and planned records are there long before the last split is read."""
    for number in range(8):
        rows = pa.table({"text": [f"text {number} {n}" for n in range(50)]})
        pq.write_table(rows, tmp_path / f"{number}.parquet", row_group_size=10)
    config = pipeline(tmp_path).config()
    config["data_loader"] = {"type": "parquet_loader", "params": {"path": f"{tmp_path}/*.parquet"}, "num_workers": 1}
    executor = Executor(config)
    found = []
    looked = 0  # at every fiftieth record that was written: a look costs more than the run
    for progress in executor.execute():
        if progress.records_read < 200:
            found.append((progress.share, progress.share_unit, progress.records_read))
        if progress.records_written > 100 and progress.records_written // 50 > looked:
            looked = progress.records_written // 50
            run = MetricsReader(tmp_path / "metrics").levels(executor.run_id).run
            assert run["planned_records"] in (None, 400)
    known = [(share, unit, read) for share, unit, read in found if share is not None]
    assert known[0][2] <= 100
    assert all(share == read / 400 and unit == "records" for share, unit, read in known if read)
    run = run_row(tmp_path / "metrics")
    assert (run["planned_records"], run["source_share"], run["source_unit"]) == (400, 1.0, "records")


def one_file(folder: Path, rows: int) -> Pipeline:
    """As `pipeline`, but everything goes into one file at the end."""
    made = pipeline(folder, fake("ShortFilter", min_length=48), fake("Slow", seconds=0.05), rows=rows)
    return replace(made, writer={"params": {"max_file_seconds": 600}})


def uncommitted(folder: Path) -> list[tuple[int, int]]:
    """Return input and output of what has passed and is in no file: of the run, its stage, its first operator."""
    kinds = {kind: table(folder, kind)[0] for kind in ("runs", "stages", "operators")}
    return [(row["uncommitted_input_records"], row["uncommitted_output_records"]) for row in kinds.values()]


def test_what_has_passed_is_told_before_the_first_file(tmp_path: Path) -> None:
    """On all levels, beside the committed numbers, which are zeros still; when the file is there, among them only."""
    metrics = tmp_path / "metrics"
    executor = Executor(one_file(tmp_path, rows=200).config())
    seen: list[Any] = []
    for progress in executor.execute():
        if 100 <= progress.records_read < 200 and not seen:
            assert progress.records_waiting == progress.records_passed > 0 == progress.records_written
            eventually(lambda: (table(metrics, "runs")[0]["uncommitted_input_records"] or 0) >= 100)
            levels = MetricsReader(metrics).levels(executor.run_id)
            run, (stage_row,), first = levels.run, levels.stages.to_pylist(), levels.operators.to_pylist()[0]
            seen = [
                (row["uncommitted_input_records"], row["uncommitted_output_records"]) for row in (run, stage_row, first)
            ]
            assert [run["total_input_records"], stage_row["input_records"], first["input_records"]] == [0, 0, 0]
            assert first["uncommitted_time"] > 0
            assert "passed all stages" in " ".join(
                finding.detail for finding in find(Recording.of_levels(MetricsReader(metrics), levels))
            )
    assert len(set(seen)) == 1
    assert seen[0][0] > seen[0][1] > 0
    assert uncommitted(metrics) == [(0, 0)] * 3
    run = run_row(metrics)
    assert (run["total_input_records"], run["balanced"]) == (200, True)


def test_a_run_that_is_stopped_while_all_batches_lie_between_two_stages(tmp_path: Path) -> None:
    """What the first stage did with them is on its row, live and afterwards, and a finding says where they lay."""
    made = pipeline(tmp_path, fake("ShortFilter", min_length=48), rows=200, max_in_flight=8)
    executor = Executor(replace(made, stages=[*made.stages, stage("second", fake("Slow", seconds=60))]).config())
    with closing(executor.execute()) as steps:
        for progress in steps:
            live = (progress.stages[0].input_records, progress.stages[0].output_records)
            if live[0] >= 60:
                break
    recording = Recording.read(MetricsReader(tmp_path / "metrics"), executor.run_id)
    run, first = recording.run, recording.stages[0].operators[0]
    assert (run["status"], run["total_input_records"], run["uncommitted_input_records"]) == ("interrupted", 0, 0)
    assert first.input == 0
    assert (first.uncommitted_input, first.uncommitted_output) == live
    assert live[0] > live[1] > 0
    (finding,) = [finding for finding in find(recording) if finding.kind == "nothing-passed"]
    assert f"{live[0]} records had passed stage {recording.stages[0].name}" in finding.detail


@pytest.mark.slow
def test_a_driver_that_is_killed_before_its_first_file(
    tmp_path: Path, python_path: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What had passed stays in the row, and is shown with what it is, not as zeros."""
    metrics = tmp_path / "metrics"
    process = driver(one_file(tmp_path, rows=5000).config(), python_path, "stays")
    try:
        levels = ("runs", "stages", "operators")
        eventually(lambda: all(table(metrics, kind) for kind in levels))
        eventually(lambda: all((entered or 0) > 100 for entered, _ in uncommitted(metrics)))
    finally:
        process.kill()
        process.wait()
    (entered, left), _, (offered, passed) = uncommitted(metrics)  # killed between two files they are of two moments
    run = run_row(metrics)
    assert run["total_input_records"] == run["committed_records"] == 0 < left < entered
    assert main(["runs", "show", "latest", "--metrics", str(metrics)]) == 0
    shown = capsys.readouterr().out
    assert f"{offered:,} → {passed:,}" in shown
    assert f"{entered:,} more records" in shown


@pytest.mark.slow
def test_an_exception_in_an_operator(tmp_path: Path) -> None:
    """`failed`, with the error, and what was committed before it."""
    result = pipeline(tmp_path, fake("Raises", word="text 300"), on_error="fail").run()
    assert result.error is not None
    assert result.run["status"] == "failed"
    assert "text 300" in result.run["error"] or "Raises" in result.run["error"]
    assert_samples_match(tmp_path / "metrics")


def test_a_caller_that_stops(tmp_path: Path) -> None:
    """`interrupted`, and by whom; what had passed the last stage is in the books."""
    executor = Executor(pipeline(tmp_path).config())
    with closing(executor.execute()) as steps:
        for progress in steps:
            if progress.records_written:
                break
    run = run_row(tmp_path / "metrics")
    assert (run["status"], run["error"]) == ("interrupted", "the caller stopped")
    assert run["total_output_records"] == executor.books.written > 0
    assert_samples_match(tmp_path / "metrics")


@pytest.mark.slow
def test_ctrl_c(tmp_path: Path) -> None:
    """`interrupted` by the KeyboardInterrupt, which reaches the caller."""
    timer: list[threading.Timer] = []

    def press(executor: Executor, progress: Any) -> None:
        if progress.records_written and not timer:
            timer.append(threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)))
            timer[0].start()

    with pytest.raises(KeyboardInterrupt):
        pipeline(tmp_path).run(press)
    run = run_row(tmp_path / "metrics")
    assert (run["status"], run["error"]) == ("interrupted", "KeyboardInterrupt")
    assert_samples_match(tmp_path / "metrics")


_CALLER = """
import json, os, sys
from mega_data_factory.analytics.findings import find
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.cli import main
from mega_data_factory.errors import MdfError
from mega_data_factory.framework.executor import Executor
steps = Executor(json.loads(sys.argv[1])).execute()
for progress in steps:
    if progress.records_written and sys.argv[2] == "leaves":
        break
"""


def driver(config: dict[str, Any], python_path: dict[str, str], how: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _CALLER, json.dumps(config), how], env=python_path)


@pytest.mark.slow
def test_a_driver_that_is_killed(tmp_path: Path, python_path: dict[str, str]) -> None:
    """The last state stays, as `running`, with a heartbeat that grows old; all that was committed before is in it."""
    metrics = tmp_path / "metrics"
    process = driver(pipeline(tmp_path, rows=5000).config(), python_path, "stays")
    try:
        eventually(lambda: any((row["committed_records"] or 0) > 100 for row in table(metrics, "runs")))
        files = len(list((tmp_path / "output").glob("part-*")))
        time.sleep(0.5)
    finally:
        process.kill()
        process.wait()
    run = run_row(metrics)
    assert (run["status"], run["end_time"]) == ("running", None)
    assert run["output_files"] >= files
    assert timedelta(0) <= utc_now() - run["heartbeat"] < timedelta(seconds=10)
    assert run["pid"] == process.pid


@pytest.mark.slow
def test_a_driver_that_ends_with_a_run_at_hand(tmp_path: Path, python_path: dict[str, str]) -> None:
    """A caller that holds on to `execute()` without going on: the run is ended with the interpreter, properly."""
    process = driver(pipeline(tmp_path, rows=5000).config(), python_path, "leaves")
    assert process.wait(60) == 0
    run = run_row(tmp_path / "metrics")
    assert (run["status"], run["error"]) == ("interrupted", "the caller stopped")


def obstructed(metrics: Path) -> list[Path]:
    """Put a file where each table's folder belongs: the check before a run looks at the metrics folder only."""
    metrics.mkdir()
    obstacles = [metrics / kind for kind in schema.TABLES]
    for obstacle in obstacles:
        obstacle.write_text("not a folder")
    return obstacles


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_fails_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The output is whole, no exception is raised, and the log says that the metrics are missing and why."""
    obstacles = obstructed(tmp_path / "metrics")
    executor = Executor(pipeline(tmp_path, fake("Upper")).config())
    with caplog.at_level("WARNING", logger="mega_data_factory"):
        *_, last = executor.execute()
    assert last.records_written == 600
    assert executor.metrics_collector is not None
    told = executor.metrics_collector.get_run_metrics()
    assert told is not None
    assert told.flush_failures >= 5
    assert [r.levelname for r in caplog.records if "the metrics could not be written" in r.getMessage()] == ["ERROR"]
    assert {obstacle.read_text() for obstacle in obstacles} == {"not a folder"}


@pytest.mark.slow
def test_a_disk_that_comes_back(tmp_path: Path) -> None:
    """What could not be written at first is written later; the failures are counted, the run is completed."""
    obstacles = obstructed(tmp_path / "metrics")
    for progress in Executor(pipeline(tmp_path).config()).execute():
        if progress.batches_committed >= 5:
            while obstacles:
                obstacles.pop().unlink()
    run = run_row(tmp_path / "metrics")
    assert run["status"] == "completed"
    assert run["flush_failures"] >= 1
    assert_samples_match(tmp_path / "metrics")


class SlowDisk(LocalFileSystem):  # type: ignore[misc]  # fsspec is untyped
    """A disk on which every file takes its time."""

    protocol = "slowdisk"
    seconds = 0.5
    opened = 0

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if "w" in mode:
            SlowDisk.opened += 1
            time.sleep(self.seconds)
        return super()._open(path, mode, **options)


@pytest.mark.slow
def test_a_slow_disk_does_not_slow_the_pipeline(tmp_path: Path) -> None:
    """With a store that takes seconds to write, batches go as fast as with a quick one; the metrics get there."""
    fsspec.register_implementation("slowdisk", SlowDisk, clobber=True)
    uri = f"slowdisk://{tmp_path}/metrics"
    executor = Executor(pipeline(tmp_path, fake("Upper"), rows=2000, metrics={"output_path": uri}).config())
    times = [time.monotonic()]
    first = 0
    for progress in executor.execute():
        times.append(time.monotonic())
        if not first and progress.records_written:
            first = len(times)
    waits = [b - a for a, b in zip(times[first:], times[first + 1 :], strict=False)]
    assert SlowDisk.opened >= 4
    assert max(waits) < SlowDisk.seconds
    assert run_row(tmp_path / "metrics")["status"] == "completed"
    assert_samples_match(tmp_path / "metrics")


def test_secrets_do_not_get_into_the_metrics(tmp_path: Path) -> None:
    """Neither by the configuration nor by the error; `metrics.redact` names further keys."""
    config = pipeline(tmp_path, metrics={"redact": ["min_*"]}, on_error="fail").config()
    config["data_loader"]["params"]["path"] = f"s3://AKIAKEY:hunter2@bucket/{tmp_path.name}"
    config["stages"][0]["operators"].append(fake("ShortFilter", min_length=12321))
    with suppress(MdfError):  # what it is depends on what is installed
        list(Executor(config).execute())
    run = run_row(tmp_path / "metrics")
    stored = json.dumps(run, default=str)
    assert run["status"] == "failed"
    assert "hunter2" not in stored
    assert "12321" not in stored
    assert "s3://***@bucket" in run["config"]
