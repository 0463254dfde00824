"""Steps given to `map` and `filter` of Hugging Face datasets with `num_proc`: forked, spawned, killed, relaunched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, OperatorMetrics
from tests.observe.runs import flow, rows_of, run_row

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]


def launch(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "tests.observe.datasets_job", str(folder), *args],
        cwd=ROOT,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
    )


def completed(folder: Path, *args: str) -> tuple[str, int]:
    """Return the run of a launch that succeeds, and the records that were kept."""
    done = launch(folder, *args)
    assert done.returncode == 0, done.stderr
    run_id, kept = done.stdout.split()[-2:]
    return run_id, int(kept)


def numbers(folder: Path, run_id: str) -> dict[str, tuple[object, ...]]:
    """Return everything of a run's operators that does not depend on the clock."""
    assert run_row(folder / "metrics", run_id)["balanced"]
    return {
        name: (flow(row), row.rejected_reasons, row.batches, row.input_text_bytes, row.latency_histogram.total)
        for name, row in rows_of(folder / "metrics", run_id).items()
    }


def workers(folder: Path, run_id: str) -> dict[str, set[str]]:
    """Return the workers of every operator of a run."""
    found: dict[str, set[str]] = {}
    for values in MetricsWriter(folder / "metrics").read_operator_metrics(run_id):
        row = OperatorMetrics.from_dict(values)
        found.setdefault(row.operator_name, set()).add(row.worker_id)
    return found


UNDISTURBED = {
    "clean": ((2000, 2000, 0, 0), {}, 40, 11_000, 2000),
    "judge": ((2000, 1000, 1000, 0), {"short": 600, "long": 400}, 2000, None, 2000),
}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_count_and_a_second_run_counts_from_the_cache(tmp_path: Path, method: str) -> None:
    first, kept = completed(tmp_path, "0", method)
    assert kept == 1000
    assert numbers(tmp_path, first) == UNDISTURBED
    assert all("cached" not in names for names in workers(tmp_path, first).values())  # one may have done both shards
    second, kept = completed(tmp_path, "0", method)
    assert kept == 1000
    assert numbers(tmp_path, second) == UNDISTURBED
    assert workers(tmp_path, second) == {"clean": {"cached"}, "judge": {"cached"}}
    assert len(run_row(tmp_path / "metrics", second)["config"]["observed"]["notes"]) == 2


def test_counts_are_exact_though_workers_die_after_the_work_and_before_the_reply(tmp_path: Path) -> None:
    """Twelve workers die: with a batch done, with a shard written, and with its file named; `map` is called again."""
    run_id, kept = completed(tmp_path, "12", "fork")
    deaths = sorted(mark.name.split()[0] for mark in (tmp_path / "kills").iterdir())
    assert len(deaths) == 12
    assert set(deaths) >= {"clean", "written", "named"}
    assert kept == 1000
    assert numbers(tmp_path, run_id) == UNDISTURBED


def test_a_launch_after_a_killed_worker_counts_what_the_earlier_ones_have_finished(tmp_path: Path) -> None:
    launches = 1
    while (done := launch(tmp_path, "4", "fork", "once")).returncode != 0:
        assert "abruptly died" in done.stderr
        launches += 1
    assert launches >= 3
    assert numbers(tmp_path, done.stdout.split()[-2]) == UNDISTURBED


def test_a_run_after_a_killed_driver_counts_what_is_cached(tmp_path: Path) -> None:
    assert launch(tmp_path, "0", "fork", "die").returncode == -9
    (killed,) = MetricsReader(tmp_path / "metrics").runs().to_pylist()
    assert killed["status"] == "aborted"
    clean = rows_of(tmp_path / "metrics", killed["run_id"])["clean"]
    assert flow(clean) == (2000, 2000, 0, 0), "what was counted up to the last flush stays"
    run_id, kept = completed(tmp_path, "0", "fork", "die")
    assert kept == 1000
    assert numbers(tmp_path, run_id) == UNDISTURBED
    assert workers(tmp_path, run_id)["clean"] == {"cached"}
    assert "cached" not in workers(tmp_path, run_id)["judge"]
