"""Files that were cut or damaged: what is whole is read, and every loss is told."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from mega_data_factory.framework.contracts import Loader
from mega_data_factory.loaders.jsonl_loader import JsonlLoader
from mega_data_factory.loaders.parquet_loader import ParquetLoader
from mega_data_factory.loaders.text_loader import TextLoader

LINES = [json.dumps({"n": number, "text": f"{number * 7919:x}" * 5}).encode() + b"\n" for number in range(30)]
PACKS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".zst": zstandard.compress}


def read(loader: Loader) -> tuple[list[dict[str, Any]], list[Any]]:
    tables = [table for split in loader.splits(10) for table in loader.read(split, 10)]
    found = [row for table in tables for row in table.to_pylist()]
    assert len({row["record_id"] for row in found}) == len(found)
    return found, loader.take_skipped()


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("members", ["one", "many"])
def test_wherever_compressed_lines_are_cut_the_loss_is_told(tmp_path: Path, pack: str, members: str) -> None:
    """Records come in order up to the cut; only a cut between two members cannot be seen."""
    pieces = [PACKS[pack](line) for line in LINES] if members == "many" else [PACKS[pack](b"".join(LINES))]
    content = b"".join(pieces)
    whole = {sum(map(len, pieces[:number])) for number in range(len(pieces) + 1)}
    path = tmp_path / f"a.jsonl{pack}"
    for cut in range(0, len(content), 5):
        path.write_bytes(content[:cut])
        found, skipped = read(JsonlLoader(path=str(path)))
        assert [row["n"] for row in found] == list(range(len(found)))
        assert len(skipped) == (cut not in whole), cut


@pytest.mark.parametrize("pack", PACKS)
def test_one_damaged_member_costs_its_own_lines(tmp_path: Path, pack: str) -> None:
    """Lines of the members before and behind are read, under names of their own."""
    pieces = [bytearray(PACKS[pack](line)) for line in LINES]
    pieces[11][len(pieces[11]) // 2 :] = b"\xff" * 7
    pieces[20][:4] = b"abcd"
    path = tmp_path / f"a.jsonl{pack}"
    path.write_bytes(b"".join(pieces))
    found, skipped = read(JsonlLoader(path=str(path)))
    assert [row["n"] for row in found] == [n for n in range(30) if n not in (11, 20)]
    assert len(skipped) == 2
    behind = sum(map(len, pieces[:12]))
    assert f"passed over up to byte {behind}" in skipped[0].message
    assert found[11]["record_id"] == f"a.jsonl{pack}@{behind}+0"


@settings(max_examples=60, deadline=None)
@given(data=st.data(), pack=st.sampled_from(sorted(PACKS)))
def test_flipped_bytes_in_compressed_lines_are_told(tmp_path_factory: Any, data: Any, pack: str) -> None:
    """A byte that flips costs the lines of its member at most, and that is told."""
    compress = zstandard.ZstdCompressor(write_checksum=True).compress if pack == ".zst" else PACKS[pack]
    content = bytearray(b"".join(map(compress, LINES)))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.mktemp("flip") / f"a.jsonl{pack}"
    path.write_bytes(content)
    found, skipped = read(JsonlLoader(path=str(path)))
    assert {json.dumps(row["n"]) for row in found} <= {json.dumps(number) for number in range(30)}
    assert len(found) == 30 or skipped


def test_padding_is_no_damage_and_garbage_is(tmp_path: Path) -> None:
    """Zeros behind a gzip file, as tapes leave them, are passed over; other bytes are told; records are kept."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(LINES[0]) + b"\0" * 1000)
    assert [len(part) for part in read(JsonlLoader(path=str(path)))] == [1, 0]
    path.write_bytes(gzip.compress(LINES[0]) + b"garbage")
    found, (skipped,) = read(JsonlLoader(path=str(path)))
    assert len(found) == 1
    assert "not gzip data behind its last whole member" in skipped.message
    path.write_bytes(LINES[0])
    found, (skipped,) = read(JsonlLoader(path=str(path)))
    assert (found, "not gzip data, though its name says so" in skipped.message) == ([], True)


def test_a_cut_text_file_is_one_error(tmp_path: Path) -> None:
    """Half a text is no record."""
    content = gzip.compress(b"".join(LINES))
    path = tmp_path / "a.txt.gz"
    for cut in range(1, len(content), 9):
        path.write_bytes(content[:cut])
        found, skipped = read(TextLoader(path=str(path)))
        assert (found, len(skipped)) == ([], 1)


def test_wherever_parquet_is_damaged_the_loss_is_told(tmp_path: Path) -> None:
    """Cut anywhere, or with one byte of the footer flipped: fewer rows never come without an error."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": range(100), "text": [f"{n:030}" for n in range(100)]}), path, row_group_size=25)
    content = path.read_bytes()
    for cut in range(0, len(content), 211):
        path.write_bytes(content[:cut])
        assert len(read(ParquetLoader(path=str(path)))[1]) == 1
    for at in range(len(content) - 1200, len(content), 3):
        damaged = bytearray(content)
        damaged[at] ^= 1 << (at % 8)
        path.write_bytes(damaged)
        found, skipped = read(ParquetLoader(path=str(path)))
        assert len(found) >= 100 or skipped
