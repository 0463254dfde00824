"""Columns of every type are measured as far as that makes sense, and none ends a run."""

from __future__ import annotations

import datetime as dt
import decimal
import logging
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xxhash

from mega_data_factory.framework.commit import column_measuring
from mega_data_factory.framework.commit.column_measuring import MOST_COLUMNS, measure_columns
from mega_data_factory.framework.metrics.details.columns.distinct_count import DistinctCount
from mega_data_factory.framework.metrics.details.columns.value_histogram import ValueHistogram

DAY = 86_400.0
NEW_YEAR = 1_767_225_600.0

KINDS: dict[str, tuple[pa.Array, str, float | None, float | None, int | None]] = {
    "int8": (pa.array([1, -2, None], pa.int8()), "number", -2, 1, 2),
    "uint64": (pa.array([2**64 - 1, 5, None], pa.uint64()), "number", 5, 2.0**64, 2),
    "float16": (pa.array([1, 2, None], pa.float16()), "number", 1, 2, 2),
    "float": (pa.array([1.5, -0.0, 0.0, None]), "number", 0, 1.5, 2),
    "decimal": (pa.array([decimal.Decimal("1.25"), decimal.Decimal(-2), None]), "number", -2, 1.25, 2),
    "wide decimal": (pa.array([decimal.Decimal(10) ** 50, None], pa.decimal256(60, 2)), "number", 1e50, 1e50, 1),
    "date": (pa.array([dt.date(2026, 1, 1), None]), "time", NEW_YEAR, NEW_YEAR, 1),
    "date64": (pa.array([dt.date(2026, 1, 1), None], pa.date64()), "time", NEW_YEAR, NEW_YEAR, 1),
    "timestamp": (pa.array([dt.datetime(2026, 1, 1), None], pa.timestamp("ns", "UTC")), "time", NEW_YEAR, NEW_YEAR, 1),
    "before 1970": (pa.array([dt.datetime(1969, 12, 31)], pa.timestamp("s")), "time", -DAY, -DAY, 1),
    "time": (pa.array([dt.time(1), None], pa.time32("s")), "time", 3600, 3600, 1),
    "duration": (pa.array([dt.timedelta(1), None]), "time", DAY, DAY, 1),
    "text": (pa.array(["日本", "", None]), "text", 0, 2, 2),
    "empty texts": (pa.array(["", "", None]), "text", 0, 0, 1),
    "large text": (pa.array(["ab", None], pa.large_string()), "text", 2, 2, 1),
    "text view": (pa.array(["ab", "ab", None], pa.string_view()), "text", 2, 2, 1),
    "dictionary": (pa.array(["x", "y", "x", None]).dictionary_encode(), "text", 1, 1, 2),
    "dictionary of numbers": (pa.array([5, 6, 5, None]).dictionary_encode(), "number", 5, 6, 2),
    "binary": (pa.array([b"\xff\xfe", b"", None]), "binary", 0, 2, 2),
    "binary view": (pa.array([b"ab", None], pa.binary_view()), "binary", 2, 2, 1),
    "fixed binary": (pa.array([b"abcd", None], pa.binary(4)), "binary", 4, 4, 1),
    "uuid": (pa.array([b"0123456789abcdef"], pa.uuid()), "binary", 16, 16, 1),
    "list": (pa.array([[1, 2], [], None]), "list", 0, 2, None),
    "embedding": (pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2)), "list", 2, 2, None),
    "map": (pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())), "other", None, None, None),
    "list view": (pa.array([[1], None], pa.list_view(pa.int32())), "other", None, None, None),
    "interval": (pa.array([(1, 2, 3), None], pa.month_day_nano_interval()), "other", None, None, None),
    "nothing": (pa.nulls(3), "other", None, None, None),
    "all null": (pa.array([None, None], pa.string()), "text", None, None, 0),
    "nan": (pa.array([float("nan"), float("inf"), None]), "number", None, None, 0),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_type_has_statistics_or_none(name: str) -> None:
    """Kind, least and largest number and distinct values of each type; nulls are counted in all."""
    values, kind, minimum, maximum, distinct = KINDS[name]
    (found,) = measure_columns(pa.table({"c": values}))
    assert (found.kind, found.minimum, found.maximum) == (kind, minimum, maximum)
    assert (None if found.distinct is None else found.distinct.estimate) == distinct
    assert found.nulls == values.null_count
    assert found.records == len(values)
    assert found.values.total + found.not_finite == (0 if minimum is None else len(values) - values.null_count) + (
        2 if name == "nan" else 0
    )


def test_fields_of_structs_are_columns() -> None:
    """A null struct has null fields, as Arrow's `flatten` says; deeper than three levels nothing is measured."""
    rows = [{"a": 1, "b": {"c": "x"}}, None, {"a": None, "b": None}]
    found = {c.column: c for c in measure_columns(pa.table({"s": rows}))}
    assert {name: c.nulls for name, c in found.items()} == {"s": 1, "s.a": 2, "s.b": 2, "s.b.c": 2}
    deep: Any = 1
    for _ in range(6):
        deep = {"f": deep}
    names = [c.column for c in measure_columns(pa.table({"s": [deep]}))]
    assert names == ["s", "s.f", "s.f.f", "s.f.f.f"]


def test_a_table_of_many_columns_is_bounded() -> None:
    """The first `MOST_COLUMNS` are measured."""
    wide = pa.table({f"c{n}": [n] for n in range(MOST_COLUMNS + 50)})
    assert [c.column for c in measure_columns(wide)] == [f"c{n}" for n in range(MOST_COLUMNS)]


def test_chunks_and_slices_make_no_difference() -> None:
    """A column in chunks, or cut out of a larger one, is measured as the same values in one piece."""
    values = ["a", None, "bbb", "", "cc"]
    chunked = pa.table({"c": pa.chunked_array([["zz", "a", None], ["bbb", "", "cc", "yy"]])}).slice(1, 5)
    assert measure_columns(chunked) == measure_columns(pa.table({"c": values}))
    assert measure_columns(pa.table({"c": pa.array([], pa.string())}))[0].records == 0


def test_what_cannot_be_measured_is_said_and_no_error(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Arrow refuses, the column has records and nulls alone; the log names it, and the others are measured."""

    def refuse(statistics: object, values: object) -> None:
        raise pa.ArrowNotImplementedError("no kernel")

    text, *rest = [(applies, measure) for applies, measure in column_measuring._KINDS if measure.__name__ == "_text"]
    others = tuple(pair for pair in column_measuring._KINDS if pair != text)
    monkeypatch.setattr(column_measuring, "_KINDS", ((text[0], refuse), *others))
    monkeypatch.setattr(column_measuring, "_logged", set())
    assert not rest
    with caplog.at_level(logging.WARNING):
        bad, good = measure_columns(pa.table({"bad": ["x", None], "good": [1, 2]}))
        measure_columns(pa.table({"bad": ["y"]}))  # of the next file nothing is said
    assert (bad.kind, bad.records, bad.nulls, bad.distinct) == ("other", 2, 1, None)
    assert good.maximum == 2
    assert [r.getMessage() for r in caplog.records] == ["the output column bad (string) is not measured: no kernel"]


def test_a_column_that_cannot_be_put_together_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Arrow raises over a column, even before its kind is known: the others are measured."""

    def refuse(name: str, values: pa.Array, depth: int) -> Any:
        if name == "bad":
            raise AttributeError("chunks")
        return [(name, values)]

    monkeypatch.setattr(column_measuring, "_leaves", refuse)
    bad, good = measure_columns(pa.table({"bad": ["x", None], "good": [1, 2]}))
    assert (bad.kind, bad.records, bad.nulls, good.maximum) == ("other", 2, 1, 2)


def test_long_texts_in_many_chunks_are_measured_as_one() -> None:
    """Nothing depends on chunks, on slices or on how texts share words of eight bytes, ASCII or not."""
    texts = [("é" * (n % 5) + "x" * n) * (1 + n % 3) for n in range(700)] + [
        "",
        "日本",
        None,
        "a" * 90_000,
        "ü" * 70_000,
    ]
    whole = pa.chunked_array([texts])
    cut = pa.chunked_array([whole.chunk(0).slice(start, 235) for start in range(0, len(texts), 235)])
    kinds = (pa.string(), pa.large_string(), pa.string_view())
    for column in (whole, *(cut.cast(kind) for kind in kinds)):
        (found,) = measure_columns(pa.table({"text": column}))
        lengths = [len(text) for text in texts if text is not None]
        assert (found.nulls, found.minimum, found.maximum) == (1, 0, max(lengths))
        assert found.values == ValueHistogram.from_values(np.array(lengths, np.float64))
        expected = DistinctCount.from_hashes(
            np.array([xxhash.xxh3_64_intdigest(text.encode()) for text in texts if text is not None], np.uint64)
        )
        assert found.distinct is not None
        assert found.distinct.to_wire() == expected.to_wire()
