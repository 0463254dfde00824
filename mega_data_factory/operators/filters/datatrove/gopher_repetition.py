"""Gopher's repetition rules as datatrove has them.

All shares are of all characters of the text. Lines and paragraphs are not stripped. A top n-gram is the first one among
equals, has spaces between its words, and counts also where it occurs once. Duplicate n-grams are searched from left to
right: the search continues behind one that occurred before, so that those it overlaps are neither counted nor
remembered. N-grams are equal if their words are equal when put together without spaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from mega_data_factory.framework.contracts import Rule
from mega_data_factory.operators.filters.datatrove.characters import PYTHON_SPACES
from mega_data_factory.operators.filters.datatrove.parts import Parts
from mega_data_factory.operators.filters.text_filter import above, flagged
from mega_data_factory.operators.text.lines import ratio
from mega_data_factory.operators.text.ngrams import Part, Repeats, parts, repeats, repeats_of_hashes
from mega_data_factory.operators.text.words import Hashes, Integers, Words, scramble

if TYPE_CHECKING:
    from mega_data_factory.operators.filters.gopher_repetition_filter import GopherRepetitionFilter

_COUNT_BITS = 32
_LAST = (1 << _COUNT_BITS) - 1
_BASE = 0x9FB21C651E98DF25
_INVERSE = pow(_BASE, -1, 1 << 64)
_BYTE_VALUES = scramble(np.arange(1, 257, dtype=np.uint64))


def datatrove_rules(limits: GopherRepetitionFilter, text: pl.Series) -> Iterator[Rule]:
    """Compare the shares of paragraphs, lines and n-grams with the limits of the filter."""
    yield flagged("empty_text", text == "")
    text = text.fill_null("")
    characters = text.str.len_chars().to_numpy().astype(np.int64)
    stripped = text.str.strip_chars(PYTHON_SPACES)
    paragraphs = Parts.of_lists(stripped.str.replace_all(r"\n{2,}", "\n\n").str.split("\n\n"))
    most, most_characters = limits.max_duplicate_paragraphs, limits.max_duplicate_paragraph_characters
    yield from _duplicate_rules("paragraph", paragraphs, characters, most, most_characters)
    lines = Parts.of_lists(text.str.replace_all(r"\n+", "\n").str.split("\n"))
    most, most_characters = limits.max_duplicate_lines, limits.max_duplicate_line_characters
    yield from _duplicate_rules("line", lines, characters, most, most_characters)
    yield from _ngram_rules(limits, limits.words_of(text), characters)


def _duplicate_rules(
    kind: str, parts: Parts, characters: Integers, most: float | None, most_characters: float | None
) -> Iterator[Rule]:
    """Compare the shares of parts that are duplicates, and of the characters in them, with their limits.

    Args:
        kind: of the parts, as the reasons name it.
        parts: of every text.
        characters: of every text.
        most: greatest share of parts that are duplicates; None for no limit.
        most_characters: greatest share of characters in them; None for no limit.
    """
    count, inside = parts.duplicates()
    reason, of_characters = f"duplicate_{kind}s", f"duplicate_{kind}_characters"
    yield from above(reason, ratio(count, parts.counts), most, f"max_{reason}")
    yield from above(of_characters, ratio(inside, characters), most_characters, f"max_{of_characters}")


def _ngram_rules(limits: GopherRepetitionFilter, words: Words, characters: Integers) -> Iterator[Rule]:
    top = {n: np.zeros(len(characters), dtype=np.int64) for n in limits.max_top_ngram}
    duplicate = {n: np.zeros(len(characters), dtype=np.int64) for n in limits.max_duplicate_ngram}
    for first, last in parts(words.bounds):
        part = Part.of_words(words, first, last)
        found = {one.length: one for one in repeats(part, range(min(top), max(top) + 1))} if top else {}
        for n, of_texts in top.items():
            of_texts[first:last] = _top_characters(part, n, found.get(n))
        prefixes = _Prefixes.of_words(words, first, last)
        for n, of_texts in duplicate.items():
            hashes = prefixes.hashes(part.places(n), n)
            of_texts[first:last] = _duplicate_characters(part, repeats_of_hashes(part, n, hashes))
    for n, limit in limits.max_top_ngram.items():
        yield from above(f"top_{n}_gram", ratio(top[n], characters), limit, f"max_top_ngram.{n}")
    for n, limit in limits.max_duplicate_ngram.items():
        yield from above(f"duplicate_{n}_gram", ratio(duplicate[n], characters), limit, f"max_duplicate_ngram.{n}")


def _top_characters(part: Part, length: int, found: Repeats | None) -> Integers:
    """Return the characters in all occurrences of the most frequent n-gram of every text; 0 if it has no n-gram."""
    counts = np.bincount(part.owners, minlength=part.num_texts)
    begins = np.cumsum(counts) - counts
    best = np.where(counts >= length, (1 << _COUNT_BITS) | _LAST, 0)
    if found is not None:
        owners = part.owners[found.firsts]
        np.maximum.at(best, owners, (found.counts << _COUNT_BITS) | (_LAST - (found.firsts - begins[owners])))
    first = np.where(best > 0, begins + _LAST - (best & _LAST), 0)
    last = np.where(best > 0, first + length, 0)
    length_of_one = part.characters[last] - part.characters[first] + length - 1
    return (best >> _COUNT_BITS) * length_of_one


def _duplicate_characters(part: Part, found: Repeats) -> Integers:
    """Return the characters of every text in n-grams that occurred before, none of which overlap."""
    seen: set[int] = set()
    again = []
    free = 0
    for place, gram in zip(found.places.tolist(), found.grams.tolist(), strict=True):
        if place < free:
            continue
        if gram in seen:
            again.append(place)
            free = place + found.length
        else:
            seen.add(gram)
    places = np.array(again, dtype=np.int64)
    inside = part.characters[places + found.length] - part.characters[places]
    return np.bincount(part.owners[places], weights=inside, minlength=part.num_texts).astype(np.int64)


class _Prefixes:
    """Hashes of all strings that words in a row make when put together, by a polynomial over their bytes."""

    def __init__(self, ends: Integers, sums: Hashes, inverses: Hashes) -> None:
        self._ends = ends
        self._sums = sums
        self._inverses = inverses

    @classmethod
    def of_words(cls, words: Words, first: int, last: int) -> _Prefixes:
        """Take the words of the texts `first` up to `last`."""
        start, end = int(words.bounds[first]), int(words.bounds[last])
        sizes = words.sizes[start:end]
        ends = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
        places = np.repeat(words.starts[start:end] - ends[:-1], sizes) + np.arange(ends[-1])
        terms = _BYTE_VALUES[words.data[places]] * _powers(_BASE, len(places))
        sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(terms)])
        return cls(ends, sums[ends], _powers(_INVERSE, len(places) + 1)[ends])

    def hashes(self, places: Integers, length: int) -> Hashes:
        """Return the hash of `length` words from each place on."""
        found: Hashes = (self._sums[places + length] - self._sums[places]) * self._inverses[places]
        return found


def _powers(base: int, count: int) -> Hashes:
    """Return the powers 0, 1, … of a number, modulo 2^64."""
    factors = np.full(count, base, dtype=np.uint64)
    factors[:1] = 1
    powers: Hashes = np.multiply.accumulate(factors)
    return powers
