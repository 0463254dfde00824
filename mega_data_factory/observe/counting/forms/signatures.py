"""Signatures of what a step was given: equal for the same records, whatever their order and their batches.

An engine that computes a partition again may hand over its records in another order (after a shuffle), so that a hash
over the bytes of a batch does not recognise them. A signature is a sum over records of a hash of each record, modulo
2^64. It costs a few nanoseconds a value: of a text it reads the length and 24 bytes, at its start, middle and end.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import xxhash

if TYPE_CHECKING:
    import numpy as np

_MASK = (1 << 64) - 1
_ODD = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: Fibonacci hashing (Knuth, TAOCP 3, 6.4)
_NULL = 0x6A09E667F3BCC909


@dataclass(slots=True)
class Content:
    """Signature of a sequence of batches, or of records, that tells a beginning of the same sequence too.

    Attributes:
        parts: batches, or single records, so far.
        total: sum of their signatures, modulo 2^64.
        marks: the totals after 1, 2, 4, 8 … parts.
    """

    parts: int = 0
    total: int = 0
    marks: list[int] = field(default_factory=list)

    def add(self, signature: int) -> None:
        """Append a part."""
        self.parts += 1
        self.total = (self.total + signature) & _MASK
        if self.parts & (self.parts - 1) == 0:
            self.marks.append(self.total)

    def begins_like(self, longer: Content) -> bool:
        """Return whether this is the beginning of another sequence, as far as the marks tell."""
        if self.parts == longer.parts:
            return self.total == longer.total
        return self.parts < longer.parts and self.marks == longer.marks[: len(self.marks)]

    def to_list(self) -> list[int]:
        """Return the content as numbers, for the wire."""
        return [self.parts, self.total, *self.marks] if self.parts else []

    @classmethod
    def from_list(cls, numbers: list[int]) -> Content:
        """Return the content that `to_list` was called on."""
        return cls(numbers[0], numbers[1], numbers[2:]) if numbers else cls()


def signature_of(value: Any) -> int:
    """Return the signature of a batch, or of a record: 64 bits.

    Args:
        value: Arrow table, record batch or array, pandas data frame or series; everything else is one record.
    """
    kind = type(value)
    module = kind.__module__.partition(".")[0]
    if module == "pyarrow":
        return _of_arrow(value)
    if module == "pandas":
        return _of_pandas(value)
    if module == "numpy" and getattr(value, "ndim", 0) == 1 and value.dtype.kind in "iufb":
        return (
            _of_arrow(sys.modules["pyarrow"].array(value)) if "pyarrow" in sys.modules else _of_record(value.tolist())
        )
    return _of_record(value)


def _of_record(value: Any) -> int:
    return xxhash.xxh3_64_intdigest(repr(value).encode("utf-8", "surrogatepass"))


def _of_pandas(value: Any) -> int:
    import pyarrow as pa

    columns = [value[name] for name in value.columns] if hasattr(value, "columns") else [value]
    try:
        arrays = [pa.array(column, from_pandas=True) for column in columns]
    except (pa.ArrowException, TypeError, ValueError):  # Python objects that Arrow has no type for
        return len(value)
    return _sum_of_rows([array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array for array in arrays])


def _of_arrow(value: Any) -> int:
    import pyarrow as pa

    if isinstance(value, pa.Table):
        return sum(_sum_of_rows(batch.columns) for batch in value.to_batches()) & _MASK
    if isinstance(value, pa.ChunkedArray):
        return sum(_sum_of_rows([chunk]) for chunk in value.chunks) & _MASK
    return _sum_of_rows(value.columns if isinstance(value, pa.RecordBatch) else [value])


def _sum_of_rows(arrays: list[Any]) -> int:
    """Return the sum of the hashes of rows, given by arrays of equal length, one a column."""
    import numpy as np

    if not arrays or not len(arrays[0]):
        return 0
    rows = np.full(len(arrays[0]), _ODD, dtype=np.uint64)
    for array in arrays:
        rows ^= _hashes(array)
        _scramble(rows)
    return int(rows.sum())


def _scramble(hashes: np.ndarray[Any, Any]) -> None:
    hashes *= _ODD
    hashes ^= hashes >> 29


def _hashes(array: Any) -> np.ndarray[Any, Any]:
    """Return a hash of every value of an Arrow array, uint64; zeros for types that have no rule."""
    import numpy as np
    import pyarrow as pa

    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return _hashes(array.storage)
    if pa.types.is_dictionary(kind):
        return _hashes(array.dictionary_decode())
    rule = _rule(kind)
    if rule is None or not len(array):
        return np.zeros(len(array), dtype=np.uint64)
    hashes = rule(array)
    if array.null_count:
        hashes[array.is_null().to_numpy(zero_copy_only=False)] = _NULL
    return hashes


def _rule(kind: Any) -> Callable[[Any], np.ndarray[Any, Any]] | None:
    import pyarrow as pa

    types = pa.types
    if types.is_string(kind) or types.is_binary(kind) or types.is_large_string(kind) or types.is_large_binary(kind):
        return _texts
    if types.is_list(kind) or types.is_large_list(kind) or types.is_map(kind):
        return _lists
    if types.is_struct(kind):
        return _structs
    if types.is_boolean(kind):
        return lambda array: array.cast(pa.uint8()).fill_null(0).to_numpy().astype("uint64")
    if types.is_primitive(kind):  # numbers, dates and times
        return _numbers
    return None


def _numbers(array: Any) -> np.ndarray[Any, Any]:
    import numpy as np

    width = array.type.bit_width // 8
    values = np.frombuffer(array.buffers()[1], dtype=f"u{width}", count=array.offset + len(array))[array.offset :]
    return values.astype(np.uint64)


def _texts(array: Any) -> np.ndarray[Any, Any]:
    import numpy as np

    offsets = _offsets(array)
    starts, lengths = offsets[:-1], np.diff(offsets)
    hashes: np.ndarray[Any, Any] = lengths.astype(np.uint64)
    data = array.buffers()[2]
    if data is None or data.size < 8:
        padded = (data.to_pybytes() if data is not None else b"").ljust(8, b"\0")
        content = np.frombuffer(padded, dtype=np.uint8)
    else:
        content = np.frombuffer(data, dtype=np.uint8)
    windows: np.ndarray[Any, Any] = np.ndarray((len(content) - 7,), np.uint64, content.data, strides=(1,))
    spare = np.maximum(lengths - 8, 0)
    short = lengths < 8
    masks = np.left_shift(np.uint64(1), (8 * lengths[short]).astype(np.uint64)) - np.uint64(1) if short.any() else None
    for places in (starts, starts + spare // 2, starts + spare):
        hashes *= _ODD
        hashes ^= _eight_bytes(windows, places, short, masks)
    return hashes


def _eight_bytes(windows: Any, places: Any, short: Any, masks: Any) -> np.ndarray[Any, Any]:
    """Return the 8 bytes at each place; what lies behind the end of a short text is masked out."""
    import numpy as np

    last = len(windows) - 1
    found: np.ndarray[Any, Any]
    if places[-1] > last:  # places near the end of the buffer: read earlier bytes, and shift them out
        within = np.minimum(places, last)
        found = windows[within] >> np.minimum(8 * (places - within), 63).astype(np.uint64)
    else:
        found = windows[places]
    if masks is not None:
        found[short] &= masks
    return found


def _offsets(array: Any) -> np.ndarray[Any, Any]:
    """Return the offsets of a text, binary, list or map array: one more than it has entries."""
    import numpy as np
    import pyarrow as pa

    large = (
        pa.types.is_large_string(array.type)
        or pa.types.is_large_binary(array.type)
        or pa.types.is_large_list(array.type)
    )
    count = array.offset + len(array) + 1
    offsets = np.frombuffer(array.buffers()[1], dtype="i8" if large else "i4", count=count)[array.offset :]
    return offsets.astype(np.int64)


def _lists(array: Any) -> np.ndarray[Any, Any]:
    import numpy as np
    import pyarrow as pa

    offsets = _offsets(array)
    inner = _structs_of([array.keys, array.items]) if pa.types.is_map(array.type) else _hashes(array.values)
    lengths = np.diff(offsets)
    inner = inner[offsets[0] : offsets[-1]]
    offsets -= offsets[0]
    _scramble(inner)
    inner *= (2 * (np.arange(len(inner)) - np.repeat(offsets[:-1], lengths)) + 1).astype(np.uint64)  # by its place
    _scramble(inner)
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(inner, dtype=np.uint64)])
    hashes: np.ndarray[Any, Any] = sums[offsets[1:]] - sums[offsets[:-1]] + lengths.astype(np.uint64)
    return hashes


def _structs(array: Any) -> np.ndarray[Any, Any]:
    return _structs_of(array.flatten())


def _structs_of(arrays: list[Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    rows = np.full(len(arrays[0]) if arrays else 0, _ODD, dtype=np.uint64)
    for array in arrays:
        rows ^= _hashes(array)
        _scramble(rows)
    return rows
