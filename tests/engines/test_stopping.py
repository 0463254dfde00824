"""However a run is stopped, what is on the disk is whole, the metrics say so, and no process stays behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
import yaml

from mega_data_factory.framework.executor import Executor
from mega_data_factory.framework.metrics.reader import MetricsReader
from tests.engines.running import Pipeline, Result, assert_nothing_left, fake, jsonl, processes_of_runs, stage


def slow_pipeline(tmp_path: Path, engine: str = "local", rows: int = 3000) -> Pipeline:
    """A pipeline that takes some seconds, with a file for every batch."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" for n in range(rows)])
    return Pipeline(
        tmp_path / "run",
        source,
        [stage("only", fake("Dedup"), fake("Slow", seconds=0.1))],
        engine=engine,
        writer={"params": {"target_file_mb": 0}},
        executor={"batch_size": 50},
    )


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def test_a_caller_that_stops_iterating(tmp_path: Path, engine: str) -> None:
    """Closing the iterator ends the run: what has passed is written and counted, the status is interrupted."""
    pipeline = slow_pipeline(tmp_path, engine)
    executor = Executor(pipeline.config())
    steps = executor.execute()
    for progress in steps:
        if progress.records_passed >= 200:
            break
    steps.close()
    assert_nothing_left(pipeline.output)
    result = Result.of(pipeline, executor.run_id, None, 0.0)
    assert result.run["status"] == "interrupted"
    assert result.run["balanced"] is not False
    assert 200 <= len(result.texts) == result.run["total_output_records"] < 3000
    assert len(set(result.texts)) == len(result.texts)
    assert not processes_of_runs()


def test_a_caller_that_stops_at_the_first_commit_of_a_file(tmp_path: Path, engine: str) -> None:
    """A file holds many batches: a caller that stops when the first is in the books has all of the file in them."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" for n in range(500)])
    pipeline = Pipeline(tmp_path / "run", source, [stage("only", fake("Upper"))], engine=engine)
    executor = Executor(pipeline.config())
    steps = executor.execute()
    for progress in steps:
        if progress.batches_committed == 1:
            break
    steps.close()
    assert_nothing_left(pipeline.output)
    result = Result.of(pipeline, executor.run_id, None, 0.0)
    assert result.run["total_output_records"] == len(result.texts) == 500
    assert result.run["balanced"] is not False


def started(pipeline: Pipeline, environment: dict[str, str]) -> subprocess.Popen[str]:
    """`mdf run` over the pipeline, some of whose files are written already."""
    config = pipeline.folder.parent / "pipeline.yaml"
    config.write_text(yaml.safe_dump(pipeline.config()), encoding="utf-8")
    command = [sys.executable, "-m", "mega_data_factory.cli", "run", "--config", str(config), "--json"]
    process = subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert wait_for(lambda: any(pipeline.output.glob("part-*")), 30), "no file was written"
    return process


@pytest.mark.slow
def test_ctrl_c(tmp_path: Path, python_path: dict[str, str]) -> None:
    """SIGINT ends `mdf run` with exit code 130, a readable run of status interrupted, and no worker left."""
    pipeline = slow_pipeline(tmp_path)
    process = started(pipeline, python_path)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert json.loads(out)["run"]["status"] == "interrupted"
    row = MetricsReader(str(pipeline.metrics)).run("latest")
    written = sum(pq.read_metadata(path).num_rows for path in pipeline.output.glob("part-*"))
    assert row["status"] == "interrupted"
    assert row["total_output_records"] == written < 3000
    assert wait_for(lambda: not any(worker.is_running() for worker in workers), 5)
    assert_nothing_left(pipeline.output)


def test_a_driver_that_is_killed(tmp_path: Path, python_path: dict[str, str]) -> None:
    """SIGKILL of the driver: its workers end by themselves within seconds, and every named file is whole."""
    pipeline = slow_pipeline(tmp_path)
    process = started(pipeline, python_path)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 3
    process.kill()
    process.communicate(timeout=20)
    assert wait_for(lambda: not any(_alive(worker) for worker in workers), 5)
    files = list(pipeline.output.glob("part-*"))
    assert files
    assert all(pq.read_table(path).num_rows > 0 for path in files)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("engine_name", ["local"])
def test_an_exception_of_the_caller(tmp_path: Path, engine_name: str) -> None:
    """An exception thrown into the iteration ends all workers and comes out as it is."""
    pipeline = slow_pipeline(tmp_path, engine_name, rows=500)
    executor = Executor(pipeline.config())
    steps = executor.execute()
    next(steps)
    with pytest.raises(ZeroDivisionError):
        steps.throw(ZeroDivisionError("the caller's own"))
    assert_nothing_left(pipeline.output)
    assert MetricsReader(str(pipeline.metrics)).run(executor.run_id)["status"] == "failed"
    assert not processes_of_runs()
