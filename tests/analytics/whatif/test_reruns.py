"""What is said of other thresholds agrees with runs that were really made with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.analytics.whatif.answer import ScoredRun, what_if
from mega_data_factory.analytics.whatif.target import threshold_for
from mega_data_factory.framework.metrics import MetricsReader
from tests.analytics.whatif.running import Operator, made_up_texts, run

PIPELINE: dict[str, dict[str, Any]] = {
    "text_length_filter": {"min_length": 40, "max_length": 4000},
    "gopher_quality_filter": {"min_words": 20, "min_alphabetic_words": 0.8, "min_stop_words": 2},
    "fineweb_quality_filter": {},
    "gopher_repetition_filter": {},
}
CASES: dict[str, dict[str, Any]] = {
    "a count is loosened": {"gopher_quality_filter.min_words": 12},
    "a count is tightened": {"gopher_quality_filter.min_words": 55},
    "a share is loosened": {"gopher_quality_filter.min_alphabetic_words": 0.55},
    "a share is tightened": {"gopher_quality_filter.min_alphabetic_words": 0.91},
    "one parameter of two rules": {"gopher_quality_filter.max_symbol_ratio": 0.13},
    "a mapping": {"gopher_repetition_filter.max_top_ngram.2": 0.31},
    "the first operator": {"text_length_filter.min_length": 260},
    "the last operator": {"gopher_repetition_filter.max_duplicate_ngram.5": 0.3},
    "a limit that includes its equals": {"fineweb_quality_filter.max_short_lines": 0.5},
    "two rules of one operator": {"gopher_quality_filter.min_words": 60, "gopher_quality_filter.min_stop_words": 1},
    "two operators": {"text_length_filter.min_length": 100, "fineweb_quality_filter.min_punctuated_lines": 0.02},
    "no limit at all": {"fineweb_quality_filter.max_duplicate_line_characters": None},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Metrics of one run with the thresholds of `PIPELINE`."""
    folder = tmp_path_factory.mktemp("metrics")
    run(folder, made_up_texts(1500), [Operator(name, params) for name, params in PIPELINE.items()])
    return folder


def rerun(folder: Path, changes: Mapping[str, Any]) -> ScoredRun:
    """Run the same records with other thresholds."""
    params = {name: dict(own) for name, own in PIPELINE.items()}
    for key, value in changes.items():
        operator, _, parameter = key.partition(".")
        name, _, entry = parameter.partition(".")
        if entry:
            defaults = {2: 0.2, 3: 0.18, 4: 0.16}, {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
            params[operator][name] = {**defaults[name == "max_duplicate_ngram"], int(entry): value}
        else:
            params[operator][name] = value
    run(folder, made_up_texts(1500), [Operator(name, own) for name, own in params.items()], "run_b")
    return ScoredRun.read(MetricsReader(folder), "run_b")


@pytest.mark.parametrize("case", CASES)
def test_rule_operator_and_pipeline_are_within_what_was_said(folder: Path, tmp_path: Path, case: str) -> None:
    """The first operator that changes sees the same records: rule and operator are within bounds, as is the output."""
    changes = CASES[case]
    settings = [f"judge.{key}={'null' if value is None else value}" for key, value in changes.items()]
    answer = what_if(folder, "run_a", settings)
    truth = rerun(tmp_path, changes)
    assert answer.pipeline.bounds.low <= truth.output <= answer.pipeline.bounds.high
    assert answer.pipeline.bounds.low <= answer.pipeline.likely.value <= answer.pipeline.bounds.high
    first = answer.operators[0]
    real = next(operator for operator in truth.operators if operator.name == first.name)
    assert real.input == first.input
    assert first.would_pass.low <= real.output <= first.would_pass.high
    rules = {(rule.operator, rule.reason): rule for operator in truth.rules for rule in operator.rules}
    for move in answer.rules:
        if move.rule.operator == first.name and None not in changes.values():
            failed = rules[move.rule.operator, move.rule.reason].failed
            assert move.failed.low <= failed <= move.failed.high
            assert abs(move.failed.value - failed) <= max(move.failed.high - failed, failed - move.failed.low)


def test_whole_numbers_are_exact(folder: Path, tmp_path: Path) -> None:
    """A count below 91 has a bucket of its own."""
    answer = what_if(folder, "run_a", ["judge.gopher_quality_filter.min_words=33"])
    assert answer.rules[0].failed.is_exact
    assert answer.operators[0].would_pass.is_exact


def test_the_threshold_of_the_run_changes_nothing(folder: Path) -> None:
    """Every number is that of the run, exactly: the threshold is a border of the histogram."""
    answer = what_if(folder, "run_a", ["judge.gopher_quality_filter.min_alphabetic_words=0.8"])
    assert answer.rules[0].failed.as_dict() == dict.fromkeys(("value", "low", "high"), answer.rules[0].rule.failed)
    assert answer.operators[0].would_pass.is_exact
    assert answer.pipeline.bounds.is_exact
    assert answer.pipeline.likely.value == answer.output


@pytest.mark.parametrize("rate", [0.12, 0.3])
def test_a_target_is_reached_by_a_real_run(folder: Path, tmp_path: Path, rate: float) -> None:
    """The threshold that is found passes the wanted share of records within the width of a bucket."""
    key = "judge.gopher_quality_filter.min_words"
    found = threshold_for(ScoredRun.read(MetricsReader(folder), "run_a"), key, rate)
    value = int(found.rules[0].threshold)
    real = next(
        o for o in rerun(tmp_path, {"gopher_quality_filter.min_words": value}).operators if "gopher_q" in o.name
    )
    assert real.output / real.input == pytest.approx(rate, abs=0.02)
