"""Spark reads the folder of a table: every run is there once, in small files, compacted, and both."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mega_data_factory.exports.superset import write_views
from tests.metrics.test_compacting import KINDS, fold, write
from tests.metrics.test_plain_globs import ROWS

_HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_spark_sees_every_run_once(tmp_path: Path) -> None:
    """From the folder and from a glob, also where the views of Superset are beside it and files are pending."""
    assert shutil.which("java"), "Spark needs Java 17 (Debian: openjdk-17-jre-headless)"
    metrics = tmp_path / "metrics"
    runs = [write(metrics, number) for number in range(4)]
    states = {"small": tmp_path / "small", "mixed": tmp_path / "mixed", "compacted": tmp_path / "compacted"}
    write_views(metrics, metrics / "views.duckdb")
    shutil.copytree(metrics, states["small"])
    fold(metrics, unit_runs=2)
    shutil.copytree(metrics, states["compacted"])
    runs.append(write(metrics, 9))
    shutil.copytree(metrics, states["mixed"])
    pending = states["mixed"] / ".pending" / "runs" / "run_pending.parquet"
    shutil.copy(next(states["mixed"].glob("runs/*.parquet")), pending)
    command = [sys.executable, str(_HERE / "count_runs.py"), *map(str, states.values())]
    mine = {key: os.environ[key] for key in ("HOME", "PATH", "JAVA_HOME") if key in os.environ}
    done = subprocess.run(command, env=mine, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    answers = json.loads(done.stdout)
    for name, folder in states.items():
        known = runs if name == "mixed" else runs[:4]
        for kind in KINDS:
            wanted = dict.fromkeys(known, ROWS[kind])
            assert answers[str(folder)][kind] == [wanted, wanted], (name, kind)
