"""Words of a whole column at once, as slices of its UTF-8 bytes.

A word of `Words` is a maximal run of characters that are not white space (Unicode property White_Space). Scripts
written without spaces have few and long words by this definition; `UnicodeWords` finds theirs.

Cutting, counting and hashing go over the bytes with numpy and make no Python object per word, which costs about a
tenth of a loop over `str.split`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.ma  # polars asks for it at its first array, which would be in the first timed batch
import numpy.typing as npt
import polars as pl
import xxhash

Integers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

_WIDE_SPACE = r"[\u{85}\u{A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}]"
_TAB, _SPACE, _CONTROLS = np.uint8(0x09), np.uint8(0x20), np.uint8(5)
_PADDING = 8
_LONG_WORD = 512
_BLOCK_WORDS = 1 << 15
_BLOCK_BYTES = 1 << 18
_BEYOND_ASCII = 0x80
_FIRST_BYTES = np.array([(1 << (8 * n)) - 1 for n in range(9)], dtype=np.uint64)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_FINISHER = np.uint64(0xC2B2AE3D27D4EB4F)
_SHIFT = np.uint64(32)


@dataclass(frozen=True)
class Words:
    """The words of n texts, in order.

    Attributes:
        data: the UTF-8 bytes of all texts, with 8 bytes to spare.
        starts: byte position of every word.
        sizes: bytes of every word.
        bounds: n + 1 word numbers; text i has the words `bounds[i]` up to `bounds[i + 1]`.
        offsets: n + 1 byte positions where the texts begin and end, a line feed between them.
        continuations: for every text the bytes that do not begin a character.
    """

    data: npt.NDArray[np.uint8]
    starts: Integers
    sizes: Integers
    bounds: Integers
    offsets: Integers
    continuations: Integers

    @classmethod
    def from_text(cls, text: pl.Series) -> Words:
        """Cut a String series into words; null has none."""
        text = text.fill_null("")
        continuations = continuations_of(text)
        if len(wide := _with_wide_space(text, continuations)):
            text = text.clone().scatter(wide, text.gather(wide).str.replace_all(_WIDE_SPACE, " "))
            continuations = continuations_of(text)
        data, offsets = bytes_of(text)
        edges = _edges(data[:-_PADDING])
        starts = np.ascontiguousarray(edges[0::2])
        sizes = edges[1::2] - starts
        bounds = np.searchsorted(starts, offsets).astype(np.int64, copy=False)
        return cls(data, starts, sizes, bounds, offsets, continuations)

    @property
    def texts_of_wide_characters(self) -> pl.Series:
        """Numbers of the texts with more than two bytes a character."""
        return pl.Series(np.flatnonzero(2 * self.continuations > np.diff(self.offsets) - 1))

    @property
    def counts(self) -> Integers:
        """Words of every text."""
        return np.diff(self.bounds)

    @cached_property
    def owners(self) -> Integers:
        """For every word the number of its text."""
        return np.repeat(np.arange(len(self.bounds) - 1, dtype=np.int64), self.counts)

    @cached_property
    def characters(self) -> Integers:
        """Characters (code points) before every word and after the last, counting words only: n words, n + 1 sums."""
        sums = np.zeros(len(self.sizes) + 1, dtype=np.int64)
        for first, last in self._blocks():
            sums[first + 1 : last + 1] = self._lengths(first, last)
        return np.cumsum(sums, out=sums)

    @property
    def character_counts(self) -> Integers:
        """Characters of every text that belong to words, that is without white space."""
        ends = np.zeros(len(self.sizes) + 1, dtype=np.int64)
        np.cumsum(self.sizes, out=ends[1:])
        return np.diff(ends[self.bounds]) - self.continuations

    @cached_property
    def hashes(self) -> Hashes:
        """A 64-bit hash of every word, the same on every machine and in every version of the libraries below."""
        hashes = self.sizes.astype(np.uint64) * _MULTIPLIER
        window: Hashes = np.ndarray((len(self.data) - _PADDING + 1,), "<u8", self.data.data, strides=(1,))
        for first, last in self._blocks():
            _hash_block(hashes[first:last], window, self.starts[first:last], self.sizes[first:last])
        for word in np.flatnonzero(self.sizes > _LONG_WORD).tolist():
            start = int(self.starts[word])
            hashes[word] = xxhash.xxh3_64_intdigest(self.data[start : start + int(self.sizes[word])].tobytes())
        return hashes

    def different_of(self, wanted: Sequence[str]) -> Integers:
        """Count for every text the different ones of these words that occur in it.

        Args:
            wanted: no two alike; one that is itself cut into several words is never found.
        """
        cut = type(self).from_text(pl.Series(wanted, dtype=pl.String))
        hashes = np.sort(cut.hashes[cut.bounds[:-1][cut.counts == 1]])
        places = np.minimum(np.searchsorted(hashes, self.hashes), max(len(hashes) - 1, 0))
        hit = hashes[places] == self.hashes if len(hashes) else np.zeros(len(places), dtype=np.bool_)
        found = np.unique(self.owners[hit] * max(len(hashes), 1) + places[hit])
        return np.bincount(found // max(len(hashes), 1), minlength=len(self.counts))

    def _blocks(self) -> Iterator[tuple[int, int]]:
        """Yield the first word and the one behind the last of blocks whose arrays fit in the caches of a processor."""
        for first in range(0, len(self.starts), _BLOCK_WORDS):
            yield first, min(first + _BLOCK_WORDS, len(self.starts))

    def _lengths(self, first: int, last: int) -> Integers:
        """Return the characters of the words `first` up to `last`."""
        starts, sizes = self.starts[first:last], self.sizes[first:last]
        begin, end = int(starts[0]), int(starts[-1] + sizes[-1])
        data = self.data[begin:end]
        if data.max() < _BEYOND_ASCII:
            return sizes
        continuations = np.zeros(len(data) + 1, dtype=np.int64 if len(data) >= 1 << 31 else np.int32)
        np.cumsum((data & 0xC0) == _BEYOND_ASCII, out=continuations[1:])
        starts = starts - begin
        inside: Integers = continuations[starts + sizes] - continuations[starts]
        return sizes - inside


def _edges(raw: npt.NDArray[np.uint8]) -> Integers:
    """Return where words begin and end, in turn: bytes that are white space beside bytes that are not.

    Args:
        raw: bytes that end with white space.
    """
    edges = [np.zeros(0, dtype=np.int64)]
    inside_before = False
    for begin in range(0, len(raw), _BLOCK_BYTES):
        block = raw[begin : begin + _BLOCK_BYTES]
        inside = np.empty(len(block) + 1, dtype=np.bool_)
        inside[0] = inside_before
        np.logical_not((block == _SPACE) | (block - _TAB < _CONTROLS), out=inside[1:])
        edges.append(np.flatnonzero(inside[1:] != inside[:-1]) + begin)
        inside_before = bool(inside[-1])
    return np.concatenate(edges)


def _hash_block(hashes: Hashes, window: Hashes, starts: Integers, sizes: Integers) -> None:
    """Add the bytes of words to their hashes, eight at a time, up to `_LONG_WORD`.

    Args:
        hashes: of every word, changed in place.
        window: the eight bytes from each byte position on, as a number.
        starts: byte position of every word.
        sizes: bytes of every word.
    """
    hashes[:] = scramble(hashes ^ (window[starts] & _FIRST_BYTES[np.minimum(sizes, 8)]))
    longest = int(sizes.max())
    active = np.flatnonzero(sizes > 8)
    for done in range(8, min(longest, _LONG_WORD), 8):
        active = active[sizes[active] > done]
        left = np.minimum(sizes[active] - done, 8)
        chunk = window[starts[active] + done] & _FIRST_BYTES[left]
        hashes[active] = scramble(hashes[active] ^ chunk)


def scramble(values: Hashes) -> Hashes:
    """Spread every bit over all 64: multiply, fold, multiply, fold. A bijection, so no two values collide."""
    values = values * _MULTIPLIER
    values ^= values >> _SHIFT
    values *= _FINISHER
    values ^= values >> _SHIFT
    return values


def continuations_of(text: pl.Series) -> Integers:
    """Return for every text the number of bytes that do not begin a character. There is no null among the texts."""
    return (text.str.len_bytes() - text.str.len_chars()).to_numpy().astype(np.int64)


def bytes_of(text: pl.Series) -> tuple[npt.NDArray[np.uint8], Integers]:
    """Return the bytes of all texts, each closed by a line feed, and the n + 1 positions where they begin and end.

    Behind the last text there are 8 more bytes, as `Words.data` has them.
    """
    padding = pl.Series(["\n" * (_PADDING - 1)])
    closed = pl.concat([text.rename(""), padding]) + "\n"
    array = closed.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offset_buffer, data = array.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    first = int(offsets[0])
    return np.frombuffer(data, dtype=np.uint8)[first : int(offsets[-1])], offsets[:-1] - first


def _with_wide_space(text: pl.Series, continuations: Integers) -> pl.Series:
    """Return the numbers of the texts that have white space outside ASCII."""
    beyond_ascii = pl.Series(np.flatnonzero(continuations))
    return (
        beyond_ascii.filter(text.gather(beyond_ascii).str.contains(_WIDE_SPACE)) if len(beyond_ascii) else beyond_ascii
    )
