"""A stage gives an operator with `when` the records that match, passes the others untouched, and counts them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.contracts import Refiner
from mega_data_factory.framework.metrics.models import OperatorMetrics
from mega_data_factory.framework.metrics.rows.lost_records import row_without_records
from mega_data_factory.framework.plan import OperatorPlan, StagePlan, When
from mega_data_factory.framework.rowwise import RowRefiner
from mega_data_factory.framework.worker.stage import Stage, StageSettings
from tests.framework.making import MANY, EqualTexts, Long, Marking, batch, claims_in, component, ids, table

TEXTS = st.lists(st.sampled_from(["good text", "no", "BAD", "x good", "x no", "x BAD"]), max_size=24)
PICKED = "not starts_with(text, 'x')"


class Drops(RowRefiner):
    """Renames a column, so that one goes and one comes; its text changes its type."""

    def refine_record(self, record: dict[str, Any]) -> dict[str, Any]:
        return {"record_id": record["record_id"], "text": len(record["text"]), "note": {"was": record["text"]}}


class Fussy(Refiner):
    """Adds a column, and raises without records."""

    def refine(self, table: pa.Table) -> pa.Table:
        if not table.num_rows:
            raise ValueError("nothing to do")
        return table.append_column("length", pc.utf8_length(table.column("text")))


def stage(cls: type[Any], when: str = PICKED, claims: Any = None, **settings: Any) -> Stage:
    operator = OperatorPlan("operator", 0, component(cls), When(when, "p.yaml:3: when"))
    return Stage(StagePlan("quality", 0, (operator,), 1, 1), "w0", StageSettings("run-1", **settings), claims)


def texts(of: pa.Table) -> list[str]:
    return list(of.column("text").to_pylist())


@MANY
@given(TEXTS)
def test_a_filter_judges_those_that_match(given_texts: list[str]) -> None:
    """The rest stays in its place, errors and rejections are of records that match, and the books balance."""
    result = stage(Long, samples_per_reason=100)(batch(given_texts))
    gone = {"no", "BAD"}
    assert texts(result.table) == [text for text in given_texts if text not in gone]
    (row,) = result.metrics
    assert row.unbalanced_records == 0
    assert row.unmatched_records == sum(text.startswith("x") for text in given_texts)
    assert (row.rejected_records, row.error_count) == (given_texts.count("no"), given_texts.count("BAD"))
    names = dict(zip(ids(batch(given_texts)), given_texts, strict=True))
    assert all(names[e.record_id] == ("no" if e.kind == "rejected" else "BAD") for e in result.exclusions)
    assert all(e.score == 2.0 for e in result.exclusions if e.kind == "rejected")


@MANY
@given(TEXTS)
def test_a_refiner_adds_null_to_those_that_do_not(given_texts: list[str]) -> None:
    """Added columns are null where a record does not match, in the order of the batch."""
    result = stage(Marking)(batch(given_texts))
    left = [text for text in given_texts if text != "BAD"]
    assert texts(result.table) == left
    if left:
        assert result.table.column("marked").to_pylist() == [None if text.startswith("x") else True for text in left]
    (row,) = result.metrics
    assert (row.unbalanced_records, row.unmatched_records) == (0, sum(text.startswith("x") for text in left))


def test_a_refiner_that_takes_columns_and_types_away() -> None:
    """Columns that go are null where it refined, the others keep what they had; types that clash become text."""
    given_batch = batch(["abc", "x", "de"])
    columns = given_batch.table.append_column("old", pa.array([1, 2, 3]))
    result = Stage(stage(Drops).plan, "w0", StageSettings("run-1"))(
        type(given_batch)(given_batch.id, 0, columns, columns.num_rows)
    )
    assert ids(result) == ids(given_batch)
    assert texts(result.table) == ["3", "x", "2"]
    assert result.table.column("old").to_pylist() == [None, 2, None]
    assert result.table.column("note").to_pylist() == [{"was": "abc"}, None, {"was": "de"}]


def test_columns_that_are_left_alone_are_shared() -> None:
    """A column that the refiner did not change is the one that came in, down to its type."""
    given_batch = batch(["abc", "x", "de"])
    views = given_batch.table.append_column("view", pa.array(["a", "b", "c"], pa.string_view()))
    result = stage(Marking)(type(given_batch)(given_batch.id, 0, views, views.num_rows))
    assert result.table.column("view").type == pa.string_view()
    assert (
        result.table.column("text").chunk(0).buffers()[2].address == views.column("text").chunk(0).buffers()[2].address
    )


@pytest.mark.parametrize(("cls", "column"), [(Marking, "marked"), (Fussy, "length")])
def test_a_batch_without_a_match_has_the_columns_too(cls: type[Refiner], column: str) -> None:
    """They are learnt from the batches before, or from what the refiner makes of no record, if it can."""
    none = ["x", "x y"]
    run = stage(cls)
    first = run(batch(none))
    assert (column in first.table.column_names) == (cls is Marking)
    run(batch(["abc", "x"]))
    after = run(batch(none)).table
    assert after.column(column).null_count == 2
    assert after.column(column).type != pa.null()


@MANY
@given(TEXTS)
def test_a_deduplicator_claims_for_those_that_match(tmp_path_factory: Any, given_texts: list[str]) -> None:
    """Records that do not match are neither rejected nor in the way of those that do."""
    given_texts = [text.replace("BAD", "bad") for text in given_texts]
    with claims_in(tmp_path_factory.mktemp("claims")) as claims:
        run = stage(EqualTexts, claims=claims)
        first, again = run(batch(given_texts)), run(batch(given_texts))
    kept = texts(first.table)
    assert [text for text in kept if text.startswith("x")] == [text for text in given_texts if text.startswith("x")]
    matching = [text for text in given_texts if not text.startswith("x")]
    assert sorted(text for text in kept if not text.startswith("x")) == sorted(set(matching))
    assert ids(again) == ids(first)


def test_a_column_that_the_source_lacks() -> None:
    """In the first batch it is a mistake, with the place of the condition; later records have null there."""
    run = stage(Long, "lang = 'en'")
    with pytest.raises(ConfigError, match=r"operator `operator`: p.yaml:3: when: there is no column `lang`"):
        run(batch(["a", "b"]))
    later = run(batch(["a", "b"], number=1))
    assert later.metrics[0].unmatched_records == 2
    assert later.table.column_names == ["record_id", "text"]


def test_a_type_that_does_not_fit() -> None:
    """In the first batch it is a mistake; later it is an error of the records that have it."""
    with pytest.raises(ConfigError, match=r"p.yaml:3: when: its value is VARCHAR, not true or false"):
        stage(Long, "text")(batch(["a", "b"]))
    later = stage(Long, "text > 5")(batch(["a", "b"], number=1))
    assert later.table.num_rows == 0
    assert ["p.yaml:3: when: " in e.reason for e in later.exclusions] == [True, True]


def test_a_value_that_cannot_be_used_is_an_error_of_its_record() -> None:
    """The other records of the batch are judged."""
    result = stage(Long, "text::int > 5")(batch(["7", "seven", "1234"]))
    assert texts(result.table) == ["1234"]
    (error,) = result.exclusions
    assert (error.record_id, error.kind) == (ids(batch(["7", "seven"]))[1], "error")
    assert "Could not convert string 'seven'" in error.reason
    assert result.metrics[0].unbalanced_records == 0


def test_counts_travel_and_merge() -> None:
    """The count survives the way through a header, adds up, and is never more than the output that is left."""
    row = stage(Long)(batch(["x", "x", "good"])).metrics[0]
    again = OperatorMetrics.from_wire(row.to_wire())
    assert (again + row).unmatched_records == 4
    assert row_without_records(again, 2).unmatched_records == 1
    assert row.unmatched_records == 2


def test_no_table_without_records() -> None:
    """An empty batch is no reason to ask."""
    assert stage(Long)(batch([])).metrics[0].unmatched_records == 0
    assert table([]).num_rows == 0
