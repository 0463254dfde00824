"""Files of every earlier version are read; those of a newer one are refused."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mega_data_factory.errors import MetricsError
from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter
from mega_data_factory.framework.metrics import schema as layout
from mega_data_factory.framework.metrics.store.files.decoding import published_columns
from mega_data_factory.framework.metrics.upkeep.compaction import compact

OLD = Path(__file__).parent / "old_versions"
RUNS = {
    0: "run_20260124_123456",
    1: "run_20260601_080000_0123abcd",
    2: "run_20260801_090000_4567cdef",
    3: "run_20260901_090000_4567cdef",
}
GOING_ON = "run_20260801_100000_89abcdef"  # of version 2, its samples not yet folded


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for version in RUNS:
        shutil.copytree(OLD / f"version_{version}", tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_there_are_files_of_every_earlier_version() -> None:
    """Whoever raises the version keeps files of the one before."""
    assert sorted(RUNS) == list(range(layout.SCHEMA_VERSION))
    for version in RUNS:
        for file in (OLD / f"version_{version}").rglob("*.parquet"):
            said = (pq.read_schema(file).metadata or {}).get(layout.VERSION_KEY)
            assert said == (None if version == 0 else str(version).encode())


@pytest.mark.parametrize("version", RUNS)
def test_every_old_file_is_read_with_nulls_for_what_it_lacks(folder: Path, version: int) -> None:
    """All levels come in the columns of this version, also through SQL and after compaction."""
    run_id = RUNS[version]
    for _ in range(2):
        reader = MetricsReader(folder)
        assert reader.list_runs() == sorted([*RUNS.values(), GOING_ON])
        assert reader.run(run_id)["config"] == {"name": "old"}
        assert reader.operators(run_id).schema.equals(layout.OPERATORS)
        (operator,) = MetricsWriter(folder).read_operator_metrics(run_id)
        assert operator["input_records"] == (1000 if version == 0 else 200)
        assert (operator["latency_histogram"] is None) == (version == 0)
        assert (reader.run(run_id)["heartbeat"] is None) == (version < 2)
        (row,) = reader.sql(f"SELECT status, total_input_records AS n FROM runs WHERE run_id = '{run_id}'").to_pylist()
        assert row == ({"status": None, "n": 1000} if version == 0 else {"status": "completed", "n": 0})
        assert [reader.samples(run).num_rows for run in (run_id, GOING_ON)] == [2 if version >= 2 else 0, 2]
        assert reader.nodes(run_id).schema.equals(layout.NODES)
        assert reader.nodes(run_id).num_rows == (3 if version >= 3 else 0)
        assert [reader.details(table, run_id).num_rows for table in layout.DETAILS] == [0] * len(layout.DETAILS)
        assert reader.run(run_id)["writer_errors"] is None
        balanced = (True, 0) if version == 3 else (None, None)
        assert (reader.run(run_id)["balanced"], reader.run(run_id)["unbalanced_records"]) == balanced
        renamed = f"SELECT balanced, unbalanced_records FROM runs WHERE run_id = '{run_id}'"
        assert tuple(reader.sql(renamed).to_pylist()[0].values()) == balanced
        compact(folder, now=lambda: datetime(2027, 1, 1))


def test_a_newer_version_is_refused(folder: Path) -> None:
    """The message names the file, both versions, and what to do."""
    path = folder / "stages" / f"stages_{RUNS[1].removeprefix('run_')}.parquet"
    table = pq.read_table(path)
    newer = layout.SCHEMA_VERSION + 1
    pq.write_table(table.replace_schema_metadata({layout.VERSION_KEY: str(newer)}), path)
    reader = MetricsReader(folder)
    assert reader.list_runs() == sorted([*RUNS.values(), GOING_ON])
    expected = f"{re.escape(str(path))} has schema version {newer}.* up to {layout.SCHEMA_VERSION}\n.*update"
    reads: tuple[Callable[[], object], ...] = (
        reader.stages,
        lambda: reader.stages(RUNS[1]),
        lambda: reader.sql("FROM stages"),
    )
    for read in reads:
        with pytest.raises(MetricsError, match=expected):
            read()


def test_a_file_without_version_and_columns_is_foreign(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What says no version and has not the published columns is skipped, and named."""
    table = pq.read_table(folder / "runs" / f"{RUNS[0]}.parquet")
    pq.write_table(table.drop_columns(["total_errors"]), folder / "runs" / "other.parquet")
    pq.write_table(pa.table({"run_id": ["x"]}), folder / "runs" / "another.parquet")
    assert MetricsReader(folder).list_runs() == sorted([*RUNS.values(), GOING_ON])
    assert "other.parquet" in caplog.text
    assert "no column total_errors" in caplog.text


def test_version_0_is_the_columns_of_the_specification() -> None:
    """They come first in every table, and there are 18, 12 and 11 of them."""
    assert [len(published_columns(kind)) for kind in ("operators", "stages", "runs", "samples")] == [18, 12, 11, 0]
