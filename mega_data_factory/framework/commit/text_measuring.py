"""Hashes and lengths of the texts of a column, in as few passes over their bytes as possible."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from mega_data_factory.framework.metrics.details.columns.distinct_count import Hashes
from mega_data_factory.framework.metrics.details.columns.value_histogram import Floats, Integers

_HIGH_BITS = np.uint64(0x8080_8080_8080_8080)
"""Bits of eight bytes of which one is set where they are not all ASCII."""


def hashes_of(values: pa.ChunkedArray) -> Hashes:
    """Return a 64-bit hash of each text or sequence of bytes; none is null."""
    return np.concatenate(
        [np.zeros(0, np.uint64), *(_hashes(chunk.cast(pa.large_binary())) for chunk in values.chunks)]
    )


def characters_of(values: pa.ChunkedArray) -> Floats:
    """Return the number of characters of each text; none is null.

    Bytes are counted where a text is ASCII: counting characters takes eight times as long as seeing that.
    """
    parts = [_characters(chunk.cast(pa.large_string())) for chunk in values.chunks]
    return np.concatenate([np.zeros(0), *parts])


def _hashes(values: pa.LargeBinaryArray) -> Hashes:
    edges, data = _content(values)
    if data is None:  # all are empty
        return np.full(len(values), xxhash.xxh3_64_intdigest(b""), np.uint64)
    content = memoryview(data)  # a slice of it copies nothing
    hashes = (xxhash.xxh3_64_intdigest(content[begin:end]) for begin, end in itertools.pairwise(edges.tolist()))
    return np.fromiter(hashes, np.uint64, len(values))


def _characters(values: pa.LargeStringArray) -> Floats:
    edges, data = _content(values)
    lengths = np.diff(edges).astype(np.float64)
    others = np.flatnonzero(~_are_ascii(edges, data)) if len(values) else edges[:0]
    if len(others):
        lengths[others] = pc.utf8_length(values.take(pa.array(others))).to_numpy()
    return lengths


def _are_ascii(edges: Integers, data: pa.Buffer | None) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return of which texts all bytes are known to be ASCII: those that share eight bytes with others may not be.

    Args:
        edges: Where texts begin and end in the data, of one entry more than there are texts.
        data: Their bytes.
    """
    words = np.frombuffer(data or b"", np.uint64, 0 if data is None else len(data) // 8)
    if not len(words):
        return np.zeros(len(edges) - 1, np.bool_)
    last = len(words) - 1
    first = np.minimum(edges // 8, last)
    bits = np.bitwise_or.reduceat(words, first[:-1]) | words[first[1:]]
    found: np.ndarray[Any, np.dtype[np.bool_]] = ((bits & _HIGH_BITS) == 0) & (edges[1:] <= 8 * len(words))
    return found


def _content(values: pa.Array) -> tuple[Integers, pa.Buffer | None]:
    """Return where each value begins and ends in a buffer, and the buffer; None if all are empty."""
    if not len(values):
        return np.zeros(1, np.int64), None
    _, offsets, data = values.buffers()
    return np.frombuffer(offsets, np.int64, len(values) + 1, values.offset * 8), data
