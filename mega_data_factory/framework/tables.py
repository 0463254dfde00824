"""Putting tables together whose columns were typed apart."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa


def concat(tables: Sequence[pa.Table]) -> pa.Table:
    """Put tables one below the other.

    Columns that are missing somewhere are null there, and types are promoted where Arrow can (int and float, say). A
    source without a schema may give a column numbers in one batch and texts in the next, or ids of 64 bits in one and
    fractions in the next: such a column becomes text, its lists and objects JSON text.

    Args:
        tables: at least one; those without rows only count when all have none.
    """
    filled = [table for table in tables if table.num_rows]
    if len(filled) <= 1:
        return (filled or tables)[0]
    try:
        return pa.concat_tables(filled, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        clashing = [name for name in _names(filled) if not _promotes(filled, name)]
        return pa.concat_tables([with_text(table, clashing) for table in filled], promote_options="permissive")


def _names(tables: Sequence[pa.Table]) -> list[str]:
    return list(dict.fromkeys(name for table in tables for name in table.column_names))


def _promotes(tables: Sequence[pa.Table], name: str) -> bool:
    """Return whether a column can be put together: types have one in common, and that one holds the values exactly."""
    columns = [table.select([name]) for table in tables if name in table.column_names]
    try:
        pa.concat_tables(columns, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return False
    return True


def with_text(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the table with columns as text: strings as they are, lists and objects as JSON."""
    for name in names:
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, _text(table.column(name)))
    return table


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    if pa.types.is_nested(column.type):
        return pa.array([None if v is None else json.dumps(v, default=str) for v in column.to_pylist()], pa.string())
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return pa.array([None if v is None else v.decode("latin-1") for v in column.to_pylist()], pa.string())
    return column.cast(pa.string())
