"""What every writer must do, over the whole family, and what is special to each."""

from __future__ import annotations

import base64
import datetime
import decimal
import gzip
import inspect
import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from mega_data_factory.framework.contracts import Writer
from mega_data_factory.writers.jsonl_writer import JsonlWriter
from mega_data_factory.writers.parquet_writer import ParquetWriter

Decode = Callable[[bytes], list[dict[str, Any]]]


def lines(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


def unzstd(content: bytes) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(content).read()


EVERY: list[tuple[Writer, Decode]] = [
    (ParquetWriter("out"), lambda content: pq.read_table(io.BytesIO(content)).to_pylist()),
    (ParquetWriter("out", compression="none"), lambda content: pq.read_table(io.BytesIO(content)).to_pylist()),
    (JsonlWriter("out"), lines),
    (JsonlWriter("out", compression="gzip"), lambda content: lines(gzip.decompress(content))),
    (JsonlWriter("out", compression="zstd"), lambda content: lines(unzstd(content))),
]

PLAIN = pa.table(
    {
        "record_id": ["a", "b", "c"],
        "text": pa.array(["naïve €\u2028", None, '"quoted"\n\t\\ \U0001f600'], pa.string()),
        "n": pa.array([1, None, 2**63 - 1], pa.int64()),
        "f": pa.array([0.1, None, -1e300], pa.float64()),
        "yes": pa.array([True, None, False]),
        "list": pa.array([["x", None], None, []], pa.list_(pa.string())),
        "nested": pa.array([{"a": 1, "b": ["é"]}, None, {"a": None, "b": None}]),
    }
)


def encode(writer: Writer, table: pa.Table) -> bytes:
    sink = io.BytesIO()
    writer.write(table, sink)
    assert not sink.closed
    return sink.getvalue()


@pytest.fixture(params=EVERY, ids=lambda pair: f"{type(pair[0]).__name__}{pair[0].suffix}")
def pair(request: pytest.FixtureRequest) -> tuple[Writer, Decode]:
    given: tuple[Writer, Decode] = request.param
    return given


def test_round_trip(pair: tuple[Writer, Decode]) -> None:
    """Nulls, unicode, control characters, large numbers and nested values come back as they were."""
    writer, decode = pair
    assert decode(encode(writer, PLAIN)) == PLAIN.to_pylist()


def test_round_trip_of_chunks_and_slices(pair: tuple[Writer, Decode]) -> None:
    """How a table is laid out in memory makes no difference to what is written."""
    writer, decode = pair
    chunks = pa.concat_tables([PLAIN.slice(1), PLAIN.slice(0, 2)])
    assert decode(encode(writer, chunks)) == chunks.to_pylist()


def test_an_empty_table_is_a_valid_file(pair: tuple[Writer, Decode]) -> None:
    """A table without rows is a file without records."""
    writer, decode = pair
    assert decode(encode(writer, PLAIN.slice(0, 0))) == []


def test_the_same_table_makes_the_same_bytes(pair: tuple[Writer, Decode]) -> None:
    """A retried write makes the same file."""
    assert encode(pair[0], PLAIN) == encode(pair[0], PLAIN)


def test_options_are_passed_on_and_checked(pair: tuple[Writer, Decode]) -> None:
    """Every writer takes the common options, refuses what makes no sense and documents its parameters."""
    kind: Any = type(pair[0])
    assert kind("here", target_file_mb=3, if_exists="append").options.target_file_mb == 3
    for wrong in ({"if_exists": "what"}, {"target_file_mb": -1}, {"compression": "what"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            kind("here", **wrong)
    with pytest.raises(TypeError, match="unknown"):
        kind("here", unknown=1)
    document = inspect.getdoc(kind) or ""
    named = [p.name for p in inspect.signature(kind).parameters.values() if p.kind is not p.VAR_KEYWORD]
    assert all(f"\n    {name}: " in document for name in [*named, "target_file_mb", "if_exists"])


def test_parquet_row_groups() -> None:
    """Row groups have the size asked for."""
    content = encode(ParquetWriter("out", row_group_size=2), PLAIN)
    metadata = pq.read_metadata(io.BytesIO(content))
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [2, 1]
    assert metadata.row_group(0).column(0).compression == "ZSTD"
    with pytest.raises(ValueError, match="row_group_size"):
        ParquetWriter("out", row_group_size=0)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([b"\0\xff", None]), [base64.b64encode(b"\0\xff").decode(), None]),
        (pa.array([[b"a"]]), [["YQ=="]]),
        (pa.array([datetime.datetime(2024, 1, 2, 3, 4, 5, 600)]), ["2024-01-02T03:04:05.000600"]),
        (pa.array([datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC)]), ["2024-01-02T00:00:00+00:00"]),
        (pa.array([datetime.date(2024, 1, 2)]), ["2024-01-02"]),
        (pa.array([datetime.time(1, 2, 3)]), ["01:02:03"]),
        (pa.array([datetime.timedelta(seconds=1.5)]), [1.5]),
        (pa.array([decimal.Decimal("1.10")]), ["1.10"]),
        (pa.array([float("nan"), float("inf"), -float("inf"), 1.5]), [None, None, None, 1.5]),
        (pa.array([{"a": float("nan"), "b": b"a"}]), [{"a": None, "b": "YQ=="}]),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), [[["k", 1]]]),
        (pa.array(["x", None]).dictionary_encode(), ["x", None]),
        (pa.array([0.5], pa.float32()), [0.5]),
        (pa.array(["x"], pa.string_view()), ["x"]),
        (pa.nulls(1), [None]),
        (pa.array([[float("nan"), 2.0]]), [[None, 2.0]]),
        (pa.array([2**64 - 1], pa.uint64()), [2**64 - 1]),
        (pa.array([1]).cast(pa.timestamp("ns")), ["1970-01-01T00:00:00.000000001"]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_json_has_an_answer_for_every_type(array: pa.Array, expected: list[Any]) -> None:
    """What JSON has no form for is written as the manual says."""
    content = encode(JsonlWriter("out"), pa.table({"a": array, "é": pa.array(["ü"] * len(array))}))
    assert lines(content) == [{"a": value, "é": "ü"} for value in expected]
    assert "ü".encode() in content
