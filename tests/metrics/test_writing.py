"""Writing: whose file it is, and what is left when something fails."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mega_data_factory.errors import MetricsError
from mega_data_factory.framework.metrics import MetricsWriter, OperatorMetrics, RunMetrics, StageMetrics
from tests.present import present


@pytest.fixture
def writer(tmp_path: Path) -> MetricsWriter:
    return MetricsWriter(tmp_path / "metrics")


def row(
    operator: str = "filter",
    worker: int | str = "w0",
    records: int = 100,
    passed: int = 90,
    seconds: float = 1.0,
    **more: Any,
) -> OperatorMetrics:
    names = {"run_id": "run_test", "stage_name": "stage_0", "operator_name": operator, "worker_id": worker}
    return OperatorMetrics(**names | {"input_records": records, "output_records": passed, "total_time": seconds} | more)


def test_runs_are_listed_oldest_first(writer: MetricsWriter) -> None:
    """The order is that of the start, not of the names, and every listed id can be read."""
    for day, run_id in enumerate(["zebra", "run_b", "a"], 1):
        writer.write_all(RunMetrics(run_id, datetime(2026, 1, day)), [], [row(run_id=run_id)])
    assert writer.list_runs() == ["zebra", "run_b", "a"]
    for run_id in writer.list_runs():
        assert present(writer.read_run_metrics(run_id))["run_id"] == run_id
        assert len(writer.read_operator_metrics(run_id)) == 1


def test_a_file_of_another_run_is_never_overwritten(writer: MetricsWriter) -> None:
    """`x` and `run_x` share file names; the second is told so, and the first keeps its rows."""
    writer.write_operator_metrics([row(run_id="x")], "x")
    with pytest.raises(MetricsError, match="belongs to the run x"):
        writer.write_operator_metrics([row(run_id="run_x")], "run_x")
    assert len(writer.read_operator_metrics("x")) == 1
    assert writer.read_operator_metrics("run_x") == []


def test_rows_of_several_runs_are_refused(writer: MetricsWriter) -> None:
    """A file holds one run."""
    with pytest.raises(MetricsError, match="of other cannot be written as those of run_test"):
        writer.write_operator_metrics([row(run_id="other"), row("dedup")], "run_test")
    with pytest.raises(MetricsError, match="of a, b cannot be written as those of run_test"):
        writer.write_stage_metrics([StageMetrics("a", "s"), StageMetrics("b", "s")], "run_test")
    with pytest.raises(MetricsError, match="of other cannot be written as those of run_test"):
        writer.write_snapshot(RunMetrics("run_test"), datetime(2026, 1, 1), operators=[row(run_id="other")])
    with pytest.raises(MetricsError, match="several runs"):
        writer.write_all(RunMetrics("other"), [], [row()])


def test_writing_again_replaces_and_a_failure_leaves_the_old_file(writer: MetricsWriter, tmp_path: Path) -> None:
    """A file is whole or absent, and no temporary one is left behind."""
    writer.write_operator_metrics([row()], "run_test")
    writer.write_operator_metrics([row(records=7, passed=7)], "run_test")
    with pytest.raises(pa.ArrowException):
        writer.write_operator_metrics([row(worker=5)], "run_test")
    assert [r["input_records"] for r in writer.read_operator_metrics("run_test")] == [7]
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_numbers_that_json_lacks_become_null(writer: MetricsWriter) -> None:
    """NaN never breaks a reader of the JSON columns; things of other types become text."""
    writer.write_operator_metrics([row(custom_metrics={"bad": float("nan"), "when": datetime(2026, 1, 1)})], "run_test")
    custom = writer.read_operator_metrics("run_test")[0]["custom_metrics"]
    assert custom == {"bad": None, "when": "2026-01-01T00:00:00"}
