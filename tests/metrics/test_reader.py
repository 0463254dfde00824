"""What a view sees of a metrics folder."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mega_data_factory.errors import MetricsError
from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, OperatorMetrics, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics import schema as layout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    writer = MetricsWriter(tmp_path)
    for day, run_id in enumerate(["run_b", "run_a1", "run_a2"], 1):
        moment = datetime(2026, 1, day)
        writer.write_all(
            RunMetrics(run_id, moment, config={"day": day}),
            [StageMetrics(run_id, "s", moment)],
            [OperatorMetrics(run_id, "s", "o", "w", moment, 10 * day, 5)],
        )
    return tmp_path


@pytest.fixture
def reader(folder: Path) -> MetricsReader:
    return MetricsReader(folder)


def test_tables_hold_all_runs_or_one(reader: MetricsReader) -> None:
    """Each level is one table with the columns of its schema."""
    assert reader.list_runs() == ["run_b", "run_a1", "run_a2"]
    assert reader.operators().schema.equals(layout.OPERATORS)
    assert reader.stages().num_rows == 3
    assert reader.operators("run_a1").column("input_records").to_pylist() == [20]
    assert reader.stages("run_x").num_rows == 0


def test_a_run_is_found_by_its_id_its_beginning_or_as_the_latest(reader: MetricsReader) -> None:
    """The row comes with its configuration parsed."""
    assert reader.run("run_a1")["config"] == {"day": 2}
    assert reader.run("run_b")["run_id"] == reader.run("run_b"[:5])["run_id"] == "run_b"
    assert reader.run("latest")["run_id"] == "run_a2"


def test_a_run_that_is_not_there_or_not_one_is_an_error_with_a_hint(reader: MetricsReader, tmp_path: Path) -> None:
    """The error names the nearest run, or those that were meant."""
    with pytest.raises(MetricsError, match="did you mean `run_a1`") as error:
        reader.run("rn_a1")
    assert error.value.slug == "metrics-query"
    with pytest.raises(MetricsError, match="2 runs begin with run_a"):
        reader.run("run_a")
    with pytest.raises(MetricsError, match="the name of the run is empty"):
        reader.run("")
    with pytest.raises(MetricsError, match="no runs"):
        MetricsReader(tmp_path / "empty").run("latest")


def test_an_empty_or_missing_folder_holds_nothing(tmp_path: Path) -> None:
    """Reading before the first run is no error."""
    reader = MetricsReader(tmp_path / "nothing")
    assert reader.list_runs() == []
    assert reader.operators().num_rows == reader.stages("x").num_rows == 0


def test_a_damaged_or_foreign_file_is_skipped_with_one_warning(
    reader: MetricsReader, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are read, and the log names the file once."""
    (folder / "runs" / "torn.parquet").write_bytes((folder / "runs" / "run_b.parquet").read_bytes()[:-20])
    (folder / "runs" / "empty.parquet").touch()
    (folder / "runs" / "notes.txt").write_text("mine")
    pq.write_table(pa.table({"run_id": ["x"]}), folder / "runs" / "foreign.parquet")
    with caplog.at_level("WARNING", logger="mega_data_factory.metrics"):
        assert reader.list_runs() == reader.list_runs() == ["run_b", "run_a1", "run_a2"]
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 3
    assert all(f"/{name}.parquet" in text for name, text in zip(("empty", "foreign", "torn"), messages, strict=True))


def test_a_file_with_fewer_or_more_columns_is_read(reader: MetricsReader, folder: Path) -> None:
    """Columns are added over time: what an older file lacks is null, what a newer one has besides is left out."""
    path = folder / "stages" / "stages_b.parquet"
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["rejected_records"]).append_column("new", pa.array([1])), path)
    assert reader.stages("run_b").schema.equals(layout.STAGES)
    assert reader.stages("run_b").column("rejected_records").to_pylist() == [None]
    assert reader.stages().num_rows == 3


def test_a_metrics_folder_may_be_remote(folder: Path) -> None:
    """Any fsspec URI will do."""
    uri = f"memory://metrics-{folder.name}"
    MetricsWriter(uri).write_all(RunMetrics("run_far"), [], [OperatorMetrics("run_far", "s", "o", "w")])
    assert MetricsReader(uri).list_runs() == ["run_far"]
    assert len(MetricsWriter(uri).read_operator_metrics("run_far")) == 1
