"""Engines of one run keep their account files apart."""

from __future__ import annotations

import logging
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

import mega_data_factory as mdf
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.engines.engine import Engine, RunPlace
from tests.observe.runs import run_row


class _One(Engine):
    name: ClassVar[str] = "one"


class _Other(Engine):
    name: ClassVar[str] = "other"


def sorted_down(rows: list[int]) -> list[int]:
    return sorted(rows, reverse=True)


def test_each_engine_reads_its_own_files(tmp_path: Path) -> None:
    """An account is read once, whatever other engines the run has; in the end no folder is left."""
    place = RunPlace("run_x", tmp_path / "accounts")
    one, other = _One(place), _Other(place)
    _One(address=one.address()).deliver(Account("s", "w", "k"), None)
    _Other(address=other.address()).deliver(Account("s", "w", "l"), None)
    read: dict[str, list[Account]] = {"one": [], "other": []}
    one.collect(read["one"].append)
    other.collect(read["other"].append)
    assert {name: [account.key for account in accounts] for name, accounts in read.items()} == {
        "one": ["k"],
        "other": ["l"],
    }
    one.stop()
    assert place.folder.exists()
    other.stop()
    assert not place.folder.exists()


WORKER = """
import pickle, sys
step = pickle.load(sys.stdin.buffer)
print([step([1, 2]), step([3])])
"""


def in_another_process(step: object) -> subprocess.CompletedProcess[bytes]:
    """Call a step in a process that no pool has started: its accounts travel by file."""
    done = subprocess.run([sys.executable, "-c", WORKER], input=pickle.dumps(step), capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[[2, 1], [3]]"
    return done


@pytest.mark.parametrize("named", [False, True])
def test_workers_that_do_not_share_the_folder_say_so_and_so_does_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, named: bool
) -> None:
    """As where `/metrics` of an executor is a folder of its own machine."""
    root = tmp_path / "accounts" if named else tmp_path / "metrics" / ".accounts"
    accounts = str(root) if named else None
    with mdf.observe("apart", metrics=tmp_path / "metrics", accounts=accounts, node_interval=0) as run:
        step = run.step(sorted_down)
        pickle.dumps(step)
        shutil.rmtree(root)
        done = in_another_process(step)
        assert not root.exists()
    assert done.stderr.decode().count("records of this worker are not counted: there is no") == 1
    assert "name one that they share, mdf.observe(..., accounts=FOLDER)" in done.stderr.decode()
    (note,) = run_row(tmp_path / "metrics", run.run_id)["config"]["observed"]["notes"]
    assert f"do not share the folder {root}" in note
    assert note in caplog.text


def test_workers_that_share_the_folder_count_and_nothing_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), mdf.observe("shared", metrics=tmp_path, node_interval=0) as run:
        done = in_another_process(run.step(sorted_down))
    assert done.stderr == b""
    row = run_row(tmp_path, run.run_id)
    assert row["total_input_records"] == 3
    assert "notes" not in row["config"]["observed"]
    assert not caplog.records
    assert not (tmp_path / ".accounts" / run.run_id).exists()


def test_a_run_whose_steps_were_sent_and_never_executed_says_so(tmp_path: Path) -> None:
    with mdf.observe("lazy", metrics=tmp_path, node_interval=0) as run:
        pickle.dumps(run.step(sorted_down))
    (note,) = run_row(tmp_path, run.run_id)["config"]["observed"]["notes"]
    assert note.startswith("no counts of a step have arrived")
