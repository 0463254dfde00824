"""Slices: what operators do with the records of each value of a column."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.contracts import Refiner
from mega_data_factory.framework.metrics.details import slices
from mega_data_factory.framework.metrics.details.slice_counts import SliceCounts
from mega_data_factory.framework.metrics.details.slices import StageSlices
from mega_data_factory.framework.metrics.details.totals import DetailTotals
from mega_data_factory.framework.plan import OperatorPlan
from mega_data_factory.framework.slice_columns import SliceColumn
from mega_data_factory.framework.worker.applying import Outcome
from mega_data_factory.framework.worker.quarantine import isolate_poison
from tests.detail_rows import detail_rows
from tests.framework.making import MANY, Fragile, Long, Marking, component, stage

NOW = datetime(2026, 1, 1)

Rows = dict[tuple[str, str, str | None], dict[str, Any]]
"""(operator, what it is sliced by, value) → row; the value of `other` is `*`."""


class Languages(Refiner):
    """Adds the first letter of the text as its language, null for an empty text."""

    def refine(self, table: pa.Table) -> pa.Table:
        letters = [text[:1] or None for text in table.column("text").to_pylist()]
        return table.append_column("lang", pa.array(letters, pa.string()))


def batch_of(texts: Sequence[str], number: int = 1, **columns: Sequence[Any]) -> Batch:
    ids = [f"part-{row % 2}.jsonl@{row * 10}" for row in range(len(texts))]
    table = pa.table({"record_id": ids, "text": pa.array(texts, pa.string()), **columns})
    return Batch(f"000000-{number:05d}", 0, table, len(texts))


def rows_of(batches: Iterable[Batch]) -> Rows:
    """What a run of these batches stores."""
    totals = DetailTotals()
    for batch in batches:
        totals.add(Batch.from_header(batch.header(), batch.table).details)
    found: Rows = {}
    for row in totals.rows("slices", "run", NOW):
        value = "*" if row["slice_kind"] == "other" else row["slice_value"]
        found[str(row["operator_name"]), str(row["slice_by"]), value] = dict(row)  # type: ignore[index]
    measured = {(str(row["stage_name"]), str(row["slice_by"])) for row in totals.rows("slices", "run", NOW)}
    assert set(totals.keys_with_rows("slices")) == measured
    return found


def flow(row: dict[str, Any]) -> tuple[int, int, int, int]:
    return row["input_records"], row["output_records"], row["rejected_records"], row["error_count"]


WORDS = st.sampled_from(["a", "alpha", "beta", "b", "BAD", "gamma-ray", "", "été"])


@MANY
@given(
    st.lists(st.tuples(WORDS, st.sampled_from(["x", "y", None])), max_size=30),
    st.lists(st.integers(1, 9), min_size=1, max_size=8),
)
def test_slices_are_what_counting_record_by_record_gives(
    records: list[tuple[str, str | None]], sizes: list[int]
) -> None:
    """However records are cut into batches, each slice has the records that came in, passed, were rejected, raised."""
    run = stage(component(Languages), component(Long, min_length=2), slice_by=("kind", "lang", "source_file()"))
    batches, start, number = [], 0, 0
    while start < len(records):
        part = records[start : start + sizes[number % len(sizes)]]
        batches.append(run(batch_of([text for text, _ in part], kind=pa.array([k for _, k in part], pa.string()))))
        start, number = start + len(part), number + 1
    expected: dict[Any, Counter[str]] = defaultdict(Counter)
    for text, kind in records:
        fate = "error" if text == "BAD" else "rejected" if len(text) < 2 else "passed"
        expected["languages", "kind", kind]["passed"] += 1
        for by, value in (("kind", kind), ("lang", text[:1] or None)):
            expected["long", by, value][fate] += 1
            expected["long", by, value]["bytes"] += len(text.encode())
    found = {key: row for key, row in rows_of(batches).items() if key[1] != "source_file()"}
    assert {key: flow(row) for key, row in found.items()} == {
        key: (n["passed"] + n["rejected"] + n["error"], n["passed"], n["rejected"], n["error"])
        for key, n in expected.items()
    }
    for key, row in found.items():
        assert row["rejected_reasons"] == ({"short": row["rejected_records"]} if row["rejected_records"] else {})
        assert row["missed_records"] == 0
        if key[0] == "long":
            assert row["input_text_bytes"] == expected[key]["bytes"]


def test_every_level_of_counting_agrees() -> None:
    """Slices of each column add up to the row of their operator, bytes and tokens included."""
    run = stage(component(Long), component(Marking), slice_by=("kind", "domain(url)"), token_column="n")
    urls = [f"https://user:pw@Host{row % 3}.example.org:8080/{row}" for row in range(4)]
    result = run(batch_of(["four", "no", "seven7", "BAD"], kind=[1, 1, None, 2], url=urls, n=[1, 2, 3, 4]))
    rows = rows_of([result])
    for operator in result.metrics:
        for by in ("kind", "domain(url)"):
            own = [row for (name, of, _), row in rows.items() if (name, of) == (operator.operator_name, by)]
            for count in ("input_records", "output_records", "error_count", "input_text_bytes", "output_tokens"):
                assert sum(row[count] for row in own) == getattr(operator, count), (operator.operator_name, by, count)
    assert {key[2] for key in rows if key[1] == "domain(url)"} == {f"host{row}.example.org" for row in range(3)}


def test_a_column_that_some_batches_lack_is_null_there() -> None:
    """Where a batch ends decides nothing: a record without the column is null if any batch has it."""
    run = stage(component(Long), slice_by=("kind", "nowhere"))
    rows = rows_of([run(batch_of(["four"], kind=["x"])), run(batch_of(["seven7", "no"], number=2))])
    assert {key: flow(row) for key, row in rows.items()} == {
        ("long", "kind", "x"): (1, 1, 0, 0),
        ("long", "kind", None): (2, 1, 1, 0),
    }


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("c", pa.array(["é", None, "é"]), ["é", None, "é"]),
        ("c", pa.array(["é", None], pa.string_view()), ["é", None]),
        ("c", pa.array(["é", None, "a"]).dictionary_encode(), ["é", None, "a"]),
        ("c", pa.array([b"\xff\xfe", b"ok", b"\xff\xfd"]), ["��", "ok", "��"]),
        ("c", pa.array([1, None, 1], pa.int8()), ["1", None, "1"]),
        ("c", pa.array([True, False]), ["true", "false"]),
        ("c", pa.array([1.5, float("nan")]), ["1.5", "nan"]),
        ("c", pa.array([datetime(2026, 1, 2)]).cast(pa.date32()), ["2026-01-02"]),
        ("c", pa.array([[1], [2]]), [None, None]),
        ("c", pa.nulls(2), [None, None]),
        ("c", pa.array([b"0123456789abcdef", None], pa.uuid()), ["0123456789abcdef", None]),
        ("c", pa.array([2**62, 1]).cast(pa.timestamp("s")), [None, None]),  # beyond the years of Python
        ("c", pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array([[1], [2]])), [None, None]),
        ("missing", pa.nulls(1), [None]),
        ("domain(c)", pa.array(["HTTP://A.b:80/x", "a.b", None, "ftp://[::1]/"]), ["a.b", None, None, "[::1]"]),
        ("domain(c)", pa.array([b"http://\xff/"]), ["�"]),
        ("domain(c)", pa.array([5]), [None]),
    ],
)
def test_values_of_every_type(column: str, values: pa.Array, expected: list[str | None]) -> None:
    """Values of every type become text; what has no value, is nested, unknown to Arrow or not a URL is null."""
    found, codes = SliceColumn(column).values_of(pa.table({"c": values}))
    assert [found[code] for code in codes] == expected
    assert len(set(found)) == len(found)


def test_the_source_file_is_in_the_record_id() -> None:
    """What loaders of lines, rows and captures name records by begins with the file."""
    ids = ["a/b.jsonl.gz@120", "c#d.parquet#7", "no-position", "x\n@1"]
    found, codes = SliceColumn("source_file()").values_of(pa.table({"record_id": ids}))
    assert [found[code] for code in codes] == ["a/b.jsonl.gz", "c#d.parquet", None, "x\n"]


def test_long_values_are_cut_and_stay_apart() -> None:
    """A value of a megabyte is 120 characters, and not the same as another that begins alike."""
    found, _ = SliceColumn("c").values_of(pa.table({"c": ["x" * 10**6, "x" * 10**6 + "y", "x" * 120]}))
    assert len(set(found)) == 3
    assert all(value is not None and len(value) <= 120 for value in found)


def slices_of(values: Sequence[str], shown: int = 50) -> StageSlices:
    """The slices of records that all pass, but those with an `r` in their value."""
    counts = Counter(values)
    found = SliceCounts(0, True)
    found.make_room(len(counts))
    found.counts = found.counts[:, : len(counts)]
    found.counts[0] = list(counts.values())
    found.counts[1] = [0 if "r" in value else number for value, number in counts.items()]
    rejects = [number if "r" in value else 0 for value, number in counts.items()]
    found.reasons = {"r": np.array(rejects, np.int64)} if any(rejects) else {}
    return StageSlices.measured("s", "c", shown, "o", list(counts), found)


def stored(*details: StageSlices) -> list[dict[str, Any]]:
    return detail_rows("slices", *([detail] for detail in details))


def test_only_the_heaviest_slices_have_rows_and_nothing_is_lost() -> None:
    """The heaviest are shown, of equals the first by value; all others are one row."""
    rows = stored(slices_of(["b", "r", "a", "a", "c"], shown=2), slices_of(["r", "d"], shown=2))
    assert [(row["slice_value"], row["slice_kind"], row["slices"], *flow(row)) for row in rows] == [
        ("a", "value", 1, 2, 2, 0, 0),
        ("r", "value", 1, 2, 0, 2, 0),
        (None, "other", 3, 3, 3, 0, 0),
    ]
    assert rows[2]["rejected_reasons"] == {}


@MANY
@given(st.lists(st.lists(st.integers(0, 60), max_size=40), max_size=8), st.randoms())
def test_more_slices_than_are_kept_stay_within_their_bounds(parts: list[list[int]], chance: Any) -> None:
    """Beyond the limit every slice is at most `missed_records` too low, never too high, and all add up."""
    texts = [[f"{'r' if value % 3 else 'p'}{value}" for value in part] for part in parts]
    chance.shuffle(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "MOST_SLICES", 10)
        rows = stored(*(slices_of(part, shown=5) for part in texts if part))
    exact = Counter(text for part in texts for text in part)
    assert sum(row["input_records"] for row in rows) == exact.total()
    assert sum(row["rejected_records"] for row in rows) == sum(n for text, n in exact.items() if "r" in text)
    for row in rows:
        if row["slice_kind"] == "value":
            true = exact[row["slice_value"]]
            assert row["input_records"] <= true <= row["input_records"] + row["missed_records"]
    if len(exact) <= 10:
        assert all(not row["missed_records"] for row in rows if row["slice_kind"] == "value")


def test_credentials_in_a_value_are_not_stored() -> None:
    """A slice of URLs is stored without the password in it."""
    (row,) = stored(slices_of(["https://me:secret@host/x"]))
    assert "secret" not in json.dumps(row, default=str)


def test_dead_letters_leave_the_slices_of_earlier_stages() -> None:
    """A record that kills its workers is in no slice; one stage's output is the next one's input."""
    first = stage(component(Long), slice_by=("kind",))(batch_of(["four", "POISON", "no"], kind=["x", "y", "y"]))
    second = stage(component(Marking), name="next", index=1, slice_by=("kind",))
    rows = rows_of([isolate_poison(first, second.plan, Fragile(second), 2, None)])
    assert {key: (*flow(row), row["output_text_bytes"]) for key, row in rows.items()} == {
        ("long", "kind", "x"): (1, 1, 0, 0, 4),
        ("long", "kind", "y"): (1, 0, 1, 0, 0),
        ("marking", "kind", "x"): (1, 1, 0, 0, 4),
    }


def test_two_operators_of_a_stage_that_share_a_name_have_rows_each() -> None:
    """A filter that follows another of its kind is sliced on its own."""
    run = stage(component(Long), replace(component(Long, min_length=6), name="long_2"), slice_by=("kind",))
    rows = rows_of([run(batch_of(["four", "seven7"], kind=["x", "x"]))])
    assert {key: flow(row) for key, row in rows.items()} == {
        ("long", "kind", "x"): (2, 2, 0, 0),
        ("long_2", "kind", "x"): (2, 1, 1, 0),
    }


@pytest.mark.parametrize(
    ("value", "message"), [(["a", "a"], "'a' is there twice"), ([""], "at least 1 character"), ("a", "slice_by")]
)
def test_a_wrong_choice_of_slices_is_refused(value: Any, message: str) -> None:
    """Columns are named once each, in a list."""
    config = {
        "data_loader": {"type": "jsonl_loader", "params": {"input_path": "x"}},
        "stages": [{"name": "s", "operators": [{"name": "text_length_filter"}]}],
        "data_writer": {"type": "jsonl_writer", "params": {"output_path": "y"}},
        "executor": {"metrics": {"slice_by": value}},
    }
    with pytest.raises(ConfigError, match=message):
        PipelineConfig.from_dict(config)


class Raising:
    """A meter that raises over its second batch and at the end of its third."""

    batches = 0

    def start(self) -> None:
        self.batches += 1

    def measure(self, stage: str, operator: OperatorPlan, outcomes: Sequence[Outcome]) -> None:
        if self.batches == 2:
            raise LookupError("unknown type")

    def details(self) -> Iterator[StageSlices]:
        yield slices_of(["a"])
        if self.batches == 3:
            raise LookupError("unknown end")


def test_a_meter_that_raises_costs_no_record(caplog: pytest.LogCaptureFixture) -> None:
    """Its details of that batch are left out, other batches and other meters keep theirs, and the log says it once."""
    run = stage(component(Long, min_length=2), slice_by=("kind",))
    run._meters = (Raising(), *run._meters)
    keys = []
    for _ in range(4):
        result = run(batch_of(["a", "bb"], kind=["x", "y"]))
        assert result.table.num_rows == 1
        assert [row.input_records for row in result.metrics] == [2]
        keys.append([detail.key for detail in result.details])
    assert [len(found) for found in keys] == [2, 1, 1, 2]
    assert keys[1] == [("quality", "kind")]
    assert [record.getMessage() for record in caplog.records if "Raising" in record.getMessage()] == [
        "stage `quality`, operator `long`: Raising cannot measure these records, and leaves out such batches: "
        "LookupError: unknown type",
        "stage `quality`: Raising cannot measure these records, and leaves out such batches: LookupError: unknown end",
    ]
