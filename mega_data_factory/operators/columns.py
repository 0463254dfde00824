"""Columns in and out of an Arrow table, and the family's one rule for what is missing.

A column that is not there, or holds no text, stops with `ColumnError`: in the first batch of a source that is a mistake
of the configuration, in a later one the stage takes the column for null, or for JSON text. Numbers and truth values in
a text column are read as text: a source without a schema may hold nothing else for a while. Bytes are read as text
where they are UTF-8; a record whose bytes are not is an error. A value
that is null is data: a refiner leaves it null, a filter rejects it with the reason `missing_<what>` (for example
`missing_text`), and a deduplicator passes it on, because nothing is not a copy of anything. Empty text is text of
length 0 and is judged like any other.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pyarrow as pa

from mega_data_factory.errors import ColumnError, did_you_mean


def column_of(table: pa.Table, name: str, parameter: str) -> pa.ChunkedArray:
    """Return the column `name` of a table.

    Args:
        table: the records.
        name: the column that is wanted.
        parameter: the operator's parameter that names the column, for the message.

    Raises:
        ColumnError: the table has no such column.
    """
    if name not in table.column_names:
        raise ColumnError(
            f"{parameter}: there is no column `{name}`; the columns are {', '.join(table.column_names) or 'none'}",
            column=name,
            hint=did_you_mean(name, table.column_names),
        )
    return table.column(name)


def text_of(table: pa.Table, name: str, parameter: str = "text_column") -> pl.Series:
    """Return the text column `name` as a polars String series, null if the value is null.

    Raises:
        ColumnError: there is no such column, or it does not hold text.
        ArrowInvalid: it holds bytes that are not UTF-8.
    """
    column = column_of(table, name, parameter)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if _is_bytes(kind):
        column = column.cast(pa.string())
    elif not (_is_text(kind) or _is_plain(kind) or pa.types.is_null(kind)):
        raise ColumnError(f"{parameter}: column `{name}` holds {column.type}, not text", column=name)
    series = pl.from_arrow(column)
    assert isinstance(series, pl.Series)
    return series.cast(pl.String).rechunk()


def with_columns(table: pa.Table, columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> pa.Table:
    """Return the table with these columns appended, or replaced in place where the name exists."""
    for name, values in columns.items():
        index = table.schema.get_field_index(name)
        table = table.append_column(name, values) if index < 0 else table.set_column(index, name, values)
    return table


def to_strings(series: pl.Series) -> pa.Array:
    """Return a polars String series as an Arrow `string` array (`large_string` where 2 GiB are not enough)."""
    array = series.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    return array if array.nbytes > 2**31 - 1 else array.cast(pa.string())


def _is_plain(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
