"""Length, language and URL filters, and the row-wise bases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.contracts import Filter
from mega_data_factory.framework.rowwise import RowFilter, RowRefiner, Verdict
from tests.operators.texts import ready, table_of, verdicts

LENGTH = "text_length_filter"


def judged(name: str, table: pa.Table, **params: Any) -> list[str | None]:
    operator = ready(name, **params)
    assert isinstance(operator, Filter)
    found: list[str | None] = operator.judge(table).reason.to_pylist()
    return found


@pytest.mark.parametrize(("unit", "length"), [("chars", 8), ("words", 2), ("bytes", 12)])
def test_length_is_counted_in_the_unit(unit: str, length: int) -> None:
    """Both limits are included, and one beyond is rejected with both numbers."""
    text = "Zoë \U0001f600abc"
    assert verdicts(LENGTH, [text], min_length=length, max_length=length, unit=unit) == [None]
    too_short, too_long = ("too_short", length, length + 1), ("too_long", length, length - 1)
    assert verdicts(LENGTH, [text], min_length=length + 1, unit=unit) == [too_short]
    assert verdicts(LENGTH, [text], min_length=0, max_length=length - 1, unit=unit) == [too_long]


def test_length_defaults_reject_nothing_but_empty_text() -> None:
    """By default one character is enough."""
    assert verdicts(LENGTH, ["", "a"]) == [("too_short", 0.0, 1.0), None]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"min_length": -1}, "min_length is -1, not a whole number of at least 0"),
        ({"min_length": 5, "max_length": 4}, "min_length is 5, above max_length 4"),
        ({"min_length": True}, "min_length is True"),
        ({"unit": "lines"}, "unit is 'lines', not one of chars, words, bytes"),
    ],
)
def test_length_parameters_are_checked(params: dict[str, Any], message: str) -> None:
    """A wrong parameter is refused with its name, its value and what would do."""
    with pytest.raises(ValueError, match=message):
        ready(LENGTH, **params)


def languages_table() -> pa.Table:
    scores = pa.array([0.9, 0.2, 0.9, None, 0.9], pa.float64())
    return table_of(["t"] * 5, language=pa.array(["en", "EN", "de", "en", None]), language_score=scores)


def test_language_filter_compares_code_and_score() -> None:
    """Only wanted languages that were recognised surely enough stay."""
    expected = [None, "low_language_score", "unwanted_language", "missing_language_score", "missing_language"]
    assert judged("language_filter", languages_table(), languages=["en"], min_score=0.5) == expected


def test_language_filter_needs_the_score_only_when_it_counts() -> None:
    """Without a least score the column may be missing; with one the error names it."""
    table = languages_table().drop_columns(["language_score"])
    assert judged("language_filter", table, languages=["en", "DE"], min_score=0.0)[:4] == [None] * 4
    with pytest.raises(ConfigError, match="no column `language_score`"):
        judged("language_filter", table, languages=["en"], min_score=0.5)


def test_language_filter_wants_a_language() -> None:
    """An empty list could keep nothing and is refused."""
    with pytest.raises(ValueError, match="languages is empty"):
        ready("language_filter", languages=[])


def urls(*values: str | None) -> pa.Table:
    return table_of(["t"] * len(values), url=pa.array(values, pa.string()))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://example.org/a", None),
        ("https://bad.com/", "blocked_domain"),
        ("HTTPS://user:pw@WWW.Bad.com.:8080/a?b", "blocked_domain"),
        ("https://notbad.com/", None),
        ("https://bad.com.example.org/", None),
        ("https://example.org/?next=https://bad.com", None),
        ("https://shop.bücher.example/", "blocked_domain"),
        ("https://shop.xn--bcher-kva.example/", "blocked_domain"),
        ("https://[2001:db8::1]:80/", None),
        ("ftp://example.org/", "unwanted_scheme"),
        ("mailto:me@example.org", "unwanted_scheme"),
        ("example.org/a", "invalid_url"),
        ("https:///a", "invalid_url"),
        ("", "invalid_url"),
        (None, "missing_url"),
        ("https://example.org/Casino-royal", "blocked_word"),
        ("https://casinos.example.org/", None),
        ("https://example.org/a_free+lunch", "blocked_word"),
    ],
)
def test_url_rules(url: str | None, reason: str | None) -> None:
    """Domains hit with their subdomains and in either form of their name, words only whole."""
    params = {"blocked_domains": ["Bad.com", "bücher.example"], "blocked_words": ["casino", "free+lunch", "free"]}
    assert judged("url_filter", urls(url), **params) == [reason]


def test_url_options() -> None:
    """Other schemes, parts of words, and missing URLs can be allowed."""
    assert judged("url_filter", urls("ftp://a.org/"), allowed_schemes=["FTP"]) == [None]
    assert judged("url_filter", urls("http://essex.org/"), blocked_words=["sex"], whole_words=False) == ["blocked_word"]
    assert judged("url_filter", urls(None), keep_missing=True, blocked_domains=["a.b"], blocked_words=["c"]) == [None]


def test_url_lists_from_files(tmp_path: Path) -> None:
    """Files add to the lists; comments and empty lines do not count."""
    (tmp_path / "domains").write_text("# header\n\nbad.com  # why\n", encoding="utf-8")
    (tmp_path / "words").write_text("casino\n", encoding="utf-8")
    params = {"blocked_domains_file": str(tmp_path / "domains"), "blocked_words_file": str(tmp_path / "words")}
    table = urls("http://a.bad.com/", "http://worse.com/", "http://a.org/casino", "http://a.org/header")
    found = judged("url_filter", table, blocked_domains=["worse.com"], **params)
    assert found == ["blocked_domain", "blocked_domain", "blocked_word", None]
    with pytest.raises(ValueError, match=r"blocked_domains_file is .*not a file"):
        ready("url_filter", blocked_domains_file=str(tmp_path / "none"))


class Shout(RowRefiner):
    def refine_record(self, record: dict[str, Any]) -> dict[str, Any]:
        record["text"] = record["text"] and record["text"].upper()
        if record["text"]:
            record["size"] = len(record["text"])
        return record


class Rename(RowRefiner):
    def refine_record(self, record: dict[str, Any]) -> dict[str, Any]:
        return {**record, "record_id": "other"}


class NoDigits(RowFilter):
    def judge_record(self, record: dict[str, Any]) -> Verdict:
        if record["text"] is None:
            return "missing_text"
        digits = sum(map(str.isdigit, record["text"]))
        return ("too_many_digits", digits, 1) if digits > 1 else None


def test_row_refiner_keeps_types_and_adds_columns() -> None:
    """Old columns keep their type, new ones are null where a record does not have them."""
    table = Shout().refine(
        table_of(["ab", None]).cast(pa.schema([("record_id", pa.string()), ("text", "large_string")]))
    )
    assert table.schema == pa.schema([("record_id", "string"), ("text", "large_string"), ("size", "int64")])
    assert table.to_pylist()[1] == {"record_id": "r1", "text": None, "size": None}
    assert Shout().refine(table_of([])).num_rows == 0


def test_row_refiner_may_not_rename_records() -> None:
    """A record that comes back under another name is an error, not another record."""
    with pytest.raises(ValueError, match="changed record_id from 'r0' to 'other'"):
        Rename().refine(table_of(["a"]))


def test_row_filter_takes_reasons_with_and_without_numbers() -> None:
    """A verdict is None, a reason, or a reason with score and threshold."""
    judgement = NoDigits().judge(table_of(["a1", "12", None]))
    assert judgement.reason.to_pylist() == [None, "too_many_digits", "missing_text"]
    assert judgement.score is not None
    assert judgement.score.to_pylist() == [None, 2.0, None]
    assert NoDigits().judge(table_of([])).reason.type == pa.string()
