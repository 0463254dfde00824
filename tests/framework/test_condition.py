"""A condition is one expression over the columns of a record, and nothing else can be written as one."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mega_data_factory.errors import ColumnError
from mega_data_factory.framework.config.condition import Condition, ConditionError

RECORDS = pa.table(
    {
        "record_id": ["1", "2", "x"],
        "text": ["a" * 200, None, "b"],
        "language": pa.array(["en", "en", None]).dictionary_encode(),
        "score": [0.5, None, 1.0],
        "tags": [["x"], [], None],
        "meta": [{"url": "http://x.com"}, None, {"url": None}],
        "nothing": pa.nulls(3),
        "flag": [True, None, False],
        "two words": [1, 2, 3],
        "url": pa.array(["a", "b", "c"], pa.large_string()),
    }
)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("language == 'en' and length(text) > 100", [True, False, False]),
        ("flag", [True, False, False]),
        ("not flag -- a comment", [False, False, True]),
        ("coalesce(flag, true)", [True, True, False]),
        ("list_contains(tags, 'x')", [True, False, False]),
        ("meta.url like '%x.com'", [True, False, False]),
        ("nothing > 3", [False, False, False]),
        ("nothing is null", [True, True, True]),
        ("length(nothing) > 3 or starts_with(nothing, 'a')", [False, False, False]),
        ('"two words" between 2 and 3', [False, True, True]),
        ("url in ('a', 'c')", [True, False, True]),
        ("split_part(text, 'a', 1) = ''", [True, False, False]),
        ("try_cast(record_id as int) = 1", [True, False, False]),
        ("regexp_matches(text, '^a+$')", [True, False, False]),
        ("1 = 1", [True, True, True]),
        ("null", [False, False, False]),
    ],
)
def test_null_is_no_match(text: str, matches: list[bool]) -> None:
    """A condition is true, false or null for each record, and only true matches."""
    assert Condition(text)(RECORDS).to_pylist() == matches
    assert Condition(text)(RECORDS.slice(0, 0)).to_pylist() == []
    twice = pa.concat_tables([RECORDS.slice(1), RECORDS])
    assert Condition(text)(twice).to_pylist() == matches[1:] + matches


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("language ==", "not complete"),
        ("language = 'en", "unterminated .*character 12"),
        ("language = = 'en'", "syntax error .*character 12"),
        ("length(text)", "BIGINT, not true or false"),
        ("'yes'", "VARCHAR, not true or false"),
        ("lenght(text) > 5", "no function `lenght`; did you mean `length`"),
        ("1 > 'a' and 1 > [2]", "."),
        ("count(*) > 1", "`count_star` is not allowed"),
        ("score > avg(score)", "`avg` is not allowed"),
        ("row_number() over () > 1", "window function"),
        ("score > (select 1)", "a query"),
        ("exists (from read_text('/etc/passwd'))", "a query"),
        ("read_text('/etc/passwd') = 'x'", "not allowed"),
        ("random() < 0.5", "`random` is not allowed"),
        ("now() > date '2026-01-01'", "`now` is not allowed"),
        ("ago(interval 1 day) > date '2026-01-01'", "`ago` is not allowed"),
        ("current_setting('threads') = '1'", "not allowed"),
        ("nextval('a') = 1", "not allowed"),
        ("unnest(tags) = 'x'", "not allowed"),
        ("len(list_filter(tags, lambda tag: tag = 'x')) > 0", "lambda"),
        ("columns(*) > 0", "not allowed"),
        ("#1 > 0", "not allowed"),
        ("$1 > 0", "one expression"),
        ("1 = 1) from records where (true", "one expression"),
        ("1 = 1) where (true", "one expression"),
        ("1 = 1); drop table records; select (true", "one expression"),
        ("true), (true", "one expression"),
        ("true) limit (1", "one expression"),
        ("true) union select (true", "one expression"),
        ("true; select 1", "syntax error"),
        ("distinct flag", "syntax error"),
        ("not " * 3000 + "flag", "depth"),
    ],
)
def test_what_is_not_a_condition_is_refused_before_anything_runs(text: str, message: str) -> None:
    """Syntax, unknown functions, values of other kinds, and whatever depends on more than the record."""
    with pytest.raises(ConditionError, match=message):
        Condition(text)


def test_columns_are_needed() -> None:
    """A column that is not there is named, with the nearest, and so is the place of the condition."""
    condition = Condition("langage = 'en' and meta.url = 'x'", "p.yaml:7: when")
    assert condition.columns == ("langage", "meta")
    with pytest.raises(ColumnError, match=r"p.yaml:7: when: there is no column `langage`\n.*did you mean `language`"):
        condition(RECORDS)


@pytest.mark.parametrize("text", ["language", "text > 5", "meta.uri = 'x'", "lower(tags) = 'x'", "score"])
def test_types_that_do_not_fit(text: str) -> None:
    """A condition that cannot be asked of the columns as they are says why."""
    with pytest.raises(ConditionError, match=r"^p: ."):
        Condition(text, "p")(RECORDS)


def test_a_value_that_cannot_be_used_is_no_fault_of_the_condition() -> None:
    """A cast that fails for one record raises an error that names the value, however long, in a short message."""
    with pytest.raises(ValueError, match="Could not convert string 'x'") as raised:
        Condition("record_id::int > 1")(RECORDS)
    assert not isinstance(raised.value, ConditionError)
    with pytest.raises(ValueError, match="when: ") as raised:
        Condition("length(text::int[]) > 1")(pa.table({"text": ["y" * 5000]}))
    assert len(str(raised.value)) < 400
