"""Too short, too long."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from mega_data_factory.framework.contracts import Rule
from mega_data_factory.operators.parameters import check_choice, check_count, check_optional_count, check_order
from mega_data_factory.operators.text_filter import TextFilter, above, below
from mega_data_factory.operators.words import Words


class TextLengthFilter(TextFilter):
    """Keeps text of a length within limits, both included.

    Reasons: `missing_text`, `too_short`, `too_long`.

    Args:
        text_column: column that holds the text.
        min_length: least length that stays.
        max_length: greatest length that stays; None for no limit.
        unit: what is counted: chars (code points), words (runs without white space), or bytes (UTF-8).
    """

    def __init__(
        self, *, text_column: str = "text", min_length: int = 1, max_length: int | None = None, unit: str = "chars"
    ) -> None:
        super().__init__(text_column=text_column)
        self.min_length = check_count("min_length", min_length)
        self.max_length = check_optional_count("max_length", max_length)
        self.unit = check_choice("unit", unit, ("chars", "words", "bytes"))
        check_order("min_length", min_length, "max_length", max_length)

    def rules(self, text: pl.Series) -> Iterator[Rule]:
        """Compare the length with both limits."""
        length = self._length(text)
        yield from below("too_short", length, self.min_length)
        yield from above("too_long", length, self.max_length)

    def _length(self, text: pl.Series) -> pl.Series:
        if self.unit == "words":
            return pl.Series(Words.of(text).counts)
        return text.str.len_chars() if self.unit == "chars" else text.str.len_bytes()
