"""What each loader of files does with the odd and the broken."""

from __future__ import annotations

import codecs
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mega_data_factory.errors import InputError
from mega_data_factory.loaders.jsonl_loader import JsonlLoader
from mega_data_factory.loaders.parquet_loader import ParquetLoader
from mega_data_factory.loaders.text_loader import TextLoader
from mega_data_factory.loaders.warc_loader import WarcLoader
from tests.loaders.loaders_sources import ids, read_all, warc_record


def rows(tables: list[pa.Table]) -> list[dict[str, Any]]:
    return [row for table in tables for row in table.to_pylist()]


# ── text ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("data", "text", "encoding", "replaced"),
    [
        (b"", "", "utf-8", 0),
        ("naïve €\0".encode(), "naïve €\0", "utf-8", 0),
        (codecs.BOM_UTF16_LE + "é".encode("utf-16-le"), "é", "utf-16-le", 0),
        ("Café crème déjà vu à la carte".encode("latin-1"), "Café crème déjà vu à la carte", "cp1252", 0),
        ("안녕하세요 똠방각하 펲시콜라".encode("cp949"), "안녕하세요 똠방각하 펲시콜라", "cp949", 0),
        ("①株式会社は今日も休みです".encode("cp932"), "①株式会社は今日も休みです", "cp932", 0),
        ("größer als ".encode() * 3 + b"\xff", "größer als " * 3 + "\ufffd", "utf-8", 1),
    ],
)
def test_text_is_decoded_whatever_its_encoding(
    tmp_path: Path, data: bytes, text: str, encoding: str, replaced: int
) -> None:
    """The mark decides, then UTF-8, then a guess; what cannot be decoded is counted."""
    (tmp_path / "a.txt").write_bytes(data)
    tables, skipped = read_all(TextLoader(path=str(tmp_path)))
    assert skipped == []
    (row,) = rows(tables)
    assert (row["text"], row["encoding"], row["replaced_characters"]) == (text, encoding, replaced)


def test_the_encoding_of_text_files_can_be_named(tmp_path: Path) -> None:
    """A name of the web decides where there is no mark; one that does not exist is refused."""
    (tmp_path / "a.txt").write_bytes("日本".encode("cp932") + b"\x81")
    (tmp_path / "b.txt").write_bytes("日本".encode("utf-8-sig"))
    tables, _ = read_all(TextLoader(path=str(tmp_path), encoding="Shift_JIS"))
    assert [(row["text"], row["encoding"], row["replaced_characters"]) for row in rows(tables)] == [
        ("日本\ufffd", "cp932", 1),
        ("日本", "utf-8", 0),
    ]
    (tmp_path / "a.txt").write_bytes("日本".encode("utf-16-be"))
    tables, _ = read_all(TextLoader(path=str(tmp_path / "a.txt"), encoding="utf-16be"))
    assert rows(tables)[0]["text"] == "日本"
    for name in ("shift-jiss", "rot13", "", 7):
        with pytest.raises(ValueError, match="encoding is"):
            TextLoader(path=str(tmp_path), encoding=name)  # type: ignore[arg-type]


def test_odd_text_files(tmp_path: Path) -> None:
    """Binary and oversized files are skipped with a reason; a name that is not UTF-8 makes a valid id."""
    (tmp_path / "binary.txt").write_bytes(b"\x89PNG\0\xff\xfe")
    (tmp_path / "large.txt").write_bytes(b"x" * 3000)
    (tmp_path / "ok.txt.gz").write_bytes(gzip.compress(b"fine"))
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt")).write_text("odd name")
    loader = TextLoader(path=str(tmp_path), suffixes=[".txt", ".gz"], max_file_mb=2000 / (1 << 20))
    tables, skipped = read_all(loader)
    assert {row["text"] for row in rows(tables)} == {"fine", "odd name"}
    assert any(name.startswith("\\xff.txt~") for name in ids(tables))
    assert {s.record_id: s.message[:6] for s in skipped} == {"binary.txt": "looks ", "large.txt": "larger"}


def test_the_python_environment_is_a_source() -> None:
    """The standard library is read under names that hold on every machine."""
    loader = TextLoader(path="{stdlib}/json/*.py", suffixes=[".py"])
    (split,) = loader.splits(100)
    assert split.params["root"] == "{stdlib}/json"
    assert "__init__.py" in ids(list(loader.read(split, 100)))
    assert not any("-packages/" in f for s in TextLoader(path="{stdlib}").splits(1000) for f in s.params["files"])


def test_text_parameters_are_checked() -> None:
    """Sizes must make sense and suffixes must be a list."""
    with pytest.raises(ValueError, match="max_file_mb is 0"):
        TextLoader(path="x", max_file_mb=0)
    with pytest.raises(ValueError, match="suffixes is"):
        TextLoader(path="x", suffixes=".txt")


# ── JSON lines ────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_lines(tmp_path: Path, content: bytes, **params: Any) -> tuple[list[dict[str, Any]], list[Any]]:
    (tmp_path / "x.jsonl").write_bytes(content)
    tables, skipped = read_all(JsonlLoader(path=str(tmp_path), **params))
    return rows(tables), skipped


@pytest.mark.parametrize("bad", [b"{broken", b"[1]", b"7", b'{"a": "\xff"}', b'{"a":1} {"a":2}', b"null"])
def test_a_line_that_is_no_record_is_skipped_with_its_place(tmp_path: Path, bad: bytes) -> None:
    """The lines around a bad one are read, and it is named by the byte at which it begins."""
    found, skipped = read_lines(tmp_path, b'{"a":1}\n' + bad + b'\n\n  \n{"a":3}')
    assert [(row["record_id"], row["a"]) for row in found] == [
        ("x.jsonl@0", 1),
        (f"x.jsonl@{8 + len(bad) + 5}", 3),
    ]
    assert [s.record_id for s in skipped] == ["x.jsonl@8"]
    assert "line at byte 8: not" in skipped[0].message


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['{"a":1}', '{"a":"x"}', '{"a":{"b":1}}', '{"a":null}'], ["1", "x", '{"b": 1}', None]),
        (['{"a":1}', '{"a":2.5}'], [1.0, 2.5]),
        (['{"a":{}}', '{"b":1}'], ["{}", None]),
        (['{"a":123456789012345678901234567890}'], ["123456789012345678901234567890"]),
        (['{"a":123456789012345678901234567890}', '{"a":{}}'], ["123456789012345678901234567890", "{}"]),
        (['{"a":9007199254740993}', '{"a":18446744073709551615}'], ["9007199254740993", "18446744073709551615"]),
        (['{"a":9007199254740993}', '{"a":0.5}'], ["9007199254740993", "0.5"]),
        (['{"a":{"b":9007199254740993}}', '{"a":{"b":0.5}}'], ['{"b": 9007199254740993}', '{"b": 0.5}']),
        (['{"a":[9007199254740993]}', '{"a":[0.5]}'], ["[9007199254740993]", "[0.5]"]),
        (['{"a":' + "9" * 5000 + "}", '{"a":1}'], ["9" * 5000, "1"]),
        (['{"a":1e300}', '{"a":0.5}'], [1e300, 0.5]),
        (['{"a":"2024-01-01"}', '{"a":"2024-01-01T00:00:00Z"}'], ["2024-01-01", "2024-01-01T00:00:00Z"]),
        (['{"a":["2024-01-01"]}'], [["2024-01-01"]]),
        (['{"a":1,"a":2}'], [2]),
        (['{"a":"\\ud800x"}'], ["\ufffdx"]),
        (['\ufeff{"a":1}'], [1]),
    ],
)
def test_values_of_differing_types_are_not_fatal(tmp_path: Path, lines: list[str], expected: list[Any]) -> None:
    """What one column cannot hold exactly comes as text, every digit of it; dates stay the text that they are."""
    found, skipped = read_lines(tmp_path, "\n".join(lines).encode())
    assert [row["a"] for row in found] == expected
    assert skipped == []


def test_records_without_keys_are_records(tmp_path: Path) -> None:
    """An empty object is a record with nothing but its name."""
    found, _ = read_lines(tmp_path, b"{}\n{}\n")
    assert found == [{"record_id": "x.jsonl@0"}, {"record_id": "x.jsonl@3"}]


@given(
    st.lists(st.sampled_from(['{"a":1}', "", '{"a":"long and longer"}', '{"b":[1,2]}', "bad"]), max_size=12),
    st.integers(1, 40),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_pieces_of_any_length_hold_every_line_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], length: int, last_ends: bool
) -> None:
    """Wherever a file is cut, each line belongs to exactly one piece."""
    folder = tmp_path_factory.mktemp("cut")
    (folder / "x.jsonl").write_text("\n".join(lines) + ("\n" if last_ends else ""))
    tables, skipped = read_all(JsonlLoader(path=str(folder), split_mb=length / (1 << 20)))
    found = ids(tables) + [s.record_id for s in skipped]
    assert len(found) == len(set(found)) == sum(1 for line in lines if line)
    whole, whole_skipped = read_all(JsonlLoader(path=str(folder)))
    assert sorted(found) == sorted(ids(whole) + [s.record_id for s in whole_skipped])


def test_id_column_names_records(tmp_path: Path) -> None:
    """Values become ids; a null and a repetition fall back on the place; an old `record_id` is kept aside."""
    content = b'{"k":1,"record_id":"old"}\n{"k":1}\n{"k":null}\n'
    found, _ = read_lines(tmp_path, content, id_column="k")
    assert [row["record_id"] for row in found] == ["1", "1~x.jsonl@26", "x.jsonl@34"]
    assert found[0]["source_record_id"] == "old"
    found, _ = read_lines(tmp_path, b'{"record_id":"mine"}', id_column="record_id")
    assert found == [{"record_id": "mine"}]
    with pytest.raises(InputError, match="id_column: `k` has type"):
        read_lines(tmp_path, b'{"k":[1]}', id_column="k")


def test_a_truncated_file_gives_what_is_readable(tmp_path: Path) -> None:
    """The lines before the damage are records, the rest is one error that names the file."""
    lines = [json.dumps({"a": os.urandom(200).hex()}).encode() + b"\n" for _ in range(2000)]
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(b"".join(lines))[:-3000])
    tables, skipped = read_all(JsonlLoader(path=str(tmp_path)))
    assert 1000 < len(ids(tables)) < 2000
    assert [s.record_id for s in skipped] == ["x.jsonl.gz"]
    assert "the file ends within it" in skipped[0].message


# ── Parquet ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_parquet_projection_and_row_names(tmp_path: Path) -> None:
    """Columns are projected, rows numbered through the file, text comes as plain strings."""
    table = pa.table({"n": range(20), "t": pa.array(["a"] * 20, pa.large_string()), "record_id": ["r"] * 20})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=6)
    tables, _ = read_all(ParquetLoader(path=str(tmp_path), columns=["t", "record_id"]), batch_size=7)
    assert ids(tables) == [f"x.parquet#{i}" for i in range(20)]
    assert tables[0].column_names == ["record_id", "t", "source_record_id"]
    assert tables[0].schema.field("t").type == pa.string()
    assert [s.num_records for s in ParquetLoader(path=str(tmp_path)).splits(7)] == [12, 8]
    tables, _ = read_all(ParquetLoader(path=str(tmp_path), columns=["t"], id_column="n"))
    assert ids(tables)[:2] == ["0", "1"]


@pytest.mark.parametrize("params", [{"columns": ["txt"]}, {"id_column": "txt"}])
def test_an_unknown_column_is_named_with_the_nearest(tmp_path: Path, params: dict[str, Any]) -> None:
    """A column that is not there is an error of the configuration, not a skipped file."""
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match=r"no column `txt` in x\.parquet\n.*did you mean `text`"):
        read_all(ParquetLoader(path=str(tmp_path), **params))


@pytest.mark.parametrize("content", [b"", b"PAR1 this is no parquet PAR1", b"\0" * 100])
def test_a_damaged_parquet_file_is_one_error(tmp_path: Path, content: bytes) -> None:
    """What has no footer is skipped by name, and its neighbour is read."""
    (tmp_path / "bad.parquet").write_bytes(content)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "good.parquet")
    tables, skipped = read_all(ParquetLoader(path=str(tmp_path)))
    assert ids(tables) == ["good.parquet#0"]
    assert [s.record_id for s in skipped] == ["bad.parquet"]


def test_a_damaged_row_group_leaves_the_others(tmp_path: Path) -> None:
    """Bytes overwritten within one row group cost that row group, as one error."""
    table = pa.table({"a": [os.urandom(50).hex() for _ in range(300)]})
    path = tmp_path / "x.parquet"
    pq.write_table(table, path, row_group_size=100, use_dictionary=False, compression="zstd")
    offset = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[offset : offset + 500] = b"\xff" * 500
    path.write_bytes(content)
    tables, skipped = read_all(ParquetLoader(path=str(tmp_path)), batch_size=100)
    assert ids(tables) == [f"x.parquet#{i}" for i in [*range(100), *range(200, 300)]]
    assert [s.record_id for s in skipped] == ["x.parquet#100"]
    assert "damaged row group 1" in skipped[0].message


# ── WARC ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_warc(tmp_path: Path, content: bytes, **params: Any) -> tuple[list[dict[str, Any]], list[Any]]:
    (tmp_path / "x.warc.gz").write_bytes(content)
    tables, skipped = read_all(WarcLoader(path=str(tmp_path), **params))
    return rows(tables), skipped


def test_a_response_becomes_a_record(tmp_path: Path) -> None:
    """URL, body with its encoding undone, type, charset, status and date come through; other types do not."""
    page = warc_record(1, gzip.compress("<p>é".encode()), extra="Content-Encoding: gzip\r\n")
    found, skipped = read_warc(tmp_path, page + warc_record(2, b"%PDF", "application/pdf"))
    assert skipped == []
    (row,) = found
    assert row.pop("warc_date").isoformat() == "2024-01-02T03:04:05"
    assert row == {
        "record_id": "x.warc.gz@0",
        "url": "http://example.org/1",
        "html": "<p>é".encode(),
        "content_type": "text/html",
        "charset": "utf-8",
        "http_status": 200,
        "warc_record_id": "<urn:uuid:1>",
    }
    assert len(read_warc(tmp_path, page + warc_record(2, b"x", "image/png"), content_types=[])[0]) == 2


def test_a_repeated_archive_has_unique_ids(tmp_path: Path) -> None:
    """The id is the place in the file, so a record that an archive repeats has two."""
    found, _ = read_warc(tmp_path, gzip.compress(warc_record(1, b"a")) * 2)
    assert len({row["record_id"] for row in found}) == 2
    assert len({row["warc_record_id"] for row in found}) == 1


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_a_truncated_archive_gives_what_is_readable(tmp_path: Path, pack: Any) -> None:
    """The whole responses are records; the one that is cut off is one error."""
    content = b"".join(pack(warc_record(i, os.urandom(300).hex().encode())) for i in range(3))
    found, skipped = read_warc(tmp_path, content[:-200])
    assert [row["url"][-1] for row in found] == ["0", "1"]
    assert len(skipped) == 1


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"this is no archive" * 50, "x.warc.gz@0"),
        (gzip.compress(warc_record(0, b"a")) + b"\x1f\x8bjunk", "x.warc.gz@215"),
    ],
)
def test_a_damaged_archive_is_one_error(tmp_path: Path, content: bytes, where: str) -> None:
    """Where the file makes no sense any more there is one error that says where."""
    _, skipped = read_warc(tmp_path, content)
    assert [s.record_id for s in skipped] == [where]
    assert "no record begins here" in skipped[0].message


def test_a_response_that_is_too_large_is_skipped(tmp_path: Path) -> None:
    """Its neighbours are read."""
    content = warc_record(0, b"a") + warc_record(1, b"x" * 5000) + warc_record(2, b"b")
    found, skipped = read_warc(tmp_path, content, max_record_mb=1000 / (1 << 20))
    assert [row["html"] for row in found] == [b"a", b"b"]
    assert "max_record_mb" in skipped[0].message
