"""Lines or paragraphs of a whole column at once, as they stand in the texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from mega_data_factory.operators.text.lines import ratio
from mega_data_factory.operators.text.repetition import duplicate_sums
from mega_data_factory.operators.text.words import Integers


@dataclass(frozen=True)
class Parts:
    """The parts of n texts, in order.

    Attributes:
        text: the parts.
        owners: for every part the number of its text, ascending.
        num_texts: n.
    """

    text: pl.Series
    owners: Integers
    num_texts: int

    @classmethod
    def of_lists(cls, lists: pl.Series) -> Parts:
        """Take the parts from lists of strings, one list for each text."""
        counts = lists.list.len().to_numpy().astype(np.int64)
        text = lists.explode(empty_as_null=False)
        return cls(text, np.repeat(np.arange(len(lists), dtype=np.int64), counts), len(lists))

    def where(self, wanted: pl.Series) -> Parts:
        """Keep the parts for which a mask is True."""
        return Parts(self.text.filter(wanted), self.owners[wanted.to_numpy()], self.num_texts)

    @property
    def counts(self) -> Integers:
        """Parts of every text."""
        return np.bincount(self.owners, minlength=self.num_texts)

    def total(self, of_parts: pl.Series) -> npt.NDArray[np.float64]:
        """Add a number of each part, or whether it is so, up for every text."""
        totals = np.bincount(self.owners, weights=of_parts.to_numpy(), minlength=self.num_texts)
        return totals.astype(np.float64)

    def share(self, of_parts: pl.Series) -> pl.Series:
        """Return the fraction of every text's parts where `of_parts` is True; 0 if it has none."""
        return ratio(self.total(of_parts), self.counts)

    def duplicates(self) -> tuple[Integers, Integers]:
        """Return how many parts of every text occurred before in it, and the characters in those."""
        characters = self.text.str.len_chars().to_numpy().astype(np.int64)
        hashes = self.text.hash().to_numpy().astype(np.uint64, copy=False)
        return duplicate_sums(self.owners, characters, hashes, self.num_texts)
