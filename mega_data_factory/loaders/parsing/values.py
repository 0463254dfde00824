"""Values of tables that come from elsewhere: plain types, valid text, records of a bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MAX_RECORD_MB = 64.0
"""Default limit of one record, in MB of 2^20 bytes."""

_CONTENT_CHARACTERS = 2000

_LARGEST_ARRAY = (1 << 31) - 1
"""Bytes that one array of strings or bytes holds."""


def checked_limit(limit_mb: float, name: str = "max_record_mb") -> int:
    """Return a limit in bytes.

    Args:
        limit_mb: The limit in MB of 2^20 bytes.
        name: Name of the parameter, for the message.

    Raises:
        ValueError: The limit is not between 0 and 1024 MB.
    """
    if not 0 < limit_mb <= 1024:
        raise ValueError(f"{name} is {limit_mb}, not between 0 and 1024")
    return max(1, int(limit_mb * (1 << 20)))


def joined(values: Sequence[bytes], kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """Return values as an array of strings, which they must be valid for, or of bytes: with one copy of them all."""
    ends = np.cumsum([0, *map(len, values)])
    if ends[-1] > _LARGEST_ARRAY:
        return pa.array(values, kind)  # in chunks
    buffers = [None, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(b"".join(values))]
    return pa.Array.from_buffers(kind, len(values), buffers)


def plain_types(table: pa.Table) -> pa.Table:
    """Return the table with types that every operator and writer knows.

    Text becomes `string`, from any layout (large, view, dictionary); UUIDs as text (RFC 9562), JSON as text;
    other extension types as what they are stored as.
    """
    for at, field in enumerate(table.schema):
        column = table.column(at)
        plain = _plain(column)
        if plain is not column:
            table = table.set_column(at, pa.field(field.name, plain.type), plain)
    return table


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
        return _plain(pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type))
    if _holds(kind, lambda inner: isinstance(inner, pa.BaseExtensionType)):
        return pa.array([_texts(value) for value in column.to_pylist()])
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    if kind != pa.string() and (
        pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value)
    ):
        return column.cast(pa.string())
    return column


def _texts(value: Any) -> Any:
    """Return a nested value with UUIDs as text."""
    if isinstance(value, list):
        return [_texts(item) for item in value]
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items()}
    return str(value) if type(value).__name__ == "UUID" else value


def _holds(kind: pa.DataType, is_wanted: Callable[[pa.DataType], bool]) -> bool:
    """Return whether a nested type holds a type of a kind."""
    return any(
        is_wanted(kind.field(at).type) or _holds(kind.field(at).type, is_wanted)
        for at in range(kind.num_fields if pa.types.is_nested(kind) else 0)
    )


def split_off(
    table: pa.Table,
    places: pa.StringArray | pa.ChunkedArray,
    max_bytes: int,
    skip: Callable[[str, str, str], None],
) -> tuple[pa.Table, pa.StringArray | pa.ChunkedArray]:
    """Take out the records that nothing behind the loader could read: text that is not UTF-8, too many bytes.

    Args:
        table: the records, with plain types.
        places: where each is, in the order of the table.
        max_bytes: limit of one record.
        skip: called with place, reason and beginning for every record that is taken out.

    Returns:
        The records that are left, and their places.
    """
    bad = dict(_not_utf8(table))
    if table.nbytes > max_bytes:
        sizes = _sizes(table).to_pylist()
        bad |= {row: f"{size:,} bytes, more than max_record_mb" for row, size in enumerate(sizes) if size > max_bytes}
    if not bad:
        return table, places
    for row, reason in sorted(bad.items()):
        skip(places[row].as_py(), reason, _beginning(table, row))
    kept = pa.array([row for row in range(table.num_rows) if row not in bad], pa.int64())
    return table.take(kept), places.take(kept)


def _not_utf8(table: pa.Table) -> Iterator[tuple[int, str]]:
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_string(column.type) or _holds(column.type, pa.types.is_string):
            start = 0
            for chunk in column.chunks:
                yield from ((start + row, f"column `{name}` is not UTF-8") for row in _invalid(chunk))
                start += len(chunk)


def _invalid(array: pa.Array) -> list[int]:
    """Return the rows of an array that are not valid, by halving."""
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        if len(array) == 1:
            return [0]
        half = len(array) // 2
        return _invalid(array.slice(0, half)) + [half + row for row in _invalid(array.slice(half))]
    return []


def _sizes(table: pa.Table) -> pa.Array:
    """Return the bytes of text and binary values of every record."""
    total = pa.array([0] * table.num_rows, pa.int64())
    for column in table.columns:
        if pa.types.is_string(column.type) or pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            length = pc.fill_null(pc.binary_length(column), 0).cast(pa.int64())
            total = pc.add(total, length.combine_chunks() if isinstance(length, pa.ChunkedArray) else length)
    return total


def _beginning(table: pa.Table, row: int) -> str:
    """Return what can be shown of a record."""
    parts = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_string(column.type):
            value = column.slice(row, 1).cast(pa.binary())[0].as_py()
            text = "" if value is None else value[:_CONTENT_CHARACTERS].decode("utf-8", "replace")
            parts.append(f"{name}: {text}")
    return "\n".join(parts)[:_CONTENT_CHARACTERS]
