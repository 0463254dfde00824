"""Rules of built-in filters name the parameter that is their threshold: another value of it moves exactly this one."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from mega_data_factory.framework.config.mistakes import Place
from mega_data_factory.framework.contracts import Filter, Judgement
from mega_data_factory.framework.registry import resolve
from mega_data_factory.operators.filters.gopher_quality_filter import GopherQualityFilter

TEXTS = [
    "the one and only. text of a page\nwith lines",
    "天气很好。我们去公园。",
    "",
    None,
    "- a\n- a\n- a ...",
    "# x #",
]
TABLE = pa.table(
    {
        "record_id": [str(n) for n in range(len(TEXTS))],
        "text": pa.array(TEXTS),
        "language": ["en", "zh", None, "en", "en", "de"],
        "language_score": [0.9, 0.8, None, 0.1, 0.5, 0.3],
        "url": ["http://a.org"] * len(TEXTS),
    }
)
FILTERS: dict[str, dict[str, Any]] = {
    "text_length_filter": {"min_length": 2, "max_length": 20},
    "language_filter": {"languages": ["en"], "min_score": 0.4},
    "c4_quality_filter": {},
    "gopher_quality_filter": {},
    "gopher_repetition_filter": {},
    "fineweb_quality_filter": {},
}


def judged(name: str, params: dict[str, Any]) -> Judgement:
    """Return what a filter decides on the table."""
    operator = resolve("operator", name, params, Place(("test",))).build()
    assert isinstance(operator, Filter)
    return operator.judge(TABLE)


@pytest.mark.parametrize("name", FILTERS)
def test_another_value_of_the_parameter_is_another_threshold_of_the_rule(name: str) -> None:
    """Every rule with a score says which parameter it is, and the comparison by which records fail."""
    rules = [rule for rule in judged(name, FILTERS[name]).rules if rule.score is not None]
    assert rules
    for rule in rules:
        assert rule.parameter is not None
        assert rule.threshold is not None
        parameter, _, key = rule.parameter.partition(".")
        value = rule.threshold + 1 if rule.threshold >= 1 else rule.threshold / 2
        of_key = {int(key): value} if key else None
        moved = judged(name, FILTERS[name] | {parameter: of_key or (int(value) if value >= 1 else value)})
        (same,) = [other for other in moved.rules if (other.reason, other.parameter) == (rule.reason, rule.parameter)]
        assert same.threshold == pytest.approx(value)
        assert same.score is not None
        for score, failed in zip(same.score.to_pylist(), same.failed.to_pylist(), strict=True):
            if score is not None:
                compare = {"<": score < value, "<=": score <= value, ">": score > value, ">=": score >= value}
                assert failed == compare[str(same.fails)]


def test_a_limit_of_a_language_is_named_by_its_place() -> None:
    """What is given for a language alone is not moved by the parameter of all languages."""
    limits = {"zh": {"min_words": 3}}
    judgement = GopherQualityFilter(words="unicode", limits_by_language=limits).judge(TABLE)
    rules = [rule for part in judgement.parts for rule in part.rules if rule.reason == "too_few_words"]
    assert {rule.parameter: rule.threshold for rule in rules} == {
        "min_words": 50.0,
        "limits_by_language.zh.min_words": 3.0,
    }
