"""Repeated word n-grams of a whole column at once.

An n-gram can only occur twice where both (n - 1)-grams in it do. So the search starts with the n-grams of the least
length that is wanted, numbers those that occur twice in their text, and grows only these, one word at a time: an
n-gram is the pair of the numbers of its two halves. Each step sorts 64-bit integers that hold the pair and the place,
from high bits to low, which is what numpy does fastest; the texts are taken in parts whose arrays fit in the caches of
a processor.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from mega_data_factory.operators.text.lines import ratio
from mega_data_factory.operators.text.words import Hashes, Integers, Words, scramble

_PART_WORDS = 1 << 16
_COUNT_BITS = 32
_STEP = np.uint64(0x9FB21C651E98DF25)


@dataclass(frozen=True)
class NgramFractions:
    """Shares of a text's word characters that lie in repeated n-grams, one Float64 series for each n.

    Attributes:
        top: for n, the share in occurrences of the most frequent n-gram (the longest among equals), at most 1; 0 where
            none occurs twice.
        duplicate: for n, the share in second and later occurrences of n-grams, each character once.
    """

    top: dict[int, pl.Series]
    duplicate: dict[int, pl.Series]

    @classmethod
    def from_words(cls, words: Words, top: Collection[int], duplicate: Collection[int]) -> NgramFractions:
        """Measure every text.

        Args:
            words: of the texts.
            top: the n for which `top` is wanted.
            duplicate: the n for which `duplicate` is wanted.
        """
        of_top = {n: np.zeros(len(words.counts), dtype=np.int64) for n in top}
        of_duplicates = {n: np.zeros(len(words.counts), dtype=np.int64) for n in duplicate}
        lengths = sorted({*top, *duplicate})
        for first, last in parts(words.bounds) if lengths else ():
            part = Part.of_words(words, first, last)
            for found in repeats(part, range(lengths[0], lengths[-1] + 1)):
                if found.length in of_top:
                    of_top[found.length][first:last] = part.top_characters(found)
                if found.length in of_duplicates:
                    of_duplicates[found.length][first:last] = part.duplicate_characters(found)
        whole = np.diff(words.characters[words.bounds])
        return cls(
            {n: ratio(np.minimum(characters, whole), whole) for n, characters in of_top.items()},
            {n: ratio(characters, whole) for n, characters in of_duplicates.items()},
        )


@dataclass(frozen=True)
class Repeats:
    """The n-grams of one length that occur at least twice in their text.

    Attributes:
        length: words of an n-gram.
        places: the word number at which every occurrence begins, ascending.
        grams: for every occurrence the number of its n-gram, from 0.
        again: for every occurrence whether it is not the first of its n-gram.
        firsts: for every n-gram the place of its first occurrence.
        counts: how often every n-gram occurs.
    """

    length: int
    places: Integers
    grams: Integers
    again: npt.NDArray[np.bool_]
    firsts: Integers
    counts: Integers


@dataclass(frozen=True)
class Part:
    """Some texts of a column.

    Attributes:
        hashes: of every word.
        owners: for every word the number of its text, from 0.
        characters: characters before every word and after the last: n words, n + 1 sums.
        num_texts: how many texts there are.
    """

    hashes: Hashes
    owners: Integers
    characters: Integers
    num_texts: int

    @classmethod
    def of_words(cls, words: Words, first: int, last: int) -> Part:
        """Take the texts `first` up to `last`."""
        start, end = int(words.bounds[first]), int(words.bounds[last])
        owners = np.repeat(np.arange(last - first), np.diff(words.bounds[first : last + 1]))
        return cls(words.hashes[start:end], owners, words.characters[start : end + 1], last - first)

    def places(self, length: int) -> Integers:
        """Return the word numbers at which an n-gram of this length begins."""
        total = max(len(self.owners) - length + 1, 0)
        return np.flatnonzero(self.owners[:total] == self.owners[length - 1 :])

    def top_characters(self, found: Repeats) -> Integers:
        """Return the characters of every text in occurrences of its most frequent n-gram; overlaps count twice."""
        length = self.characters[found.firsts + found.length] - self.characters[found.firsts]
        best = np.zeros(self.num_texts, dtype=np.int64)
        np.maximum.at(best, self.owners[found.firsts], (found.counts << _COUNT_BITS) | length)
        return (best >> _COUNT_BITS) * (best & ((1 << _COUNT_BITS) - 1))

    def duplicate_characters(self, found: Repeats) -> Integers:
        """Return the characters of every text in second and later occurrences of n-grams, each once."""
        later = found.places[found.again]
        ends = later + found.length
        starts = later.copy()
        np.maximum(later[1:], ends[:-1], out=starts[1:])  # what the occurrence before covers is counted there
        covered = self.characters[ends] - self.characters[starts]
        return np.bincount(self.owners[later], weights=covered, minlength=self.num_texts).astype(np.int64)


def parts(bounds: Integers) -> Iterator[tuple[int, int]]:
    """Yield the first text and the one behind the last of parts that have about `_PART_WORDS` words."""
    first = 0
    while first < len(bounds) - 1:
        behind = int(np.searchsorted(bounds, bounds[first] + _PART_WORDS, side="right")) - 1
        last = max(first + 1, behind)
        yield first, last
        first = last


def repeats(part: Part, lengths: range) -> Iterator[Repeats]:
    """Yield the repeated n-grams for every length, from the shortest; stop behind the last length that has any."""
    found = _shortest(part, lengths[0])
    for length in lengths:
        if length > lengths[0]:
            follows = np.flatnonzero(found.places[1:] - found.places[:-1] == 1)
            order, begins = sorted_pairs(found.grams[follows], found.grams[follows + 1])
            found = _grouped(length, found.places[follows], order, begins)
        if not len(found.places):
            return
        yield found


def _shortest(part: Part, length: int) -> Repeats:
    """Return the repeated n-grams of the shortest length, by hash."""
    places = part.places(length)
    grams = scramble(part.hashes[places])
    for step in range(1, length):
        grams = scramble(grams * _STEP + part.hashes[places + step])
    return repeats_of_hashes(part, length, grams)


def repeats_of_hashes(part: Part, length: int, hashes: Hashes) -> Repeats:
    """Return the n-grams that occur at least twice in their text.

    Args:
        part: the texts.
        length: words of an n-gram.
        hashes: of the n-grams at `part.places(length)`, equal for those that count as equal.
    """
    places = part.places(length)
    grams = scramble(hashes + part.owners[places].astype(np.uint64))
    order = hash_order(grams)
    grams, owners = grams[order], part.owners[places[order]]
    begins = np.ones(len(places), dtype=np.bool_)
    begins[1:] = (grams[1:] != grams[:-1]) | (owners[1:] != owners[:-1])
    return _grouped(length, places, order, begins)


def _grouped(length: int, places: Integers, order: Integers, begins: npt.NDArray[np.bool_]) -> Repeats:
    """Keep the n-grams that occur twice.

    Args:
        length: of the n-grams.
        places: where they begin, ascending.
        order: indexes into `places` that put equal n-grams together, ascending within them.
        begins: for every entry of `order` whether it is the first of its n-gram.
    """
    twice = np.ones(len(order), dtype=np.bool_)
    twice[:-1] = ~(begins[:-1] & begins[1:])
    if len(order):
        twice[-1] = not begins[-1]
    order, begins = order[twice], begins[twice]
    runs = np.flatnonzero(begins)
    numbers = np.zeros(len(places), dtype=np.int64)
    numbers[order] = np.cumsum(begins)
    again = np.ones(len(places), dtype=np.bool_)
    again[order[runs]] = False
    kept = np.flatnonzero(numbers)
    return Repeats(
        length, places[kept], numbers[kept] - 1, again[kept], places[order[runs]], np.diff(runs, append=len(order))
    )


def hash_order(hashes: Hashes) -> Integers:
    """Return the order that sorts by hash, not by its size, and then by place: equal hashes lie together."""
    bits = np.uint64(len(hashes).bit_length())
    tagged = np.sort((hashes << bits) | np.arange(len(hashes), dtype=np.uint64))
    order = (tagged & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
    grouped = hashes[order]
    low_alike = tagged[1:] >> bits == tagged[:-1] >> bits
    if np.any(low_alike & (grouped[1:] != grouped[:-1])):  # unlike hashes share their low bits
        return np.argsort(hashes, kind="stable").astype(np.int64)
    return order


def sorted_pairs(major: Integers, minor: Integers, *, key_bits: int = 64) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Return the order that sorts by pair and then by place, and for every entry whether it begins a new pair.

    Args:
        major: first number of every pair, at least 0.
        minor: second number of every pair, at least 0.
        key_bits: width of the sort key; where pair and place do not fit, a slower sort gives the same order.
    """
    begins = np.ones(len(major), dtype=np.bool_)
    major_bits, minor_bits, place_bits = (
        int(largest).bit_length() for largest in (major.max(initial=0), minor.max(initial=0), len(major))
    )
    if major_bits + minor_bits + place_bits > key_bits:
        order = np.lexsort((minor, major)).astype(np.int64)
        begins[1:] = (np.diff(major[order]) != 0) | (np.diff(minor[order]) != 0)
        return order, begins
    key = (major << (minor_bits + place_bits)) | (minor << place_bits) | np.arange(len(major))
    tagged = np.sort(key.view(np.uint64))
    pairs = tagged >> np.uint64(place_bits)
    begins[1:] = pairs[1:] != pairs[:-1]
    return (tagged & np.uint64((1 << place_bits) - 1)).view(np.int64), begins
