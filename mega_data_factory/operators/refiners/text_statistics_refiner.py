"""Counts and shares that describe a text."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from mega_data_factory.framework.contracts import OperatorContext, Refiner
from mega_data_factory.operators.columns import text_of, with_columns
from mega_data_factory.operators.examples import TEXTS, example_records
from mega_data_factory.operators.parameters import check_name
from mega_data_factory.operators.text.lines import ratio
from mega_data_factory.operators.text.unicode_words import UnicodeWords
from mega_data_factory.operators.text.word_choice import check_words, load_words, notice_unspaced, words_of
from mega_data_factory.operators.text.words import Integers, Words

_CASE_BIT = np.uint8(0x20)
_A, _Z, _ZERO, _NINE = np.frombuffer(b"az09", dtype=np.uint8)


class TextStatisticsRefiner(Refiner):
    """Adds columns with the size and the make-up of the text.

    `char_count` (code points), `byte_count` (UTF-8), `word_count` and `line_count` (a last line without line feed
    counts; empty text has 0) are int64. `mean_word_length` (characters per word), `alpha_ratio`, `digit_ratio` and
    `whitespace_ratio` (shares of the characters, 0 to 1, by the Unicode classes L, Nd and White_Space) are float64, 0
    for empty text. All are null if the text is null.

    Args:
        text_column: column that holds the text.
        prefix: put before the name of every column that is added.
        words: what a word is: `whitespace`, a run without white space; `unicode`, by Unicode's word boundaries
            (UAX #29), with dictionaries for Chinese, Japanese, Thai, Lao, Khmer and Burmese, without punctuation.
    """

    def __init__(self, *, text_column: str = "text", prefix: str = "", words: str = "whitespace") -> None:
        self.text_column = check_name("text_column", text_column)
        if not isinstance(prefix, str):
            raise ValueError(f"prefix is {prefix!r}, not text")
        self.prefix = prefix
        self.words = check_words(words)

    def setup(self, context: OperatorContext) -> None:
        """Load the dictionaries."""
        super().setup(context)
        load_words(self.words)

    def examples(self) -> pa.Table:
        """Return made-up records for a first run."""
        return example_records(TEXTS, self.text_column)

    def refine(self, table: pa.Table) -> pa.Table:
        """Add the statistics of every record.

        Raises:
            ConfigError: the table has no such text column.
        """
        text = text_of(table, self.text_column)
        present = text.is_not_null()
        text = text.fill_null("")
        words = words_of(self.words)(text)
        notice_unspaced(self, text, words)
        columns = {
            self.prefix + name: pl.select(pl.when(present).then(values)).to_series().rechunk().to_arrow()
            for name, values in _statistics(text, words).items()
        }
        return with_columns(table, columns)


def _statistics(text: pl.Series, words: Words) -> dict[str, pl.Series]:
    characters = text.str.len_chars().cast(pl.Int64)
    char_counts = characters.to_numpy()
    lower = words.data | _CASE_BIT
    letters = _matching(text, words, r"\p{L}", (lower >= _A) & (lower <= _Z))
    digits = _matching(text, words, r"\p{Nd}", (words.data >= _ZERO) & (words.data <= _NINE))
    unfinished = ((characters > 0) & ~text.str.ends_with("\n")).cast(pl.Int64)
    return {
        "char_count": characters,
        "byte_count": text.str.len_bytes().cast(pl.Int64),
        "word_count": pl.Series(words.counts, dtype=pl.Int64),
        "line_count": text.str.count_matches("\n", literal=True).cast(pl.Int64) + unfinished,
        "mean_word_length": ratio(words.character_counts, words.counts),
        "alpha_ratio": ratio(letters, char_counts),
        "digit_ratio": ratio(digits, char_counts),
        "whitespace_ratio": ratio(_spaces(text, words, char_counts), char_counts),
    }


def _spaces(text: pl.Series, words: Words, char_counts: Integers) -> Integers:
    """Return the white space characters of every text: all that are in no word, where words are runs without it."""
    if isinstance(words, UnicodeWords):
        return text.str.count_matches(r"\p{White_Space}").to_numpy().astype(np.int64)
    return char_counts - words.character_counts


def _matching(text: pl.Series, words: Words, pattern: str, marked: npt.NDArray[np.bool_]) -> Integers:
    """Return the characters of a class in every text: by bytes where it is ASCII, else by its regular expression.

    Args:
        text: String series without null.
        words: its words.
        pattern: the class.
        marked: for every byte of `words.data` whether it belongs to the class, where the text is ASCII.
    """
    ends = words.offsets.tolist()
    counts = np.array([np.count_nonzero(marked[a:b]) for a, b in itertools.pairwise(ends)], dtype=np.int64)
    rows = np.flatnonzero(words.continuations)
    if len(rows):
        counts[rows] = text.gather(rows).str.count_matches(pattern).to_numpy()
    return counts
