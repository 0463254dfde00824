"""The commit loop writes every staged batch once, whenever a run is stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mega_data_factory.framework.batch import CommitRecord, StagedBatch
from mega_data_factory.framework.commit.output import OutputFolder
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.engines.commits import CommitLoop, FileGroup, write_members
from mega_data_factory.framework.engines.local.spool import Spool
from mega_data_factory.framework.plan import make_plan
from tests.framework.making import HERE, Lines, batch, pipeline


class Engine:
    """Stands for an engine: groups that it was asked to write wait until the test writes them."""

    def __init__(self, folder: Path, **writer: float) -> None:
        params = {"output_path": str(folder / "out"), **writer}
        plan = make_plan(PipelineConfig.from_dict(pipeline(data_writer={"type": f"{HERE}:Lines", "params": params})))
        (folder / "spool").mkdir()
        self.output = OutputFolder.from_plan(plan, "run-1")
        self.spool = Spool(folder / "spool")
        self.waiting: list[FileGroup] = []
        self.commits = CommitLoop(plan, self.output, self.spool, self.waiting.append)

    def stage(self, number: int, texts: tuple[str, ...] = ("a", "b")) -> None:
        one = batch(texts, number)
        path = self.spool.put(one.id, one.table) if texts else None
        self.commits.add(StagedBatch(one.without_table(), one.table.num_rows, one.table.nbytes, path))

    def write(self) -> None:
        group = self.waiting.pop(0)
        written = write_members(Lines(self.output.path), self.output, group.members(), Spool.read)
        self.commits.written(group, written)

    def lines(self) -> list[str]:
        return [line for file in sorted(Path(self.output.path).glob("part-*")) for line in file.read_text().split()]


def numbers(records: list[CommitRecord]) -> list[int]:
    return [record.batch.number for record in records]


def test_a_full_file_is_written_and_reported_once(tmp_path: Path) -> None:
    """What is written is reported with its file, its tables are removed, and nothing is left to salvage."""
    engine = Engine(tmp_path, target_file_mb=0)
    engine.stage(0)
    engine.stage(1, ())
    while engine.waiting:
        engine.write()
    records = list(engine.commits.report())
    assert numbers(records) == [0, 1]
    assert [record.output_records for record in records] == [2, 0]
    assert list((tmp_path / "spool").iterdir()) == []
    assert list(engine.commits.report()) == list(engine.commits.salvage()) == []
    assert engine.lines() == ["r0000", "r0001"]


def test_what_waits_is_written_when_no_more_comes(tmp_path: Path) -> None:
    """A file that is not full is written at the end, its batches in order."""
    engine = Engine(tmp_path, target_file_mb=100)
    engine.stage(1)
    engine.stage(0)
    engine.commits.write_overdue()
    assert engine.waiting == []
    engine.commits.write_rest()
    engine.write()
    assert numbers(list(engine.commits.report())) == [0, 1]
    assert engine.lines() == ["r0000", "r0001", "r1000", "r1001"]


@pytest.mark.parametrize("stopped_after", range(7))
def test_a_stopped_run_loses_no_staged_batch(tmp_path: Path, stopped_after: int) -> None:
    """Wherever it stops (staged, being written, written, half reported), every batch is reported and written once."""
    engine = Engine(tmp_path, target_file_mb=0)
    reports = engine.commits.report()
    reported: list[CommitRecord] = []
    steps: list[Callable[[], object]] = [
        lambda: engine.stage(0),
        lambda: engine.stage(1),
        engine.write,
        lambda: engine.stage(2, ()),
        engine.write,
        lambda: reported.append(next(reports)),
    ]
    for step in steps[:stopped_after]:
        step()
    staged = sum(step not in (engine.write, steps[-1]) for step in steps[:stopped_after])
    reported += engine.commits.salvage()
    assert sorted(numbers(reported)) == list(range(staged))
    assert len(engine.lines()) == 2 * min(2, staged)


def test_a_group_that_kills_its_writers_is_not_salvaged(tmp_path: Path) -> None:
    """It would kill the driver; the groups beside it are written."""
    engine = Engine(tmp_path, target_file_mb=0)
    engine.stage(0)
    engine.stage(1)
    engine.commits.give_up(engine.waiting[0])
    assert numbers(list(engine.commits.salvage())) == [1]
    assert engine.lines() == ["r1000", "r1001"]
