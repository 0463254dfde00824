"""Compaction folds small files into large ones, and nobody who reads meanwhile notices."""

from __future__ import annotations

import functools
import os
import random
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mega_data_factory import storage
from mega_data_factory.framework.metrics import (
    MetricsReader,
    MetricsWriter,
    OperatorMetrics,
    RunMetrics,
    StageMetrics,
    schema,
)
from mega_data_factory.framework.metrics.nodes import NodeMetrics
from mega_data_factory.framework.metrics.rows.interval import SampleMetrics
from mega_data_factory.framework.metrics.store.files import listing
from mega_data_factory.framework.metrics.store.files import run_files as files
from mega_data_factory.framework.metrics.store.files.layout import Segment
from mega_data_factory.framework.metrics.store.files.units import Unit, unit_of
from mega_data_factory.framework.metrics.store.reading.stored_tables import StoredTables
from mega_data_factory.framework.metrics.store.segments import SegmentLog
from mega_data_factory.framework.metrics.upkeep import compaction, recovery, shrinking, unit_files
from mega_data_factory.framework.metrics.upkeep.compaction import Compaction, compact
from mega_data_factory.framework.metrics.upkeep.unit_files import write_unit
from mega_data_factory.storage import Location, remove
from tests.present import present

START = datetime(2026, 1, 1)
NOW = START + timedelta(days=30)
KINDS = tuple(schema.TABLES)


def write(
    folder: Path | str,
    number: int,
    *,
    run_id: str | None = None,
    status: str = "completed",
    heartbeat: datetime | None = None,
    count: int = 1,
    writer: MetricsWriter | None = None,
) -> str:
    run_id = run_id or f"run_{number:05d}"
    moment = START + timedelta(minutes=number)
    writer = writer or MetricsWriter(folder, replace=True)  # a run that is resumed writes its files again
    writer.write_samples([SampleMetrics(run_id, "s", "o", f"w{i}", moment, 5.0, count) for i in range(2)], run_id)
    writer.write_nodes([NodeMetrics(run_id, "n", moment + timedelta(seconds=i), i) for i in range(2)], run_id)
    for table in schema.DETAILS:
        row = {"run_id": run_id, "stage_name": "s", "operator_name": "o", "timestamp": moment}
        counts = {column.name: 0 for column in schema.TABLES[table] if pa.types.is_integer(column.type)}
        writer.write_details(table, [row | counts] * 2, run_id)
    writer.write_all(
        RunMetrics(run_id, moment, moment + timedelta(seconds=30), status=status, heartbeat=heartbeat),
        [StageMetrics(run_id, "s", moment)],
        [OperatorMetrics(run_id, "s", "o", f"w{i}", moment, count, 1) for i in range(2)],
    )
    return run_id


def content(folder: Path | str) -> list[list[str]]:
    """Every row of every table, as text, sorted: what readers see, however it is stored."""
    tables = all_tables(MetricsReader(folder, now=lambda: NOW))
    return [sorted(map(repr, table.to_pylist())) for table in tables.values()]


def all_tables(reader: MetricsReader) -> dict[str, pa.Table]:
    """Every table of a reader, by kind."""
    return {kind: reader.details(kind) if kind in schema.DETAILS else getattr(reader, kind)() for kind in KINDS}


def all_files(folder: Path | str) -> list[Path]:
    return [
        file for kind in KINDS for where in ("", ".pending") for file in Path(folder, where, kind).glob("[!.]*.parquet")
    ]


def small_files(folder: Path | str) -> list[Path]:
    """Files of single runs."""
    return [file for file in all_files(folder) if unit_of(file.name) is None]


def units(folder: Path, kind: str = "runs") -> list[Path]:
    """Files of compacted runs."""
    return sorted(file for file in all_files(folder) if file.parent.name == kind and unit_of(file.name))


def fold(folder: Path | str, **options: Any) -> Compaction:
    return present(compact(folder, now=lambda: NOW, **options))


@pytest.mark.parametrize("place", ["local", "memory"])
def test_compaction_changes_no_row(tmp_path: Path, place: str) -> None:
    """All tables, one run and SQL say the same before and after; the small files are gone."""
    folder = str(tmp_path) if place == "local" else f"memory://{tmp_path.name}"
    for number in range(7):
        write(folder, number)
    before = content(folder)
    assert fold(folder, unit_runs=3) == Compaction(7, 3, 7 * len(KINDS))
    assert content(folder) == before
    assert small_files(folder) == []
    reader = MetricsReader(folder)
    assert [row["worker_id"] for row in reader.rows("operators", "run_00004")] == ["w0", "w1"]
    assert reader.run("latest")["run_id"] == "run_00006"
    assert reader.sql("SELECT count(*) AS n, sum(input_records) AS i FROM operators").to_pylist() == [
        {"n": 14, "i": 14}
    ]
    assert fold(folder, unit_runs=3).runs == 0
    assert content(folder) == before


def test_only_runs_that_are_over_are_compacted(tmp_path: Path) -> None:
    """Running and young runs keep their files; one that was killed is compacted and stays aborted."""
    write(tmp_path, 1)
    killed = write(tmp_path, 2, status="running", heartbeat=START)
    write(tmp_path, 3, status="running", heartbeat=NOW)
    write(tmp_path, 0, run_id="run_young", heartbeat=NOW - timedelta(minutes=59))
    before = content(tmp_path)
    assert fold(tmp_path, dry_run=True) == Compaction(2, 1, 0)
    assert fold(tmp_path).runs == 2
    assert content(tmp_path) == before
    assert sorted(file.stem for file in small_files(tmp_path) if file.parent.name == "runs") == [
        "run_00003",
        "run_young",
    ]
    assert MetricsReader(tmp_path, now=lambda: NOW).run(killed)["status"] == "aborted"


def test_small_units_grow_into_larger_ones(tmp_path: Path) -> None:
    """Compacting again and again leaves few units, sorted by start, not one for each time."""
    for number in range(12):
        write(tmp_path, number)
        fold(tmp_path, unit_runs=6)
    assert len(units(tmp_path)) <= 4
    assert MetricsReader(tmp_path).list_runs() == [f"run_{number:05d}" for number in range(12)]
    for file in units(tmp_path, "operators"):
        metadata = pq.ParquetFile(file)
        assert metadata.metadata.row_group(0).column(0).compression == "ZSTD"
        assert metadata.read(["run_id"]).column(0).to_pylist() == sorted(
            metadata.read(["run_id"]).column(0).to_pylist()
        )


class Killed(BaseException):
    """Stands for the end of the process at some point between two operations on files."""


def killed_anywhere(
    original: Path, parent: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[..., Any]
) -> Iterator[Path]:
    """Folders in which `work` was stopped after 0, 1, 2 … writes and removals of files; the last one is finished."""
    for step in range(100):
        folder = shutil.copytree(original, parent / str(step))
        left = step

        def counted(operation: Callable[..., Any]) -> Callable[..., Any]:
            def run(*args: str, **options: Any) -> Any:
                nonlocal left
                if left == 0:
                    raise Killed
                left -= 1
                return operation(*args, **options)

            return run

        with monkeypatch.context() as patch:
            patch.setattr(unit_files, "atomic_output", counted(storage.atomic_output))
            for module in (files, shrinking):
                patch.setattr(module, "write_tables", counted(module.write_tables))
            for module in (unit_files, files, recovery):
                patch.setattr(module, "remove", counted(remove))
            patch.setattr(listing, "remove_all", counted(storage.remove_all))
            patch.setattr(files, "move", counted(storage.move))
            try:
                work(folder)
                finished = True
            except Killed:
                finished = False
        yield folder
        if finished:
            return


@pytest.mark.parametrize("second", [False, True], ids=["first", "merging"])
def test_a_compaction_killed_anywhere_changes_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: bool
) -> None:
    """Stopped after any number of writes and removals, readers see every run once, and the next one finishes."""
    original = tmp_path / "original"
    write(original, 0)
    write(original, 1)
    if second:
        fold(original, unit_runs=100)
        write(original, 2)
    before = content(original)
    steps = 0
    for folder in killed_anywhere(original, tmp_path, monkeypatch, lambda folder: fold(folder, unit_runs=100)):
        assert content(folder) == before
        fold(folder, unit_runs=100)
        assert content(folder) == before
        assert small_files(folder) == []
        steps += 1
    assert steps >= 16  # writes of a unit, removals of small files or of the unit before


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """Files of a unit that never existed go at once, half-written ones a day later: a run may be writing them."""
    write(tmp_path, 1)
    fold(tmp_path)
    (unit,) = units(tmp_path, "stages")
    orphan = Path(tmp_path, ".pending", "stages", f"compacted_a_b_{'0' * 16}.parquet")
    foreign = orphan.with_name("notes.parquet")
    half = Path(tmp_path, ".pending", ".stages_00001.parquet.0123.tmp")
    for file in (orphan, foreign, half):
        file.write_bytes(unit.read_bytes())
    fold(tmp_path)
    assert not orphan.exists()
    assert half.exists()
    os.utime(half, (0, 0))
    fold(tmp_path)
    assert not half.exists()
    assert foreign.exists()


def test_a_run_that_goes_on_after_compaction_shows_its_new_state(tmp_path: Path) -> None:
    """Files of a run itself count before the unit, in every table, and the next compaction keeps the newer ones."""
    write(tmp_path, 1, status="interrupted")
    write(tmp_path, 2)
    fold(tmp_path)
    write(tmp_path, 1, count=9, heartbeat=NOW - timedelta(days=1))
    for _ in range(2):
        reader = MetricsReader(tmp_path)
        assert reader.run("run_00001")["status"] == "completed"
        assert reader.operators("run_00001").column("input_records").to_pylist() == [9, 9]
        assert reader.operators().num_rows == reader.samples().num_rows == 4
        assert reader.sql("SELECT sum(input_records) AS i FROM samples").to_pylist() == [{"i": 20}]
        fold(tmp_path)


def test_segments_are_compacted_each_sample_once(tmp_path: Path) -> None:
    """Samples of a run that was killed in the middle of a fold are in the unit once, and all its files go."""
    run_id = write(tmp_path, 1, status="running", heartbeat=START)
    log = MetricsWriter(tmp_path)
    whole = Path(tmp_path, "samples", "samples_00001.parquet")
    Path(tmp_path, Segment(0, 0).file_of("samples", run_id)).write_bytes(whole.read_bytes())
    before = content(tmp_path)
    assert fold(tmp_path) == Compaction(1, 1, len(KINDS) + 1)
    assert content(tmp_path) == before
    assert log.list_runs() == [run_id]


def write_segments(folder: Path, number: int, count: int = 3) -> str:
    """A run that was killed before its segments of samples were folded."""
    run_id = write(folder, number, status="running", heartbeat=START)
    whole = Path(folder, "samples", f"samples_{number:05d}.parquet")
    for segment in range(count):
        shutil.copy(whole, Path(folder, Segment(segment, segment).file_of("samples", run_id)))
    whole.unlink()
    return run_id


@pytest.mark.parametrize("state", ["segments", "folding", pytest.param("folded", marks=pytest.mark.slow)])
def test_a_compaction_killed_between_segments_changes_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """Readers see every sample once whatever segments are gone, and the next compaction finishes."""
    original = tmp_path / "original"
    run_id = write_segments(original, 1)
    write(original, 2)
    segments = [Path(original, Segment(number, number).file_of("samples", run_id)) for number in range(3)]
    if state != "segments":  # killed in a fold, before what it stands for went
        wide = Segment(0, 2).file_of("samples", run_id) if state == "folding" else "samples/samples_00001.parquet"
        shutil.copy(segments[0], Path(original, wide))
    before = content(original)
    for folder in killed_anywhere(original, tmp_path, monkeypatch, fold):
        assert content(folder) == before
        assert MetricsReader(folder).sql("SELECT count(*) AS n FROM samples").to_pylist() == [{"n": len(before[3])}]
        fold(folder)
        assert content(folder) == before
        assert small_files(folder) == []


def test_samples_of_a_run_that_is_resumed_meanwhile_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever goes on with a run while it is compacted loses no sample, and none is hidden."""
    run_id = write_segments(tmp_path, 1)

    def write_late(path: Location, tables: Mapping[str, pa.Table]) -> str:
        name = write_unit(path, tables)
        log = SegmentLog(tmp_path, "samples", run_id)
        log.append([SampleMetrics(run_id, "s", "o", "w0", START, 5.0, 7)])
        return name

    monkeypatch.setattr(compaction, "write_unit", write_late)
    fold(tmp_path)
    assert MetricsReader(tmp_path).samples().column("input_records").to_pylist() == [7]


def test_a_file_written_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody writes over between reading and removing stays, and counts."""
    writer = MetricsWriter(tmp_path)
    write(tmp_path, 1, writer=writer)

    def write_late(path: Location, tables: Mapping[str, pa.Table]) -> str:
        name = write_unit(path, tables)
        write(tmp_path, 1, count=5, writer=writer)
        return name

    monkeypatch.setattr(compaction, "write_unit", write_late)
    fold(tmp_path)
    assert MetricsReader(tmp_path).operators().column("input_records").to_pylist() == [5, 5]


def test_files_that_are_not_ours_are_left_alone(tmp_path: Path) -> None:
    """A damaged file stays where it is, and so does one whose rows are of another run than its name says."""
    write(tmp_path, 1)
    write(tmp_path, 2)
    torn = Path(tmp_path, "stages", "stages_00001.parquet")
    torn.write_bytes(b"PAR1")
    other = Path(tmp_path, "operators", "operators_00002.parquet")
    other.write_bytes(Path(tmp_path, "operators", "operators_00001.parquet").read_bytes())
    fold(tmp_path)
    assert torn.exists()
    assert other.exists()


@pytest.mark.slow
def test_readers_writers_and_compactors_at_once(tmp_path: Path) -> None:
    """Two writers, two compactors and a reader at the same time: every run that is written is seen once, always."""
    written: list[str] = []
    stop = threading.Event()
    failures: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - shown by the test
                failures.append(error)
                stop.set()

        return threading.Thread(target=run)

    def writing(first: int) -> None:
        for number in range(first, first + 25):
            written.append(write(tmp_path, number))

    def compacting() -> None:
        while not stop.is_set():
            compact(tmp_path, now=lambda: NOW, unit_runs=random.choice([5, 20]))

    def reading() -> None:
        reader = MetricsReader(tmp_path)
        while not stop.is_set():
            known = list(written)
            seen = reader.list_runs()
            assert len(seen) == len(set(seen))
            assert set(known) <= set(seen)
            workers = reader.operators().select(["run_id", "worker_id"]).to_pylist()
            assert len(workers) == len({(row["run_id"], row["worker_id"]) for row in workers})
            assert set(known) <= {row["run_id"] for row in workers}

    writers = [guarded(functools.partial(writing, first)) for first in (0, 100)]
    others = [guarded(compacting), guarded(compacting), guarded(reading)]
    for thread in writers + others:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in others:
        thread.join()
    assert failures == []
    fold(tmp_path, min_age=timedelta())
    assert sorted(MetricsReader(tmp_path).list_runs()) == sorted(written)
    assert MetricsReader(tmp_path).samples().num_rows == 100


def test_a_unit_that_another_thread_forgets_while_it_is_read(tmp_path: Path) -> None:
    """Threads share what is known of units: one that has just listed fewer takes nothing from under another."""

    class Forgotten(dict[str, Unit]):
        def __setitem__(self, name: str, unit: Unit) -> None:
            """Another thread has put a dict without it in the place of this one."""

    write(tmp_path, 0)
    fold(tmp_path)
    tables = StoredTables(tmp_path)
    tables.units._units = Forgotten()
    assert [unit.runs.keys() for unit in tables.units.all()] == [{"run_00000"}]
