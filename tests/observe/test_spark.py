"""Steps in Spark: every way to run a function, workers that die, actions that compute a plan again."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.observe.jobs import assert_killed_driver_is_aborted, notes, ran, rows_of_equal_counts, wait_for
from tests.observe.runs import flow, rows_of, run_row

MODULE = "tests.observe.spark_jobs"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def java() -> None:
    assert shutil.which("java"), "Spark needs Java 17 (Debian: openjdk-17-jre-headless)"


@pytest.fixture
def master(tmp_path: Path) -> Iterator[str]:
    """Start a standalone cluster of two nodes, which have addresses of their own; give the address of its master."""
    found = importlib.util.find_spec("pyspark")  # not imported: the other tests' process has no Spark loaded
    assert found is not None
    assert found.origin is not None
    program = Path(found.origin).parent / "bin" / "spark-class"
    quick = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPARK")}
    environment |= {"SPARK_DAEMON_JAVA_OPTS": quick, "SPARK_DAEMON_MEMORY": "256m"}
    processes = []

    def start(name: str, role: str, ready: str, *options: str) -> None:
        log = tmp_path / f"{name}.log"
        with log.open("w") as output:
            command = [str(program), f"org.apache.spark.deploy.{role}", "--port", "0", "--webui-port", "0", *options]
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
            )
        processes.append(process)
        wait_for(lambda: ready in log.read_text(), process)

    try:
        start("master", "master.Master", "New state: ALIVE", "--host", "127.0.0.1")
        address = re.findall(r"spark://127.0.0.1:\d+", (tmp_path / "master.log").read_text())[0]
        for node in (2, 3):
            options = ["--host", f"127.0.0.{node}", "--cores", "1", "--memory", "1g"]
            options += ["--work-dir", str(tmp_path / f"work-{node}"), address]
            start(f"node-{node}", "worker.Worker", "Successfully registered with master", *options)
        yield address
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_every_way_to_run_a_function_is_counted(tmp_path: Path) -> None:
    """Batches of Arrow and pandas, masks, groups, single values, RDDs; also in a second process of a worker."""
    told = ran(MODULE, "forms", tmp_path)
    rows = rows_of(tmp_path / "metrics", "run_job")
    assert {name: flow(row)[:2] for name, row in rows.items()} == {
        "arrow": (8000, told["arrow"]),
        "pandas": (8000, told["pandas"]),
        "pandas_udf": (8000, 8000),
        "pandas_mask": (8000, told["pandas_mask"]),
        "arrow_mask": (8000, told["arrow_mask"]),
        "batches_udf": (8000, 8000),
        "group": (8000, told["group"]),
        "keyed_group": (8000, told["keyed_group"]),
        "table": (8000, told["table"]),
        "keyed_table": (8000, told["keyed_table"]),
        "batches": (8000, told["batches"]),
        "row_udf": (100, told["row_udf"]),
        "rdd": (8000, told["rdd"]),
        "send": (8000, 8000),
    }
    assert told["arrow"] == 4000
    assert [told[name] for name in ("group", "keyed_group", "table", "keyed_table")] == [7, 14, 21, 28]
    assert 7 <= told["batches"] < 8000
    assert rows["rdd"].created_records == 8000
    assert rows["arrow"].rejected_reasons == {"odd": 4000}
    assert rows["arrow_mask"].rejected_reasons == {"not_three": 8000 - told["arrow_mask"]}
    assert rows["arrow"].input_text_bytes == 8000 * len("text 0")
    row = run_row(tmp_path / "metrics", "run_job")
    assert row["engine"].startswith("spark ")
    assert (row["status"], row["balanced"]) == ("completed", True)
    assert not notes(tmp_path)


def test_steps_of_a_client_of_spark_connect_are_counted(tmp_path: Path) -> None:
    """Also where a second action computes the plan again."""
    assert ran(MODULE, "connect", tmp_path) == [4000, 4000]
    rows = rows_of(tmp_path / "metrics", "run_job")
    assert {name: flow(row) for name, row in rows.items()} == {"even": (8000, 4000, 4000, 0)}
    assert rows["even"].rejected_reasons == {"odd": 4000}
    assert "Spark gave even/even 8,000 records again" in notes(tmp_path)[0]


def test_workers_that_die_change_no_number(tmp_path: Path) -> None:
    """More than 10 workers die after a step has delivered and before Spark knows, others in the middle of a batch."""
    undisturbed, disturbed = ran(MODULE, "calm", tmp_path / "calm"), ran(MODULE, "killed", tmp_path / "killed")
    assert disturbed["written"] == undisturbed["written"]
    ends = [mark for mark in (tmp_path / "killed" / "marks").iterdir() if not mark.name.endswith("middle")]
    assert len(ends) >= 10
    assert len(ends) < disturbed["deaths"]
    found = rows_of_equal_counts(tmp_path / "calm", tmp_path / "killed")
    assert found["judged"].rejected_reasons == {"first": 2000, "third": 2000}
    assert found["judged"].custom_metrics["odd"] == 8000 / 4 * (0 + 1 + 2 + 3)
    assert found["chosen"].output_records == undisturbed["written"]


def test_actions_that_compute_a_plan_again_count_once(tmp_path: Path) -> None:
    """`take`, `count` and `write` of one plan; the notes say so, and what a cached plan does not do again."""
    told = ran(MODULE, "actions", tmp_path)
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


def test_attempts_and_executors_that_are_lost_change_no_number(tmp_path: Path, master: str) -> None:
    """A speculative attempt overtakes a slow one; two executors are killed, and Spark computes stages again."""
    told = ran(MODULE, "cluster", tmp_path / "job", master)
    marks = {mark.name for mark in (tmp_path / "job" / "marks").iterdir()}
    assert {"attempt-3-0", "attempt-3-1", "executor-before", "executor-behind"} <= marks
    rows = rows_of(tmp_path / "job" / "metrics", "run_job")
    assert {name: flow(row) for name, row in rows.items()} == {
        "overtaken": (8000, told["overtaken"], 8000 - told["overtaken"], 0),
        "before": (8000, 4000, 4000, 0),
        "behind": (4000, told["behind"], 4000 - told["behind"], 0),
    }
    assert told["overtaken"] == 4000
    assert rows["before"].rejected_reasons == {"first": 2000, "third": 2000}
    assert rows["before"].custom_metrics["odd"] == 8000 / 4 * (0 + 1 + 2 + 3)
    assert any("before/before" in note for note in notes(tmp_path / "job")), "its stage was computed again"


def test_a_driver_that_is_killed_leaves_an_aborted_run_with_its_counts(tmp_path: Path) -> None:
    """What was delivered by the last flush stays."""
    assert_killed_driver_is_aborted(MODULE, tmp_path, even=(8000, 4000, 4000, 0))
