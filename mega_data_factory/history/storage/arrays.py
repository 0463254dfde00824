"""Arrays of Arrow and of NumPy that share their memory.

`pyarrow.array` and `to_numpy` import pandas, to see whether they have to do with something of it: half a second in the
middle of a point.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mega_data_factory.history.series import Floats

Number = TypeVar("Number", np.int64, np.float64)


def arrow_array(
    kind: pa.DataType, values: npt.NDArray[np.generic], missing: npt.NDArray[np.bool_] | None = None
) -> pa.Array:
    """Return rows as an array of Arrow, null if they are missing."""
    validity = None
    if missing is not None and missing.any():
        validity = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(np.ascontiguousarray(values))])


def doubles(array: pa.Array) -> Floats:
    """Return doubles or decimals as float64, shape (n,), NaN if the array is null."""
    if pa.types.is_decimal(array.type):
        values: Floats = rows(array, np.int64, words=2)[::2] / 10.0**array.type.scale
    else:
        values = rows(array, np.float64)
    if not array.null_count:
        return values
    valid = np.unpackbits(np.frombuffer(array.buffers()[0], np.uint8), bitorder="little")
    return np.where(valid[array.offset : array.offset + len(array)], values, np.nan)


def rows(array: pa.Array, kind: type[Number], words: int = 1) -> npt.NDArray[Number]:
    """Return the memory of an array, which has `words` words of a kind for each row."""
    if not len(array):
        return np.empty(0, kind)
    return np.frombuffer(array.buffers()[1], kind)[words * array.offset : words * (array.offset + len(array))]
