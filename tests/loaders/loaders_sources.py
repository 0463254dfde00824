"""A small real source of every loader, in several files and folders."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from mega_data_factory.framework.contracts import Loader, SkippedRecord
from mega_data_factory.loaders.hugging_face_loader import HuggingFaceLoader
from mega_data_factory.loaders.jsonl_loader import JsonlLoader
from mega_data_factory.loaders.parquet_loader import ParquetLoader
from mega_data_factory.loaders.text_loader import TextLoader
from mega_data_factory.loaders.warc_loader import WarcLoader

RECORDS = 47


@dataclass(frozen=True)
class Source:
    """How to make a source of `RECORDS` records in a folder, and the loader that reads it."""

    name: str
    make: Callable[[Path], None]
    loader: Callable[[Path], Loader]
    suffix: str


def read_all(loader: Loader, batch_size: int = 10) -> tuple[list[pa.Table], list[SkippedRecord]]:
    """Everything that a loader gives and skips, by way of JSON, as a plan that is stored would."""
    tables = []
    for split in loader.splits(batch_size):
        params = json.loads(json.dumps(dict(split.params)))
        tables += list(loader.read(type(split)(params, split.num_records), batch_size))
    return tables, loader.take_skipped()


def ids(tables: Sequence[pa.Table]) -> list[str]:
    return [record_id for table in tables for record_id in table.column("record_id").to_pylist()]


def warc_record(number: int, body: bytes, content_type: str = "text/html; charset=utf-8", extra: str = "") -> bytes:
    http = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{extra}\r\n".encode() + body
    head = (
        f"WARC/1.1\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:{number}>\r\n"
        f"WARC-Target-URI: http://example.org/{number}\r\nWARC-Date: 2024-01-02T03:04:05Z\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    return head.encode() + http + b"\r\n\r\n"


def _texts(folder: Path) -> None:
    for number in range(RECORDS):
        path = folder / f"d{number % 3}" / f"{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"text {number}")


def _rows(start: int, end: int) -> list[dict[str, Any]]:
    return [{"text": f"text {i}", "n": i} for i in range(start, end)]


def _json_lines(folder: Path) -> None:
    lines = [json.dumps(row).encode() + b"\n" for row in _rows(0, RECORDS)]
    (folder / "a.jsonl").write_bytes(b"".join(lines[:30]))
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(b"".join(lines[30:40])))
    (folder / "c.ndjson.zst").write_bytes(zstandard.compress(b"".join(lines[40:])))


def _parquet(folder: Path) -> None:
    pq.write_table(pa.Table.from_pylist(_rows(0, 30)), folder / "a.parquet", row_group_size=7)
    pq.write_table(pa.Table.from_pylist(_rows(30, RECORDS)), folder / "b.parquet")


def _warc(folder: Path) -> None:
    records = [warc_record(i, f"<p>text {i}".encode()) for i in range(RECORDS)]
    (folder / "a.warc").write_bytes(b"".join(records[:20]))
    (folder / "b.warc.gz").write_bytes(b"".join(map(gzip.compress, records[20:])))


SOURCES = [
    Source("text", _texts, lambda folder: TextLoader(path=str(folder)), ".txt"),
    Source("jsonl", _json_lines, lambda folder: JsonlLoader(path=str(folder), split_mb=0.0002), ".jsonl"),
    Source("parquet", _parquet, lambda folder: ParquetLoader(path=str(folder)), ".parquet"),
    Source("warc", _warc, lambda folder: WarcLoader(path=str(folder)), ".warc.gz"),
]
"""The loaders of files; the one of datasets is apart, its package being optional."""


def _dataset(folder: Path) -> None:
    import datasets

    datasets.Dataset.from_list(_rows(0, RECORDS)).save_to_disk(folder / "ds", num_shards=2)


HUGGING_FACE = Source("hugging_face", _dataset, lambda folder: HuggingFaceLoader(dataset=str(folder / "ds")), "")
