"""Words by Unicode's word boundaries, with dictionaries for the scripts that put no space between words.

Boundaries are those of Unicode Standard Annex #29, as ICU finds them; Chinese, Japanese, Thai, Lao, Khmer and Burmese
are cut by ICU's dictionaries. A word is what lies between two boundaries and has an alphabetic character or a number;
punctuation, symbols and emoji are segments, but no words. The locale is the root, so languages may be mixed in a text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from mega_data_factory.operators.text.scripts import ALPHABETIC, NUMERIC, SPACE, flags_of
from mega_data_factory.operators.text.words import Integers, Words, bytes_of, continuations_of

_ROOT = "und"
_CHUNK_BYTES = 1 << 22
_ONE_OF_EACH = "人工知能は ปัญญาประดิษฐ์ ປະເທດລາວ កម្ពុជា မြန်မာ 인공지능 a"


@dataclass(frozen=True)
class UnicodeWords(Words):
    """The words of n texts, in order, and what else lies between boundaries.

    Attributes:
        segments: for every text what lies between boundaries and is not white space: words, punctuation, symbols.
        alphabetic: for every text the words with an alphabetic character.
    """

    segments: Integers
    alphabetic: Integers

    @classmethod
    def from_text(cls, text: pl.Series) -> UnicodeWords:
        """Cut a String series into words; null has none."""
        text = text.fill_null("")
        data, offsets = bytes_of(text)
        raw = data[: offsets[-1]]
        ends = _segment_ends(raw, offsets)
        begins = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]]) if len(ends) else ends
        flags = flags_of(raw.tobytes().decode().encode("utf-32-le"))
        any_flag = np.bitwise_or.reduceat(flags, begins) if len(begins) else flags
        is_word = (any_flag & (ALPHABETIC | NUMERIC)) != 0
        is_segment = is_word | ((flags[begins] & SPACE) == 0)
        in_bytes = np.append(np.flatnonzero((raw & 0xC0) != 0x80), len(raw))
        starts = in_bytes[begins]

        def of_each_text(wanted: npt.NDArray[np.bool_]) -> Integers:
            return np.diff(np.searchsorted(starts[wanted], offsets)).astype(np.int64, copy=False)

        return cls(
            data=data,
            starts=starts[is_word],
            sizes=(in_bytes[ends] - starts)[is_word],
            bounds=np.searchsorted(starts[is_word], offsets).astype(np.int64, copy=False),
            offsets=offsets,
            continuations=continuations_of(text),
            segments=of_each_text(is_segment),
            alphabetic=of_each_text(is_word & ((any_flag & ALPHABETIC) != 0)),
        )

    @property
    def character_counts(self) -> Integers:
        """Characters of every text that belong to words."""
        return np.diff(self.characters[self.bounds])

    def lowercased(self, text: pl.Series) -> UnicodeWords:
        """Return the words of the same texts in lower case, cut again only where that changes the size of a letter.

        Args:
            text: the texts that these words are of.
        """
        lower = text.fill_null("").str.to_lowercase()
        data = bytes_of(lower)[0]
        if len(data) == len(self.data) and np.array_equal((data & 0xC0) == 0x80, (self.data & 0xC0) == 0x80):
            return replace(self, data=data)
        return UnicodeWords.from_text(lower)


def load() -> None:
    """Load ICU, its dictionaries and the table of characters, which the first text would wait for."""
    UnicodeWords.from_text(pl.Series([_ONE_OF_EACH]))


def _segment_ends(raw: npt.NDArray[np.uint8], offsets: Integers) -> Integers:
    """Return where the segments of all texts end, in characters."""
    from icu4py.breakers import WordBreaker  # 43 MB that only these words need

    ends = [np.zeros(0, dtype=np.int64)]
    before = 0
    for start, end in _chunks(offsets):
        part = raw[start:end]
        breaker = WordBreaker(part.tobytes().decode(), _ROOT)
        found = np.fromiter(itertools.chain.from_iterable(breaker.segments()), dtype=np.int64)[1::2]
        in_characters = _characters_of_units(part)
        ends.append(before + (found if in_characters is None else in_characters[found]))
        before = int(ends[-1][-1])
    return np.concatenate(ends)


def _chunks(offsets: Integers) -> Iterator[tuple[int, int]]:
    """Cut bytes between texts into parts of about 4 MiB, so that ICU's copy stays small."""
    first = 0
    while first < len(offsets) - 1:
        end = int(offsets[first]) + _CHUNK_BYTES
        last = max(first + 1, int(np.searchsorted(offsets, end, side="right")) - 1)
        yield int(offsets[first]), int(offsets[last])
        first = last


def _characters_of_units(raw: npt.NDArray[np.uint8]) -> Integers | None:
    """Return for every UTF-16 position, which is what ICU counts in, the character; None if they are the same."""
    wide = raw[(raw & 0xC0) != 0x80] >= 0xF0
    if not wide.any():
        return None
    units = wide.astype(np.int64) + 1
    return np.append(np.repeat(np.arange(len(units)), units), len(units))
