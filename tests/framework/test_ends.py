"""A run that is killed while it replaces earlier output, or cleans up, loses nothing and can be resumed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from mega_data_factory.errors import ResumeError
from mega_data_factory.framework.commit.group_writing import write_group
from mega_data_factory.framework.commit.log import COMMITS
from mega_data_factory.framework.commit.output import OutputFolder
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.driver.resuming import find_run, refuse_second_start
from mega_data_factory.framework.driver.session import RunSession
from mega_data_factory.framework.plan import Plan, make_plan
from tests.framework.ending import ends_before
from tests.framework.making import HERE, Lines
from tests.framework.test_output import group

OLD, NEW = "run-old", "run-new"


def plan_of(folder: Path) -> Plan:
    """A plan that deduplicates and replaces what it finds."""
    writer = {"type": f"{HERE}:Lines", "params": {"output_path": str(folder / "out"), "if_exists": "overwrite"}}
    stages = [{"name": "only", "operators": [{"name": f"{HERE}:EqualTexts"}]}]
    loader = {"type": "jsonl_loader", "params": {"path": str(folder / "in")}}
    metrics = {"output_path": str(folder / "metrics")}
    return make_plan(
        PipelineConfig.from_dict(
            {"data_loader": loader, "stages": stages, "data_writer": writer, "executor": {"metrics": metrics}}
        )
    )


def begun(folder: Path, run_id: str, *numbers: int) -> RunSession:
    """A run with an output file for each of these batches and one claim, all of it committed."""
    plan = plan_of(folder)
    session = RunSession.first(plan, OutputFolder.from_plan(plan, run_id))
    for number in numbers:
        write_group(session.output, Lines(str(folder / "out")), group(number))
    state = Path(session.output.state or "")
    state.mkdir(parents=True)
    (state / "claims-0.log").write_bytes(b"claims")
    return session


def resumed(folder: Path, run_id: str) -> RunSession:
    """The next session of a run."""
    plan = plan_of(folder)
    return RunSession.next(plan, OutputFolder.from_plan(plan, find_run(plan, run_id)))


def records(folder: Path) -> list[str]:
    """What a reader of the output folder finds, sorted."""
    return sorted(line for file in (folder / "out").glob("part-*.ids") for line in file.read_text().split())


def every_end(
    tmp_path: Path, session: Callable[[Path], RunSession], work: Callable[[RunSession], object]
) -> Iterator[Path]:
    """Make the same run again and again, and end the same work on it before its first change, its second, and so on."""
    for number in count(1):
        folder = tmp_path / str(number)
        ours = session(folder)
        ended = ends_before(number, folder, lambda: work(ours))  # noqa: B023 - called at once
        ours.lock.release()
        if not ended:
            assert number > 5, "hardly anything was ended"
            return
        yield folder
        shutil.rmtree(folder)


def two_runs(folder: Path) -> RunSession:
    """A complete run, a file of other origin, and a run that would replace the former, all committed."""
    begun(folder, OLD, 2, 3, 4).end(completed=True)
    (folder / "out" / "notes.txt").write_text("mine")
    return begun(folder, NEW, 0, 1)


def test_earlier_output_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    """While a run that overwrites is at work its files are not in the folder, and those that it replaces are."""
    session = two_runs(tmp_path)
    before = records(tmp_path)
    assert len(before) == 6
    assert list((tmp_path / "out" / "_pending" / NEW).glob("part-*"))
    session.replace_earlier()
    session.end(completed=True)
    assert len(records(tmp_path)) == 4
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.suffix != ".ids") == ["notes.txt"]


def test_a_run_killed_while_it_replaces_earlier_output(tmp_path: Path) -> None:
    """One of the two outputs is always whole in the folder; a resumed run keeps its own, and nothing else."""
    calm = tmp_path / "calm"
    session = two_runs(calm)
    old = set(records(calm))
    session.replace_earlier()
    session.end(completed=True)
    new = set(records(calm))
    assert (len(old), len(new), len(old & new)) == (6, 4, 0)
    for folder in every_end(tmp_path, two_runs, lambda session: session.replace_earlier()):
        there = set(records(folder))
        assert there >= old or there >= new
        session = resumed(folder, NEW)
        assert sorted(record.batch.id for record in session.committed) == ["000000-00000", "000000-00001"]
        session.replace_earlier()
        session.end(completed=True)
        assert records(folder) == records(calm)
        assert sorted(path.name for path in (folder / "out").iterdir() if path.suffix != ".ids") == ["notes.txt"]


def test_a_run_killed_while_it_cleans_up(tmp_path: Path) -> None:
    """A finished run that deduplicates is resumed at any moment of its clean-up, and keeps its output alone."""

    def clean_up(session: RunSession) -> None:
        session.end(completed=True)

    for folder in every_end(tmp_path, lambda folder: begun(folder, NEW, 0, 1), clean_up):
        assert len(records(folder)) == 4
        if not list((folder / "out" / COMMITS).rglob("*.json")):  # nothing is left of the run
            assert not [path for path in (folder / "out").rglob("_*/**") if path.is_file()]
            with pytest.raises(ResumeError, match="can be resumed"):
                resumed(folder, NEW)
            continue
        resumed(folder, NEW).end(completed=True)
        assert len(records(folder)) == 4
        assert not [path.name for path in (folder / "out").iterdir() if path.suffix != ".ids"]


def test_the_name_of_a_run_killed_while_it_cleaned_up_is_free(tmp_path: Path) -> None:
    """A run that has completed does not stand in the way of another of its name, whatever it left."""
    session = begun(tmp_path, NEW, 0, 1)
    output = session.output
    with pytest.raises(ResumeError, match="has not completed"):
        refuse_second_start(output)
    session.lock.release()
    output.log.complete()
    refuse_second_start(output)
    assert output.log.plan() is None
    assert len(records(tmp_path)) == 4


def test_output_that_came_later_is_not_replaced(tmp_path: Path) -> None:
    """A resumed run that would remove, or mix with, output that it did not find at its start is refused."""
    session = two_runs(tmp_path)
    session.lock.release()
    plan = plan_of(tmp_path)
    other = OutputFolder.from_plan(plan, "run-appended")
    write_group(other, Lines(str(tmp_path / "out")), group(7))
    before = records(tmp_path)
    with pytest.raises(ResumeError, match=r"since it began other runs have written there: part-") as refused:
        resumed(tmp_path, NEW)
    assert "move their files" in (refused.value.hint or "")
    assert records(tmp_path) == before
