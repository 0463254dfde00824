"""The run around the steps: live while it lasts, several at once, scripts and notebooks that do not end it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mega_data_factory as mdf
from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter
from mega_data_factory.observe import report
from tests.observe.runs import flow, rows_of, run_row


def keep(rows: list[int]) -> list[int]:
    return [row for row in rows if row]


def wait_for(condition: Callable[[], Any]) -> Any:
    """Return what the condition gives once it is true; the test's time limit is the limit."""
    while not (found := condition()):
        time.sleep(0.05)
    return found


def records_in(folder: Path, run_id: str) -> int | None:
    """Return the records that the row of a run has; None before it is written."""
    row = MetricsWriter(folder).read_run_metrics(run_id)
    return None if row is None else row["total_input_records"]


def script(text: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a script of a user."""
    command = [sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_run_is_shown_while_it_lasts(tmp_path: Path) -> None:
    with mdf.observe("live", metrics=tmp_path, flush_interval=0.1, node_interval=0.1) as run:
        step = run.step(keep)
        step([0, 1, 2])
        wait_for(lambda: records_in(tmp_path, run.run_id) == 3)
        assert run_row(tmp_path, run.run_id)["status"] == "running"
        step([1])
        wait_for(lambda: records_in(tmp_path, run.run_id) == 4)
    row = run_row(tmp_path, run.run_id)
    assert (row["status"], row["total_input_records"], row["total_output_records"]) == ("completed", 4, 3)
    reader = MetricsReader(tmp_path)
    assert sum(reader.samples(run.run_id)["input_records"].to_pylist()) == 4
    assert len(reader.nodes(run.run_id)) >= 1


def test_samples_of_a_stream_lie_where_the_work_was_done(tmp_path: Path) -> None:
    gate = threading.Event()

    def slowly() -> Any:
        yield from range(5)
        time.sleep(1.1)  # a stream tells about every second how far it is
        yield from range(5, 8)
        gate.wait()
        yield 8

    with mdf.observe("stream", metrics=tmp_path, flush_interval=0.1, node_interval=0) as run:
        items = iter(run.step(slowly(), name="read"))
        for _ in range(8):
            next(items)
        wait_for(lambda: (records_in(tmp_path, run.run_id) or 0) >= 6)
        time.sleep(0.15)  # the rest of the work is in a later interval
        gate.set()
        assert list(items) == [8]
    samples = MetricsReader(tmp_path).samples(run.run_id)
    assert sum(samples["output_records"].to_pylist()) == flow(rows_of(tmp_path, run.run_id)["read"])[1] == 9
    assert len(set(samples["timestamp"].to_pylist())) > 1


def test_runs_of_one_process_do_not_mix(tmp_path: Path) -> None:
    with mdf.observe("outer", metrics=tmp_path, node_interval=0) as outer:
        with mdf.observe("inner", metrics=tmp_path, node_interval=0) as inner:
            outer.step(keep, name="outer")(inner.step(keep, name="inner")([0, 1]))
        outer.step(lambda rows: inner.step(keep, name="late")(rows) if False else keep(rows), name="again")([0, 1])
    assert {name: flow(row)[:2] for name, row in rows_of(tmp_path, inner.run_id).items()} == {"inner": (2, 1)}
    assert {name: flow(row)[:2] for name, row in rows_of(tmp_path, outer.run_id).items()} == {
        "outer": (1, 1),
        "again": (2, 1),
    }


def test_a_step_within_a_step_counts_for_itself(tmp_path: Path) -> None:
    with mdf.observe("nested", metrics=tmp_path, node_interval=0) as run:
        inner = run.step(keep, name="inner")

        def both(rows: list[int]) -> list[int]:
            report("calls", 1)
            kept: list[int] = inner(rows)
            report("kept", len(kept))
            return kept[:1]

        run.step(both, name="outer")([0, 1, 2])
    rows = rows_of(tmp_path, run.run_id)
    assert (flow(rows["inner"])[:2], flow(rows["outer"])[:2]) == ((3, 2), (3, 1))
    assert rows["outer"].custom_metrics == {"calls": 1, "kept": 2}
    assert rows["inner"].custom_metrics == {}


def test_a_run_starts_once_and_may_be_ended_twice(tmp_path: Path) -> None:
    run = mdf.observe("once", metrics=tmp_path, node_interval=0)
    before = run.step(keep)([0, 1])
    assert before == [1]
    run.start()
    with pytest.raises(RuntimeError, match="has been started before; call observe again"):
        run.start()
    run.end()
    run.end()
    assert run_row(tmp_path, run.run_id)["status"] == "completed"


def test_metrics_that_cannot_be_written_do_not_fail_the_script(tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "file").write_text("in the way")
    with mdf.observe("blocked", metrics=tmp_path / "file" / "metrics", node_interval=0) as run:
        assert run.step(keep)([0, 1]) == [1]
    assert "could not be written" in caplog.text


ENDINGS = {
    "ends": ("", "completed"),
    "raises": ("raise ValueError('x')", "failed"),
    "leaves": ("sys.exit(0)", "completed"),
}


@pytest.mark.parametrize(("ending", "status"), ENDINGS.values(), ids=ENDINGS)
def test_a_script_that_never_ends_its_run(tmp_path: Path, ending: str, status: str) -> None:
    text = f"""
        import sys
        import mega_data_factory as mdf

        run = mdf.observe("script", metrics=sys.argv[1], run_id="run_script", node_interval=0).start()
        run.step(sorted)([1, 2])
        {ending}
    """
    script(text, tmp_path).communicate()
    row = run_row(tmp_path, "run_script")
    assert (row["status"], row["total_input_records"]) == (status, 2)


def test_a_driver_that_is_killed_leaves_what_was_written_and_an_aborted_run(tmp_path: Path) -> None:
    text = """
        import sys, time
        import mega_data_factory as mdf

        options = {"run_id": "run_killed", "flush_interval": 0.1, "node_interval": 0}
        with mdf.observe("killed", metrics=sys.argv[1], **options) as run:
            run.step(sorted)([1, 2])
            time.sleep(600)
    """
    driver = script(text, tmp_path)
    wait_for(lambda: driver.poll() is not None or records_in(tmp_path, "run_killed") == 2)
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    [row] = MetricsReader(tmp_path).runs().to_pylist()
    assert row["status"] == "aborted"
    assert flow(rows_of(tmp_path, "run_killed")["sorted"]) == (2, 2, 0, 0)


NOTEBOOK = """
    import sys
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()

    def cell(text):
        result = shell.run_cell(text, store_history=True)
        result.raise_error()

    cell("import mega_data_factory as mdf")
    start = f"run = mdf.observe('book', metrics={sys.argv[1]!r}, node_interval=0).start()"
    define = "step = run.step(lambda rows: rows[1:], name='cut', reason='first')"
    cell(start)
    first = shell.user_ns["run"].run_id
    cell(start)
    cell(define)
    cell("step([1, 2, 3])")
    cell(define)
    cell("step([1, 2, 3, 4])")
    cell("other = run.step(len, name='len')")
    second = shell.user_ns["run"].run_id
    cell("run.end()")
    print(first, second)
"""


def test_a_cell_of_a_notebook_that_is_executed_twice(tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    printed, problems = script(NOTEBOOK, tmp_path).communicate()
    assert not problems, problems
    first, second = printed.split()[-2:]
    assert (run_row(tmp_path, first)["status"], run_row(tmp_path, second)["status"]) == ("failed", "completed")
    assert "executed again" in run_row(tmp_path, first)["error"]
    assert flow(rows_of(tmp_path, second)["cut"]) == (4, 3, 1, 0)
    assert list(rows_of(tmp_path, second)) == ["cut"]
    [note] = run_row(tmp_path, second)["config"]["observed"]["notes"]
    assert "was executed again; only its last execution counts" in note
