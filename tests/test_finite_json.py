"""JSON of runs that failed, were killed or were empty: only finite numbers, so that every reader takes it."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

OPERATORS = '''
import math
import psutil
from mega_data_factory.framework.contracts import Refiner

class Odd(Refiner):
    """Reports numbers that JSON lacks, then does what its name says on the second batch."""

    seen = 0

    def __init__(self, *, end: str):
        self.end = end

    def refine(self, table):
        self.report("ratio", math.nan)
        self.report("most", math.inf)
        Odd.seen += 1
        if Odd.seen >= 2 and self.end == "fails":
            raise ValueError("cannot digest")
        if Odd.seen == 2 and self.end == "killed":
            psutil.Process().parents()[1].kill()  # of the driver, by way of the server that has forked this worker
        return table
'''

STATUSES = {"fails": ["failed"], "killed": ["running", "aborted"], "empty": ["completed"], "completes": ["completed"]}


def mdf(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user does."""
    command = [sys.executable, "-m", "mega_data_factory.cli", *arguments]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)


def finite(text: str) -> Any:
    """Parse JSON that holds only finite numbers."""

    def refuse(word: str) -> float:
        raise ValueError(f"{word} is no JSON")

    def number(digits: str) -> float:
        assert math.isfinite(float(digits)), digits
        return float(digits)

    return json.loads(text, parse_constant=refuse, parse_float=number)


@pytest.mark.slow
@pytest.mark.parametrize("end", STATUSES)
def test_json_of_every_end_is_finite(tmp_path: Path, end: str) -> None:
    """`mdf run`, `mdf runs list`, `mdf runs show` and the data of the report, after a real run with this end."""
    (tmp_path / "odd.py").write_text(OPERATORS, encoding="utf-8")
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(1 if end == "empty" else 20):
        (texts / f"{number:02}.txt").write_text("" if end == "empty" else f"text {number}", encoding="utf-8")
    config = {
        "data_loader": {"type": "text_loader", "params": {"path": "texts"}},
        "stages": [{"name": "clean", "operators": [{"name": "odd:Odd", "params": {"end": end}}]}],
        "data_writer": {"type": "jsonl_writer", "params": {"output_path": "output"}},
        "executor": {
            "batch_size": 5,
            "on_error": "fail",
            "metrics": {"collect_custom_metrics": True, "output_path": "metrics"},
        },
    }
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    ran = mdf(tmp_path, "run", "--config", "p.yaml", "--run-id", "run_a", "--json")
    assert (ran.returncode == 0) == (STATUSES[end] == ["completed"]), ran.stderr
    if end == "killed":
        assert ran.returncode == -9
    else:
        assert finite(ran.stdout)
    listed = finite(mdf(tmp_path, "runs", "list", "--json").stdout)
    assert "run_a" in json.dumps(listed)
    shown = finite(mdf(tmp_path, "runs", "show", "run_a", "--json").stdout)
    assert shown["run"]["status"] in STATUSES[end]
    assert mdf(tmp_path, "report", "run_a", "--metrics", "metrics", "--output", "report.html").returncode == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for embedded in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL):
        finite(embedded)
    for words in (ran.stdout, *(finding["title"] for finding in shown["findings"])):
        assert "Infinity" not in words
        assert "inf times" not in words
