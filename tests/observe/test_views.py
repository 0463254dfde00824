"""The view side on an observed run: tables, findings and the report say what is true of it, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

import mega_data_factory as mdf
from mega_data_factory.analytics.findings import find
from mega_data_factory.analytics.runs.flow import flow_of
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.cli import main
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.observe import reject
from mega_data_factory.reports import excluded


def divide(rows: list[int]) -> list[float]:
    return [12 / row for row in rows]


def judge(rows: list[float]) -> list[float]:
    for row in rows:
        if row < 3:
            reject({"value": row}, "small", score=row, threshold=3)
    return [row for row in rows if row >= 3]


def double(rows: list[float]) -> list[float]:
    return [value for row in rows for value in (row, row)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the metrics folder of a run with an error, rejects and created records."""
    folder = tmp_path_factory.mktemp("metrics")
    with mdf.observe("calc", metrics=folder, run_id="run_calc", node_interval=0) as run:
        steps = [
            run.step(divide, stage="clean", on_error="skip"),
            run.step(judge, stage="judge"),
            run.step(double, stage="chunk"),
        ]
        rows: list[float] = [1, 2, 0, 6]
        for step in steps:
            rows = step(rows)
        assert rows == [12, 12, 6, 6]
    return folder


@pytest.fixture
def recording(folder: Path) -> Recording:
    return Recording.read(MetricsReader(folder), "latest")


def test_the_flow_has_the_records_that_were_created(recording: Recording) -> None:
    flow = flow_of(recording)
    assert (flow.read, flow.written, flow.open) == (4, 4, 0)
    assert [operator.created for operator in flow.operators] == [0, 0, 2]
    assert {(exit.kind, exit.reason): exit.records for exit in flow.exits} == {
        ("error", "raised"): 1,
        ("rejected", "small"): 1,
    }


def test_findings_give_no_advice_about_a_configuration_that_the_run_does_not_have(recording: Recording) -> None:
    found = find(recording)
    assert "The books balance: every record is accounted for" in [finding.title for finding in found]
    told = " ".join(f"{finding.title} {finding.detail} {finding.suggestion}" for finding in found)
    assert "executor." not in told
    assert "data_loader" not in told
    assert "lanned" not in told


def test_records_that_were_set_aside_are_shown_with_their_reasons(recording: Recording) -> None:
    [error] = excluded.errors(recording).found
    assert (error.place, error.reason) == ("clean / divide", "ZeroDivisionError: division by zero")
    [rejected] = excluded.rejected(recording).found
    assert (rejected.place, rejected.reason, rejected.score, rejected.threshold) == ("judge / judge", "small", 2, 3)
    assert '"value": 2.0' in rejected.content


def test_the_terminal_shows_the_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["runs", "show", "latest"], ["runs", "list"]):
        assert main([*arguments, "--metrics", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "the books balance" in shown
    assert "4 (100 %) out of the last step" in shown
    assert "in 0 files" not in shown
    assert "not counted against a plan" not in shown
