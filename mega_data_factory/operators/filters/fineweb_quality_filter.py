"""Quality by the rules of FineWeb."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from mega_data_factory.framework.contracts import Rule
from mega_data_factory.operators.filters.datatrove.fineweb_quality import MAX_DUPLICATE_LINE_CHARACTERS, datatrove_rules
from mega_data_factory.operators.filters.datatrove.flavor import check_flavor
from mega_data_factory.operators.filters.text_filter import above, below, flagged
from mega_data_factory.operators.filters.word_filter import LanguageLimits
from mega_data_factory.operators.parameters import check_count, check_optional_fraction, check_optional_number
from mega_data_factory.operators.text.lines import Lines, ratio
from mega_data_factory.operators.text.repetition import duplicate_fractions

_ENDS_A_SENTENCE = r"[\p{Sentence_Terminal}\p{Quotation_Mark}…]$"


class FinewebQualityFilter(LanguageLimits):
    """Rejects lists, menus and boilerplate: Penedo et al. 2024, arXiv:2406.17557, Section 3.6, with its thresholds.

    The paper's three tests, limits included (a text on the limit goes), and the newline test of the pipeline that the
    authors published with it. Lines are stripped and blank ones do not count. Punctuation is the Unicode property
    Sentence_Terminal, quotation marks, and the ellipsis. The published pipeline runs the test of duplicate lines at
    0.01; the paper states 0.1, which is the default here. With `words: unicode` the limits fit the language.

    Reasons, in this order: `missing_text`, `no_lines`, `few_punctuated_lines`, `many_short_lines`,
    `duplicate_line_characters`, `many_newlines`; all but the first two with the number and its limit.

    Args:
        text_column: column that holds the text.
        min_punctuated_lines: fraction of lines that end with punctuation above which text stays; None for no limit,
            as everywhere here.
        max_short_lines: fraction of short lines below which text stays.
        short_line_length: a line of fewer characters is short.
        max_duplicate_line_characters: fraction of characters in repeated lines below which text stays.
        max_newline_ratio: greatest number of line feeds per word.
        flavor: `paper`, or `datatrove` to decide as datatrove 0.10 does where it has the same words, with its defaults;
            needs `words: whitespace`.
    """

    def __init__(
        self,
        *,
        text_column: str = "text",
        min_punctuated_lines: float | None = 0.12,
        max_short_lines: float | None = 0.67,
        short_line_length: int = 30,
        max_duplicate_line_characters: float | None = 0.1,
        max_newline_ratio: float | None = 0.3,
        flavor: str = "paper",
        words: str = "whitespace",
        language: str | None = None,
        limits_by_language: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(text_column=text_column, words=words, language=language, limits_by_language=limits_by_language)
        self.flavor = check_flavor(flavor, self.words)
        if self.flavor == "datatrove" and "max_duplicate_line_characters" not in self._given:
            max_duplicate_line_characters = MAX_DUPLICATE_LINE_CHARACTERS
        self.min_punctuated_lines = check_optional_fraction("min_punctuated_lines", min_punctuated_lines)
        self.max_short_lines = check_optional_fraction("max_short_lines", max_short_lines)
        self.short_line_length = check_count("short_line_length", short_line_length, least=1)
        self.max_duplicate_line_characters = check_optional_fraction(
            "max_duplicate_line_characters", max_duplicate_line_characters
        )
        self.max_newline_ratio = check_optional_number("max_newline_ratio", max_newline_ratio)

    def rules(self, text: pl.Series) -> Iterator[Rule]:
        """Compare punctuation, line lengths, repeated lines and line feeds with their limits."""
        if self.flavor == "datatrove":
            yield from datatrove_rules(self, text)
            return
        lines = Lines.from_text(text)
        yield flagged("no_lines", pl.Series(lines.counts == 0))
        punctuated = lines.share(lines.text.str.contains(_ENDS_A_SENTENCE))
        yield from below(
            "few_punctuated_lines", punctuated, self.min_punctuated_lines, "min_punctuated_lines", inclusive=True
        )
        short = lines.share(pl.Series(lines.characters < self.short_line_length))
        yield from above("many_short_lines", short, self.max_short_lines, "max_short_lines", inclusive=True)
        _, repeated = duplicate_fractions(lines.owners, lines.characters, lines.hashes, len(text))
        yield from above(
            "duplicate_line_characters",
            repeated,
            self.max_duplicate_line_characters,
            "max_duplicate_line_characters",
            inclusive=True,
        )
        per_word = ratio(lines.line_feeds, self.words_of(text).counts)
        yield from above("many_newlines", per_word, self.max_newline_ratio, "max_newline_ratio")
