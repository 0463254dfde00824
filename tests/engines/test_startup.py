"""Start-up of workers is measured as start-up, and charged to no batch."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mega_data_factory.cli import main
from tests.engines.running import Pipeline, fake, jsonl, stage

_SETUP = 3.0


def test_setup_is_startup_and_no_busy_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Setting up an operator is in the run's start-up, which `runs show` says, and not in its busy time."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {number}" for number in range(20)])
    pipeline = Pipeline(tmp_path, source, [stage("only", fake("SlowSetup", seconds=_SETUP))])
    assert pipeline.run().error is None
    ((run,), (operator,)) = (
        pq.read_table(next((pipeline.metrics / level).glob("*.parquet"))).to_pylist() for level in ("runs", "operators")
    )
    assert _SETUP <= run["startup_seconds"] <= run["duration"]
    assert operator["total_time"] < _SETUP
    assert main(["runs", "show", run["run_id"], "--metrics", str(pipeline.metrics)]) == 0
    assert "until all workers were ready, in no busy time" in capsys.readouterr().out
