"""Near duplicates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from rensa import RMinHash

from mega_data_factory.framework.contracts import Deduplicator, OperatorContext
from mega_data_factory.operators.columns import text_of
from mega_data_factory.operators.dedup.shingles import Shingles, of_characters, of_words
from mega_data_factory.operators.examples import TEXTS, example_records
from mega_data_factory.operators.parameters import check_choice, check_count, check_flag, check_name, check_number
from mega_data_factory.operators.text.word_choice import check_words, load_words, notice_unspaced, words_of

_STEPS = 1000


class MinhashDeduplicator(Deduplicator):
    """Keeps one of the records whose texts are nearly equal: MinHash with locality-sensitive hashing.

    Broder 1997 (MinHash) with bands and rows as in Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, Section
    3.4: two texts whose sets of n-grams have the Jaccard similarity s meet in at least one of b bands of r rows with
    probability 1 - (1 - s^r)^b. Unless given, b and r are those that make the two kinds of error at the threshold
    smallest. The hashes are the same on every machine. A text shorter than an n-gram counts as one n-gram.

    Reason: `duplicate`. A record whose text is null or only white space, or without words, has no key and always stays.

    Args:
        text_column: column that is compared.
        threshold: similarity from which texts should count as duplicates, 0 to 1.
        num_perm: hash functions of a signature; more are more exact and cost more.
        ngram_unit: what n-grams are made of: words or chars (code points, white space collapsed).
        ngram_size: words or characters of an n-gram; 5 suits words, 5 to 9 characters.
        lowercase: compare without regard to letter case.
        bands: bands of a signature; given together with `rows` only.
        rows: rows of a band; `bands` times `rows` is at most `num_perm`.
        seed: of the hash functions; all runs that share deduplication state need the same.
        words: what a word is: `whitespace`, a run without white space; `unicode`, by Unicode's word boundaries
            (UAX #29), with dictionaries for Chinese, Japanese, Thai, Lao, Khmer and Burmese, without punctuation.
    """

    def __init__(
        self,
        *,
        text_column: str = "text",
        threshold: float = 0.8,
        num_perm: int = 128,
        ngram_unit: str = "words",
        ngram_size: int = 5,
        lowercase: bool = True,
        bands: int | None = None,
        rows: int | None = None,
        seed: int = 42,
        words: str = "whitespace",
    ) -> None:
        self.text_column = check_name("text_column", text_column)
        self.threshold = check_number("threshold", threshold, most=1.0)
        self.num_perm = check_count("num_perm", num_perm, least=2)
        self.ngram_unit = check_choice("ngram_unit", ngram_unit, ("words", "chars"))
        self.ngram_size = check_count("ngram_size", ngram_size, least=1)
        self.lowercase = check_flag("lowercase", lowercase)
        self.seed = check_count("seed", seed)
        self.words = check_words(words)
        if (bands is None) != (rows is None):
            raise ValueError(f"bands is {bands!r} and rows is {rows!r}; give both or neither")
        if bands is None or rows is None:
            bands, rows = bands_and_rows(self.threshold, self.num_perm)
        self.bands = check_count("bands", bands, least=1)
        self.rows = check_count("rows", rows, least=1)
        if self.bands * self.rows > self.num_perm:
            raise ValueError(f"bands {bands} times rows {rows} is {bands * rows}, more than num_perm {num_perm}")

    def setup(self, context: OperatorContext) -> None:
        """Connect to the shared state, and load the dictionaries."""
        super().setup(context)
        if self.ngram_unit == "words":
            load_words(self.words)

    def examples(self) -> pa.Table:
        """Return made-up records for a first run."""
        return example_records(TEXTS, self.text_column)

    def keys(self, table: pa.Table) -> Sequence[Sequence[bytes | None]]:
        """Return `bands` bands: of every signature the bytes of its rows.

        Raises:
            ConfigError: the table has no such text column.
        """
        shingles = self._shingles(text_of(table, self.text_column))
        if table.num_rows == 0:
            return [[] for _ in range(self.bands)]
        signatures = self._signatures(shingles)
        width = self.rows * signatures.itemsize
        empty = (np.diff(shingles.bounds) == 0).tolist()
        keys: list[list[bytes | None]] = []
        for band in range(self.bands):
            part = signatures[:, band * self.rows : (band + 1) * self.rows].tobytes()
            keys.append([None if no else part[i * width : (i + 1) * width] for i, no in enumerate(empty)])
        return keys

    def _shingles(self, text: pl.Series) -> Shingles:
        if self.lowercase:
            text = text.str.to_lowercase()
        if self.ngram_unit == "words":
            words = words_of(self.words)(text)
            notice_unspaced(self, text, words)
            return of_words(words, self.ngram_size)
        return of_characters(text, self.ngram_size)

    def _signatures(self, shingles: Shingles) -> npt.NDArray[np.uint32]:
        """Return the MinHash signatures, (texts, num_perm), in little-endian order."""
        offsets = shingles.bounds.astype(np.uint64)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(shingles.hashes, offsets, self.num_perm, self.seed)
        return np.array(matrix.to_rows(), dtype="<u4")


def bands_and_rows(threshold: float, num_perm: int) -> tuple[int, int]:
    """Return the bands and rows that make the errors at a threshold smallest.

    The error is the area under the probability to meet below the threshold (false positives) plus the area above it
    up to 1 beyond the threshold (false negatives), both weighed alike.

    Args:
        threshold: Jaccard similarity, 0 to 1.
        num_perm: the greatest product of bands and rows.
    """
    similarity = (np.arange(_STEPS) + 0.5) / _STEPS
    unwanted = similarity < threshold
    best, least = (1, 1), np.inf
    for rows in range(1, num_perm + 1):
        miss = 1.0 - similarity**rows
        for bands in range(1, num_perm // rows + 1):
            missed = miss**bands
            error = float(np.where(unwanted, 1.0 - missed, missed).sum())
            if error < least:
                best, least = (bands, rows), error
    return best
