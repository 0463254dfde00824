"""The row cache saves opening files, and never changes what a reader sees."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, Retention, RunMetrics, prune
from mega_data_factory.framework.metrics.store.files.decoding import read_run_file
from mega_data_factory.framework.metrics.store.files.row_cache import CACHE, LEAST_FILES, RowCache, _checksum
from mega_data_factory.framework.metrics.store.reading import single_runs
from mega_data_factory.framework.metrics.upkeep.compaction import compact

START = datetime(2026, 1, 1)
RUNS = LEAST_FILES + 6
NOW = START + timedelta(days=30)


def run_of(number: int, **values: Any) -> RunMetrics:
    started = START + timedelta(minutes=number)
    values = {"status": "completed", "config": {"name": f'é "{number}"\n\t'}, "pipeline": "p", **values}
    return RunMetrics(f"run_{number:05d}", started, started + timedelta(seconds=1.25), 1.25, **values)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of enough runs, one of them running and one with numbers at the limits of their types."""
    folder = tmp_path_factory.mktemp("original")
    writer = MetricsWriter(folder)
    for number in range(RUNS - 2):
        writer.write_run_metrics(run_of(number))
    writer.write_run_metrics(run_of(RUNS - 2, total_input_records=2**63 - 1, loader_seconds=1e-300, error="\u2028"))
    writer.write_run_metrics(run_of(RUNS - 1, status="running", heartbeat=NOW, flush_interval=5.0))
    return folder


@pytest.fixture
def store(original: Path, tmp_path: Path) -> Path:
    """The same folder, with files that have other inodes: the entries of the cache are made anew."""
    folder = Path(shutil.copytree(original, tmp_path / "metrics"))
    fill(folder)
    return folder


def fill(folder: Path) -> None:
    """Write the cache from nothing; a writer adds `LEAST_FILES` at a time."""
    (folder / CACHE).unlink(missing_ok=True)
    for _ in range(2):
        RowCache(folder).add("run_00000")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of `runs` that are opened from now on."""
    paths: list[str] = []

    def reading(path: str, *rest: Any) -> object:
        paths.append(Path(path).stem)
        return read_run_file(path, *rest)

    monkeypatch.setattr(single_runs, "read_run_file", reading)
    return paths


def runs(folder: Path, **chosen: Any) -> pa.Table:
    return MetricsReader(folder, now=lambda: NOW).runs(**chosen)


def without_cache(folder: Path) -> pa.Table:
    """Return what a reader sees of the files alone."""
    hidden = (folder / CACHE).rename(folder / "elsewhere")
    try:
        return runs(folder)
    finally:
        hidden.rename(folder / CACHE)


def test_writers_make_the_cache_and_readers_open_only_what_it_lacks(original: Path, opened: list[str]) -> None:
    """All but the run in progress, every value the same, whole and by columns; the newest run by its id alone."""
    cached = runs(original)
    assert opened == [f"run_{RUNS - 1:05d}"]
    assert cached.equals(without_cache(original), check_metadata=True)
    assert cached["total_input_records"][RUNS - 2].as_py() == 2**63 - 1
    opened.clear()
    assert runs(original, columns=["duration"]).equals(cached.select(["run_id", "start_time", "duration", "status",
        "pipeline", "heartbeat", "flush_interval", "hostname", "pid"]))  # fmt: skip
    assert len(MetricsReader(original).list_runs(status="completed", limit=20, newest_first=True)) == 20
    assert opened == [f"run_{RUNS - 1:05d}"] * 2
    opened.clear()
    assert MetricsReader(original).levels("latest").run["run_id"] == f"run_{RUNS - 1:05d}"
    assert set(opened) == {f"run_{RUNS - 1:05d}", f"stages_{RUNS - 1:05d}", f"operators_{RUNS - 1:05d}"}


def test_few_runs_have_no_cache(tmp_path: Path) -> None:
    """A handful of files is opened as fast; the run with which they are enough brings the others in."""
    writer = MetricsWriter(tmp_path)
    for number in range(LEAST_FILES - 1):
        writer.write_run_metrics(run_of(number))
    assert not (tmp_path / CACHE).exists()
    writer.write_run_metrics(run_of(RUNS))
    assert len((tmp_path / CACHE).read_bytes().split()) >= LEAST_FILES


def test_a_run_in_progress_is_not_added_at_every_heartbeat(store: Path) -> None:
    """The cache grows by a line for a run, when it is over."""
    writer = MetricsWriter(store, replace=True)
    size = (store / CACHE).stat().st_size
    for second in range(20):
        writer.write_snapshot(run_of(RUNS - 1, status="running", heartbeat=NOW), NOW + timedelta(seconds=second))
    assert (store / CACHE).stat().st_size == size
    writer.write_run_metrics(run_of(RUNS - 1))
    assert (store / CACHE).stat().st_size > size


def _write_over(folder: Path) -> None:
    MetricsWriter(folder, replace=True, write=_foreign_write).write_run_metrics(run_of(3, status="failed"))
    (folder / CACHE).write_bytes(b"\n".join((folder / CACHE).read_bytes().splitlines()[:-1]))  # without its entry


def _foreign_write(path: Any, tables: Any) -> None:
    """Write in place, as other programs do."""
    pq.write_table(pa.concat_tables(tables), path)


def _remove(folder: Path) -> None:
    (folder / "runs" / "run_00003.parquet").unlink()


def _damage_a_file(folder: Path) -> None:
    (folder / "runs" / "run_00003.parquet").write_bytes(b"PAR1")


def _rename(folder: Path) -> None:
    """A copy, or a file under another name, is none of ours and counts for nothing; nor does a link."""
    os.link(folder / "runs" / "run_00003.parquet", folder / "runs" / "run_copy.parquet")
    (folder / "runs" / "run_00004.parquet").rename(folder / "runs" / "run_other.parquet")


def _older_writer(folder: Path) -> None:
    """Files that came without entries, of version 0 too."""
    content = pq.read_table(folder / "runs" / "run_00003.parquet")
    names = [name for name in content.column_names if name in content.column_names[:11]]
    ids = pa.array(["run_old"], pa.string())
    table = content.select(names).set_column(0, "run_id", ids).replace_schema_metadata(None)
    pq.write_table(table, folder / "runs" / "run_old.parquet")


def _torn(folder: Path) -> None:
    """The last line was cut short, and the next writer appended behind it."""
    cache = folder / CACHE
    cache.write_bytes(cache.read_bytes()[:-40])
    MetricsWriter(folder, replace=True).write_run_metrics(run_of(RUNS + 1))


def _flipped(folder: Path) -> None:
    """A bit in every tenth line is wrong."""
    lines = (folder / CACHE).read_bytes().split(b"\n")
    damaged = [line[:-5] + b"9" + line[-4:] if number % 10 == 0 else line for number, line in enumerate(lines)]
    (folder / CACHE).write_bytes(b"\n".join(damaged))


def _mixed(folder: Path) -> None:
    """Two writers on a network disk wrote into each other, and someone put text in."""
    lines = (folder / CACHE).read_bytes().splitlines(keepends=True)
    mixed = [lines[0][:100] + lines[1] + lines[0][100:], b"\x00\xff\n", b"a\tb\tc\td\te\n", b"no line end"]
    (folder / CACHE).write_bytes(b"".join([*lines[2:], *mixed]))


def _other_version(folder: Path) -> None:
    (folder / CACHE).write_bytes((folder / CACHE).read_bytes().replace(b"\t4\t", b"\t99\t"))


def _empty(folder: Path) -> None:
    (folder / CACHE).write_bytes(b"")


def _no_file(folder: Path) -> None:
    (folder / CACHE).unlink()
    os.mkfifo(folder / CACHE)


def _copied(folder: Path) -> None:
    """Restored from a backup: other inodes."""
    shutil.move(folder / "runs", folder / "runs_before")
    shutil.copytree(folder / "runs_before", folder / "runs")
    shutil.rmtree(folder / "runs_before")


@pytest.mark.parametrize(
    "change",
    [
        *(_write_over, _remove, _damage_a_file, _rename, _older_writer, _copied),
        *(_torn, _flipped, _mixed, _other_version, _empty, _no_file),
    ],
)
def test_a_cache_that_is_stale_or_damaged_changes_nothing(store: Path, change: Callable[[Path], None]) -> None:
    """Whatever happened to files or to the cache: a reader sees what the files say, also one that has read before."""
    living = MetricsReader(store, now=lambda: NOW)
    living.runs()
    change(store)
    seen = runs(store)
    assert seen.equals(without_cache(store))
    assert living.runs().equals(seen)


def test_an_entry_for_another_run_is_not_believed(store: Path) -> None:
    """Entries with right checksums that say other things than their name does, or that are no rows."""
    for wrong in (b'{"run_id": "run_99999"}', b'{"run_id": 5}', b"[]", b'{"run_id": "run_00003", "pid": "x"}'):
        fill(store)
        lines = (store / CACHE).read_bytes().split(b"\n")
        (line,) = [line for line in lines if b"run_00003.parquet" in line]
        head = line[9:].rsplit(b"\t", 1)[0]
        forged = head + b"\t" + wrong
        (store / CACHE).write_bytes(b"\n".join([*lines, _checksum(forged) + b"\t" + forged]))
        assert runs(store).equals(without_cache(store))


def test_a_folder_that_may_not_be_written_only_lacks_entries(
    store: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    """A run ends well where its entry cannot be appended, and readers open its file."""

    def denied(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mega_data_factory.framework.metrics.store.files.row_cache._append", denied)
    MetricsWriter(store).write_run_metrics(run_of(RUNS))
    assert runs(store).num_rows == RUNS + 1
    assert f"run_{RUNS:05d}" in opened


def test_writers_at_once_each_add_their_run(store: Path, opened: list[str]) -> None:
    """No line is lost or mixed with another."""

    def write(part: int) -> None:
        writer = MetricsWriter(store)
        for number in range(10):
            writer.write_run_metrics(run_of(1000 + 10 * part + number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert runs(store).num_rows == RUNS + 40
    assert set(opened) <= {f"run_{RUNS - 1:05d}"}


def test_globs_do_not_see_it_and_upkeep_keeps_it_small(store: Path) -> None:
    """Compaction and pruning take out entries of files that went; what is left of a small folder has no cache."""
    assert not list((store / "runs").glob(".*"))
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT count(*) FROM '{store}/*/*.parquet'").fetchall() == [(RUNS,)]
    writer = MetricsWriter(store)
    for number in range(1000, 1000 + RUNS):
        writer.write_run_metrics(run_of(number))
    size = (store / CACHE).stat().st_size
    prune(store, Retention(max_runs=LEAST_FILES), now=lambda: NOW)
    assert (store / CACHE).stat().st_size < size / 1.8
    assert runs(store).equals(without_cache(store))
    assert compact(store, min_age=timedelta(0), now=lambda: NOW).runs == LEAST_FILES
    assert not (store / CACHE).exists()
    assert runs(store).num_rows == LEAST_FILES + 1  # the one in progress was neither pruned nor compacted
    assert not list((store / ".pending").glob("*.tmp"))


def test_compaction_opens_only_files_that_the_cache_lacks(store: Path, opened: list[str]) -> None:
    """The unit has the rows of the files, also of one that was written over since it was added to the cache."""
    _write_over(store)
    expected = without_cache(store)
    opened.clear()
    assert compact(store, min_age=timedelta(0), now=lambda: NOW).runs == RUNS - 1
    assert len(set(opened)) < 4, opened
    assert runs(store).sort_by("run_id").equals(expected.sort_by("run_id"))
