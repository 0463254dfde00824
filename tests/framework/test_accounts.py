"""Accounts of a run: what is committed is in the books, whether or not an error in it ends the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mega_data_factory.errors import OutputError
from mega_data_factory.framework.batch import CommitRecord, Exclusion
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.contracts import WRITER_STAGE
from mega_data_factory.framework.driver.accounts import Accounts
from mega_data_factory.framework.metrics import MetricsCollector
from mega_data_factory.framework.plan import make_plan
from tests.framework.making import HERE, batch, pipeline


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
