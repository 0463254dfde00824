"""Damaged WARC files: every record that can be read is read, and every loss is told."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from mega_data_factory.loaders.warc_loader import WarcLoader

RECORDS = 12


def http(body: bytes, *extra: str, end: str = "\r\n") -> bytes:
    lines = ["HTTP/1.1 200 OK", "Content-Type: text/html", *extra]
    return (end.join(lines) + end + end).encode() + body


def record(number: int, content: bytes | None = None, *, length: int | str | None = "", end: str = "\r\n") -> bytes:
    """A response; `length` None leaves the header out, a number stands in place of the true one."""
    content = http(f"<p>page {number}".encode()) if content is None else content
    fields = ["WARC/1.0", "WARC-Type: response", f"WARC-Target-URI: http://example.org/{number}"]
    fields += ["WARC-Date: 2024-05-01T12:00:00Z", f"WARC-Record-ID: <urn:uuid:{number}>"]
    fields += ["Content-Type: application/http; msgtype=response"]
    if length is not None:
        fields.append(f"Content-Length: {len(content) if length == '' else length}")
    return (end.join(fields) + end + end).encode() + content + (end + end).encode()


def read(path: Path, content: bytes, name: str = "a.warc.gz") -> tuple[list[int], list[Any]]:
    """Numbers of the records that were read, and what was skipped."""
    (path / name).write_bytes(content)
    loader = WarcLoader(path=str(path / name))
    rows = [row for split in loader.splits(5) for table in loader.read(split, 5) for row in table.to_pylist()]
    assert len({row["record_id"] for row in rows}) == len(rows)
    return [int(row["url"].rpartition("/")[2]) for row in rows], loader.take_skipped()


PACKS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
}


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize(
    "bad",
    [
        record(5, length=len(http(b"<p>page 5")) - 1),
        record(5, length=len(http(b"<p>page 5")) + 20),
        record(5, length=10**12),
        record(5, length=None),
        record(5, length="many"),
        record(5).replace(b"WARC/1.0", b"WRAC/1.0"),
        b"\0" * 500,
    ],
    ids=["too short", "too long", "far too long", "no length", "no number", "no version", "zeros"],
)
def test_one_bad_record_is_one_error(tmp_path: Path, pack: str, bad: bytes) -> None:
    """A record that is not what its header says is one error; its neighbours are read."""
    content = b"".join(PACKS[pack](bad if number == 5 else record(number)) for number in range(RECORDS))
    found, skipped = read(tmp_path, content)
    assert found == [number for number in range(RECORDS) if number != 5]
    assert len(skipped) == 1


def test_a_wrong_checksum_is_one_error(tmp_path: Path) -> None:
    """A gzip member whose content does not match its checksum is not trusted; the others are."""
    members = [bytearray(gzip.compress(record(number))) for number in range(RECORDS)]
    members[3][-8:-4] = b"\0\0\0\0"
    found, skipped = read(tmp_path, b"".join(members))
    assert found == [number for number in range(RECORDS) if number != 3]
    assert [skip.record_id for skip in skipped] == [f"a.warc.gz@{sum(map(len, members[:3]))}"]


@pytest.mark.parametrize(
    "body",
    [
        http(b"plain", "Content-Encoding: gzip"),
        http(b"not chunked", "Transfer-Encoding: chunked"),
        http(b"\x8b\x01\x80", "Content-Encoding: br"),
        http(b"x", "Content-Security-Policy: " + "a" * 40_000),
        b"",
        b"\0\xff" * 50,
    ],
    ids=["gzip", "chunked", "brotli", "long header", "empty", "binary"],
)
def test_a_body_that_is_not_what_its_header_says_takes_nobody_along(tmp_path: Path, body: bytes) -> None:
    """Whatever becomes of that one record, the others are read, and it is told where it is left out."""
    content = b"".join(gzip.compress(record(n, body if n == 5 else None)) for n in range(RECORDS))
    found, skipped = read(tmp_path, content)
    assert [number for number in found if number != 5] == [number for number in range(RECORDS) if number != 5]
    assert len(skipped) <= 1


def test_a_body_that_unpacks_to_many_times_its_size_is_whole(tmp_path: Path) -> None:
    """A body is read in pieces of its packed size, and all of them are there."""
    bodies = [bytes([65 + number]) * 100_000 for number in range(3)]
    records = [record(n, http(gzip.compress(body), "Content-Encoding: gzip")) for n, body in enumerate(bodies)]
    (tmp_path / "a.warc").write_bytes(b"".join(records))
    loader = WarcLoader(path=str(tmp_path))
    tables = [table for split in loader.splits(5) for table in loader.read(split, 5)]
    assert [html for table in tables for html in table["html"].to_pylist()] == bodies


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_body_that_unpacks_to_more_than_the_limit_is_one_error(tmp_path: Path, coding: str) -> None:
    """A few bytes that stand for many are passed over before they take memory."""
    import tracemalloc

    large = b"a" * (96 << 20)
    packed = (gzip.compress if coding == "gzip" else zstandard.compress)(large)
    content = b"".join(map(record, range(2))) + record(2, http(packed, f"Content-Encoding: {coding}")) + record(3)
    del large
    (tmp_path / "a.warc").write_bytes(content)
    tracemalloc.start()
    try:
        loader = WarcLoader(path=str(tmp_path), max_record_mb=1)
        count = sum(table.num_rows for split in loader.splits(5) for table in loader.read(split, 5))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (count, [skip.message for skip in loader.take_skipped()]) == (3, ["more than max_record_mb when unpacked"])
    assert peak < 48 << 20  # one piece of the packed body may unpack to half of that


@pytest.mark.parametrize("pack", PACKS)
def test_header_lines_may_end_in_lf(tmp_path: Path, pack: str) -> None:
    """Archives of tools that write bare line feeds are read like others."""
    content = b"".join(PACKS[pack](record(number, end="\n")) for number in range(RECORDS))
    assert read(tmp_path, content) == (list(range(RECORDS)), [])


def test_names_of_fields_may_be_of_any_case(tmp_path: Path) -> None:
    """Field names are case-insensitive (ISO 28500, section 4)."""
    content = b"".join(gzip.compress(record(number).replace(b"WARC-Type", b"warc-type")) for number in range(RECORDS))
    assert read(tmp_path, content) == (list(range(RECORDS)), [])


def test_a_file_that_was_compressed_as_a_whole_has_ids(tmp_path: Path) -> None:
    """Records of one gzip member are told apart by their number in it."""
    content = gzip.compress(b"".join(map(record, range(RECORDS))))
    assert read(tmp_path, content) == (list(range(RECORDS)), [])


@pytest.mark.parametrize("pack", ["plain", "gzip"])
def test_wherever_a_file_is_cut_the_loss_is_told(tmp_path: Path, pack: str) -> None:
    """Cut at any byte: whole records are read, and what is left of the next one is one error."""
    pieces = [PACKS[pack](record(number)) for number in range(3)]
    content = b"".join(pieces)
    ends = [sum(map(len, pieces[: number + 1])) for number in range(3)]
    blank = 0 if pack == "gzip" else 4  # a plain record is whole without the line ends behind it
    for cut in range(len(content)):
        whole = sum(end - blank <= cut for end in ends)
        between = cut == 0 or any(end - blank <= cut <= end for end in ends)
        found, skipped = read(tmp_path, content[:cut])
        assert (found, len(skipped)) == (list(range(whole)), 0 if between else 1), cut


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 30), flips=st.integers(1, 4), pack=st.sampled_from(sorted(PACKS)))
def test_flipped_bytes_lose_nothing_in_silence(tmp_path_factory: Any, seed: int, flips: int, pack: str) -> None:
    """Bytes that flip anywhere cost the records they hit, and each cost is told."""
    chance = random.Random(seed)
    content = bytearray(b"".join(PACKS[pack](record(number)) for number in range(RECORDS)))
    for _ in range(flips):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    (folder := tmp_path_factory.mktemp("flip")).joinpath("a.warc.gz").write_bytes(content)
    loader = WarcLoader(path=str(folder / "a.warc.gz"), content_types=[])
    count = sum(table.num_rows for split in loader.splits(50) for table in loader.read(split, 50))
    told = len(loader.take_skipped())
    if pack != "plain":  # nothing but a checksum tells of a byte that flipped within a type or a body
        assert count + told >= RECORDS if flips == 1 else count == RECORDS or told


def test_texts_of_wet_files_are_read(tmp_path: Path) -> None:
    """A record of the kind `conversion` is a text with its address; the info record of the file is not."""
    text = "Größe, 文字".encode()
    head = b"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://example.org/\r\n"
    head += b"WARC-Date: 2024-05-01T12:00:00Z\r\nWARC-Record-ID: <urn:uuid:1>\r\nContent-Type: text/plain\r\n"
    wet = head + f"Content-Length: {len(text)}\r\n\r\n".encode() + text + b"\r\n\r\n"
    info = b"WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 2\r\n\r\nab\r\n\r\n"
    (tmp_path / "CC-MAIN-1.warc.wet.gz").write_bytes(gzip.compress(info) + gzip.compress(wet) * 2)
    loader = WarcLoader(path=str(tmp_path))
    (table,) = [table for split in loader.splits(5) for table in loader.read(split, 5)]
    assert table.column("text").to_pylist() == [text.decode()] * 2
    assert "html" not in table.column_names
    assert table.column("url")[0].as_py() == "http://example.org/"
