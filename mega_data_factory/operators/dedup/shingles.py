"""Hashed n-grams (shingles) of whole columns, the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from mega_data_factory.operators.text.words import Hashes, Integers, Words, scramble

_BASE = np.uint64(0x9FB21C651E98DF25)


@dataclass(frozen=True)
class Shingles:
    """The n-grams of n texts, in order.

    Attributes:
        hashes: a 64-bit hash of every n-gram.
        bounds: n + 1 numbers; text i has the n-grams `bounds[i]` up to `bounds[i + 1]`.
    """

    hashes: Hashes
    bounds: Integers


def of_words(words: Words, size: int) -> Shingles:
    """Return n-grams of `size` words; a text with fewer words has one of all of them, one without words has none."""
    return _roll(words.hashes, words.bounds, size)


def of_characters(text: pl.Series, size: int) -> Shingles:
    """Return n-grams of `size` characters, white space collapsed to one space; shorter texts as with words."""
    texts = text.fill_null("").str.replace_all(r"\s+", " ").str.strip_chars().to_list()
    points = np.frombuffer("".join(texts).encode("utf-32-le"), dtype="<u4").astype(np.uint64)
    bounds = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum([len(item) for item in texts], dtype=np.int64)])
    return _roll(scramble(points + np.uint64(1)), bounds, size)


def _roll(units: Hashes, bounds: Integers, size: int) -> Shingles:
    counts = np.diff(bounds)
    shingle_counts = np.where(counts >= size, counts - size + 1, np.minimum(counts, 1))
    owners = np.repeat(np.arange(len(counts)), shingle_counts)
    ends = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(shingle_counts)])
    starts = np.arange(ends[-1]) - ends[owners] + bounds[owners]
    lengths = np.minimum(counts[owners], size)
    hashes = np.zeros(len(starts), dtype=np.uint64)
    for step in range(min(size, int(lengths.max(initial=0)))):
        active = slice(None) if lengths.min() > step else np.flatnonzero(lengths > step)
        hashes[active] = hashes[active] * _BASE + units[starts[active] + step]
    return Shingles(scramble(hashes), ends)
