"""What a run goes on from is only given up where it is known to be gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mega_data_factory.errors import InputError
from mega_data_factory.framework.commit.log import CommitLog


def test_a_log_that_is_absent_is_none(tmp_path: Path) -> None:
    """No plan, no groups: there is nothing to go on with."""
    log = CommitLog.of(str(tmp_path), "run_a")
    assert log.plan() is None
    assert list(log.groups()) == []


def test_a_plan_that_cannot_be_read_is_not_taken_for_absent(tmp_path: Path) -> None:
    """A store that answers with anything but "not found" ends the attempt; nothing is removed."""
    log = CommitLog.of(str(tmp_path), "run_a")
    (Path(log.path) / "plan.json").mkdir(parents=True)
    with pytest.raises(InputError):
        log.plan()


def test_an_entry_that_cannot_be_read_is_kept(tmp_path: Path) -> None:
    """Committed work is not thrown away because its entry could not be read this time."""
    log = CommitLog.of(str(tmp_path), "run_a")
    entry = Path(log.path) / "part-000000-00000-aa-bb.1.jsonl"
    entry.mkdir(parents=True)
    with pytest.raises(InputError):
        list(log.groups())
    assert entry.exists()
