"""Damaged and foreign files in a metrics folder: the rest is read, compacted, pruned and shown; warnings name them."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mega_data_factory.errors import MetricsError
from mega_data_factory.exports.superset import write_views
from mega_data_factory.framework.metrics import MetricsReader, Retention, prune
from mega_data_factory.framework.metrics.store.files import decoding
from mega_data_factory.storage import parquet_dataset
from tests.dashboard.visiting import Visitor
from tests.metrics.test_compacting import KINDS, NOW, all_tables, fold, units, write
from tests.present import present

UNIT = "compacted_run_a_run_b_{}123456789abcdef.parquet"
ALL = {kind: 8 if kind in ("runs", "stages") else 16 for kind in KINDS}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:500])


def flip(path: Path) -> None:
    """Damage the first page; the footer, which is read first, is whole."""
    content = bytearray(path.read_bytes())
    content[8:60] = bytes(byte ^ 0xFF for byte in content[8:60])
    path.write_bytes(content)


def clear(path: Path) -> None:
    path.write_bytes(b"")


def foreign(path: Path) -> None:
    pq.write_table(pa.table({"run_id": [7], "status": [[1]], "start_time": ["x"]}), path)


def intrude(folder: Path) -> set[str]:
    """Put everything into the folder of a table that is not a metrics file; return the names that readers warn of."""
    (folder / "dangling.parquet").symlink_to("nothing")
    (folder / UNIT.format(0)).symlink_to("nothing")
    (folder / "loop.parquet").symlink_to("loop.parquet")
    os.mkfifo(folder / "pipe.parquet")
    os.mkfifo(folder / UNIT.format(1))
    (folder / "folder.parquet").mkdir()
    (folder / UNIT.format(2)).mkdir()
    (folder / "text.parquet").write_text("hello")
    (folder / ".hidden.parquet.swp").write_text("hello")
    (folder / "notes.txt").write_text("hello")
    foreign(folder / "foreign.parquet")
    shutil.copy(next(folder.glob("*_00006.parquet")), folder / "copy.parquet")
    pending = folder.parent / ".pending" / folder.name
    (pending / "half.parquet").write_text("PAR1")
    os.mkfifo(pending / "waiting.parquet")
    return {"dangling", "pipe", "folder", "text", "foreign", "copy", "half", "waiting"}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two compacted files of three runs each, and two runs with files of their own."""
    folder = tmp_path_factory.mktemp("original")
    for number in range(6):
        write(folder, number)
    fold(folder, unit_runs=3)
    for number in (6, 7):
        write(folder, number)
    for kind in KINDS:
        (folder / ".pending" / kind).mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def store(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "metrics"))


def read(folder: Path) -> dict[str, int]:
    reader = MetricsReader(folder, now=lambda: NOW)
    return {kind: len(table) for kind, table in all_tables(reader).items()}


def asked(folder: Path) -> dict[str, int]:
    reader = MetricsReader(folder)
    return {kind: reader.sql(f"SELECT count(*) AS n FROM {kind}").to_pylist()[0]["n"] for kind in KINDS}


def viewed(folder: Path) -> dict[str, int]:
    views = write_views(folder, folder / "views.duckdb")
    with duckdb.connect(str(views), read_only=True) as connection:
        counted = ((kind, connection.execute(f"SELECT count(*) FROM {kind}")) for kind in KINDS)
        return {kind: int(present(answer.fetchone())[0]) for kind, answer in counted}


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if not path.is_dir() or path.suffix == ".parquet"}


@pytest.mark.parametrize("kind", ["runs", "operators", "samples"])
def test_what_is_no_metrics_file_changes_nothing(store: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Readers, SQL, compaction, pruning and views work as if it were not there, and nothing of it is removed."""
    intruders = entries(store)
    warned = intrude(store / kind)
    intruders = entries(store) - intruders
    assert read(store) == asked(store) == ALL
    fold(store, unit_runs=100)
    assert read(store) == asked(store) == ALL
    assert len(prune(store, Retention(max_runs=3), now=lambda: NOW).runs) == 5
    left = {table: 3 * count // 8 for table, count in ALL.items()}
    assert read(store) == asked(store) == left
    assert intruders <= entries(store)
    assert viewed(store) == read(store) == left
    kept = {name.removeprefix(f"{kind}.") for name in entries(store)}
    assert intruders <= kept
    if kind != "samples":  # there readers look at names like `samples_X` only
        assert {name for name in warned if f"{name}.parquet" in caplog.text} == warned


@pytest.mark.parametrize(
    ("kind", "damage"),
    [*((kind, cut) for kind in KINDS), ("operators", flip), ("operators", clear), ("operators", foreign)],
)
def test_a_damaged_compacted_file(
    store: Path, kind: str, damage: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Its rows are missing, and no others; its bytes are kept, and a warning names it once for each reader."""
    file = units(store, kind)[0]
    damage(file)
    damaged = file.read_bytes()
    left = {table: count * 5 // 8 if kind in ("runs", table) else count for table, count in ALL.items()}
    reader = MetricsReader(store)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            count = reader.sql(f"SELECT count(*) AS n FROM {kind}").to_pylist()[0]["n"]
            assert count == left[kind]
    assert caplog.text.count(str(file)) == 1
    assert read(store) == asked(store) == left
    before = store.parent / "before"
    shutil.copytree(store, before)
    assert viewed(before) == left
    caplog.clear()
    fold(store, unit_runs=100)
    assert file.name in caplog.text
    assert read(store) == asked(store) == left
    prune(store, Retention(max_runs=6), now=lambda: NOW)
    assert len(MetricsReader(store).runs()) == min(6, left["runs"])
    write(store, 1, count=9)
    assert MetricsReader(store).operators("run_00001").column("input_records").to_pylist() == [9, 9]
    for folder in (store, before):
        assert damaged in [path.read_bytes() for path in folder.rglob("*.parquet*") if path.is_file()]
    if kind != "runs":
        assert not file.exists()
        assert (store / ".set_aside" / f"{kind}.{file.name}").read_bytes() == damaged


@pytest.mark.parametrize(("kind", "damage"), [("runs", cut), ("operators", flip), ("samples", clear)])
def test_a_damaged_file_of_one_run(
    store: Path, kind: str, damage: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The other runs are read, compacted and shown; compaction leaves it where it is."""
    file = next((store / kind).glob("*_00006.parquet"))
    damage(file)
    left = {table: count * 7 // 8 if table == kind else count for table, count in ALL.items()}
    assert read(store) == asked(store) == left
    fold(store, unit_runs=100)
    assert file.is_file()
    assert read(store) == asked(store) == left
    viewed(store)
    assert (store / ".set_aside" / f"{kind}.{file.name}").is_file()
    assert read(store) == left
    assert file.name in caplog.text


def test_views_move_a_damaged_compacted_file_as_a_whole(store: Path) -> None:
    """Of a unit whose runs cannot be read nothing is left that the next compaction takes for a leftover."""
    cut(units(store)[0])
    name = units(store)[0].name
    rows = {kind: (store / kind / name).read_bytes() for kind in KINDS}
    viewed(store)
    fold(store, unit_runs=100)
    assert {kind: (store / ".set_aside" / f"{kind}.{name}").read_bytes() for kind in KINDS} == rows


def test_a_disk_that_fails_is_not_a_damaged_file(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compaction stops before anything is removed or moved: another look may find the file whole."""
    file = units(store, "operators")[0]

    def failing(path: str, *args: Any) -> pa.FileSystemDataset | None:
        if Path(path) == file:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return parquet_dataset(path, *args)

    monkeypatch.setattr(decoding, "parquet_dataset", failing)
    before = entries(store)
    with pytest.raises(MetricsError, match=r"cannot read .*operators"):
        fold(store, unit_runs=100)
    assert before <= entries(store)
    monkeypatch.undo()
    assert read(store) == ALL


def test_the_dashboard_shows_the_others(store: Path) -> None:
    """The list of runs, and the page of a run whose operators are damaged."""
    intrude(store / "runs")
    intrude(store / "operators")
    cut(units(store, "operators")[0])
    with Visitor(store) as visitor:
        listed = str(visitor.table())
        page = str(visitor.page("/run/run_00000"))
    assert all(f"run_0000{number}" in listed for number in range(8))
    assert "run_00000" in page
    assert "failed to render" not in page
