"""Jobs of engines in processes of their own, for tests: started, waited for, and ended whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import mega_data_factory as mdf
from mega_data_factory.framework.metrics import MetricsReader, OperatorMetrics
from mega_data_factory.observe import ObservedRun
from tests.observe.runs import flow, rejected_records, rows_of, run_row, slices_of


@contextmanager
def started(module: str, job: str, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start `python -m module job folder` in a process group of its own, and end that group in any case."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", module, job, str(folder), *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "SPARK_LOCAL_IP": "127.0.0.1"}
    with (folder / "errors.txt").open("w") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, start_new_session=True
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # Java and worker processes are in the group, or end with it
            process.communicate()


def ran(module: str, job: str, folder: Path, *arguments: str) -> Any:
    """Run a job to its end; return what it tells."""
    with started(module, job, folder, *arguments) as process:
        output, _ = process.communicate(timeout=800)
        assert process.returncode == 0, (folder / "errors.txt").read_text()[-3000:]
    assert not list((folder / "metrics").glob(".accounts/*/*")), "account files are removed at the end"
    return json.loads(output.splitlines()[-1])


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[str], *, seconds: float = 400) -> None:
    """Wait for a condition while a job runs."""
    until = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the job has ended"
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.2)


def run_job(jobs: Mapping[str, Callable[[ObservedRun, Path], Any]]) -> None:
    """Run the job that the command line names, observed, and print what it tells: the main of a module of jobs."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    os.environ["JOB_FOLDER"] = str(folder)
    metrics = folder / "metrics"
    everything: dict[str, Any] = {"rejects": "all", "slice_by": "text"}
    with mdf.observe(name, metrics=metrics, run_id="run_job", node_interval=0, flush_interval=1, **everything) as run:
        told = jobs[name](run, folder)
    print(json.dumps(told))


def calm_and_killed(
    kills: Callable[[ObservedRun, Path, Path | None], Any],
) -> dict[str, Callable[[ObservedRun, Path], Any]]:
    """Return the jobs `calm` and `killed`: the same work, without and with a folder of marks of workers that die."""

    def killed(run: ObservedRun, folder: Path) -> Any:
        marks = folder / "marks"
        marks.mkdir()
        return kills(run, folder, marks)

    return {"calm": lambda run, folder: kills(run, folder, None), "killed": killed}


def rows_of_equal_counts(calm: Path, killed: Path) -> dict[str, OperatorMetrics]:
    """Return the rows of the job with killed workers; it retried batches, and counted what the calm job did."""
    expected, found = (rows_of(folder / "metrics", "run_job") for folder in (calm, killed))
    assert {name: counts(row) for name, row in found.items()} == {name: counts(row) for name, row in expected.items()}
    assert run_row(killed / "metrics", "run_job")["retried_batches"] > 0
    metrics = calm / "metrics", killed / "metrics"
    records = [(rejected_records(folder, "run_job"), slices_of(folder, "run_job")) for folder in metrics]
    assert records[0] == records[1]
    assert len(records[1][0]) == sum(row.rejected_records for row in found.values())
    assert all(record_id for record_id, _, operator, *_ in records[1][0] if operator in ("judged", "not_five"))
    return found


def assert_killed_driver_is_aborted(module: str, folder: Path, **flows: tuple[int, int, int, int]) -> None:
    """Kill the driver of the job `hanging` once its counts are written: the run is shown as aborted, with them."""
    metrics = folder / "metrics"
    with started(module, "hanging", folder) as process:
        wait_for((folder / "counted").exists, process)
        wait_for(
            lambda: all(records_in(metrics, "run_job", step) == expected[0] for step, expected in flows.items()),
            process,
        )
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert MetricsReader(metrics).run("run_job")["status"] == "aborted"
    rows = rows_of(metrics, "run_job")
    assert {step: flow(rows[step]) for step in flows} == flows


def counts(row: OperatorMetrics) -> tuple[Any, ...]:
    """Return everything of a row that does not depend on time."""
    timed = row.latency_histogram.total
    return (
        *flow(row),
        row.created_records,
        row.batches,
        row.rejected_reasons,
        row.custom_metrics,
        row.input_text_bytes,
        row.output_text_bytes,
        timed,
    )


def records_in(metrics: Path, run_id: str, step: str) -> int:
    """Return the records offered to a step, as far as they are written; 0 before its row is."""
    row = rows_of(metrics, run_id).get(step)
    return 0 if row is None else row.input_records


def notes(folder: Path) -> list[str]:
    """Return the notes of the run of a job."""
    found: list[str] = run_row(folder / "metrics", "run_job")["config"]["observed"].get("notes", [])
    return found
