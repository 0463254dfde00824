"""Who reads the bare folder, `operators/*.parquet`, has every run once, whatever programs he reads it with."""

from __future__ import annotations

import glob
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pytest

from mega_data_factory.exports.superset.views.file import write_views
from mega_data_factory.framework.metrics import MetricsReader, schema
from mega_data_factory.framework.metrics.store.compaction import compact
from mega_data_factory.framework.metrics.store.retention import Retention, prune
from mega_data_factory.framework.metrics.store.segments import SegmentLog
from mega_data_factory.testing import finished_run

LATER = datetime(2036, 1, 1)
RUNS = [f"run_2026010{number}_000000_bare" for number in range(1, 6)]

Reader = Callable[[Path, str], list[str]]


def with_duckdb(folder: Path, kind: str) -> list[str]:
    query = f"SELECT run_id FROM read_parquet('{folder}/{kind}/*.parquet', union_by_name = true)"
    return [row[0] for row in duckdb.sql(query).fetchall()]


def with_polars(folder: Path, kind: str) -> list[str]:
    return pl.scan_parquet(f"{folder}/{kind}/*.parquet").select("run_id").collect()["run_id"].to_list()


def with_pandas(folder: Path, kind: str) -> list[str]:
    files = sorted(glob.glob(f"{folder}/{kind}/*.parquet"))  # noqa: PTH207 - as a user does it
    return pd.concat([pd.read_parquet(file, columns=["run_id"]) for file in files])["run_id"].tolist()


def with_arrow(folder: Path, kind: str) -> list[str]:
    return ds.dataset(folder / kind, format="parquet").to_table(columns=["run_id"])["run_id"].to_pylist()


READERS: dict[str, Reader] = {"duckdb": with_duckdb, "polars": with_polars, "pandas": with_pandas, "arrow": with_arrow}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for run_id in RUNS:
        finished_run(tmp_path, run_id)
    return tmp_path


def expected(folder: Path, kind: str, runs: list[str]) -> list[str]:
    """As often as the reader of the store has them."""
    reader = MetricsReader(folder)
    return sorted(run for run in runs for _ in range(getattr(reader, kind)(run).num_rows))


@pytest.mark.parametrize("read", READERS)
def test_every_run_is_there_once_in_every_state(folder: Path, read: str) -> None:
    """Before compaction, after part of it, after all of it, after pruning, and beside Superset's views."""

    def check(runs: list[str]) -> None:
        for kind in ("stages", "operators"):
            assert sorted(READERS[read](folder, kind)) == expected(folder, kind, runs)
        assert sorted(READERS[read](folder, "runs")) == runs

    check(RUNS)
    write_views(folder, folder / "views.duckdb")
    check(RUNS)
    compact(folder, now=lambda: LATER)
    check(RUNS)
    later = [*RUNS, "run_20260109_000000_bare"]
    finished_run(folder, later[-1])
    check(later)
    compact(folder, now=lambda: LATER)
    check(later)
    prune(folder, Retention(max_runs=2), now=lambda: LATER)
    check(later[-2:])


def test_a_compaction_that_was_killed_is_finished_by_the_next(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that was written and not yet placed is exact for readers of ours, and placed by the next compaction."""
    from mega_data_factory.framework.metrics.store import compaction

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(compaction, "place", killed)
        with pytest.raises(KeyboardInterrupt):
            compact(folder, now=lambda: LATER)
    assert MetricsReader(folder).list_runs() == RUNS
    compact(folder, now=lambda: LATER)
    assert MetricsReader(folder).list_runs() == RUNS
    assert sorted(with_duckdb(folder, "runs")) == RUNS
    assert list((folder / "compacted").rglob("*.parquet")) == []


def test_units_of_earlier_versions_move_to_their_place(folder: Path) -> None:
    """What an earlier version has compacted into the folder `compacted` is placed by the next compaction."""
    compact(folder, now=lambda: LATER)
    for kind in schema.TABLES:
        for file in list((folder / kind).glob("compacted_*")):
            place = folder / "compacted" / kind / file.name.removeprefix("compacted_")
            place.parent.mkdir(parents=True, exist_ok=True)
            file.rename(place)
    assert MetricsReader(folder).list_runs() == RUNS
    compact(folder, now=lambda: LATER)
    assert sorted(with_polars(folder, "runs")) == RUNS


@pytest.mark.parametrize("read", READERS)
def test_foreign_and_hidden_files_do_not_match(folder: Path, read: str) -> None:
    """Nothing that the product writes beside the tables is taken for one of their files."""
    write_views(folder, folder / "views.duckdb")
    SegmentLog(folder, "samples", "run_x").append([])
    names = {path.name for kind in schema.TABLES for path in (folder / kind).iterdir()}
    assert [name for name in names if name.startswith(".") and name.endswith(".parquet")] == []
    assert sorted(READERS[read](folder, "runs")) == RUNS
