"""A stage keeps exact accounts of what its operators do, whatever they raise."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mega_data_factory.errors import OperatorError
from mega_data_factory.framework.contracts import Judgement, Operator, Rule
from mega_data_factory.framework.exclusion_text import record_json
from mega_data_factory.redaction import described
from tests.framework.making import (
    MANY,
    Chunking,
    EqualTexts,
    Forgetful,
    Long,
    Marking,
    Undecided,
    batch,
    claims_in,
    component,
    ids,
    stage,
    table,
)
from tests.present import present

KINDS = st.lists(st.sampled_from(["good text", "no", "BAD"]), max_size=24)


# ── Judgement.of ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_first_failed_rule_gives_the_reason() -> None:
    """A record is rejected for the first rule that it fails, with that rule's score and threshold."""
    rules = [
        Rule("a", pa.array([True, False, False, None]), pa.array([1, 2, 3, 4]), 10),
        Rule("b", pa.array([True, True, False, False])),
        Rule("c", pa.array([True, True, True, None]), pa.array([7.5, 7.5, 7.5, 7.5]), 0.5),
    ]
    judgement = Judgement.of(4, iter(rules))
    assert judgement.reason.to_pylist() == ["a", "b", "c", None]
    assert present(judgement.score).to_pylist() == [1.0, None, 7.5, None]
    assert present(judgement.threshold).to_pylist() == [10.0, None, 0.5, None]
    assert judgement.kept.to_pylist() == [False, False, False, True]


def test_rules_may_be_chunked_and_absent() -> None:
    """Chunked arrays are taken like flat ones, and without rules every record stays."""
    chunked = pa.chunked_array([[True], [False, None]])
    assert Judgement.of(3, [Rule("x", chunked)]).reason.to_pylist() == ["x", None, None]
    assert Judgement.of(2, []).kept.to_pylist() == [True, True]
    assert len(Judgement.of(0, [Rule("x", pa.array([], pa.bool_()))]).reason) == 0


def test_reasons_are_counted_as_records_have_them() -> None:
    """Of any kind that Arrow makes a string of; a reason that is null rejects no record and counts none."""
    failed = pa.array([True, False, True])
    for reason in ("short", np.str_("short"), b"short"):
        judgement = Judgement.of(3, [Rule(None, failed), Rule(reason, failed)])  # type: ignore[arg-type]
        assert judgement.reason.to_pylist() == ["short", None, "short"]
        assert json.loads(json.dumps(judgement.rejected_by_reason())) == {"short": 2}
    texts = pa.array(["short", None, "long"])
    for reasons in (texts, texts.dictionary_encode(), texts.cast(pa.string_view()), pa.chunked_array([texts])):
        none = pa.nulls(3, pa.float64())
        assert Judgement(reasons, none, none).rejected_by_reason() == {"short": 1, "long": 1}


# ── accounts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@MANY
@given(KINDS)
def test_errors_are_narrowed_down_to_the_records_that_raise(texts: list[str]) -> None:
    """Exactly the records that raise are set aside, wherever they stand; the rest goes through in order."""
    run = stage(component(Marking))
    result = run(batch(texts))
    names = ids(batch(texts))
    bad = [name for name, text in zip(names, texts, strict=True) if text == "BAD"]
    assert [e.record_id for e in result.exclusions] == bad
    assert ids(result) == [name for name in names if name not in bad]
    assert all(e.kind == "error" and e.reason == "ValueError: cannot digest BAD" for e in result.exclusions)
    (row,) = result.metrics
    assert (row.input_records, row.output_records, row.error_count) == (len(texts), len(texts) - len(bad), len(bad))


@MANY
@given(KINDS)
def test_rejections_and_errors_share_one_account(texts: list[str]) -> None:
    """Skipping errors and sampling rejections in one filter: input = output + rejected + errors, reasons included."""
    result = stage(component(Long), samples_per_reason=100)(batch(texts))
    (row,) = result.metrics
    assert row.unbalanced_records == 0
    assert row.rejected_reasons == ({"short": texts.count("no")} if "no" in texts else {})
    kinds = [e.kind for e in result.exclusions]
    assert (kinds.count("rejected"), kinds.count("error")) == (texts.count("no"), texts.count("BAD"))
    for exclusion in result.exclusions:
        if exclusion.kind == "rejected":
            assert (exclusion.reason, exclusion.score, exclusion.threshold) == ("short", 2.0, 3.0)
            assert json.loads(exclusion.content) == {"record_id": exclusion.record_id, "text": "no"}


@MANY
@given(KINDS)
def test_custom_metrics_count_each_record_once(texts: list[str]) -> None:
    """What a failed call reported is forgotten, what the successful calls beside it reported is not."""
    result = stage(component(Marking), custom_metrics=True)(batch(texts))
    (row,) = result.metrics
    assert row.custom_metrics.get("seen", 0) == len(texts) - texts.count("BAD")
    json.loads(result.header())  # a NumPy number that was reported travels


@MANY
@given(KINDS)
def test_what_is_noticed_is_kept_without_custom_metrics(texts: list[str]) -> None:
    """A number for findings is kept also where custom metrics are not collected, and counts each record once."""
    for custom_metrics in (False, True):
        (row,) = stage(component(Marking), custom_metrics=custom_metrics)(batch(texts)).metrics
        assert row.custom_metrics.get("noticed", 0) == len(texts) - texts.count("BAD")
        assert ("seen" in row.custom_metrics) <= custom_metrics


@MANY
@given(st.lists(st.sampled_from(["one", "two", "three", "BAD"]), max_size=24))
def test_deduplication_beside_errors_keeps_one_of_each(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    """A deduplicator that raises for some records keeps the first of each of the other texts, also when retried."""
    with claims_in(tmp_path_factory.mktemp("claims")) as claims:
        run = stage(component(EqualTexts), claims=claims)
        first, again = run(batch(texts)), run(batch(texts))
    kept = first.table.column("text").to_pylist()
    assert sorted(kept) == sorted(set(texts) - {"BAD"})
    assert ids(again) == ids(first)
    assert first.metrics[0].unbalanced_records == 0


def test_on_error_fail_names_the_record() -> None:
    """With `fail` the run stops at the first record that raises, and says which, where and why."""
    run = stage(component(Marking), on_error="fail")
    with pytest.raises(OperatorError, match=r"stage `quality`, operator `marking`, record `r0002`: ValueError: cannot"):
        run(batch(["a", "b", "BAD", "BAD"]))


@pytest.mark.parametrize("cls", [Forgetful, Undecided])
def test_a_broken_contract_stops_the_run(cls: type[Operator]) -> None:
    """An operator that loses records is a bug that stops the run, never an error of its records."""
    with pytest.raises(OperatorError, match="given 3"):
        stage(component(cls))(batch(["a", "b", "c"]))


@pytest.mark.parametrize(("cls", "hint"), [(Forgetful, "write a Filter"), (Chunking, "before the run")])
def test_what_a_refiner_must_not_do_has_a_way_that_works(cls: type[Operator], hint: str) -> None:
    """Records that a pipeline makes would have no name of their own in the source, so it makes none."""
    with pytest.raises(OperatorError, match="the same records") as raised:
        stage(component(cls))(batch(["a", "b", "c"]))
    assert hint in (raised.value.hint or "")


def test_operators_follow_each_other() -> None:
    """Each operator is offered what the one before passed on; the metrics ride in plan order."""
    result = stage(component(Long), component(Marking))(batch(["no", "good", "fine"]))
    assert [(row.operator_name, row.input_records) for row in result.metrics] == [("long", 3), ("marking", 2)]
    assert result.table.column_names == ["record_id", "text", "marked"]


def test_without_metrics_nothing_is_counted() -> None:
    """A stage that does not measure does the same work and leaves no rows."""
    result = stage(component(Long), measure=False)(batch(["no", "good"]))
    assert result.metrics == ()
    assert result.table.column("text").to_pylist() == ["good"]


def test_an_operator_is_not_called_without_records() -> None:
    """An empty batch has its row of zeros, and no operator has to cope with it."""
    result = stage(component(Marking, word=""))(batch([]))
    assert result.metrics[0].input_records == 0
    assert result.exclusions == ()


# ── records as text ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_record_json_shows_what_it_can() -> None:
    """Bytes, dates that Python cannot hold and long texts all become JSON text."""
    row = (
        table(["x" * 50])
        .append_column("raw", pa.array([b"\xff\x00"]))
        .append_column("when", pa.array([2**62]).cast(pa.timestamp("us")))
    )
    record = json.loads(record_json(row, max_chars=10))
    assert record["text"] == "x" * 10 + "…"
    assert record["raw"] == "ÿ\x00"
    assert "timestamp" in record["when"]


def test_describe_is_one_line() -> None:
    """An error is described by its class and message, on one line."""
    assert described(ValueError("a\n  b")) == "ValueError: a b"
    assert described(KeyError()) == "KeyError"
