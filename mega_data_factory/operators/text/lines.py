"""Lines and paragraphs of a whole column at once.

A line is what stands between two line feeds, without the white space around it; a line with nothing left is blank and
is not counted. A paragraph is a maximal run of lines without a blank one between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from mega_data_factory.operators.text.words import Hashes, Integers, scramble

_STEP = np.uint64(0xD6E8FEB86659FD93)


@dataclass(frozen=True)
class Lines:
    """The lines of n texts that are not blank, in order.

    Attributes:
        text: the lines, stripped.
        owners: for every line the number of its text, ascending.
        paragraphs: for every line the number of its paragraph, ascending over all texts.
        line_feeds: of every text.
    """

    text: pl.Series
    owners: Integers
    paragraphs: Integers
    line_feeds: Integers

    @property
    def num_texts(self) -> int:
        """How many texts there are."""
        return len(self.line_feeds)

    @classmethod
    def from_text(cls, text: pl.Series) -> Lines:
        """Cut a String series into lines; null has none."""
        parts = text.fill_null("").str.split("\n")
        counts = parts.list.len().to_numpy().astype(np.int64)
        stripped = parts.explode().str.strip_chars()
        filled = (stripped.str.len_bytes() > 0).to_numpy()
        breaks = ~filled
        breaks[np.cumsum(counts) - counts] = True
        owners = np.repeat(np.arange(len(text), dtype=np.int64), counts)
        return cls(stripped.filter(pl.Series(filled)), owners[filled], np.cumsum(breaks)[filled], counts - 1)

    @property
    def counts(self) -> Integers:
        """Lines of every text."""
        return np.bincount(self.owners, minlength=self.num_texts)

    @cached_property
    def characters(self) -> Integers:
        """Characters (code points) of every line."""
        return self.text.str.len_chars().to_numpy().astype(np.int64)

    @cached_property
    def hashes(self) -> Hashes:
        """A 64-bit hash of every line; good within this process only."""
        return self.text.hash().to_numpy().astype(np.uint64, copy=False)

    def share(self, of_lines: pl.Series) -> pl.Series:
        """Return the fraction of every text's lines where `of_lines` is True; 0 if it has none."""
        marked = np.bincount(self.owners, weights=of_lines.to_numpy(), minlength=self.num_texts)
        return ratio(marked, self.counts)

    def as_paragraphs(self) -> tuple[Integers, Integers, Hashes]:
        """Return for every paragraph the number of its text, its characters, and a hash of its lines in their order."""
        if not len(self.owners):
            return self.owners, self.owners, self.hashes
        first = np.flatnonzero(np.diff(self.paragraphs, prepend=-1))
        place = np.arange(len(self.owners)) - np.repeat(first, np.diff(first, append=len(self.owners)))
        placed = scramble(self.hashes + place.astype(np.uint64) * _STEP)
        return self.owners[first], np.add.reduceat(self.characters, first), np.add.reduceat(placed, first)


def ratio(part: npt.NDArray[np.float64] | Integers, whole: npt.NDArray[np.float64] | Integers) -> pl.Series:
    """Return `part / whole` as a Float64 series, 0 if the whole is 0."""
    quotient = np.zeros(len(whole), dtype=np.float64)
    np.divide(part, whole, out=quotient, where=np.asarray(whole) != 0)
    return pl.Series(quotient, dtype=pl.Float64)
