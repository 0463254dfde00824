"""`mdf whatif` says what other thresholds would do, lists those that can be moved, and refuses what it cannot know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.analytics.whatif.answer import what_if
from mega_data_factory.analytics.whatif.changing import changing_records
from mega_data_factory.cli import main
from mega_data_factory.framework.metrics import MetricsWriter
from mega_data_factory.framework.rowwise import RowFilter, Verdict
from tests.analytics.whatif.running import Operator, made_up_texts, run
from tests.rejects.making import rejected, write_ledger

LENGTH = "judge.text_length_filter.min_length"


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Metrics of one run of three filters."""
    folder = tmp_path_factory.mktemp("metrics")
    filters: dict[str, dict[str, Any]] = {
        "text_length_filter": {"min_length": 40},
        "language_filter": {"languages": ["en"], "min_score": 0.3},
        "gopher_quality_filter": {"min_words": 10, "min_alphabetic_words": 0.6},
    }
    run(folder, made_up_texts(800), [Operator(name, params) for name, params in filters.items()])
    return str(folder)


class ShortRecords(RowFilter):
    """Rejects short texts one by one: of the others no score is known."""

    def __init__(self, *, least: int) -> None:
        self.least = least

    def judge_record(self, record: dict[str, object]) -> Verdict:
        length = len(str(record["text"]))
        return None if length >= self.least else ("short", length, self.least)


def told(capsys: pytest.CaptureFixture[str], *words: str, fails: bool = False) -> str:
    """Return what the command prints: on stdout, or on stderr if it fails."""
    assert main(["whatif", *words]) == (2 if fails else 0)
    said = capsys.readouterr()
    return said.err if fails else said.out


def test_a_threshold_is_moved(metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Rule, operator and pipeline are there with what they are now and would be; JSON has the same numbers."""
    words = ("--metrics", metrics, "--set", "judge.gopher_quality_filter.min_alphabetic_words=0.9")
    page = told(capsys, "latest", *words)
    assert "too_few_alphabetic_words fails (< 0.6 → 0.9)" in page
    assert "judge / gopher_quality_filter passes" in page
    assert "the pipeline passes" in page
    answer = json.loads(told(capsys, *words, "--json"))
    (rule,), (operator,) = answer["rules"], answer["operators"]
    assert rule["would_fail"]["low"] <= rule["would_fail"]["value"] <= rule["would_fail"]["high"]
    assert rule["would_fail"]["value"] > rule["failed"]
    assert operator["would_pass"]["value"] == answer["pipeline"]["would_pass"]["value"]  # it is the last one
    assert answer["pipeline"]["would_pass"]["at_least"] == operator["would_pass"]["low"]


def test_several_operators_at_once(metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The first changes what the second is given, which its counts do not know, and the answer says so."""
    words = ("--metrics", metrics, "--set", "text_length_filter.min_length=20")
    more = ("--set", "judge.gopher_quality_filter.min_words=5", "--json")
    note = (
        "gopher_quality_filter and its rules are counted on the records that came to it in this run; "
        "text_length_filter would let others come"
    )
    answer = json.loads(told(capsys, *words, *more))
    assert answer["set"][0] == {"parameter": "judge.text_length_filter.min_length", "to": 20}  # of the only stage
    assert note in answer["notes"]
    assert note not in json.loads(told(capsys, *words, "--json"))["notes"]
    assert note not in json.loads(told(capsys, "--metrics", metrics, "--set", f"{LENGTH}=40", *more))["notes"]


def test_no_limit(metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`null` takes the threshold away, of whole numbers and of others: no record fails the rule."""
    for key in (LENGTH, "judge.gopher_quality_filter.min_alphabetic_words"):
        words = ("--metrics", metrics, "--set", f"{key}=null")
        assert "→ no limit" in told(capsys, *words)
        (rule,) = json.loads(told(capsys, *words, "--json"))["rules"]
        assert rule["failed"] > 0
        assert rule["would_fail"] == {"value": 0, "low": 0, "high": 0}


def test_rejected_records_that_would_pass(metrics: str, tmp_path: Path) -> None:
    """They are those of the ledger that fail no rule any more, the nearest to the new threshold first."""
    answer = what_if(metrics, "run_a", [f"{LENGTH}=30"])
    (move,) = answer.rules
    place = {"stage": "judge", "operator": "text_length_filter", "reason": move.rule.reason, "threshold": 40.0}
    scores = {1: 39.0, 2: 29.0, 3: 30.0, 4: 35.0, 5: 34.0}
    rows = [rejected(n, **place, score=score, failed_rules=[move.rule.reason]) for n, score in scores.items()]
    rows[-1]["failed_rules"] = [move.rule.reason, "too_long"]
    write_ledger(tmp_path / "run_a", rows)
    row = {"run_id": "run_a", "paths": {"rejects": str(tmp_path)}, "rejected_records": len(rows)}
    found = changing_records(row, answer)
    assert [(record["record_id"], record["new_threshold"]) for record in found] == [
        ("r0003", 30.0),
        ("r0004", 30.0),
        ("r0001", 30.0),
    ]
    assert len(changing_records(row, answer, most=1)) == 1
    assert not changing_records({"run_id": "run_a", "paths": {}}, answer)


def test_operators_that_no_record_came_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A filter that rejected everything: what the filters after it would keep of more records is not known."""
    operators = [Operator("text_length_filter", {"min_length": 10**9}), Operator("gopher_quality_filter", {})]
    run(tmp_path, made_up_texts(200), operators)
    words = ("--metrics", str(tmp_path), "--set", "judge.text_length_filter.min_length=0")
    pipeline = json.loads(told(capsys, *words, "--json"))["pipeline"]["would_pass"]
    assert (pipeline["low"], pipeline["high"]) == (pipeline["at_least"], pipeline["at_most"]) == (0, 200)
    assert "no record passed text_length_filter in this run" in " ".join(told(capsys, *words).split())


def test_without_a_setting_the_thresholds_are_listed(metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    """They are named as `--set` takes them."""
    assert LENGTH in told(capsys, "--metrics", metrics)
    listed = json.loads(told(capsys, "--metrics", metrics, "--json"))["thresholds"]
    assert listed[0] | {"failed": 0} == {"parameter": LENGTH, "reason": "too_short", "value": 40.0, "failed": 0}


def test_a_threshold_is_found(metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The value whose pass rate is nearest to the target is the answer, of the operator or of the pipeline."""
    words = ("--metrics", metrics, "--json", "--target-pass-rate", "0.5", "--set", "judge.language_filter.min_score")
    answer = json.loads(told(capsys, *words))
    (operator,) = answer["operators"]
    assert operator["would_pass"]["value"] / operator["input"] == pytest.approx(0.5, abs=0.01)
    assert answer["rules"][0]["new_threshold"] == pytest.approx(0.5, abs=0.05)
    of_pipeline = (*words[:4], "0.2", *words[5:], "--of", "pipeline")
    pipeline = json.loads(told(capsys, *of_pipeline))["pipeline"]
    assert pipeline["would_pass"]["value"] / pipeline["input"] == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "judge.text_length_filter.min_lenght=3"], "min_lenght is not the threshold of a rule of judge.text"),
        (["--set", "judge.text_lenght_filter.min_length=3"], f"did you mean `{LENGTH}`?"),
        (["--set", f"{LENGTH}=long"], "long is not a number"),
        (["--set", f"{LENGTH}=nan"], "nan is not a number"),
        (["--set", LENGTH], f"write {LENGTH}=VALUE"),
        (["--set", f"{LENGTH}=3", "--set", f"{LENGTH}=4"], "is set twice"),
        (["--target-pass-rate", "0.5"], "no threshold is given without one"),
        (["--target-pass-rate", "0.5", "--set", LENGTH, "--set", LENGTH], "2 thresholds are given without one"),
        (["--target-pass-rate", "1.5", "--set", LENGTH], "is not between 0 and 1"),
        (["--target-pass-rate", "0.9", "--set", "judge.gopher_quality_filter.max_words"], "no value of"),
        (["--set", f"{LENGTH}=3", "--of", "pipelin"], "did you mean `pipeline`?"),
        (["run_x", "--set", f"{LENGTH}=3"], "there is no run run_x"),
    ],
)
def test_what_cannot_be_answered(
    metrics: str, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    """One error says what is wrong and what would be right."""
    said = told(capsys, "--metrics", metrics, *words, fails=True)
    assert message in " ".join(said.split())
    assert "Traceback" not in said


def test_a_run_without_scores_and_one_of_rejected_records_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without scores the error names the switch; from rejected records alone a stricter threshold is not judged."""
    run(tmp_path, made_up_texts(50), [Operator("exact_deduplicator", {})], "run_a")
    said = told(capsys, "run_a", "--metrics", str(tmp_path), "--set", "judge.exact_deduplicator.x=1", fails=True)
    assert "none of its rules has a parameter as threshold" in said
    run(tmp_path, made_up_texts(50), [Operator("tests.cli.test_whatif:ShortRecords", {"least": 60})], "run_b")
    words = ("run_b", "--metrics", str(tmp_path), "--set")
    looser = json.loads(told(capsys, *words, "judge.short_records.short=20", "--json"))
    assert looser["operators"][0]["would_pass"]["value"] > looser["operators"][0]["output"]
    assert "only the scores of rejected records are known" in told(
        capsys, *words, "judge.short_records.short=90", fails=True
    )
    MetricsWriter(tmp_path, replace=True).write_details("scores", [], "run_b")
    assert "executor.metrics.score_histograms" in told(capsys, *words, "a.b.c=1", fails=True)
