"""A disk that takes no more: a run of its own process, which may write no file larger than a limit."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mega_data_factory.framework.metrics import MetricsReader
from tests.engines.running import Pipeline, Result, assert_same, fake, jsonl, stage

RUN = "run_cramped"
LIMITED = """
import resource, sys
from mega_data_factory.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""


def pipeline(folder: Path, source: str) -> Pipeline:
    """Five batches of 40 kB that cannot be compressed, in files of two batches and more."""
    stages = [stage("only", fake("Upper"))]
    return Pipeline(folder, source, stages, writer={"params": {"target_file_mb": 0.07}}, executor={"batch_size": 20})


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A hundred texts of 2 kB."""
    chance = random.Random(5)
    return jsonl(tmp_path / "a.jsonl", [f"{chance.getrandbits(8000):x}" for _ in range(100)])


def mdf(what: Pipeline, environment: dict[str, str], limit: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`mdf run` of the pipeline, where a file may have so many bytes."""
    what.folder.mkdir(exist_ok=True)
    path = what.folder / "pipeline.json"
    path.write_text(json.dumps(what.config()), encoding="utf-8")
    command = [sys.executable, "-c", LIMITED, str(limit), "run", "--config", str(path), "--quiet", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)


def assert_told_once(told: subprocess.CompletedProcess[str], what: Pipeline, slug: str = "output-unwritable") -> None:
    """The run ended with one error that says why, and has a row that says the same; nothing is half there."""
    assert told.returncode == 1
    assert "Traceback" not in told.stderr
    assert told.stderr.count("error[") == told.stderr.count(f"error[{slug}]: cannot write ") == 1, told.stderr
    row = MetricsReader(what.metrics).run(RUN)
    assert row["status"] == "failed"
    assert "File too large" in row["error"]
    for path in what.output.glob("part-*"):
        assert pq.read_table(path).num_rows
    assert not [path for path in what.folder.rglob("*") if path.name.endswith(".tmp")]


@pytest.mark.slow
def test_output_that_does_not_fit(tmp_path: Path, source: str, python_path: dict[str, str]) -> None:
    """The run fails with one clear error and a readable row, leaves no half of a file, and can be gone on with."""
    what = pipeline(tmp_path / "run", source)
    told = mdf(what, python_path, 60_000, "--run-id", RUN)
    assert_told_once(told, what)
    assert "output/part-" in told.stderr
    assert mdf(what, python_path, 10_000_000, "--resume", RUN).returncode == 0
    assert_same(Result.of(what, RUN, None, 0.0), pipeline(tmp_path / "calm", source).run())


@pytest.mark.slow
def test_batches_on_their_way_that_do_not_fit(tmp_path: Path, source: str, python_path: dict[str, str]) -> None:
    """A full folder for temporary files fails the run likewise, and the hint says how to choose another."""
    what = pipeline(tmp_path / "run", source)
    told = mdf(what, python_path, 30_000, "--run-id", RUN)
    assert_told_once(told, what)
    assert "mdf-spool-" in told.stderr
    assert "TMPDIR" in told.stderr
    assert mdf(what, python_path, 10_000_000, "--resume", RUN).returncode == 0
    assert Result.of(what, RUN, None, 0.0).closed()


@pytest.mark.slow
def test_metrics_that_do_not_fit(tmp_path: Path, python_path: dict[str, str]) -> None:
    """The run completes its output and says that its metrics are missing; resumed, it writes them."""
    source = jsonl(tmp_path / "a.jsonl", ["abc"] * 3)
    what = pipeline(tmp_path / "run", source)
    told = mdf(what, python_path, 3_000, "--run-id", RUN)
    assert told.returncode == 0
    assert "Traceback" not in told.stderr
    assert told.stderr.count("error: the metrics could not be written") == 1
    assert len(list(what.output.glob("part-*"))) == 1
    assert not [path for path in what.folder.rglob("*") if path.name.endswith(".tmp")]
    assert mdf(what, python_path, 10_000_000, "--resume", RUN).returncode == 0
    assert_same(Result.of(what, RUN, None, 0.0), pipeline(tmp_path / "calm", source).run())
