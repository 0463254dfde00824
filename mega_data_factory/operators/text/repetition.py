"""Repetition in texts, of lines and word n-grams, for a whole column at once.

An n-gram can only occur twice where its first n - 1 words do. So the search starts with the words that occur twice in
their text and grows only those, one word at a time; most of a column is decided after two or three words. Each step
sorts 64-bit numbers that hold the shorter n-gram, the next word and the place, from high bits to low: equal n-grams
come to lie together, in the order of the text. Sorting plain integers is what numpy does fastest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from mega_data_factory.operators.text.lines import ratio
from mega_data_factory.operators.text.words import Hashes, Integers, Words


@dataclass(frozen=True)
class Repeats:
    """The n-grams of one length that occur at least twice in their text.

    Attributes:
        length: words of an n-gram.
        places: the word number at which every occurrence begins; occurrences of one n-gram lie together, ascending.
        runs: where in `places` every n-gram begins.
        counts: how often every n-gram occurs.
    """

    length: int
    places: Integers
    runs: Integers
    counts: Integers

    @property
    def later_places(self) -> Integers:
        """Return where the second and every later occurrence of an n-gram begins."""
        later = np.ones(len(self.places), dtype=np.bool_)
        later[self.runs] = False
        return self.places[later]


def repeats(words: Words, longest: int) -> Iterator[Repeats]:
    """Yield the repeated n-grams of every text for n = 1, 2, … `longest`."""
    total = len(words.starts)
    ids, order = dense_ids(words.hashes)
    ends = words.bounds[1:][words.owners]
    found = _repeats_of(1, order, ids[order], words.owners)
    yield found
    for length in range(2, longest + 1):
        gram = np.repeat(np.arange(len(found.runs), dtype=np.int64), found.counts)
        fits = found.places + length <= ends[found.places]
        places, gram = found.places[fits], gram[fits]
        following = ids[places + length - 1] if total else places
        order = sorted_order(gram, following, places)
        gram, following = gram[order], following[order]
        found = _repeats_of(length, places[order], gram * (total + 1) + following, words.owners)
        yield found


def dense_ids(hashes: Hashes) -> tuple[Integers, Integers]:
    """Return a number for each distinct hash, from 0, and the order that sorts by number and then by place."""
    total = len(hashes)
    bits = np.uint64(max(total, 1).bit_length())
    tagged = np.sort((hashes << bits) | np.arange(total, dtype=np.uint64))
    order = (tagged & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
    grouped = hashes[order]
    changes = grouped[1:] != grouped[:-1]
    if np.any(changes & (tagged[1:] >> bits == tagged[:-1] >> bits)):  # unlike hashes share their low bits
        order = np.argsort(hashes, kind="stable").astype(np.int64)
        grouped = hashes[order]
        changes = grouped[1:] != grouped[:-1]
    ids = np.zeros(total, dtype=np.int64)
    ids[order[1:]] = np.cumsum(changes)
    return ids, order


def sorted_order(major: Integers, minor: Integers, places: Integers, *, key_bits: int = 64) -> Integers:
    """Return the order that sorts by `major`, then `minor`, then `places`; all of them numbers of at least 0.

    Args:
        major: first key.
        minor: second key.
        places: third key, no two alike.
        key_bits: width of the sort key; where the three do not fit, a slower sort gives the same order.
    """
    widths = [int(values.max(initial=0)).bit_length() for values in (major, minor, np.array([len(places)]))]
    if sum(widths) > key_bits:
        return np.lexsort((places, minor, major)).astype(np.int64)
    by_place = np.argsort(places)
    low = np.uint64(widths[2])
    pair = (major[by_place].astype(np.uint64) << np.uint64(widths[1])) | minor[by_place].astype(np.uint64)
    key = np.sort((pair << low) | np.arange(len(places), dtype=np.uint64))
    rank = (key & ((np.uint64(1) << low) - np.uint64(1))).astype(np.int64)
    return by_place[rank].astype(np.int64)


def duplicate_fractions(
    owners: Integers, characters: Integers, hashes: Hashes, num_texts: int
) -> tuple[pl.Series, pl.Series]:
    """Return the repeated lines or paragraphs: second and later occurrences in their text.

    Args:
        owners: for every line the number of its text.
        characters: its characters.
        hashes: equal for equal lines.
        num_texts: how many texts there are.

    Returns:
        For every text the fraction of its lines that are duplicates, and the fraction of characters in those.
    """
    _, order = dense_ids(hashes)
    duplicate = np.zeros(len(order), dtype=np.bool_)
    hashes, owner = hashes[order], owners[order]
    duplicate[order[1:]] = (hashes[1:] == hashes[:-1]) & (owner[1:] == owner[:-1])
    count = np.bincount(owners[duplicate], minlength=num_texts)
    in_duplicates = np.bincount(owners[duplicate], weights=characters[duplicate], minlength=num_texts)
    all_characters = np.bincount(owners, weights=characters, minlength=num_texts)
    return ratio(count, np.bincount(owners, minlength=num_texts)), ratio(in_duplicates, all_characters)


def _repeats_of(length: int, places: Integers, grams: Integers, owners: Integers) -> Repeats:
    """Keep what occurs twice in one text, given places sorted by n-gram and then by place."""
    owner = owners[places]
    begins = np.ones(len(places), dtype=np.bool_)
    begins[1:] = (grams[1:] != grams[:-1]) | (owner[1:] != owner[:-1])
    runs = np.flatnonzero(begins)
    counts = np.diff(runs, append=len(places))
    twice = counts > 1
    counts = counts[twice]
    kept = places[np.repeat(twice, np.diff(runs, append=len(places)))]
    return Repeats(length, kept, np.cumsum(counts) - counts, counts)
