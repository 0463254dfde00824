"""JSON as it comes: deep, long, one array, in pieces of any size."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mega_data_factory.loaders.jsonl_loader import JsonlLoader
from mega_data_factory.loaders.parsing import json_array
from mega_data_factory.loaders.parsing.nesting import MOST_LEVELS


def read(path: Path, **params: Any) -> tuple[list[dict[str, Any]], list[Any]]:
    loader = JsonlLoader(path=str(path), **params)
    tables = [table for split in loader.splits(10) for table in loader.read(split, 10)]
    return [row for table in tables for row in table.to_pylist()], loader.take_skipped()


def nested(levels: int, kind: str = "[]") -> bytes:
    """A record with so many levels, its own included."""
    if kind == "[]":
        return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize("kind", ["[]", "{}"])
@pytest.mark.parametrize("levels", [MOST_LEVELS + 1, 64, 2_000, 20_000, 200_000])
def test_a_deep_value_is_one_error(tmp_path: Path, levels: int, kind: str) -> None:
    """However deep a line is, it is one error and the others are read."""
    (tmp_path / "a.jsonl").write_bytes(b'{"b": 1}\n' + nested(levels, kind) + b'\n{"b": 2}\n')
    found, skipped = read(tmp_path / "a.jsonl")
    assert [row["b"] for row in found] == [1, 2]
    assert [skip.message for skip in skipped] == [
        f"line at byte 9: nested {levels:,} levels deep; at most {MOST_LEVELS} can be read"
    ]


def test_the_deepest_value_that_is_read_goes_through_arrow(tmp_path: Path) -> None:
    """A record of the most levels is read, and Arrow's IPC format takes it."""
    import pyarrow as pa

    (tmp_path / "a.jsonl").write_bytes(nested(MOST_LEVELS, "{}") + b"\n" + nested(MOST_LEVELS) + b"\n")
    loader = JsonlLoader(path=str(tmp_path))
    (table,) = [table for split in loader.splits(10) for table in loader.read(split, 10)]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    assert pa.ipc.open_file(sink.getvalue()).read_all().equals(table)


@pytest.mark.parametrize(("levels", "text"), [(300, 5_000), (20_000, 5_000), (20_000, 300_000)])
@pytest.mark.parametrize("before", [0, 60_000])
def test_a_long_line_with_a_deep_value_is_one_error(tmp_path: Path, levels: int, text: int, before: int) -> None:
    """A deep line is refused wherever its brackets are: few, at the end of a long line, between long lines."""
    deep = b'{"text": "' + b"x" * text + b'", "a": ' + b"[" * levels + b"]" * levels + b"}"
    other = b'{"b": 1, "text": "' + b"x" * before + b'"}\n'
    (tmp_path / "a.jsonl").write_bytes(other + deep + b"\n" + other)
    found, skipped = read(tmp_path / "a.jsonl")
    assert [row["b"] for row in found] == [1, 1]
    assert [f"nested {levels + 1:,} levels deep" in skip.message for skip in skipped] == [True]


@pytest.mark.parametrize("size", [1, 30, 3000])
def test_blank_lines_are_no_records_among_lines_of_any_length(tmp_path: Path, size: int) -> None:
    """Places and values are those of the lines, with or without blank lines and spaces before the brace."""
    for blank, end in (("", ""), ("\n", ""), (" \t\n\r\n", "\n"), ("  ", " \n ")):
        lines = [blank + json.dumps({"n": number, "text": "ä" * size}) for number in range(500)]
        content = ("\n".join(lines) + end).encode()
        (tmp_path / "a.jsonl").write_bytes(content)
        found, skipped = read(tmp_path / "a.jsonl")
        assert (skipped, [row["n"] for row in found]) == ([], list(range(500)))
        places = [int(row["record_id"].partition("@")[2]) for row in found]
        ends = [content.find(b"\n", at) % (len(content) + 1) for at in places]
        read_again = [json.loads(content[at:end]) for at, end in zip(places, ends, strict=True)]
        assert read_again == [{"n": number, "text": "ä" * size} for number in range(500)]


def test_brackets_within_text_are_not_levels(tmp_path: Path) -> None:
    """A text may hold as many brackets as it likes, behind escaped quotes too."""
    record = {"text": "[{" * 5000 + "\\" + '"' + "[" * 500, "list": [[1]]}
    (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n")
    found, skipped = read(tmp_path)
    assert ([{key: row[key] for key in record} for row in found], skipped) == ([record], [])


@pytest.mark.parametrize("split_mb", [32.0, 0.00005])
def test_a_line_that_is_too_long_is_passed_over(tmp_path: Path, split_mb: float) -> None:
    """Lines beyond the limit are errors with their place, wherever the pieces of the file end; the others are read."""
    lines = [{"n": number, "text": "x" * (300 if number % 3 == 1 else 5)} for number in range(9)]
    texts = [json.dumps(line) for line in lines]
    (tmp_path / "a.jsonl").write_text("\n".join(texts))
    found, skipped = read(tmp_path, max_record_mb=200 / (1 << 20), split_mb=split_mb)
    assert [row["n"] for row in found] == [0, 2, 3, 5, 6, 8]
    starts = [sum(len(text) + 1 for text in texts[:number]) for number in (1, 4, 7)]
    assert [skip.record_id for skip in skipped] == [f"a.jsonl@{start}" for start in starts]
    assert "more than max_record_mb" in skipped[0].message
    assert skipped[0].content.startswith('{"n": 1')


def test_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    """A line of 300 MB out of a small file is passed over in pieces."""
    import tracemalloc

    with gzip.open(tmp_path / "a.jsonl.gz", "wb", compresslevel=1) as file:
        file.write(b'{"a": 1}\n{"a": "')
        for _ in range(300):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n{"a": 2}\n')
    tracemalloc.start()
    try:
        found, skipped = read(tmp_path, max_record_mb=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [row["a"] for row in found] == [1, 2]
    assert len(skipped) == 1
    assert peak < 50 << 20


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("split_mb", [32.0, 0.0001])
def test_an_array_of_objects_is_read(tmp_path: Path, indent: int | None, split_mb: float) -> None:
    """A file in .json may be one array, on one line or pretty-printed; each object is a record named by its place."""
    records = [{"n": number, "text": 'a "quoted", [bracketed] {text}' * number} for number in range(20)]
    text = json.dumps(records, indent=indent)
    (tmp_path / "a.json").write_text(text)
    found, skipped = read(tmp_path, split_mb=split_mb)
    assert skipped == []
    assert [{key: row[key] for key in ("n", "text")} for row in found] == records
    assert all(text[int(row["record_id"].partition("@")[2]) :].startswith("{") for row in found)


def test_what_is_wrong_in_an_array_is_told(tmp_path: Path) -> None:
    """Values that are no objects, too large ones and an end that is missing are errors; the others are read."""
    (tmp_path / "a.json").write_text('[{"n": 1}, 7, {"n": "' + "x" * 500 + '"}, {"n": 2}, {"n"')
    found, skipped = read(tmp_path, max_record_mb=100 / (1 << 20))
    assert [row["n"] for row in found] == [1, 2]
    assert [skip.record_id for skip in skipped] == ["a.json@11", "a.json@14", "a.json@535"]
    (tmp_path / "a.json").write_text("[]")
    assert read(tmp_path) == ([], [])


def test_pretty_printed_objects_are_read(tmp_path: Path) -> None:
    """A file in .json may hold one object over several lines, or several; a broken one is told."""
    records = [{"n": number, "list": [{"deep": "} {"}], "empty": {}} for number in range(5)]
    (tmp_path / "a.json").write_text("\n".join(json.dumps(record, indent=2) for record in records) + '\n{\n "n": 5,')
    found, skipped = read(tmp_path)
    assert [row["n"] for row in found] == list(range(5))
    assert [skip.message.partition(": ")[2] for skip in skipped] == ["the file ends within it"]
    (tmp_path / "a.json").write_text(json.dumps(records[3], indent="\t"))
    assert [row["n"] for row in read(tmp_path, split_mb=0.00001)[0]] == [3]


def test_an_array_in_lines_is_said_to_be_one(tmp_path: Path) -> None:
    """Where a file of lines holds an array, the first error says what to do."""
    (tmp_path / "a.jsonl").write_text('[{"n": 1},\n{"n": 2}]\n')
    found, skipped = read(tmp_path)
    assert (found, len(skipped)) == ([], 2)
    assert "an array of objects is read from a file that ends in .json" in skipped[0].message


@pytest.mark.parametrize("bad", [b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", b"caf\xe9"])
@pytest.mark.parametrize("beside", ["", ', "x": {}'], ids=["fast", "patient"])
def test_text_that_is_not_utf_8_is_one_error(tmp_path: Path, bad: bytes, beside: str) -> None:
    """Bytes that are no UTF-8 never get into a table, in values and in keys, however the line is parsed."""
    good = f'{{"t": "größer"{beside}}}\n'.encode()
    (tmp_path / "a.jsonl").write_bytes(good + b'{"t": "' + bad + b'"}\n' + b'{"' + bad + b'": "t"}\n' + good)
    found, skipped = read(tmp_path)
    assert [row["t"] for row in found] == ["größer"] * 2
    assert all("not UTF-8" in skip.message for skip in skipped)
    assert len(skipped) == 2


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=60, deadline=None)
@given(records=st.lists(values, min_size=1, max_size=8), piece=st.integers(1, 40), indent=st.sampled_from([None, 1]))
def test_arrays_are_read_in_pieces_of_any_size(records: list[Any], piece: int, indent: int | None) -> None:
    """Wherever the pieces of a stream end, the values are those that the json module reads."""
    import io

    kept, json_array._PIECE_BYTES = json_array._PIECE_BYTES, piece
    try:
        text = json.dumps(records, indent=indent).encode()
        items = list(json_array.items_of(io.BytesIO(text), json_array.Layout.ARRAY, 1 << 20))
    finally:
        json_array._PIECE_BYTES = kept
    assert [json.loads(item.text) for item in items] == records
    assert [item.problem for item in items] == [""] * len(records)
