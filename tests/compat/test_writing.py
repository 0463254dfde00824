"""Scripts that write and read metrics as users of the original metrics module do."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mega_data_factory.errors import MdfError
from mega_data_factory.framework.metrics import MetricsCollector, MetricsWriter, StageMetrics
from tests.operator_rows import row


def test_folders_are_paths_and_made_at_once(tmp_path: Path) -> None:
    """A writer from another process makes none: it may be another machine."""
    writer = MetricsWriter(str(tmp_path / "metrics"))
    assert writer.output_path == tmp_path / "metrics"
    for name in ("runs", "stages", "operators"):
        folder = getattr(writer, f"{name}_path")
        assert folder == tmp_path / "metrics" / name
        assert folder.is_dir()
        folder.rmdir()
    (tmp_path / "metrics").rmdir()
    copy = pickle.loads(pickle.dumps(writer))
    assert copy.output_path == writer.output_path
    assert list(tmp_path.iterdir()) == []


def test_a_remote_folder_is_its_uri() -> None:
    """A `Path` would make one slash of two."""
    writer = MetricsWriter("memory://bucket/metrics")
    assert (writer.output_path, writer.stages_path) == ("memory://bucket/metrics", "memory://bucket/metrics/stages")


def test_a_folder_that_cannot_be_made_is_an_error_of_the_first_write(tmp_path: Path) -> None:
    """One may only want to read."""
    (tmp_path / "file").write_text("in the way")
    writer = MetricsWriter(tmp_path / "file")
    with pytest.raises(MdfError, match=r"file.*[Nn]ot a directory"):
        writer.write_operator_metrics([row()], "run_test")


def test_files_have_the_schemas_of_the_writer(tmp_path: Path) -> None:
    """`pa.Schema`s, whose first columns are the published ones."""
    writer = MetricsWriter(tmp_path)
    writer.write_operator_metrics([row()], "run_test")
    (path,) = Path(writer.operators_path).glob("*.parquet")
    assert pq.read_schema(path).remove_metadata().equals(MetricsWriter.OPERATOR_SCHEMA.remove_metadata())
    assert writer.OPERATOR_SCHEMA.names[:5] == ["run_id", "stage_name", "operator_name", "worker_id", "timestamp"]
    assert writer.STAGE_SCHEMA.field("num_workers").type == pa.int64()
    assert writer.RUN_SCHEMA.field("start_time").type == pa.timestamp("us")


def test_rows_are_written_as_the_run_that_is_named(tmp_path: Path) -> None:
    """The rows of the caller stay what they are."""
    writer = MetricsWriter(tmp_path)
    rows, stages = [row(), row(worker="w1")], [StageMetrics("run_test", "s")]
    writer.write_operator_metrics(rows, "nightly_7")
    writer.write_stage_metrics(stages, "nightly_7")
    assert {one["run_id"] for one in writer.read_operator_metrics("nightly_7")} == {"nightly_7"}
    assert [one["run_id"] for one in writer.read_stage_metrics("nightly_7")] == ["nightly_7"]
    assert rows[0].run_id == stages[0].run_id == "run_test"
    assert writer.read_operator_metrics("run_test") == []


def test_arrays_columns_and_counted_keys_are_custom_metrics(tmp_path: Path) -> None:
    """They fail no write at the end of a run; `np.unique` gives keys that JSON does not have."""
    collector = MetricsCollector("r")
    collector.set_config({"sizes": np.arange(3)})
    with collector.track_run(), collector.track_stage("s"), collector.track_operator("o", "s", "w") as ctx:
        ctx.input_records = ctx.output_records = 3
        ctx.custom_metrics.update(means=np.array([[1.5, np.nan]]), column=pd.Series([1, 2]), one=np.float32(0.5))
        ctx.add_custom_metric("lengths", dict(zip(*np.unique([3, 4, 4], return_counts=True), strict=True)))
    run = collector.get_run_metrics()
    assert run is not None
    writer = MetricsWriter(tmp_path)
    writer.write_all(run, collector.get_stage_metrics(), collector.get_operator_metrics())
    (read,) = writer.read_operator_metrics("r")
    assert read["custom_metrics"] == {
        "means": [[1.5, None]],
        "column": [1, 2],
        "one": 0.5,
        "lengths": {"3": 1, "4": 2},
    }
    assert (writer.read_run_metrics("r") or {})["config"] == {"sizes": [0, 1, 2]}
