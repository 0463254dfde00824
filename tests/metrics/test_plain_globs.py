"""`{table}/*.parquet` holds every run once for programs that know nothing of this package."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from mega_data_factory import storage
from mega_data_factory.exports.superset import write_views
from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, Retention, compact, prune
from mega_data_factory.framework.metrics.rows.interval import SampleMetrics
from mega_data_factory.framework.metrics.store import segments as folding
from mega_data_factory.framework.metrics.store.files import encoding
from mega_data_factory.framework.metrics.store.files.layout import PENDING
from mega_data_factory.framework.metrics.store.files.run_files import publish
from tests.metrics.test_compacting import (
    KINDS,
    NOW,
    START,
    all_files,
    content,
    fold,
    killed_anywhere,
    units,
    write,
    write_segments,
)
from tests.present import present

OLD = Path(__file__).parent / "old_versions"
ROWS = {kind: 1 if kind in ("runs", "stages") else 2 for kind in KINDS}

READERS: dict[str, Callable[[str], list[str]]] = {
    "duckdb": lambda folder: (
        present(duckdb.sql(f"SELECT run_id FROM '{folder}/*.parquet'")).to_arrow_table()["run_id"].to_pylist()
    ),
    "polars": lambda folder: pl.scan_parquet(f"{folder}/*.parquet").collect()["run_id"].to_list(),
    "polars, the folder": lambda folder: pl.scan_parquet(folder).collect()["run_id"].to_list(),
    "pandas": lambda folder: pd.read_parquet(folder)["run_id"].tolist(),
    "pyarrow": lambda folder: ds.dataset(folder, format="parquet").to_table(["run_id"])["run_id"].to_pylist(),
}


def seen(folder: Path, kind: str) -> Counter[str]:
    """How many rows a glob finds of every run; not more than the others is what matters here."""
    files = Path(folder, kind).glob("*.parquet")  # of pathlib, so hidden ones too
    return Counter(run_id for file in files for run_id in pq.ParquetFile(file).read(["run_id"])["run_id"].to_pylist())


def once(folder: Path, runs: Sequence[str]) -> bool:
    return all(seen(folder, kind) == dict.fromkeys(runs, ROWS[kind]) for kind in KINDS)


@pytest.mark.parametrize("program", READERS)
def test_every_run_is_there_once(tmp_path: Path, program: str) -> None:
    """Small files, a few compacted, all compacted, merged, pruned, with the views of Superset beside them."""
    runs: list[str] = []

    def check() -> None:
        for kind in KINDS:
            found = Counter(READERS[program](str(tmp_path / kind)))
            assert found == dict.fromkeys(runs, ROWS[kind])

    for number in range(5):
        runs.append(write(tmp_path, number))
    write_views(tmp_path, tmp_path / "views.duckdb")
    check()
    last = write(tmp_path, 0, run_id="run_young", heartbeat=NOW)
    runs.append(last)
    fold(tmp_path, unit_runs=3)
    check()
    runs.append(write(tmp_path, 9))
    fold(tmp_path, min_age=timedelta(0), unit_runs=100)
    check()
    assert len(all_files(tmp_path)) == len(KINDS)
    prune(tmp_path, Retention(max_runs=4), now=lambda: NOW)
    runs = MetricsReader(tmp_path).list_runs()
    assert len(runs) == 4
    check()
    assert {path.suffix for kind in KINDS for path in (tmp_path / kind).iterdir()} == {".parquet"}


def test_a_compacted_run_that_is_written_again_leaves_its_unit(tmp_path: Path) -> None:
    """A glob sees its new rows and not the old ones, whatever was written of it; the others stay."""
    runs = [write(tmp_path, number) for number in range(3)]
    fold(tmp_path)
    assert once(tmp_path, runs)
    write(tmp_path, 1, count=7)
    assert once(tmp_path, runs)
    writer = MetricsWriter(tmp_path, replace=True)
    writer.write_samples([SampleMetrics("run_00002", "s", "o", "w", START, 5.0, 3)], "run_00002")
    assert seen(tmp_path, "samples") == {"run_00000": 2, "run_00001": 2, "run_00002": 1}
    assert seen(tmp_path, "operators") == dict.fromkeys(runs, 2)
    inputs = MetricsReader(tmp_path).operators("run_00001").column("input_records").to_pylist()
    assert inputs == [7, 7]


def test_a_writer_that_stays_while_its_run_is_compacted(tmp_path: Path) -> None:
    """It notices that its files are gone: what it writes afterwards is there once."""
    writer = MetricsWriter(tmp_path)
    runs = [write(tmp_path, number, writer=writer) for number in range(2)]
    fold(tmp_path)
    write(tmp_path, 0, count=5, writer=writer)
    assert once(tmp_path, runs)


@pytest.mark.parametrize("work", ["compacting", "merging", "pruning", "taking out"])
def test_a_process_killed_anywhere_never_shows_a_run_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    """Neither a run nor a part of it; readers of this package are exact, and the next upkeep makes the glob so too."""
    original = tmp_path / "original"
    runs = [write(original, number) for number in range(3)]
    if work != "compacting":
        fold(original, unit_runs=100)
    if work == "merging":
        runs += [write(original, 3), write_segments(original, 4, count=2)]
    jobs = {
        "pruning": lambda folder: prune(folder, Retention(max_runs=2), now=lambda: NOW),
        "taking out": lambda folder: write(folder, 1),
    }
    before = content(original)
    steps = 0
    for folder in killed_anywhere(original, tmp_path, monkeypatch, jobs.get(work, lambda folder: fold(folder))):
        steps += 1
        for kind in KINDS:
            most = dict.fromkeys(runs, ROWS[kind])
            if kind == "samples" and work == "merging":
                most["run_00004"] = 4
            assert all(count <= most[run_id] for run_id, count in seen(folder, kind).items())
        if work != "pruning":
            assert content(folder) == before
        fold(folder, unit_runs=100)
        after = content(folder)
        if work == "pruning":
            assert [len(rows) for rows in after] in ([n * ROWS[kind] for kind in KINDS] for n in (3, 2))
        else:
            assert after == before
        left = MetricsReader(folder).list_runs()
        if work != "merging":
            assert once(folder, left)
        assert len(all_files(folder)) == len(units(folder)) * len(KINDS)
        assert not list((folder / PENDING).rglob("*.parquet"))
    assert steps > 10


def test_segments_are_there_once_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No removal or write of a run in progress shows a sample twice to a glob, in its first life or the second."""
    monkeypatch.setattr(folding, "FOLD_AT", 3)
    shown = []

    def looking(operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            result = operation(*args)
            found = [
                row["input_records"]
                for file in sorted(tmp_path.glob("samples/*.parquet"))
                for row in pq.ParquetFile(file).read().to_pylist()
            ]
            assert len(found) == len(set(found))
            shown.append(len(found))
            return result

        return run

    monkeypatch.setattr(folding, "remove", looking(storage.remove))
    monkeypatch.setattr(folding, "publish", looking(publish))
    for _life in range(2):
        log = folding.SegmentLog(tmp_path, "samples", "run_a")
        for number in range(11):
            log.append([SampleMetrics("run_a", "s", "o", "w", START, 5.0, number)])
        log.finish()
        assert [file.name for file in (tmp_path / "samples").iterdir()] == ["samples_a.parquet"]
    assert shown[-1] == 11


def test_what_is_written_beside_the_tables_does_not_match(tmp_path: Path) -> None:
    """Neither half-written files, nor pending ones, nor those of the views are in the folder of a table."""
    run_id = write(tmp_path, 1)
    views = write_views(tmp_path, tmp_path / "views.duckdb")
    names = {kind: [path.name for path in (tmp_path / kind).iterdir()] for kind in KINDS}

    def looking(operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            for kind in KINDS:
                assert [path.name for path in (tmp_path / kind).iterdir()] == names[kind]
            return operation(*args, **options)

        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "encode", looking(encoding.encode))
        write(tmp_path, 1, count=5)
    (tmp_path / ".pending" / "samples").mkdir(exist_ok=True)
    (tmp_path / ".pending" / "samples" / "samples_00001.000000.parquet").write_bytes(b"half")
    assert views.is_file()
    assert once(tmp_path, [run_id])


def test_units_of_earlier_versions_move_to_the_tables(tmp_path: Path) -> None:
    """Units in the folder `compacted` are read as they are, and the next compaction puts them where globs find them."""
    shutil.copytree(OLD / "compacted", tmp_path, dirs_exist_ok=True)
    reader = MetricsReader(tmp_path)
    runs = reader.list_runs()
    assert runs == ["run_20260124_123456", "run_20260901_090000_4567cdef"]
    assert reader.run(runs[1])["balanced"] is True
    before = content(tmp_path)
    compact(tmp_path)
    assert content(tmp_path) == before
    assert sorted(seen(tmp_path, "runs")) == runs
    assert not list((tmp_path / "compacted").rglob("*.parquet"))


@pytest.mark.slow
def test_a_glob_beside_compaction_pruning_and_writers(tmp_path: Path) -> None:
    """Thousands of queries while others work: never a run twice; an error where a file goes while it is read."""
    stop, failures, written = threading.Event(), [], []

    def working() -> None:
        try:
            for number in range(60):
                written.append(write(tmp_path, number))
                if number % 5 == 0:
                    compact(tmp_path, now=lambda: NOW, unit_runs=20)
                if number % 7 == 0 and number:
                    write(tmp_path, number - 6, count=3)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)
        stop.set()

    thread = threading.Thread(target=working)
    write(tmp_path, 99)
    thread.start()
    asked = gone = missed = 0
    while not stop.is_set():
        for kind in ("runs", "operators"):
            known = set(written)
            asked += 1
            try:
                found = Counter(READERS["duckdb"](str(Path(tmp_path, kind))))
            except duckdb.Error:
                gone += 1
                continue
            assert set(found.values()) <= {ROWS[kind]}
            missed += bool(known - found.keys())
    thread.join()
    assert failures == []
    print(f"{asked} queries, {gone} failed because a file went, {missed} missed a run")
    assert missed < asked / 10
