"""Launches of datatrove with worker processes that are observed, killed after the work, and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter
from tests.observe.datatrove_job import TASKS
from tests.observe.runs import flow, rows_of, run_row

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]

READ = sum(100 + rank for rank in range(TASKS))
SHORT = sum(sum(1 for i in range(100 + rank) if i % 10 < 3) for rank in range(TASKS))
LONG = sum(sum(1 for i in range(100 + rank) if i % 10 > 7) for rank in range(TASKS))
KEPT = READ - SHORT - LONG
UNDISTURBED: dict[str, tuple[tuple[int, int, int, int], dict[str, int], int]] = {
    "read": ((READ, READ, 0, 0), {}, READ),
    "Length": ((READ, KEPT, SHORT + LONG, 0), {"short": SHORT, "long": LONG}, READ),
    "split": ((KEPT, 2 * KEPT, 0, 0), {}, KEPT),
    "write": ((2 * KEPT, 2 * KEPT, 0, 0), {}, 2 * KEPT),
}


def start(folder: Path, *args: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.observe.datatrove_job", str(folder), *args],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def completed(folder: Path, *args: str) -> str:
    """Return the run of a launch that succeeds."""
    launch = start(folder, *args)
    output, errors = launch.communicate()
    assert launch.returncode == 0, errors[-3000:]
    return output.split()[0]


def numbers(folder: Path, run_id: str) -> dict[str, tuple[object, ...]]:
    """Return everything of a run's operators that does not depend on the clock."""
    assert run_row(folder / "metrics", run_id)["balanced"]
    return {
        name: (flow(row), row.rejected_reasons, row.latency_histogram.total)
        for name, row in rows_of(folder / "metrics", run_id).items()
    }


def workers(folder: Path, run_id: str) -> set[str]:
    return {row["worker_id"] for row in MetricsWriter(folder / "metrics").read_operator_metrics(run_id)}


def end_stuck_launch(launch: subprocess.Popen[str], death: Path) -> None:
    """Wait until a worker has died, then kill the launch: without that worker it would wait for ever."""
    end = time.monotonic() + 120
    while not death.exists():
        assert launch.poll() is None, "the launch ended, and no worker died"
        assert time.monotonic() < end, "no worker died"
        time.sleep(0.05)
    os.killpg(launch.pid, signal.SIGKILL)
    launch.communicate()


def test_several_tasks_and_workers_and_a_relaunch_of_what_is_done(tmp_path: Path) -> None:
    first = completed(tmp_path, "0")
    assert numbers(tmp_path, first) == UNDISTURBED
    assert 1 <= len(workers(tmp_path, first)) <= 2
    second = completed(tmp_path, "0")
    assert numbers(tmp_path, second) == UNDISTURBED
    assert workers(tmp_path, second) == {"earlier launch"}


def test_counts_are_exact_though_workers_die_after_the_work_and_before_it_is_marked(tmp_path: Path) -> None:
    """Ten workers die one after the other, and each launch with them: datatrove waits for a worker that is dead."""
    for death in map(str, range(1, 11)):
        end_stuck_launch(start(tmp_path, death), tmp_path / "deaths" / death)
    statuses = MetricsReader(tmp_path / "metrics").runs()["status"].to_pylist()
    assert statuses == ["aborted"] * 10
    run_id = completed(tmp_path, "0")
    assert len(list((tmp_path / "deaths").iterdir())) == 10
    assert numbers(tmp_path, run_id) == UNDISTURBED
    notes = run_row(tmp_path / "metrics", run_id)["config"]["observed"].get("notes", [])
    done = len(list((tmp_path / "logs" / "completions").iterdir()))
    assert done == TASKS
    assert "earlier launch" not in workers(tmp_path, run_id) or "completed by an earlier launch" in notes[0]


def test_a_killed_driver_leaves_an_aborted_run_with_its_counts(tmp_path: Path) -> None:
    """What was counted up to the last flush stays."""
    metrics = tmp_path / "metrics"

    def counted(run_id: str) -> dict[str, int]:
        return {name: row.input_records for name, row in rows_of(metrics, run_id).items()}

    launch = start(tmp_path, "1")
    assert launch.stdout is not None
    run_id = launch.stdout.readline().strip()
    while len(written := counted(run_id)) < len(UNDISTURBED):
        assert launch.poll() is None, "the launch ended"
        time.sleep(0.05)
    end_stuck_launch(launch, tmp_path / "deaths" / "1")
    (row,) = MetricsReader(metrics).runs().to_pylist()
    assert (row["run_id"], row["status"]) == (run_id, "aborted")
    left = counted(run_id)
    assert all(written[name] <= left[name] <= UNDISTURBED[name][2] for name in UNDISTURBED)
    assert all(row.unbalanced_records == 0 for row in rows_of(metrics, run_id).values())


def test_a_task_that_failed_is_counted_by_the_launch_that_completes_it(tmp_path: Path) -> None:
    launch = start(tmp_path, "0", "fail")
    output, errors = launch.communicate()
    assert launch.returncode != 0
    assert "task 2 does not work" in errors
    failed = output.split()[0]
    assert run_row(tmp_path / "metrics", failed)["status"] == "failed"
    assert rows_of(tmp_path / "metrics", failed)["split"].error_count == 1
    run_id = completed(tmp_path, "0", "fail")
    assert numbers(tmp_path, run_id) == UNDISTURBED
    assert "earlier launch" in workers(tmp_path, run_id)
