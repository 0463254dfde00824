"""Units of the records of a table beside their number: bytes of text, and tokens."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Integers: TypeAlias = npt.NDArray[np.int64]

_MOST = 2**53
"""Largest credible number of tokens in one table; a sum above it, or below 0, is not counted."""


class Units(NamedTuple):
    """Units of some records.

    Attributes:
        text_bytes: bytes of text, UTF-8; None if the records have no column of text.
        tokens: tokens; None if no column holds their number.
    """

    text_bytes: int | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class UnitColumns:
    """Columns that the units of records are counted by.

    Attributes:
        text: column of the text.
        tokens: column that holds the number of tokens of each record; None for no such column.
    """

    text: str = "text"
    tokens: str | None = None

    def count(self, table: pa.Table) -> Units:
        """Return the units of the records of a table."""
        tokens = None if self.tokens is None else token_sum(table, self.tokens)
        return Units(text_bytes(table, self.text), tokens)

    def count_each(self, table: pa.Table) -> tuple[Integers | None, Integers | None]:
        """Return bytes of text and tokens of every record of a table; None for each where `count` gives none."""
        tokens = None if self.tokens is None else token_numbers(table, self.tokens)
        return text_lengths(table, self.text), tokens


def text_bytes(table: pa.Table, column: str) -> int | None:
    """Return the bytes of text in a column; None if it is absent or holds neither text nor bytes.

    Of an array without nulls it is the difference of two offsets, whatever the number of records.
    """
    at = table.schema.get_field_index(column)
    if at < 0:
        return None
    total = 0
    for chunk in table.column(at).chunks:
        size = _array_bytes(chunk)
        if size is None:
            return None
        total += size
    return total if total or _holds_text(table.schema.field(at).type) else None


def _array_bytes(array: pa.Array) -> int | None:
    """Return the bytes of the values of an array of texts; None if it holds none."""
    size, code = _OFFSETS.get(array.type.id, (0, ""))
    if size and not array.null_count:
        if not len(array):
            return 0
        offsets, at = array.buffers()[1], array.offset * size
        (first,) = struct.unpack_from(code, offsets, at)
        (last,) = struct.unpack_from(code, offsets, at + len(array) * size)
        return int(last - first)
    if not _holds_text(array.type):
        return None
    return pc.sum(_lengths(array)).as_py() or 0


def _lengths(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_dictionary(kind):  # each entry is measured once
        return _lengths(array.dictionary).take(array.indices)
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        array = array.cast(pa.large_binary())
    return pc.binary_length(array).cast(pa.int64())


def _holds_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return kind.id in _OFFSETS or pa.types.is_string_view(kind) or pa.types.is_binary_view(kind)


_OFFSETS = {
    pa.string().id: (4, "<i"),
    pa.binary().id: (4, "<i"),
    pa.large_string().id: (8, "<q"),
    pa.large_binary().id: (8, "<q"),
}
"""Type of an array → bytes of one of its offsets, and their format."""


def token_sum(table: pa.Table, column: str) -> int | None:
    """Return the sum of a column of numbers of tokens; None if it is absent, or holds something else.

    Null and NaN count nothing; fractions are cut off after adding up.
    """
    at = table.schema.get_field_index(column)
    if at < 0 or not is_count(table.schema.field(at).type):
        return None
    values = table.column(at)
    if pa.types.is_floating(values.type):
        values = values.cast(pa.float64())  # halves have no sum
        values = pc.if_else(pc.is_finite(values), values, None)
    total = pc.sum(values).as_py() or 0
    return int(total) if 0 <= total < _MOST else None


def text_lengths(table: pa.Table, column: str) -> Integers | None:
    """Return the bytes of text of every record, 0 if it is null; None if `text_bytes` gives none.

    Args:
        table: The records.
        column: Column of the text.
    """
    at = table.schema.get_field_index(column)
    if at < 0 or not _holds_text(table.schema.field(at).type):
        return None
    return _numbers([_lengths(chunk) for chunk in table.column(at).chunks])


def token_numbers(table: pa.Table, column: str) -> Integers | None:
    """Return the tokens of every record, 0 if they are not known; None if `token_sum` gives none.

    Args:
        table: The records.
        column: Column of the numbers.
    """
    if token_sum(table, column) is None:
        return None
    return _numbers(
        [
            _whole(chunk.cast(pa.float64())) if pa.types.is_floating(chunk.type) else chunk.cast(pa.int64(), safe=False)
            for chunk in table.column(column).chunks
        ]
    )


def _whole(numbers: pa.DoubleArray) -> pa.Array:
    return pc.if_else(pc.is_finite(numbers), pc.trunc(numbers), 0).cast(pa.int64())


def _numbers(chunks: Sequence[pa.Array]) -> Integers:
    arrays = [chunk.fill_null(0).to_numpy(zero_copy_only=False) for chunk in chunks]
    return np.concatenate(arrays) if arrays else np.zeros(0, np.int64)


def is_count(kind: pa.DataType) -> bool:
    """Return whether a column of this type can hold numbers of tokens; of nulls alone it can."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind))
