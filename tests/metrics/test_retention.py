"""Retention removes what is beyond its limits, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.errors import ConfigError, MetricsError
from mega_data_factory.formats import parse_age, parse_size
from mega_data_factory.framework.executor import Executor
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.framework.metrics.upkeep import retention, shrinking
from mega_data_factory.framework.metrics.upkeep.retention import Pruned, Retention, prune
from tests.metrics.test_compacting import (
    KINDS,
    NOW,
    START,
    all_files,
    content,
    fold,
    killed_anywhere,
    small_files,
    write,
    write_segments,
)
from tests.present import present


def cut(folder: Path | str, **limits: Any) -> Pruned:
    dry_run = limits.pop("dry_run", False)
    return present(prune(folder, Retention(**limits), now=lambda: NOW, dry_run=dry_run))


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("place", ["local", "memory"])
def test_the_newest_runs_stay(tmp_path: Path, place: str, compacted: bool) -> None:
    """Of compacted runs too: the rest of their unit stays, whole, and all of a run's tables go."""
    folder = str(tmp_path) if place == "local" else f"memory://{tmp_path.name}"
    for number in range(6):
        write(folder, number)
    if compacted:
        fold(folder)
    before = content(folder)
    done = cut(folder, max_runs=4, dry_run=True)
    assert (done.runs, done.kept) == (("run_00001", "run_00000"), 4)
    assert done.bytes > 0
    assert content(folder) == before
    assert cut(folder, max_runs=4) == done
    assert MetricsReader(folder).list_runs() == [f"run_{number:05d}" for number in range(2, 6)]
    assert [len(rows) for rows in content(folder)] == [4, 4, *[8] * (len(KINDS) - 2)]
    assert cut(folder, max_runs=0).kept == 0
    assert [len(rows) for rows in content(folder)] == [0] * len(KINDS)
    if place == "local":
        assert all_files(folder) == []


def test_age_and_size_are_limits_too(tmp_path: Path) -> None:
    """A run counts as old by its last sign of life, and sizes add up from the newest."""
    for number in range(4):
        write(tmp_path, number)
    one = sum(file.stat().st_size for file in small_files(tmp_path)) / 4
    write(tmp_path, 0, heartbeat=NOW - timedelta(days=1))
    assert cut(tmp_path, max_age=timedelta(days=2), dry_run=True).runs == ("run_00003", "run_00002", "run_00001")
    assert cut(tmp_path, max_bytes=int(2.5 * one)).runs == ("run_00001", "run_00000")
    assert cut(tmp_path).runs == ()


def test_a_running_run_is_never_removed(tmp_path: Path) -> None:
    """It counts, but stays; one that was killed goes."""
    write(tmp_path, 0, status="running", heartbeat=NOW)
    write(tmp_path, 1, status="running", heartbeat=START)
    assert cut(tmp_path, max_runs=0).runs == ("run_00001",)
    assert MetricsReader(tmp_path).operators().num_rows == 2


def test_a_file_that_is_not_ours_is_never_removed(tmp_path: Path) -> None:
    """Neither one of another kind, nor a damaged one, nor one of another run under the name of this one."""
    write(tmp_path, 1)
    write(tmp_path, 2)
    foreign = [Path(tmp_path, "runs", "notes.txt"), Path(tmp_path, "runs", "data.parquet"), Path(tmp_path, "mine")]
    for file in foreign:
        file.write_text("mine")
    stranger = Path(tmp_path, "stages", "stages_00001.parquet")
    stranger.write_bytes(Path(tmp_path, "stages", "stages_00002.parquet").read_bytes())
    cut(tmp_path, max_runs=0)
    assert sorted(small_files(tmp_path)) == sorted([foreign[1], stranger])
    assert all(file.exists() for file in foreign)


def test_a_prune_that_was_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    """The row of a run goes last, so a run whose other files are gone already is removed all the same."""
    write(tmp_path, 1)
    Path(tmp_path, "operators", "operators_00001.parquet").unlink()
    assert cut(tmp_path, max_runs=0).runs == ("run_00001",)
    assert small_files(tmp_path) == []


def test_a_prune_killed_between_segments_leaves_a_folder_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of a run's segments does not count, and the next prune finishes."""
    original = tmp_path / "original"
    write_segments(original, 1)
    write(original, 2)
    for folder in killed_anywhere(original, tmp_path, monkeypatch, lambda folder: cut(folder, max_runs=1)):
        assert MetricsReader(folder).samples().num_rows in (2, 8)
        cut(folder, max_runs=1)
        assert len(small_files(folder)) == len(KINDS)
        assert MetricsReader(folder).list_runs() == ["run_00002"]


def test_units_that_others_replace_meanwhile_are_pruned_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an object store, which has no lock, a unit that is gone when it is to shrink is no error: all others do."""
    folder = f"memory://{tmp_path.name}"
    for number in range(6):
        write(folder, number)
        if number in (2, 5):
            fold(folder, unit_runs=3)
    real = shrinking._shrink

    def late(*args: Any) -> object:
        monkeypatch.setattr(shrinking, "_shrink", real)
        cut(folder, max_runs=5)
        return real(*args)

    monkeypatch.setattr(shrinking, "_shrink", late)
    cut(folder, max_age=timedelta(days=30) - timedelta(seconds=100))
    assert MetricsReader(folder).list_runs() == ["run_00002", "run_00003", "run_00004", "run_00005"]


@pytest.mark.parametrize("moment", ["_small_states", "_remove_small"])
def test_a_run_that_is_resumed_meanwhile_keeps_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """It was aborted when the runs were listed; what it writes before files go stays."""
    write_segments(tmp_path, 1)
    real = getattr(retention, moment)

    def late(*args: Any) -> object:
        write(tmp_path, 1, status="running", heartbeat=NOW, count=5)
        return real(*args)

    monkeypatch.setattr(retention, moment, late)
    cut(tmp_path, max_runs=0)
    reader = MetricsReader(tmp_path, now=lambda: NOW)
    assert reader.run("run_00001")["status"] == "running"
    for table in (reader.operators(), reader.samples()):
        assert table.column("input_records").to_pylist() == [5, 5]


def test_limits_in_words() -> None:
    """Ages and sizes are written as people write them."""
    assert parse_age("30d") == timedelta(days=30)
    assert parse_age("1.5 h") == timedelta(minutes=90)
    assert [parse_size(text) for text in ("10", "5kB", "2 GB", "1GiB", "1.5m")] == [10, 5000, 2 * 10**9, 2**30, 1500000]
    for parse, text in ((parse_age, "30"), (parse_age, "x"), (parse_size, "-1"), (parse_size, "2 parsecs")):
        with pytest.raises(ValueError, match=text):
            parse(text)
    with pytest.raises(MetricsError, match="negative"):
        prune("memory://nothing", Retention(max_runs=-1), now=lambda: datetime(2026, 1, 1))


def test_retention_of_the_configuration_is_applied_after_each_run(tmp_path: Path) -> None:
    """A run removes older ones beyond `metrics.retention`; a limit that is none is refused."""
    (tmp_path / "in.jsonl").write_text('{"text": "a text"}\n')
    config: dict[str, Any] = {
        "name": "kept",
        "data_loader": {"type": "jsonl_loader", "params": {"path": str(tmp_path / "in.jsonl")}},
        "stages": [{"name": "s", "operators": [{"name": "text_length_filter"}]}],
        "data_writer": {"type": "jsonl_writer", "params": {"output_path": str(tmp_path / "out")}},
        "executor": {"metrics": {"output_path": str(tmp_path / "metrics"), "retention": {"max_runs": 2}}},
    }
    for number in range(3):
        write(tmp_path / "metrics", number)
    for _ in Executor(config, run_id="run_new").execute():
        pass
    assert MetricsReader(tmp_path / "metrics").list_runs() == ["run_00002", "run_new"]
    for wrong in ({"max_age": "30"}, {"max_bytes": "much"}, {"max_runs": 0}, {"max_rums": 1}):
        config["executor"]["metrics"]["retention"] = wrong
        with pytest.raises(ConfigError, match=f"metrics.retention.*|{next(iter(wrong))}"):
            Executor(config)
