"""Steps in Dask: frames, bags, delayed calls on every scheduler; workers that die; results that are asked for again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.jobs import assert_killed_driver_is_aborted, notes, ran, rows_of_equal_counts
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
    assert rows["processes"].input_text_bytes == 6_000 * len("text 0")
    assert rows["delayed"].batches == 4, "calls with equal inputs are not taken for one"
    row = run_row(tmp_path / "metrics", "run_job")
    assert row["engine"].startswith("dask ")
    assert (row["status"], row["balanced"]) == ("completed", True)
    assert not notes(tmp_path)


def test_workers_that_die_change_no_number(tmp_path: Path) -> None:
    """More than 10 workers die after a step has delivered and before Dask has the result; also after a shuffle."""
    undisturbed, disturbed = ran(MODULE, "calm", tmp_path / "calm"), ran(MODULE, "killed", tmp_path / "killed")
    assert disturbed["written"] == undisturbed["written"]
    assert disturbed["deaths"] > 10
    found = rows_of_equal_counts(tmp_path / "calm", tmp_path / "killed")
    assert found["judged"].rejected_reasons == {"first": 1500, "third": 1500}
    assert found["not_five"].output_records == undisturbed["written"]


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
    assert_killed_driver_is_aborted(MODULE, tmp_path, even=(6_000, 3_000, 3_000, 0))
