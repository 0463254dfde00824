"""Rows of the reject ledger, as a stage makes them."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.contracts import Filter, Judgement, Rule
from mega_data_factory.framework.exclusion_text import record_json, records_json
from mega_data_factory.framework.rowwise import RowFilter
from mega_data_factory.framework.worker.stage import Stage, StageSettings
from mega_data_factory.operators.filters.gopher_quality_filter import GopherQualityFilter
from mega_data_factory.rejects import record_key
from mega_data_factory.testing import MemoryClaims
from tests.fakes import Dedup
from tests.framework.making import component, stage_plan, table


class TwoRules(Filter):
    """Rejects short texts, and texts without an `a`; asks a column of its own for the text."""

    text_column = "body"

    def judge(self, table: pa.Table) -> Judgement:
        text = table.column("body")
        short = Rule("short", pc.less(pc.utf8_length(text), 5), pc.utf8_length(text), 5)
        return Judgement.of(table.num_rows, [short, Rule("no_a", pc.invert(pc.match_substring(text, "a")))])


class Odd(RowFilter):
    """Rejects every second record, without rules."""

    def judge_record(self, record: dict[str, Any]) -> str | None:
        return "odd" if int(record["record_id"][1:]) % 2 else None


def rows(rows_of: pa.Table, *operators: type, **settings: Any) -> list[dict[str, Any]]:
    """The rows of the ledger after these operators."""
    plan = stage_plan(*map(component, operators), name="s")
    run = Stage(plan, "w0", StageSettings("run-1", keep_rejects=True, **settings), MemoryClaims())
    result = run(Batch("000000-00000", 0, rows_of, rows_of.num_rows))
    assert result.rejects is not None
    found: list[dict[str, Any]] = result.rejects.to_pylist()
    return found


def test_all_rules_that_a_record_fails() -> None:
    """The first rule is the reason; all are listed, and the bytes of the operator's own text column counted."""
    ids = [f"r{n}" for n in range(4)]
    found = rows(pa.table({"record_id": ids, "body": ["xé", "long enough", "a", "a long text"]}), TwoRules)
    assert [(row["record_id"], row["reason"], row["failed_rules"], row["bytes"]) for row in found] == [
        ("r0", "short", ["short", "no_a"], 3),
        ("r1", "no_a", ["no_a"], 11),
        ("r2", "short", ["short"], 1),
    ]
    assert [(row["score"], row["threshold"]) for row in found] == [(2.0, 5.0), (None, None), (1.0, 5.0)]


def test_operators_without_rules_and_batches_without_rejects() -> None:
    """A row-wise filter does not know which else it would fail; where nothing is rejected there is no table."""
    assert [row["failed_rules"] for row in rows(table(["a", "b", "c"]), Odd)] == [None]
    plan = stage_plan(component(Odd))
    batch = Batch("000000-00000", 0, table(["a"]), 1)
    assert Stage(plan, "w0", StageSettings("run-1", keep_rejects=True))(batch).rejects is None
    assert Stage(plan, "w0", StageSettings("run-1"))(Batch("0-0", 0, table(["a", "b"]), 2)).rejects is None


def test_rows_of_several_operators_and_earlier_stages_stay_together() -> None:
    """Each operator adds its rows behind those that the batch has brought."""
    first = Stage(stage_plan(component(Odd), name="a"), "w0", StageSettings("run-1", keep_rejects=True))
    second = Stage(
        stage_plan(component(Dedup), name="b"), "w0", StageSettings("run-1", keep_rejects=True), MemoryClaims()
    )
    result = second(first(Batch("000000-00000", 0, table(["x", "y", "x"]), 3)))
    assert result.rejects is not None
    assert [(row["stage"], row["record_id"]) for row in result.rejects.to_pylist()] == [("a", "r0001"), ("b", "r0002")]


def test_a_duplicate_names_the_holder_of_its_key() -> None:
    """Also where the key was won in an earlier batch."""
    claims = MemoryClaims()
    run = Stage(stage_plan(component(Dedup)), "w0", StageSettings("run-1", keep_rejects=True), claims)
    run(Batch("000000-00000", 0, table(["x"]), 1))
    result = run(Batch("000000-00001", 0, table(["y", "x", "y"], first=1), 3))
    assert result.rejects is not None
    assert result.rejects["duplicate_of_key"].to_pylist() == [record_key("r0000"), record_key("r0001")]


def test_rules_of_texts_that_are_judged_by_language() -> None:
    """Judgements of the languages are put together in the order of the records."""
    german, english = "Der Hund und die Katze. " * 3, "The dog and the cat of it. " * 3
    judge = GopherQualityFilter(words="unicode", min_words=1000)
    judgement = judge.judge(table([english, german, english]))
    failed = judgement.failed_rules().to_pylist()
    assert len(failed) == 3
    assert failed[0] == failed[2]
    assert all(rules[0] == reason for rules, reason in zip(failed, judgement.reason.to_pylist(), strict=True))


@pytest.mark.parametrize("value", [1.5, "é", b"\xff", date(2026, 1, 1), None, {"a": [1]}])
def test_contents_are_json(value: Any) -> None:
    """All records at once are written as one by one."""
    one = pa.table({"record_id": ["r1"], "v": pa.array([value])})
    assert records_json(one) == [record_json(one)]
    (row,) = rows(one, Odd, reject_content=True)
    assert json.loads(row["content"])["record_id"] == "r1"
    assert row["content"] == record_json(one)


def test_dates_that_python_lacks() -> None:
    """A date beyond the year 9999 is described, as in the error sink."""
    one = pa.table({"record_id": ["r1"], "body": ["x"], "v": pa.array([1 << 60], pa.timestamp("s"))})
    (row,) = rows(one, TwoRules, reject_content=True)
    assert "Python cannot show" in json.loads(row["content"])["v"]


def test_rows_have_the_slice_of_their_record() -> None:
    """It is that of the first entry of `slice_by`; null where the record has none."""
    records = pa.table(
        {
            "record_id": ["r1", "r2", "r3"],
            "body": ["x", "y", "long enough, a"],
            "url": ["https://A.org/1", None, "https://b.org"],
        }
    )
    found = rows(records, TwoRules, slice_by=("domain(url)", "body"))
    assert [(row["record_id"], row["slice"]) for row in found] == [("r1", "a.org"), ("r2", None)]
    assert [row["slice"] for row in rows(records, TwoRules, slice_by=("lang",))] == [None, None]
