"""Steps in Spark: every way to run a function, workers that die, actions that compute a plan again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.framework.metrics import OperatorMetrics
from tests.observe.runs import flow, rows_of, run_row

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def java() -> None:
    assert shutil.which("java"), "Spark needs Java 17 (Debian: openjdk-17-jre-headless)"


@contextmanager
def started(job: str, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a job of `spark_jobs` in a process group of its own, and end that group in any case."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.observe.spark_jobs", job, str(folder), *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "SPARK_LOCAL_IP": "127.0.0.1"}
    with (folder / "errors.txt").open("w") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, start_new_session=True
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # Java is in the group, and Python workers end with it
            process.communicate()


def ran(job: str, folder: Path, *arguments: str) -> Any:
    """Run a job to its end; return what it tells."""
    with started(job, folder, *arguments) as process:
        output, _ = process.communicate(timeout=800)
        assert process.returncode == 0, (folder / "errors.txt").read_text()[-3000:]
    assert not list((folder / "metrics").glob(".accounts/*/*")), "account files are removed at the end"
    return json.loads(output.splitlines()[-1])


def counts(row: OperatorMetrics) -> tuple[Any, ...]:
    """Return everything of a row that does not depend on time."""
    records = row.latency_histogram.total
    return (
        *flow(row),
        row.created_records,
        row.batches,
        row.rejected_reasons,
        row.custom_metrics,
        row.input_bytes,
        records,
    )


def notes(folder: Path) -> list[str]:
    return run_row(folder / "metrics", "run_job")["config"]["observed"].get("notes", [])


def test_every_way_to_run_a_function_is_counted(tmp_path: Path) -> None:
    """Batches of Arrow and pandas, masks, groups, single values, RDDs; also in a second process of a worker."""
    told = ran("forms", tmp_path)
    rows = rows_of(tmp_path / "metrics", "run_job")
    assert {name: flow(row)[:2] for name, row in rows.items()} == {
        "arrow": (8000, told["arrow"]),
        "pandas": (8000, told["pandas"]),
        "pandas_udf": (8000, 8000),
        "pandas_mask": (8000, told["pandas_mask"]),
        "arrow_mask": (8000, told["arrow_mask"]),
        "batches_udf": (8000, 8000),
        "group": (8000, told["group"]),
        "row_udf": (100, told["row_udf"]),
        "rdd": (8000, told["rdd"]),
        "send": (8000, 8000),
    }
    assert told["arrow"] == 4000
    assert rows["rdd"].created_records == 8000
    assert rows["arrow"].rejected_reasons == {"odd": 4000}
    assert rows["arrow_mask"].rejected_reasons == {"not_three": 8000 - told["arrow_mask"]}
    assert rows["arrow"].input_bytes == 8000 * len("text 0")
    row = run_row(tmp_path / "metrics", "run_job")
    assert row["engine"].startswith("spark ")
    assert (row["status"], row["balanced"]) == ("completed", True)
    assert not notes(tmp_path)


def test_workers_that_die_change_no_number(tmp_path: Path) -> None:
    """More than 10 workers die after a step has delivered and before Spark knows, others in the middle of a batch."""
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    undisturbed, disturbed = ran("calm", calm), ran("killed", killed)
    assert disturbed["written"] == undisturbed["written"]
    ends = [mark for mark in (killed / "marks").iterdir() if not mark.name.endswith("middle")]
    assert len(ends) >= 10
    assert len(ends) < disturbed["deaths"]
    expected, found = (rows_of(folder / "metrics", "run_job") for folder in (calm, killed))
    assert {name: counts(row) for name, row in found.items()} == {name: counts(row) for name, row in expected.items()}
    assert found["judged"].rejected_reasons == {"first": 2000, "third": 2000}
    assert found["judged"].custom_metrics["odd"] == 8000 / 4 * (0 + 1 + 2 + 3)
    assert found["chosen"].output_records == undisturbed["written"]
    assert run_row(killed / "metrics", "run_job")["retried_batches"] > 0


def test_actions_that_compute_a_plan_again_count_once(tmp_path: Path) -> None:
    """`take`, `count` and `write` of one plan; the notes say so, and what a cached plan does not do again."""
    told = ran("actions", tmp_path)
    rows = rows_of(tmp_path / "metrics", "run_job")
    assert {name: flow(row)[:3] for name, row in rows.items()} == {
        "again": (8000, told["counted"], 4000),
        "behind_shuffle": (8000, told["twice"] // 2, 4000),
        "cached": (8000, told["cached"] // 2, 4000),
        "both": (2000, told["frame_0"] + told["frame_1"], 1000),
        "mask": (8000, told["masked"] // 2, 8000 - told["masked"] // 2),
    }
    said = notes(tmp_path)
    assert [note.split()[2] for note in said[:-1]] == ["again/again", "behind_shuffle/behind_shuffle", "mask/mask"]
    assert "df.cache()" in said[0]
