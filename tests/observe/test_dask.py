"""Steps in Dask: frames, bags, delayed calls on every scheduler; workers that die; results that are asked for again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from mega_data_factory.framework.metrics.reader import MetricsReader
from tests.observe.jobs import counts, notes, ran, records_in, started, wait_for
from tests.observe.runs import flow, rows_of, run_row

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MODULE = "tests.observe.dask_jobs"


def test_every_way_to_run_a_function_is_counted(tmp_path: Path) -> None:
    """Partitions and single records; in the driver's threads, in a pool of processes, on a cluster."""
    told = ran(MODULE, "forms", tmp_path)
    rows = rows_of(tmp_path / "metrics", "run_job")
    given = {"delayed": 36, "submit": 30} | dict.fromkeys(("filter", "map", "parts"), 1_000)
    assert {name: flow(row) for name, row in rows.items()} == {
        name: (given.get(name, 6_000), kept, given.get(name, 6_000) - kept, 0) for name, kept in told.items()
    }
    assert told["processes"] == told["threads"] == told["sync"] == 3_000
    assert rows["threads"].rejected_reasons == {"odd": 3_000}
    assert rows["processes"].input_bytes == 6_000 * len("text 0")
    assert rows["delayed"].batches == 4, "calls with equal inputs are not taken for one"
    row = run_row(tmp_path / "metrics", "run_job")
    assert row["engine"].startswith("dask ")
    assert (row["status"], row["balanced"]) == ("completed", True)
    assert not notes(tmp_path)


def test_workers_that_die_change_no_number(tmp_path: Path) -> None:
    """More than 10 workers die after a step has delivered and before Dask has the result; also after a shuffle."""
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    undisturbed, disturbed = ran(MODULE, "calm", calm), ran(MODULE, "killed", killed)
    assert disturbed["written"] == undisturbed["written"]
    assert disturbed["deaths"] > 10
    expected, found = (rows_of(folder / "metrics", "run_job") for folder in (calm, killed))
    assert {name: counts(row) for name, row in found.items()} == {name: counts(row) for name, row in expected.items()}
    assert found["judged"].rejected_reasons == {"first": 1500, "third": 1500}
    assert found["not_five"].output_records == undisturbed["written"]
    assert run_row(killed / "metrics", "run_job")["retried_batches"] > 0


def test_a_result_that_is_asked_for_again_counts_once(tmp_path: Path) -> None:
    """`head`, `len`, `sum`, a file, `compute` twice, of one plan; and what `persist` keeps is not computed again."""
    told = ran(MODULE, "actions", tmp_path)
    rows = rows_of(tmp_path / "metrics", "run_job")
    assert {name: flow(row)[:3] for name, row in rows.items()} == {
        "threads": (6_000, told["threads"], 3_000),
        "cluster": (6_000, told["cluster"], 3_000),
        "kept": (6_000, told["kept"] // 2, 3_000),
        "both": (12_000, told["frame_0"] + told["frame_1000000"], 6_000),
        "delayed": (9, told["delayed"] // 2, 6),
    }
    assert any("threads/threads" in note and "persist()" in note for note in notes(tmp_path))
    assert run_row(tmp_path / "metrics", "run_job")["retried_batches"] > 0


def test_a_driver_that_is_killed_leaves_an_aborted_run_with_its_counts(tmp_path: Path) -> None:
    """What was delivered by the last flush stays."""
    folder = tmp_path / "metrics"
    with started(MODULE, "hanging", tmp_path) as process:
        wait_for((tmp_path / "counted").exists, process)
        wait_for(lambda: records_in(folder, "run_job", "even") == 6_000, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert MetricsReader(folder).run("run_job")["status"] == "aborted"
    assert flow(rows_of(folder, "run_job")["even"]) == (6_000, 3_000, 3_000, 0)
