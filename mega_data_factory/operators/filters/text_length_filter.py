"""Too short, too long."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from mega_data_factory.framework.contracts import Rule
from mega_data_factory.operators.filters.text_filter import above, below
from mega_data_factory.operators.filters.word_filter import WordFilter
from mega_data_factory.operators.parameters import check_choice, check_count, check_optional_count, check_order


class TextLengthFilter(WordFilter):
    """Keeps text of a length within limits, both included.

    Reasons: `missing_text`, `too_short`, `too_long`.

    Args:
        text_column: column that holds the text.
        min_length: least length that stays.
        max_length: greatest length that stays; None for no limit.
        unit: what is counted: chars (code points), words, or bytes (UTF-8).
        words: what a word is: `whitespace`, a run without white space; `unicode`, by Unicode's word boundaries
            (UAX #29), with dictionaries for Chinese, Japanese, Thai, Lao, Khmer and Burmese, without punctuation.
    """

    def __init__(
        self,
        *,
        text_column: str = "text",
        min_length: int = 1,
        max_length: int | None = None,
        unit: str = "chars",
        words: str = "whitespace",
    ) -> None:
        super().__init__(text_column=text_column, words=words)
        self.min_length = check_count("min_length", min_length)
        self.max_length = check_optional_count("max_length", max_length)
        self.unit = check_choice("unit", unit, ("chars", "words", "bytes"))
        check_order("min_length", min_length, "max_length", max_length)

    @property
    def counts_words(self) -> bool:
        """Whether words are the unit."""
        return self.unit == "words"

    def rules(self, text: pl.Series) -> Iterator[Rule]:
        """Compare the length with both limits."""
        length = self._length(text)
        yield from below("too_short", length, self.min_length, "min_length")
        yield from above("too_long", length, self.max_length, "max_length")

    def _length(self, text: pl.Series) -> pl.Series:
        if self.unit == "words":
            return pl.Series(self.words_of(text).counts)
        return text.str.len_chars() if self.unit == "chars" else text.str.len_bytes()
