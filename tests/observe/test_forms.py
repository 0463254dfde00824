"""Records in every form that engines hand over: how many, which are kept, what text, and names by content."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import mega_data_factory as mdf
from mega_data_factory.framework.contracts import Judgement, Rule
from mega_data_factory.framework.metrics import OperatorMetrics
from mega_data_factory.observe import ObservedRun
from mega_data_factory.observe.counting.forms import forms
from mega_data_factory.operators.filters.text_length_filter import TextLengthFilter
from mega_data_factory.operators.refiners.text_statistics_refiner import TextStatisticsRefiner
from tests.observe.runs import flow, rows_of, run_row

TEXTS = ["a", "bbb", "ccccc", "dé"]
TABLE = pa.table({"id": [1, 2, 3, 4], "text": TEXTS})

BATCHES: dict[str, Any] = {
    "table": TABLE,
    "chunked table": pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)]),
    "record batch": TABLE.combine_chunks().to_batches()[0],
    "pandas": TABLE.to_pandas(),
    "polars": pl.from_arrow(TABLE),
    "columns of arrays": {"id": np.array([1, 2, 3, 4]), "text": np.array(TEXTS, dtype=object)},
    "columns of lists": {"id": [1, 2, 3, 4], "text": TEXTS},
    "dicts": TABLE.to_pylist(),
}
SERIES: dict[str, Any] = {
    "array": pa.array(TEXTS),
    "chunked array": pa.chunked_array([TEXTS[:1], TEXTS[1:]]),
    "pandas series": pd.Series(TEXTS),
    "polars series": pl.Series(TEXTS),
    "numpy": np.array(TEXTS, dtype=object),
    "texts": list(TEXTS),
    "tuple": tuple(TEXTS),
}
every_batch = pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
every_form = pytest.mark.parametrize("batch", [*BATCHES.values(), *SERIES.values()], ids=[*BATCHES, *SERIES])


@pytest.fixture
def run(tmp_path: Path) -> Iterator[ObservedRun]:
    run = mdf.observe("forms", metrics=tmp_path, node_interval=0)
    with run:
        yield run


def row_of(run: ObservedRun, folder: Path, name: str = "step") -> OperatorMetrics:
    """End the run, and return the row of its step."""
    run.end()
    return rows_of(folder, run.run_id)[name]


def texts_of(batch: Any) -> list[str]:
    form = forms.form_of(batch)
    assert form is not None
    return [record["text"] if isinstance(record, dict) else record for record in form.records(batch)]


def first_two(batch: Any) -> Any:
    form = forms.form_of(batch)
    assert form is not None
    return form.cut(batch, 0, 2)


@every_form
def test_a_batch_that_comes_out_smaller_is_counted_with_its_text(run: ObservedRun, tmp_path: Path, batch: Any) -> None:
    assert texts_of(run.step(first_two, name="step", reason="cut", text="text")(batch)) == TEXTS[:2]
    row = row_of(run, tmp_path)
    assert flow(row) == (4, 2, 2, 0)
    assert row.rejected_reasons == {"cut": 2}
    assert (row.input_text_bytes, row.output_text_bytes) == (12, 4)


def test_text_that_is_made_of_no_records_is_counted(run: ObservedRun, tmp_path: Path) -> None:
    run.step(lambda rows: [{"text": "new"}], name="step", text="text")([])
    row = row_of(run, tmp_path)
    assert (row.created_records, row.output_text_bytes) == (1, 3)


MASK = [True, False, None, True]
MASKS: dict[str, Any] = {
    "list": [True, False, False, True],
    "list with None": MASK,
    "list of numpy": list(np.array([True, False, False, True])),
    "numpy": np.array([True, False, False, True]),
    "array": pa.array(MASK),
    "chunked array": pa.chunked_array([MASK[:1], MASK[1:]], pa.bool_()),
    "pandas series": pd.Series([True, False, False, True]),
    "pandas series with null": pd.Series(MASK, dtype="boolean"),
    "pandas series of arrow": pd.Series(MASK, dtype="bool[pyarrow]"),
    "polars series": pl.Series(MASK),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_a_mask_decides_on_every_record(run: ObservedRun, tmp_path: Path, mask: Any) -> None:
    assert run.step(lambda table: mask, name="step", reason="out", text="text")(TABLE) is mask
    row = row_of(run, tmp_path)
    assert flow(row) == (4, 2, 2, 0)
    assert row.rejected_reasons == {"out": 2}
    assert row.output_text_bytes == 4


def test_a_mask_of_another_length_is_records(run: ObservedRun, tmp_path: Path) -> None:
    run.step(lambda table: [True, False], name="step")(TABLE)
    assert flow(row_of(run, tmp_path)) == (4, 2, 2, 0)


def test_truth_values_that_are_no_decisions_are_passed_on(run: ObservedRun, tmp_path: Path) -> None:
    run.step(lambda texts: [len(text) > 2 for text in texts], name="step", filters=False)(TEXTS)
    assert flow(row_of(run, tmp_path)) == (4, 4, 0, 0)


@pytest.mark.parametrize("kept", [True, np.True_])
def test_a_truth_value_decides_on_a_record(run: ObservedRun, tmp_path: Path, kept: Any) -> None:
    step = run.step(lambda record: kept if record["id"] > 1 else not kept, name="step", reason="one", text="text")
    assert [bool(step(record)) for record in TABLE.to_pylist()] == [False, True, True, True]
    row = row_of(run, tmp_path)
    assert flow(row) == (4, 3, 1, 0)
    assert (row.input_text_bytes, row.output_text_bytes) == (12, 11)


def test_single_records_are_counted_by_what_comes_out(run: ObservedRun, tmp_path: Path) -> None:
    record = {"id": 1, "tokens": [1, 2, 3]}
    Point = namedtuple("Point", ["x", "y"])
    point = Point(1, 2)
    steps = {
        "one": (lambda r: {**r, "n": 3}, record, (1, 1)),
        "many": (lambda r: [r, r, r], record, (1, 3)),
        "none": (lambda r: [], record, (1, 0)),
        "value": (lambda text: text.split(), "a b c", (1, 3)),
        "vector": (lambda text: np.zeros(8), "a b c", (1, 1)),
        "list of numbers": (lambda text: [1.0, 2.0], "a b c", (1, 1)),
        "tuple": (lambda p: p, point, (1, 1)),
        "side effect": (lambda r: None, record, (1, 1)),
        "read only": (lambda r: r, MappingProxyType(record), (1, 1)),
    }
    for name, (function, value, _) in steps.items():
        run.step(function, name=name)(value)
    run.step(lambda r: None, name="dropped", reason="empty")(record)
    run.step(lambda text: text.split(), name="flat", flat=False)("a b c")
    run.end()
    rows = rows_of(tmp_path, run.run_id)
    assert {name: flow(rows[name])[:2] for name in steps} == {name: wanted for name, (_, _, wanted) in steps.items()}
    assert flow(rows["dropped"]) == (1, 0, 1, 0)
    assert flow(rows["flat"])[:2] == (1, 1)
    assert all(row.unbalanced_records == 0 for row in rows.values())


def test_a_mapping_of_lists_can_be_told_to_be_a_record_or_a_batch(run: ObservedRun, tmp_path: Path) -> None:
    run.step(lambda r: r, name="record", batched=False)({"a": [1, 2], "b": [3, 4]})
    run.step(lambda r: r, name="batch", batched=True)({"a": [1, 2, 3]})
    run.end()
    rows = rows_of(tmp_path, run.run_id)
    assert (flow(rows["record"])[0], flow(rows["batch"])[0]) == (1, 3)


def test_values_of_unknown_form_pass_unharmed_and_count_as_told(run: ObservedRun, tmp_path: Path) -> None:
    class Batch:
        size = 17

    batch, lazy = Batch(), pl.LazyFrame({"a": [1, 2]})
    assert run.step(lambda b: b, name="step", count=lambda b: b.size)(batch) is batch
    assert run.step(lambda b: b, name="record")(batch) is batch
    assert run.step(lambda frame: frame, name="lazy")(lazy) is lazy
    run.end()
    rows = rows_of(tmp_path, run.run_id)
    assert flow(rows["step"]) == (17, 17, 0, 0)
    assert flow(rows["record"]) == (1, 1, 0, 0)
    assert flow(rows["lazy"]) == (0, 0, 0, 0)
    [note] = run_row(tmp_path, run.run_id)["config"]["observed"]["notes"]
    assert "lazy values" in note


def test_pandas_pipes_and_polars_expressions_run_through_steps(run: ObservedRun, tmp_path: Path) -> None:
    short = run.step(lambda frame: frame[frame["text"].str.len() < 3], name="pandas", reason="long")
    assert BATCHES["pandas"].pipe(short)["id"].tolist() == [1, 4]
    assert BATCHES["pandas"].pipe(run.step(lambda f: f["id"] > 3, name="mask")).tolist() == [False, False, False, True]
    upper = run.step(lambda series: series.str.to_uppercase(), name="polars", text="text")
    frame = BATCHES["polars"].lazy().with_columns(pl.col("text").map_batches(upper, return_dtype=pl.String))
    assert frame.collect()["text"].to_list() == ["A", "BBB", "CCCCC", "DÉ"]
    keep = run.step(lambda series: series.str.len_chars() < 3, name="filter", reason="long")
    kept = BATCHES["polars"].lazy().filter(pl.col("text").map_batches(keep, return_dtype=pl.Boolean)).collect()
    assert kept["id"].to_list() == [1, 4]
    run.end()
    rows = rows_of(tmp_path, run.run_id)
    assert flow(rows["pandas"]) == flow(rows["filter"]) == (4, 2, 2, 0)
    assert flow(rows["mask"]) == (4, 1, 3, 0)
    assert flow(rows["polars"]) == (4, 4, 0, 0)
    assert rows["polars"].input_text_bytes == 12


@every_batch
def test_a_judgement_becomes_the_records_that_stay(run: ObservedRun, tmp_path: Path, batch: Any) -> None:
    def judge(batch: Any) -> Judgement:
        lengths = pa.array([len(text) for text in texts_of(batch)])
        return Judgement.of(4, [Rule("long", pc.greater(lengths, 2), lengths, 2)])

    kept = run.step(judge, name="step")(batch)
    assert type(kept) is type(batch)
    assert texts_of(kept) == ["a", "dé"]
    assert run.step(judge, name="filter", filters=True)(batch) == [True, False, False, True]
    run.end()
    rows = rows_of(tmp_path, run.run_id)
    assert flow(rows["step"]) == flow(rows["filter"]) == (4, 2, 2, 0)
    assert rows["step"].rejected_reasons == {"long": 2}


@every_form
def test_our_operators_work_on_every_form(run: ObservedRun, tmp_path: Path, batch: Any) -> None:
    kept = run.step(TextLengthFilter(min_length=2, max_length=4), name="step")(batch)
    assert texts_of(kept) == ["bbb", "dé"]
    row = row_of(run, tmp_path)
    assert flow(row) == (4, 2, 2, 0)
    assert row.rejected_reasons == {"too_short": 1, "too_long": 1}


@every_batch
def test_our_refiners_add_columns_to_every_form(run: ObservedRun, tmp_path: Path, batch: Any) -> None:
    refined = run.step(TextStatisticsRefiner(), name="step")(batch)
    form = forms.form_of(refined)
    assert form is forms.form_of(batch)
    assert form is not None
    records = list(form.records(refined))
    assert len(records[0]) > 2
    assert "record_id" not in records[0]
    assert texts_of(refined) == TEXTS
    assert flow(row_of(run, tmp_path)) == (4, 4, 0, 0)


@every_form
def test_the_records_that_raise_are_skipped(run: ObservedRun, tmp_path: Path, batch: Any) -> None:
    def check(batch: Any) -> Any:
        if "bbb" in texts_of(batch) or "dé" in texts_of(batch):
            raise ValueError("unwanted")
        return batch

    kept = run.step(check, name="step", on_error="skip")(batch)
    assert texts_of(kept) == ["a", "ccccc"]
    assert flow(row_of(run, tmp_path)) == (4, 2, 0, 2)
    lines = (tmp_path / "records" / "errors" / f"{run.run_id}.jsonl").read_text().splitlines()
    assert [("bbb" in lines[0], "d\u00e9" in lines[1]), len(lines)] == [(True, True), 2]


@pytest.mark.parametrize("kind", ["list", "numpy", "array", "pandas series", "polars series"])
def test_the_records_that_raise_are_rejected_by_the_mask_of_a_filter(
    run: ObservedRun, tmp_path: Path, kind: str
) -> None:
    make = {"list": list, "numpy": np.array, "array": pa.array, "pandas series": pd.Series, "polars series": pl.Series}

    def is_short(batch: Any) -> Any:
        texts = texts_of(batch)
        if "bbb" in texts:
            raise ValueError("unwanted")
        return make[kind]([len(text) < 4 for text in texts])

    step = run.step(is_short, name="step", on_error="skip", reason="long")
    mask = step(TABLE)
    assert [bool(entry) for entry in (mask.to_pylist() if hasattr(mask, "to_pylist") else mask)] == [
        True,
        False,
        False,
        True,
    ]
    assert [
        bool(e) for e in list(step(TABLE.slice(1, 1)).to_pylist() if kind == "array" else step(TABLE.slice(1, 1)))
    ] == [False]
    row = row_of(run, tmp_path)
    assert row.unbalanced_records == 0
    assert row.rejected_reasons == {"long": 1}


def test_a_single_record_that_raises_gives_what_the_function_gives_for_none(run: ObservedRun, tmp_path: Path) -> None:
    steps = {
        "decision": run.step(lambda r: 1 / r > 0, name="decision", on_error="skip"),
        "many": run.step(lambda r: [1 / r], name="many", on_error="skip", flat=True),
        "one": run.step(lambda r: 1 / r, name="one", on_error="skip"),
    }
    assert {name: (step(1), step(0))[1] for name, step in steps.items()} == {"decision": False, "many": [], "one": None}
    run.end()
    assert all(flow(row) == (2, 1, 0, 1) for row in rows_of(tmp_path, run.run_id).values())


@every_form
def test_batches_of_equal_content_have_one_fingerprint(batch: Any) -> None:
    form = forms.form_of(batch)
    assert form is not None
    copied = form.join([form.cut(batch, 0, 2), form.cut(batch, 2, 4)])
    assert forms.fingerprint(batch) == forms.fingerprint(form.cut(batch, 0, 4)) is not None
    assert len({forms.fingerprint(form.cut(batch, start, 4)) for start in range(4)}) == 4
    assert form.count(copied) == 4


def test_what_cannot_be_read_has_no_fingerprint() -> None:
    assert forms.fingerprint(lambda: None) is None
    assert forms.fingerprint({"a": 1, "b": "x"}) == forms.fingerprint({"a": 1, "b": "x"})
