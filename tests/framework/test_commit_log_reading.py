"""What a run goes on from is only given up where it is known to be gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mega_data_factory.errors import InputError, ResumeError
from mega_data_factory.framework.batch import CommitRecord
from mega_data_factory.framework.commit.column_measuring import measure_columns
from mega_data_factory.framework.commit.log import CommitLog, LogContents
from mega_data_factory.framework.contracts import OutputFile
from tests.detail_rows import detail_rows
from tests.framework.making import Long, batch, component, stage


def test_a_log_that_is_absent_is_none(tmp_path: Path) -> None:
    """No plan, no groups: there is nothing to go on with."""
    log = CommitLog.for_run(str(tmp_path), "run_a")
    assert log.plan() is None
    assert log.read() == LogContents()


def test_a_plan_that_cannot_be_read_is_not_taken_for_absent(tmp_path: Path) -> None:
    """A store that answers with anything but "not found" ends the attempt; nothing is removed."""
    log = CommitLog.for_run(str(tmp_path), "run_a")
    (Path(log.path) / "plan.json").mkdir(parents=True)
    with pytest.raises(InputError):
        log.plan()


def test_an_entry_that_cannot_be_read_is_kept(tmp_path: Path) -> None:
    """Committed work is not thrown away because its entry could not be read this time."""
    log = CommitLog.for_run(str(tmp_path), "run_a")
    entry = Path(log.path) / "part-000000-00000-aa-bb.1.jsonl"
    entry.mkdir(parents=True)
    with pytest.raises(InputError):
        log.read()
    assert entry.exists()


def test_reading_removes_nothing(tmp_path: Path) -> None:
    """Only `remove_damaged` removes entries: torn ones, and those whose batches a later session has committed again."""
    log = CommitLog.for_run(str(tmp_path), "run_a")
    for name, session, number in (("part-a", 0, 0), ("part-b", 0, 1), ("part-c", 1, 1)):
        log.append(name, session, [CommitRecord(batch([], number), 0)])
    (Path(log.path) / "part-d.0.jsonl").write_text('{"torn')
    before = sorted(Path(log.path).iterdir())
    contents = log.read()
    assert [group.name for group in contents.groups] == ["part-c", "part-a"]
    assert sorted(record.batch.number for record in contents.records) == [0, 1]
    assert sorted(Path(log.path).iterdir()) == before
    log.remove_damaged(contents)
    assert sorted(path.name for path in Path(log.path).iterdir()) == ["part-a.0.jsonl", "part-c.1.jsonl"]
    assert log.read().groups == contents.groups


def test_details_are_added_up_while_reading(tmp_path: Path) -> None:
    """Those of many batches take the room of one; of batches that a later session has committed again, its count."""
    log = CommitLog.for_run(str(tmp_path), "run_a")
    run = stage(component(Long), score_histograms=True)
    for name, session, numbers in (("part-a", 0, (0, 1)), ("part-b", 0, (2,)), ("part-c", 1, (2,))):
        batches = [run(batch(["a", "abcd"] * (number + 1), number)) for number in numbers]
        column = measure_columns(batches[0].table)
        records = [CommitRecord(each, 0) for each in batches]
        log.append(name, session, [replace(records[0], details=tuple(column)), *records[1:]])
    first, *others = log.read().records
    assert [record.batch.details + record.details for record in others] == [(), ()]
    (scores,) = detail_rows("scores", first.details)
    assert (first.batch.details, scores["judged_records"], scores["failed_records"]) == ((), 12, 6)
    text = [row for row in detail_rows("columns", first.details) if row["column_name"] == "text"]
    assert [row["records"] for row in text] == [4]


def test_rejected_records_in_another_folder_are_not_taken_for_lost(tmp_path: Path) -> None:
    """Resumed in another working folder, a run does not throw away what it has committed; moved with it they are found.

    Without the file in either folder the group does not count: its batches are processed again.
    """
    path = tmp_path / "here" / "run_a" / "part-a.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"1234")
    there = tmp_path / "there" / "run_a"
    log = CommitLog.for_run(str(tmp_path / "out"), "run_a", str(there))
    log.append("part-a", 0, [CommitRecord(batch([], 0), 0, rejects_file=OutputFile(str(path), 1, 4))])
    with pytest.raises(ResumeError, match="here/run_a") as raised:
        log.read()
    assert str(tmp_path / "here") in str(raised.value.hint)
    path.parent.rename(tmp_path / "moved")
    assert log.read().groups == ()
    there.parent.mkdir()
    (tmp_path / "moved").rename(there)
    (group,) = log.read().groups
    assert group.records[0].rejects_file == OutputFile(str(there / "part-a.parquet"), 1, 4)
