"""Columns of the output in every view: terminal, JSON, report, dashboard."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mega_data_factory.cli import main
from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, RunMetrics
from mega_data_factory.reports import write_report
from tests.analytics.test_output_columns import MOVED, START, sample, store
from tests.dashboard.visiting import Visitor, texts

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Metrics of two runs, of which the second wrote other records, and a column with a hostile name."""
    path = tmp_path_factory.mktemp("metrics")
    random = np.random.default_rng(21)
    store(path, 1, sample(random, 1_000))
    moved = sample(random, 1_000, shift=1.0)
    store(path, 2, moved.append_column(EVIL, moved["score"]))
    return path


def test_the_terminal_shows_columns_and_what_differs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`mdf runs show --columns` has a line for every column, and says what differs from the run before."""
    assert main(["runs", "show", "--columns", "--metrics", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    head, after = lines[0], lines.index("compared with the run before, run_1")
    assert "median" in head
    assert [line.split()[0] for line in lines[2:5]] == ["record_id", "score", "words"]
    assert {line.split(":")[0].removeprefix("- ") for line in lines[after + 1 :]} - {""} >= MOVED
    assert main(["runs", "show", "run_1", "--columns", "--metrics", str(folder)]) == 0
    assert "compared" not in capsys.readouterr().out


def test_json_has_columns_and_drift(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for machines, with finite numbers."""
    assert main(["runs", "show", "latest", "--columns", "--json", "--metrics", str(folder)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["run_id"] == "run_2"
    assert answer["before"] == "run_1"
    assert [column["name"] for column in answer["columns"]][:3] == ["record_id", "score", "words"]
    shifted = {drift["column"] for drift in answer["drift"] if drift["what"] == "shift"}
    assert shifted == MOVED


def test_a_run_without_columns_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, and an empty list in JSON."""
    writer = MetricsWriter(tmp_path)
    writer.write_all(RunMetrics("run_1", START, START.replace(minute=1), pipeline="nightly"), [], [])
    assert main(["runs", "show", "--columns", "--metrics", str(tmp_path)]) == 0
    assert "were not measured" in capsys.readouterr().out
    assert main(["runs", "show", "--columns", "--json", "--metrics", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["columns"] == []


def test_report_and_dashboard_have_the_table(folder: Path, tmp_path: Path) -> None:
    """Both have the section, with the finding, and hostile names are text."""
    write_report(MetricsReader(folder), "run_2", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'id="columns"' in page
    assert "columns of the output differ from the run before" in page
    assert "<script>alert(1)" not in page
    with Visitor(folder) as visitor:
        shown = texts(visitor.page("/run/run_2")["content"]["children"])
        before = texts(visitor.page("/run/run_1")["content"]["children"])
    assert "Columns of the output" in shown
    assert "Columns of the output" in before
    assert any("differ from the run before" in text for text in shown)
    assert not any("differ from the run before" in text for text in before)
