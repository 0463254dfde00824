"""Parse blocks of JSON lines: fast where the lines agree on their types, patient where they do not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from mega_data_factory.loaders.parsing.nesting import MOST_LEVELS, any_is_deep, levels_in, levels_of

Refused: TypeAlias = tuple[int, str, str]
"""Offset of a line in its block, why it is no record, and its beginning as text."""

Offsets: TypeAlias = npt.NDArray[np.int64]
"""Places in a block, in bytes."""

_BLANK = b" \t\r\n"
_CONTENT_BYTES = 2000
_ARRAYS = "an array of objects is read from a file that ends in .json"

_PROBE_BYTES = 1 << 16
_LONG_LINE = 600
"""Bytes of a line from which on a search for the next line end is faster than a look at every byte with NumPy."""

_EXACT_IN_FLOAT = float(1 << 53)
"""From here on a double does not hold every whole number."""

_LONGEST_INT = 4300
"""Digits that Python turns into an integer."""


class JsonLines:
    """Parses the blocks of one split; what it learns of a block (which strings are not dates) serves the next."""

    def __init__(self) -> None:
        self._as_text: dict[str, pa.DataType] = {}

    def parse(self, block: bytes | bytearray) -> tuple[pa.Table, Offsets, list[Refused]]:
        """Parse whole lines.

        Returns:
            A table with a row per record; the offset of each record's line in the block; the lines refused.
        """
        if block.startswith(b"\xef\xbb\xbf"):  # a byte order mark, blanked so that offsets stay
            block = b"   " + block[3:]
        starts, ends, are_objects = _lines(block)
        fast = len(starts) and are_objects and _is_utf8(block) and not any_is_deep(block, starts, ends)
        table = self._fast(block) if fast else None
        if table is not None and table.num_rows == len(starts):
            return table, starts, []
        return _patient(block, zip(starts.tolist(), ends.tolist(), strict=True))

    def _fast(self, block: bytes | bytearray) -> pa.Table | None:
        """Return the block as Arrow's reader parses it, dates left as text; None if it cannot."""
        try:
            table = self._read(block)
            dates = {f.name: _without_dates(f.type) for f in table.schema if f.type != _without_dates(f.type)}
            if dates:
                self._as_text.update(dates)
                table = self._read(block)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            return None
        if any(_has_empty_struct(field.type) or field.type != _without_dates(field.type) for field in table.schema):
            return None
        if any(map(_may_have_been_rounded, table.columns)):
            return None
        if any(levels_of(field.type) >= MOST_LEVELS for field in table.schema):
            return None
        absent = [name for name in self._as_text if name in table.column_names and f'"{name}"'.encode() not in block]
        return table.drop_columns(absent) if absent else table

    def _read(self, block: bytes | bytearray) -> pa.Table:
        schema = pa.schema(self._as_text.items()) if self._as_text else None
        return pj.read_json(
            pa.BufferReader(pa.py_buffer(block)),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(block) + 1),
            parse_options=pj.ParseOptions(explicit_schema=schema),
        )


def _lines(block: bytes | bytearray) -> tuple[Offsets, Offsets, bool]:
    """Return the starts and ends of the lines that are not blank, and whether each of them begins with a brace.

    Arrow's reader takes `null` for a record, so what does not begin with a brace is not for it.
    """
    ends = _line_ends(block)
    starts = np.concatenate([[0], ends[:-1] + 1])
    begun = np.frombuffer(block, np.uint8)[starts] == ord("{")
    if begun.all():
        return starts, ends, True
    heads = [b"{" if good else block[s:e].strip(_BLANK)[:1] for good, s, e in zip(begun, starts, ends, strict=True)]
    kept = np.array([head != b"" for head in heads])
    return starts[kept], ends[kept], all(head in (b"", b"{") for head in heads)


def _line_ends(block: bytes | bytearray) -> Offsets:
    """Return the offset of every line end, and of the end of the block where it has none."""
    found: list[int] = []
    if block.count(b"\n", 0, _PROBE_BYTES) < _PROBE_BYTES // _LONG_LINE:
        at = block.find(b"\n")
        while at >= 0:
            found.append(at)
            at = block.find(b"\n", at + 1)
        ends = np.array(found, np.int64)
    else:
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
    return ends if block.endswith(b"\n") else np.append(ends, len(block))


def _is_utf8(block: bytes | bytearray) -> bool:
    """Return whether a block is valid UTF-8; Arrow's JSON reader passes on invalid bytes."""
    if block.isascii():
        return True
    offsets = pa.py_buffer(np.array([0, len(block)], np.int64))
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(block)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _without_dates(kind: pa.DataType) -> pa.DataType:
    """Return the type with every date and time in it replaced by text."""
    if pa.types.is_temporal(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _without_dates(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(_without_dates(kind.value_type))
    return kind


def _has_empty_struct(kind: pa.DataType) -> bool:
    """Return whether there is an object without keys in the type; Parquet has no such thing."""
    if pa.types.is_struct(kind):
        return kind.num_fields == 0 or any(_has_empty_struct(field.type) for field in kind)
    return pa.types.is_list(kind) and _has_empty_struct(kind.value_type)


def _may_have_been_rounded(column: pa.ChunkedArray) -> bool:
    """Return whether a column holds doubles so large that whole numbers may have lost digits."""
    kind = column.type
    if pa.types.is_floating(kind):
        extremes = pc.min_max(column)
        lowest, highest = extremes["min"].as_py(), extremes["max"].as_py()
        return lowest is not None and max(-lowest, highest) >= _EXACT_IN_FLOAT
    if pa.types.is_struct(kind):
        return any(_may_have_been_rounded(pc.struct_field(column, [at])) for at in range(kind.num_fields))
    return pa.types.is_list(kind) and _may_have_been_rounded(pc.list_flatten(column))


def _patient(block: bytes | bytearray, lines: Iterable[tuple[int, int]]) -> tuple[pa.Table, Offsets, list[Refused]]:
    """Parse line by line; refuse the ones that are not a JSON object."""
    records: list[dict[str, Any]] = []
    offsets: list[int] = []
    refused: list[Refused] = []
    for start, end in lines:
        line = block[start:end]
        try:
            record = parse_object(line)
        except ValueError as error:
            refused.append((start, str(error), _beginning(line)))
            continue
        records.append(record)
        offsets.append(start)
    return table_of(records), np.array(offsets, np.int64), refused


def parse_object(text: bytes | bytearray) -> dict[str, Any]:
    """Parse one record.

    Raises:
        ValueError: it is not UTF-8, not JSON, not an object, or nested too deeply.
    """
    try:
        decoded = text.decode()  # strictly, where `json` would let halves of surrogate pairs pass
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: {error}") from error
    if len(text) > 2 * MOST_LEVELS and (levels := levels_in(text)) > MOST_LEVELS:
        raise ValueError(f"nested {levels:,} levels deep; at most {MOST_LEVELS} can be read")
    try:
        record = json.loads(decoded, parse_int=_whole_number)
    except (ValueError, RecursionError) as error:
        hint = f"; {_ARRAYS}" if text.lstrip(_BLANK)[:1] == b"[" else ""
        raise ValueError(f"not JSON: {error}{hint}") from error
    if isinstance(record, list):
        raise ValueError(f"not an object but a list; {_ARRAYS}")
    if not isinstance(record, dict):
        raise ValueError(f"not an object but {type(record).__name__}")
    return _whole_characters(record) if b"\\ud" in text.lower() else record


def _whole_number(digits: str) -> int | str:
    """Return an integer; as text where it has more digits than Python converts."""
    return int(digits) if len(digits) <= _LONGEST_INT else digits


def _beginning(line: bytes | bytearray) -> str:
    return line[:_CONTENT_BYTES].decode("utf-8", "replace")


def _whole_characters(value: Any) -> Any:
    """Return the value with every half of a surrogate pair, which no UTF-8 can hold, replaced by U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole_characters(item) for item in value]
    if isinstance(value, dict):
        return {_whole_characters(key): _whole_characters(item) for key, item in value.items()}
    return value


def table_of(records: list[dict[str, Any]]) -> pa.Table:
    """Return a table with a row per record and a column per key."""
    keys = dict.fromkeys(key for record in records for key in record)
    columns = {key: _column([record.get(key) for record in records]) for key in keys}
    if columns:
        return pa.table(columns)
    return pa.Table.from_struct_array(pa.array([{}] * len(records), pa.struct([])))


def _column(values: list[Any]) -> pa.Array:
    try:
        array = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return _as_text(values)
    return _as_text(values) if _has_empty_struct(array.type) else array


def _as_text(values: list[Any]) -> pa.Array:
    """Return strings as they are, all other values but null as JSON."""
    texts = [v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
    return pa.array(texts, pa.string())
