"""Repeated lines and paragraphs of a whole column at once."""

from __future__ import annotations

import numpy as np
import polars as pl

from mega_data_factory.operators.text.lines import ratio
from mega_data_factory.operators.text.ngrams import hash_order
from mega_data_factory.operators.text.words import Hashes, Integers


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
    count, in_duplicates = duplicate_sums(owners, characters, hashes, num_texts)
    all_characters = np.bincount(owners, weights=characters, minlength=num_texts)
    return ratio(count, np.bincount(owners, minlength=num_texts)), ratio(in_duplicates, all_characters)


def duplicate_sums(owners: Integers, characters: Integers, hashes: Hashes, num_texts: int) -> tuple[Integers, Integers]:
    """Return how many lines of every text are duplicates, and the characters in those; as `duplicate_fractions`."""
    order = hash_order(hashes)
    duplicate = np.zeros(len(order), dtype=np.bool_)
    hashes, owner = hashes[order], owners[order]
    duplicate[order[1:]] = (hashes[1:] == hashes[:-1]) & (owner[1:] == owner[:-1])
    count = np.bincount(owners[duplicate], minlength=num_texts)
    in_duplicates = np.bincount(owners[duplicate], weights=characters[duplicate], minlength=num_texts)
    return count, in_duplicates.astype(np.int64)
