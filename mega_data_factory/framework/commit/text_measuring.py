"""Hashes and lengths of the texts of a column, in as few passes over their bytes as possible."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import xxhash

from mega_data_factory.framework.metrics.details.columns.distinct_count import Hashes
from mega_data_factory.framework.metrics.details.columns.value_histogram import Floats, Integers

_LEAST_FIRST_BYTE = np.int8(-64)
"""As signed numbers, the bytes of UTF-8 below it continue a character: 10xxxxxx."""


def hashes_of(values: pa.ChunkedArray) -> Hashes:
    """Return a 64-bit hash of each text or sequence of bytes; none is null."""
    return np.concatenate(
        [np.zeros(0, np.uint64), *(_hashes(chunk.cast(pa.large_binary())) for chunk in values.chunks)]
    )


def characters_of(values: pa.ChunkedArray) -> Floats:
    """Return the number of characters of each text; none is null."""
    parts = [_characters(chunk.cast(pa.large_string())) for chunk in values.chunks]
    return np.concatenate([np.zeros(0), *parts])


def _hashes(values: pa.LargeBinaryArray) -> Hashes:
    edges, data = _content(values)
    if data is None:  # all are empty
        return np.full(len(values), xxhash.xxh3_64_intdigest(b""), np.uint64)
    content = memoryview(data)  # a slice of it copies nothing
    places = edges.tolist()
    texts = map(content.__getitem__, map(slice, places[:-1], places[1:]))  # without a frame of Python for each
    return np.fromiter(map(xxhash.xxh3_64_intdigest, texts), np.uint64, len(values))


def _characters(values: pa.LargeStringArray) -> Floats:
    edges, data = _content(values)
    lengths = np.diff(edges)
    if data is not None:
        start = int(edges[0])
        inner = np.frombuffer(data, np.int8, int(edges[-1]) - start, start) < _LEAST_FIRST_BYTE
        if inner.any():
            places = (edges - start).tolist()
            lengths -= [np.count_nonzero(inner[begin:end]) for begin, end in itertools.pairwise(places)]
    return lengths.astype(np.float64)


def _content(values: pa.Array) -> tuple[Integers, pa.Buffer | None]:
    """Return where each value begins and ends in a buffer, and the buffer; None if all are empty."""
    if not len(values):
        return np.zeros(1, np.int64), None
    _, offsets, data = values.buffers()
    return np.frombuffer(offsets, np.int64, len(values) + 1, values.offset * 8), data
