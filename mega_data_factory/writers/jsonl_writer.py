"""Lines of JSON."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import math
import uuid
from collections.abc import Callable
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa

from mega_data_factory.framework.contracts import Writer

SUFFIXES = {"none": ".jsonl", "gzip": ".jsonl.gz", "zstd": ".jsonl.zst"}

_ROWS_AT_ONCE = 1000


class JsonlWriter(Writer):
    """Writes one JSON object per line, in UTF-8, optionally compressed.

    Dates and times become ISO 8601 strings, durations seconds, decimals strings of all their digits, bytes base64
    (RFC 4648), maps lists of [key, value], UUIDs strings; NaN and the infinities, which JSON has not, become null. A
    null is written as null, so every line has every key.

    Args:
        output_path: folder or fsspec URI that the files go to.
        compression: `none`, `gzip` or `zstd`; the files end in `.jsonl`, `.jsonl.gz` or `.jsonl.zst`.
        target_file_mb: gather batches until a file holds about N MB; 0 writes one file per batch.
        max_file_seconds: a batch waits at most so long for its file to fill, so that a killed run loses little.
        if_exists: `error`, `overwrite` or `append` when the folder already holds output.
    """

    suffix = ".jsonl"

    def __init__(self, output_path: str, *, compression: str = "none", **options: Any) -> None:
        super().__init__(output_path, **options)
        if compression not in SUFFIXES:
            raise ValueError(f"compression is {compression!r}, not one of {', '.join(SUFFIXES)}")
        self._compression = compression
        self.suffix = SUFFIXES[compression]  # type: ignore[misc]  # here the ending depends on a parameter

    def write(self, table: pa.Table, sink: BinaryIO) -> None:
        """Encode the table as one file of lines."""
        if self._compression == "none":
            _encode(table, sink)
            return
        with pa.CompressedOutputStream(pa.PythonFile(_Unclosed(sink), mode="w"), self._compression) as packed:
            _encode(table, packed)


class _Unclosed:
    """A sink that stays open when the compressor that writes to it is closed: closing it belongs to the engine."""

    closed = False

    def __init__(self, sink: BinaryIO) -> None:
        self.write = sink.write
        self.flush = sink.flush

    def close(self) -> None:
        """Leave the sink open."""


def _encode(table: pa.Table, sink: Any) -> None:
    if all(_is_plain(field.type) for field in table.schema) and table.num_columns:
        for start in range(0, table.num_rows, _ROWS_AT_ONCE * 10):
            frame = pl.from_arrow(table.slice(start, _ROWS_AT_ONCE * 10))
            assert isinstance(frame, pl.DataFrame)
            sink.write(frame.write_ndjson().encode())
        return
    converters = {field.name: _converter(field.type) for field in table.schema}
    for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        columns = [[converters[name](v) for v in batch.column(name).to_pylist()] for name in table.column_names]
        rows = zip(*columns, strict=True) if columns else ((),) * batch.num_rows
        lines = (_dumps(dict(zip(table.column_names, row, strict=True))) for row in rows)
        sink.write("".join(f"{line}\n" for line in lines).encode())


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _is_plain(kind: pa.DataType) -> bool:
    """Return whether polars writes the type as this class promises it, and much faster."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _is_plain(kind.value_type)
    if pa.types.is_struct(kind):
        return kind.num_fields > 0 and all(_is_plain(field.type) for field in kind)
    checks: tuple[Callable[[pa.DataType], bool], ...] = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_integer,
        pa.types.is_boolean,
        pa.types.is_float64,
    )
    return any(check(kind) for check in checks)


def _converter(kind: pa.DataType) -> Callable[[Any], Any]:
    """Return the converter from values of a type to values that JSON has."""
    untouched = pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    return (lambda value: value) if untouched else _jsonable


def _jsonable(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime.date | datetime.time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal | uuid.UUID):
        return str(value)
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    return value
