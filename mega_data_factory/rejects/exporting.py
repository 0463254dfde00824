"""Export of rejected records to one file: Parquet, JSON lines or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from mega_data_factory import storage
from mega_data_factory.rejects.schema import SCHEMA
from mega_data_factory.strict_json import finite


def export_rejects(path: str, batches: Iterable[pa.RecordBatch]) -> int:
    """Write rows of a ledger as one file, whole or not at all; returns how many.

    Args:
        path: file or URI whose ending is a key of `FORMATS`.
        batches: rows with the columns of `SCHEMA`.

    Raises:
        OutputError: it cannot be written.
    """
    write = FORMATS[path[path.rindex(".") :].lower()]
    with storage.atomic_output(path) as sink:
        return write(sink, batches)


def _write_parquet(sink: BinaryIO, batches: Iterable[pa.RecordBatch]) -> int:
    rows = 0
    with pq.ParquetWriter(sink, SCHEMA, compression="zstd", write_page_checksum=True) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _write_json_lines(sink: BinaryIO, batches: Iterable[pa.RecordBatch]) -> int:
    rows = 0
    for batch in batches:
        for row in batch.to_pylist():
            line = {name: finite(value) for name, value in row.items() if value is not None}
            sink.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        rows += batch.num_rows
    return rows


def _write_csv(sink: BinaryIO, batches: Iterable[pa.RecordBatch]) -> int:
    """Write CSV with a line of names; lists are JSON in it.

    Lines end as RFC 4180 says: the `csv` module quotes only those ends of line that its own are made of.
    """
    rows = 0
    text = io.TextIOWrapper(sink, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(SCHEMA.names)
    for batch in batches:
        writer.writerows([_cell(row, name) for name in SCHEMA.names] for row in batch.to_pylist())
        rows += batch.num_rows
    text.flush()
    text.detach()
    return rows


def _cell(row: Mapping[str, Any], name: str) -> Any:
    value = row[name]
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


FORMATS: Mapping[str, Callable[[BinaryIO, Iterable[pa.RecordBatch]], int]] = {
    ".parquet": _write_parquet,
    ".jsonl": _write_json_lines,
    ".csv": _write_csv,
}
"""Formats by the ending of the file's name."""
