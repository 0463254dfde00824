"""Arrays of whole numbers as short text, for details on their way between processes and in the commit log."""

from __future__ import annotations

import base64
import zlib
from typing import Any, TypeAlias

import numpy as np

_Numbers: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_WIDEST_PACKED = 4
"""Bytes of a number above which nothing is compressed: the bits of floating-point numbers look like chance."""


def to_text(numbers: _Numbers) -> list[Any]:
    """Return numbers of at least 0 as JSON values: how many, bytes of each, and base64 of the narrowest form.

    Args:
        numbers: Shape (n,), of any type of integers.
    """
    kind = np.min_scalar_type(int(numbers.max()) if len(numbers) else 0)
    content = numbers.astype(kind.newbyteorder("<")).tobytes()
    if kind.itemsize <= _WIDEST_PACKED:
        content = zlib.compress(content, 1)
    return [len(numbers), kind.itemsize, base64.b64encode(content).decode()]


def from_text(values: list[Any]) -> _Numbers:
    """Return the numbers of which `to_text` made `values`, as int64; those of 8 bytes wrap around."""
    number, width, text = values
    content = base64.b64decode(text)
    if width <= _WIDEST_PACKED:
        content = zlib.decompress(content)
    return np.frombuffer(content, f"<u{width}", number).astype(np.int64)
