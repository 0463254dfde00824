"""The dashboard over a metrics folder in S3."""

from __future__ import annotations

import time

import pytest

from mega_data_factory.testing import finished_run
from tests.dashboard.visiting import Visitor, texts

pytestmark = pytest.mark.slow


def test_runs_in_a_bucket_are_shown(bucket: str) -> None:
    """The list and the page of a run, from an object store; a run that is added appears by itself."""
    finished_run(f"{bucket}/metrics", "run_first")
    with Visitor(f"{bucket}/metrics") as visitor:
        assert "run_first" in texts(visitor.table()["runs-body"]["children"])
        assert visitor.page("/run/run_first")["title"]["data"] == "run_first"
        finished_run(f"{bucket}/metrics", "run_second")
        deadline = time.monotonic() + 90
        while "run_second" not in texts(visitor.table()["runs-body"]["children"]):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_bucket_that_is_not_there_is_explained(bucket: str) -> None:
    """No stack trace, but a page: either there are no runs yet, or the folder cannot be read."""
    with Visitor("s3://no-such-bucket-anywhere/metrics") as visitor:
        shown = texts(visitor.table()["runs-body"]["children"])
        assert {"No runs yet", "The metrics folder cannot be read now"} & set(shown)
