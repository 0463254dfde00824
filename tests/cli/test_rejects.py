"""`mdf rejects`, run as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import mega_data_factory.cli.commands.records.rejects as command
from mega_data_factory.cli import main
from mega_data_factory.testing import finished_run
from tests.rejects.making import rejected, write_run

DUPLICATE = {"operator": "dedup", "reason": "duplicate", "score": None, "threshold": None}


@pytest.fixture
def metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The metrics of a run that kept four records, one of them with content that is not harmless."""
    monkeypatch.chdir(tmp_path)
    content = json.dumps({"record_id": "r0001", "text": "[red]not markup[/] \x1b[2J gone\n" + "x" * 400})
    first = rejected(1, content=content, failed_rules=["too_short", "too_dull"])
    return write_run(tmp_path, [first, rejected(2)], [rejected(3, **DUPLICATE), rejected(50)])


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The JSON that the command prints."""
    assert main(["rejects", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_counts_and_filters(metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts by rule; filters narrow them; the run is found by the beginning of its id."""
    everything = answer(capsys, "run_", "--metrics", metrics)
    assert (everything["run_id"], everything["records"]) == ("run_a", 4)
    assert [(row["operator"], row["records"]) for row in everything["counts"]] == [("length", 3), ("dedup", 1)]
    assert answer(capsys, "--metrics", metrics, "--operator", "dedup")["records"] == 1
    assert answer(capsys, "--metrics", metrics, "--reason", "too_short", "--stage", "clean")["records"] == 3
    assert answer(capsys, "--metrics", metrics, "--score-between", "40", "98")["records"] == 2
    assert answer(capsys, "--metrics", metrics, "--slice", "en")["records"] == 0


def test_a_name_that_no_record_has_is_said_with_the_one_that_may_be_meant(
    metrics: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A typo is not taken for a rule that rejected nothing; names that are there, and match together nothing, are."""
    given = answer(capsys, "--metrics", metrics, "--reason", "too_shrt", "--slice", "en")
    assert (given["records"], len(given["hints"])) == (0, 2)
    assert given["hints"][0] == "no rejected record has the reason `too_shrt`; did you mean `too_short`?"
    assert main(["rejects", "--metrics", metrics, "--reason", "too_shrt"]) == 0
    assert "did you mean `too_short`?" in capsys.readouterr().out
    assert "hints" not in answer(capsys, "--metrics", metrics, "--operator", "dedup", "--reason", "too_short")


def test_many_reasons_do_not_flood_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of reasons that hold a number of each record the first are shown; JSON has all."""
    monkeypatch.chdir(tmp_path)
    store = write_run(tmp_path, [rejected(number, reason=f"score {number:04d}") for number in range(130)])
    assert main(["rejects", "--metrics", store]) == 0
    shown = capsys.readouterr().out
    assert "and 30 rows more, of 30 records; --json has all of them" in shown
    assert ("score 0099" in shown, "score 0100" in shown) == (True, False)
    assert len(answer(capsys, "--metrics", store)["counts"]) == 130


def test_records_around_a_threshold(metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Those nearest to it, with what else they fail and their text; nothing in them steers the terminal."""
    nearest = answer(capsys, "--metrics", metrics, "--around", "2")["nearest"]
    assert [row["record_id"] for row in nearest] == ["r0001", "r0002"]
    assert main(["rejects", "--metrics", metrics, "--around", "2"]) == 0
    shown = capsys.readouterr().out
    assert "too_dull" in shown
    assert "[red]not markup[/]" in shown
    assert "\x1b" not in shown
    assert "x" * 400 not in shown
    assert main(["rejects", "--metrics", metrics, "--operator", "dedup", "--around", "2"]) == 0
    assert "none of them has a score" in capsys.readouterr().out


def test_the_run_says_where_its_rejected_records_are(metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder of the ledger is among the places to look at."""
    assert main(["runs", "show", "run_a", "--metrics", metrics, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["paths"]["rejects"].endswith("/rejected/run_a")


def test_export(metrics: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The records that pass the filter go to a file; an ending without a format is refused before anything is read."""
    given = answer(capsys, "--metrics", metrics, "--operator", "length", "--export", "out.jsonl")
    assert given["exported"] == {"path": "out.jsonl", "records": 3}
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 3
    assert main(["rejects", "--metrics", metrics, "--export", "out.doc"]) == 2
    assert ".parquet, .jsonl, .csv" in capsys.readouterr().err


def test_the_summary_of_a_run_names_the_command(metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    """So that who has just asked for a ledger finds it."""
    assert main(["runs", "show", "run_a", "--metrics", metrics]) == 0
    assert f"mdf rejects run_a --metrics {metrics}" in capsys.readouterr().out


def test_a_run_without_a_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One error, which says how to keep one."""
    finished_run(tmp_path / "plain", "run_b")
    assert main(["rejects", "--metrics", str(tmp_path / "plain")]) == 2
    shown = capsys.readouterr().err
    assert "run_b kept no ledger" in shown
    assert "executor.rejected_samples.keep" in shown


def test_the_folder_of_a_configuration(metrics: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no metrics are kept, the configuration says where the ledger is."""
    config = tmp_path / "pipeline.yaml"
    config.write_text(
        f"""
data_loader: {{type: jsonl_loader, params: {{path: {tmp_path}/a.jsonl}}}}
stages: [{{name: clean, operators: [{{name: text_length_filter}}]}}]
data_writer: {{type: parquet_writer, params: {{output_path: {tmp_path}/output}}}}
executor: {{rejected_samples: {{keep: all, output_path: {tmp_path}/rejected}}}}
"""
    )
    assert answer(capsys, "run_a", "-c", str(config))["records"] == 4
    assert main(["rejects", "run_z", "-c", str(config)]) == 2
    assert "there is no ledger of run_z" in capsys.readouterr().err


def test_prune_leaves_the_ledger_unless_it_is_asked_to_go(metrics: str, tmp_path: Path) -> None:
    """The records stay when the metrics go; with --rejects they go too, and what is not ours stays."""
    folder = tmp_path / "rejected" / "run_a"
    (folder / "notes.txt").touch()
    (tmp_path / "rejected" / "run_b.jsonl").touch()
    finished_run(metrics, "run_z")
    limit = ["--metrics", metrics, "--max-runs", "0"]
    assert main(["metrics", "prune", *limit, "--rejects", "--dry-run"]) == 0
    assert len(list(folder.glob("part-*"))) == 2
    assert main(["metrics", "prune", *limit, "--rejects"]) == 0
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    again = write_run(tmp_path, [rejected(1)])
    assert main(["metrics", "prune", "--metrics", again, "--max-runs", "0"]) == 0
    assert len(list(folder.glob("part-*"))) == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["rejects", "--stage", "\udcff"], "--stage"),
        (["rejects", "--score-between", "5", "1"], "--score-between 5 1"),
        (["rejects", "--score-between", "nan", "1"], "--score-between nan 1"),
        (["rejects", "--around", "9" * 30], "--around"),
        (["trace", "run_a", "\udcff"], "RECORD_ID"),
    ],
)
def test_arguments_that_no_record_can_match(
    metrics: str, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    """One error that names the argument."""
    assert main([*arguments, "--metrics", metrics]) == 2
    shown = capsys.readouterr()
    assert named in shown.err
    assert not shown.out


def test_a_long_id_leaves_its_neighbours_their_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It folds, so that reason and score can be read beside it on a narrow screen; a very long one is cut."""
    monkeypatch.setattr(command, "stdout", lambda: Console(width=80))
    metrics = write_run(tmp_path, [rejected(1, record_id="x" * 10_000), rejected(2, record_id=f"{'warc/' * 25}end@17")])
    assert main(["rejects", "--metrics", metrics, "--around", "2"]) == 0
    shown = capsys.readouterr().out
    assert "too_short" in shown.partition("nearest")[2]
    assert " 99 " in shown
    assert "end@17" in shown
    assert "x" * 60 not in shown
    assert shown.count("xx") < 150
    assert max(map(len, shown.splitlines())) <= 80
