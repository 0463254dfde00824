"""A reader that lives on reads only what has changed, and sees all of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, RunMetrics
from mega_data_factory.framework.metrics.store.files.decoding import read_run_file
from mega_data_factory.framework.metrics.store.reading import single_runs as tables
from mega_data_factory.framework.metrics.upkeep.compaction import compact

_START = datetime(2026, 1, 1)


def _write(folder: Path, number: int, status: str = "completed") -> None:
    started = _START + timedelta(hours=number)
    run = RunMetrics(f"run_{number:03d}", started, started + timedelta(minutes=1), status=status)
    MetricsWriter(folder, replace=True).write_run_metrics(run)


@pytest.fixture
def read_paths(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read from now on, in order."""
    paths: list[str] = []

    def reading(path: str, *rest: Any) -> object:
        paths.append(Path(path).name)
        return read_run_file(path, *rest)

    monkeypatch.setattr(tables, "read_run_file", reading)
    return paths


def test_a_file_is_read_once_until_it_is_written_over(tmp_path: Path, read_paths: list[str]) -> None:
    """The second look reads nothing, the third the run that went on and the one that is new."""
    for number in range(5):
        _write(tmp_path, number, "running" if number == 4 else "completed")
    reader = MetricsReader(tmp_path, now=lambda: _START + timedelta(hours=4))
    first = reader.runs()
    assert len(read_paths) == 5
    read_paths.clear()
    assert reader.runs().equals(first)
    assert reader.list_runs() == [f"run_{n:03d}" for n in range(5)]
    assert read_paths == []
    _write(tmp_path, 4)
    _write(tmp_path, 5)
    assert reader.runs().column("status").to_pylist() == ["completed"] * 6
    assert read_paths == ["run_004.parquet", "run_005.parquet"]


def test_runs_that_went_are_forgotten(tmp_path: Path) -> None:
    """A run whose file was removed is in no list, and one that was compacted is in it once."""
    for number in range(4):
        _write(tmp_path, number)
    reader = MetricsReader(tmp_path)
    assert len(reader.list_runs()) == 4
    (tmp_path / "runs" / "run_001.parquet").unlink()
    assert reader.list_runs() == ["run_000", "run_002", "run_003"]
    assert compact(tmp_path, min_age=timedelta(0)).runs == 3
    assert reader.list_runs() == ["run_000", "run_002", "run_003"]


def test_a_foreign_file_is_read_and_named_once(
    tmp_path: Path, read_paths: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged file costs one attempt and one warning; when it is mended it is seen."""
    _write(tmp_path, 0)
    damaged = tmp_path / "runs" / "run_001.parquet"
    damaged.write_bytes(b"no parquet")
    reader = MetricsReader(tmp_path)
    assert reader.list_runs() == reader.list_runs() == ["run_000"]
    assert read_paths.count("run_001.parquet") == 1
    assert sum("run_001.parquet" in record.message for record in caplog.records) == 1
    _write(tmp_path, 1)
    assert reader.list_runs() == ["run_000", "run_001"]


def test_the_newest_come_first_and_the_rest_is_read_once(tmp_path: Path, read_paths: list[str]) -> None:
    """A first look reads only the last files by name and says how many it left; going on reads each other file once."""
    for number in range(5):
        _write(tmp_path, number)
    reader = MetricsReader(tmp_path)
    runs, left = reader.newest_runs(2)
    assert (runs.column("run_id").to_pylist(), left) == (["run_003", "run_004"], 3)
    assert reader.runs().num_rows == 5
    assert read_paths == ["run_003.parquet", "run_004.parquet", "run_000.parquet", "run_001.parquet", "run_002.parquet"]
    assert reader.newest_runs(9)[1] == 0


def test_a_link_to_nothing_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In any folder: every table is read, with a warning that names it, and compaction works."""
    _write(tmp_path, 0)
    for kind in ("runs", "operators", "samples"):
        (tmp_path / kind).mkdir(exist_ok=True)
        (tmp_path / kind / f"{kind}_zz.parquet").symlink_to(tmp_path / "nowhere")
    reader = MetricsReader(tmp_path)
    assert reader.list_runs() == ["run_000"]
    assert reader.operators().num_rows == reader.samples().num_rows == 0
    assert any("operators_zz.parquet" in record.message for record in caplog.records)
    assert compact(tmp_path, min_age=timedelta(0)).runs == 1
    assert reader.list_runs() == ["run_000"]
