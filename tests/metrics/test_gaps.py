"""Segments that a process removed by halves before it was killed: what is left is read, and goes its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.framework.metrics.store.files.decoding import FileVanished
from mega_data_factory.framework.metrics.store.files.layout import RunFiles, Segment
from mega_data_factory.framework.metrics.store.reading.gaps import Gaps
from tests.metrics.test_compacting import NOW, fold, small_files, write, write_segments


@pytest.fixture
def torn(tmp_path: Path) -> Path:
    """Two runs; of one the first of its three segments is gone."""
    run_id = write_segments(tmp_path, 1)
    write(tmp_path, 2)
    Path(tmp_path, Segment(0, 0).file_of("samples", run_id)).unlink()
    return tmp_path


def test_what_is_left_is_read_with_one_warning(torn: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the torn run nor the others are lost, by method or by SQL; the warning names the place."""
    reader = MetricsReader(torn, now=lambda: NOW)
    assert reader.samples().num_rows == 2 * 2 + 2
    assert reader.sql("SELECT count(*) AS n FROM samples").to_pylist() == [{"n": 6}]
    assert reader.samples("run_00001").num_rows == 4
    (warning,) = [record.message for record in caplog.records]
    assert "samples" in warning
    assert "segments before samples_00001.000002.parquet are missing" in warning


def test_compaction_heals(torn: Path) -> None:
    """Compaction folds what is left, and then nothing is torn any more."""
    assert fold(torn).runs == 2
    assert small_files(torn) == []
    assert MetricsReader(torn, now=lambda: NOW).samples().num_rows == 6


def test_a_gap_that_closes_is_never_read() -> None:
    """As long as listings differ somebody is folding, and the folder is listed again."""
    gaps = Gaps()
    for number in range(50):
        with pytest.raises(FileVanished):
            gaps.check("samples", [RunFiles((f"samples_a.{number:06d}.parquet",), whole=False)])
    gaps.check("samples", [RunFiles(("samples_a.parquet",))])
