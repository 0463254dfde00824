"""SIGTERM ends a run on Ray as it ends one on the local engine, whenever it comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from mega_data_factory.framework.metrics import MetricsReader
from tests.engines.running import Pipeline, fake, jsonl, stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RECORDS = 3000


@pytest.mark.parametrize("moment", ["starting", "working"])
def test_sigterm_keeps_what_is_committed(tmp_path: Path, moment: str) -> None:
    """The run ends with 143 and `interrupted`, without an abort; resumed, it writes every record once."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" for n in range(RECORDS)])
    made = Pipeline(tmp_path, source, [stage("only", fake("Slow", seconds=0.2))], engine="ray")
    made.writer = {"params": {"target_file_mb": 0.001, "max_file_seconds": 0.5}}
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(made.config()))
    command = [sys.executable, "-m", "mega_data_factory.cli", "run", "--config", str(tmp_path / "p.yaml")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        wait_for(tmp_path, moment)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=100)
    assert process.returncode == 143, told
    assert "Traceback" not in told
    run = MetricsReader(str(made.metrics)).run("latest")
    assert run["status"] == "interrupted"
    if moment == "working":
        assert 0 < run["total_output_records"] < RECORDS
        subprocess.run([*command, "--resume", run["run_id"], "--quiet"], env=environment, timeout=200, check=True)
        run = MetricsReader(str(made.metrics)).run("latest")
        assert (run["status"], run["total_output_records"], run["balanced"]) == ("completed", RECORDS, True)


def wait_for(folder: Path, moment: str) -> None:
    deadline = time.monotonic() + 120
    pattern = "metrics/runs/*.parquet" if moment == "starting" else "output/part-*"
    while not list(folder.glob(pattern)):
        assert time.monotonic() < deadline, f"never saw {pattern}"
        time.sleep(0.1)
    if moment == "starting":
        time.sleep(1.5)  # somewhere in the start of the cluster
