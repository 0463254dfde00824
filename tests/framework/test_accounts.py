"""Accounts of a run: what is committed is in the books, whether or not an error in it ends the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mega_data_factory.errors import OutputError
from mega_data_factory.framework.batch import CommitRecord, Exclusion, StagedBatch
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.contracts import WRITER_STAGE
from mega_data_factory.framework.driver.accounts import Accounts
from mega_data_factory.framework.metrics import MetricsCollector, MetricsReader
from mega_data_factory.framework.plan import make_plan
from tests.framework.making import HERE, Long, batch, component, pipeline, stage


def unwritable(number: int) -> CommitRecord:
    """The commit of a batch of which one record could not be written."""
    error = Exclusion("error", f"r{number}", WRITER_STAGE, "", "ValueError: no")
    return CommitRecord(replace(batch(["a", "b"], number), exclusions=(error,)), 1, writer_errors=1)


def test_errors_in_salvaged_batches_do_not_end_the_salvage(tmp_path: Path) -> None:
    """With on_error: fail the first record that cannot be written ends the run; batches written then all count."""
    writer = {"type": f"{HERE}:Lines", "params": {"output_path": str(tmp_path)}}
    config = pipeline(data_writer=writer) | {"executor": {"on_error": "fail", "metrics": {"enabled": False}}}
    accounts = Accounts(make_plan(PipelineConfig.from_dict(config)), MetricsCollector("run-1"), "errors")
    with pytest.raises(OutputError, match="record `r0`"):
        accounts.enter_commit(unwritable(0))
    accounts.enter_commit(unwritable(1), salvaged=True)
    accounts.enter_commit(unwritable(2), salvaged=True)
    assert (accounts.books.batches, accounts.books.written, accounts.books.writer_errors) == (3, 3, 3)


def test_a_column_to_slice_by_that_no_record_has_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A misspelt column has no slices: at the end of the run a warning says so; one that is there is not named."""
    writer = {"type": f"{HERE}:Lines", "params": {"output_path": str(tmp_path / "out")}}
    metrics = {"output_path": str(tmp_path / "metrics"), "slice_by": ["text", "txet"], "node_interval": 0}
    config = pipeline(data_writer=writer) | {"executor": {"metrics": metrics}}
    accounts = Accounts(make_plan(PipelineConfig.from_dict(config)), MetricsCollector("run-1"), "errors")
    with accounts.recorder.recording():
        passed = stage(component(Long), slice_by=("text", "txet"))(batch(["four", "no"]))
        accounts.enter_commit(CommitRecord(passed, 1))
        accounts.recorder.columns.finished = True
    warnings = [record.getMessage() for record in caplog.records if "slice_by" in record.getMessage()]
    assert warnings == ["executor.metrics.slice_by: no operator was given records with the column of `txet`"]
    rows = MetricsReader(tmp_path / "metrics").details("slices", "run-1").to_pylist()
    assert {row["slice_value"]: row["rejected_reasons"] for row in rows} == {"four": "{}", "no": '{"short": 1}'}


@pytest.mark.parametrize("seen", ["in a stage", "behind the last stage"])
def test_a_salvaged_batch_is_in_a_file(tmp_path: Path, seen: str) -> None:
    """Where the run ended before it was seen to pass the last stage, it is not counted beside the committed ones."""
    writer = {"type": f"{HERE}:Lines", "params": {"output_path": str(tmp_path / "out")}}
    config = pipeline(data_writer=writer) | {"executor": {"metrics": {"write_on_completion": False}}}
    collector = MetricsCollector("run-1")
    accounts = Accounts(make_plan(PipelineConfig.from_dict(config)), collector, "errors")
    first, second = (stage(component(Long))(batch(["long one", "no"], number)) for number in (0, 1))
    with accounts.recorder.recording():
        accounts.enter_stage_passed(first)
        accounts.enter_stage_passed(second)
        if seen == "behind the last stage":
            accounts.enter_staged(StagedBatch(first, 1, 0))
        accounts.enter_commit(CommitRecord(first, 1), salvaged=True)
    rows = [row for row in collector.get_operator_metrics() if row.batches]
    assert [(row.input_records, row.uncommitted_input_records) for row in rows] == [(2, 2)]  # the second is in no file
