"""Quality by the rules of Gopher."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from mega_data_factory.framework.contracts import Rule
from mega_data_factory.operators.filters.datatrove.flavor import check_flavor
from mega_data_factory.operators.filters.datatrove.gopher_quality import datatrove_rules
from mega_data_factory.operators.filters.text_filter import above, below
from mega_data_factory.operators.filters.word_filter import LanguageLimits
from mega_data_factory.operators.parameters import (
    check_count,
    check_optional_count,
    check_optional_fraction,
    check_optional_number,
    check_order,
    check_strings,
)
from mega_data_factory.operators.text.lines import Lines, ratio
from mega_data_factory.operators.text.unicode_words import UnicodeWords
from mega_data_factory.operators.text.words import Integers, Words

_STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
_BULLET = r"^[-*\x{2022}\x{2023}\x{2043}\x{25E6}\x{25AA}\x{25CF}\x{25CB}\x{2013}]"
_ELLIPSIS = r"\.\.\.|…"
_ALPHABETIC_WORD = r"[^\s\p{Alphabetic}]*\p{Alphabetic}\S*"


class GopherQualityFilter(LanguageLimits):
    """Rejects text that does not look like prose: Rae et al. 2021, arXiv:2112.11446, Section A1.1, with its thresholds.

    Words are runs without white space, punctuation included; lines are stripped and blank ones do not count. A limit
    of None turns its test off. With `words: unicode` punctuation and symbols are no words, but count where the share of
    alphabetic words is taken, and the limits fit the language.

    Reasons, in this order: `missing_text`, `too_few_words`, `too_many_words`, `short_words`, `long_words`,
    `too_many_hashes`, `too_many_ellipses`, `too_many_bullet_lines`, `too_many_ellipsis_lines`,
    `too_few_alphabetic_words`, `too_few_stop_words`; each with the number and its limit.

    Args:
        text_column: column that holds the text.
        min_words: least number of words.
        max_words: greatest number of words.
        min_mean_word_length: least mean length of a word, in characters.
        max_mean_word_length: greatest mean length of a word, in characters.
        max_symbol_ratio: greatest number of hash signs per word, and likewise of ellipses.
        max_bullet_lines: greatest fraction of lines that begin with a bullet.
        max_ellipsis_lines: greatest fraction of lines that end with an ellipsis.
        min_alphabetic_words: least fraction of words with an alphabetic character.
        min_stop_words: least number of different stop words that occur.
        stop_words: what counts as one, without regard to case; the paper's eight English ones by default.
        flavor: `paper`, or `datatrove` to decide as datatrove 0.10 does where it has the same words, with its defaults;
            needs `words: whitespace`.
    """

    def __init__(
        self,
        *,
        text_column: str = "text",
        min_words: int | None = 50,
        max_words: int | None = 100_000,
        min_mean_word_length: float | None = 3.0,
        max_mean_word_length: float | None = 10.0,
        max_symbol_ratio: float | None = 0.1,
        max_bullet_lines: float | None = 0.9,
        max_ellipsis_lines: float | None = 0.3,
        min_alphabetic_words: float | None = 0.8,
        min_stop_words: int = 2,
        stop_words: list[str] | None = None,
        flavor: str = "paper",
        words: str = "whitespace",
        language: str | None = None,
        limits_by_language: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(text_column=text_column, words=words, language=language, limits_by_language=limits_by_language)
        self.flavor = check_flavor(flavor, self.words)
        self.min_words = check_optional_count("min_words", min_words)
        self.max_words = check_optional_count("max_words", max_words)
        check_order("min_words", min_words, "max_words", max_words)
        self.min_mean_word_length = check_optional_number("min_mean_word_length", min_mean_word_length)
        self.max_mean_word_length = check_optional_number("max_mean_word_length", max_mean_word_length)
        check_order("min_mean_word_length", min_mean_word_length, "max_mean_word_length", max_mean_word_length)
        self.max_symbol_ratio = check_optional_number("max_symbol_ratio", max_symbol_ratio)
        self.max_bullet_lines = check_optional_fraction("max_bullet_lines", max_bullet_lines)
        self.max_ellipsis_lines = check_optional_fraction("max_ellipsis_lines", max_ellipsis_lines)
        self.min_alphabetic_words = check_optional_fraction("min_alphabetic_words", min_alphabetic_words)
        self.min_stop_words = check_count("min_stop_words", min_stop_words)
        listed = _STOP_WORDS if stop_words is None else check_strings("stop_words", stop_words)
        self.stop_words = tuple(dict.fromkeys(word.lower() for word in listed))
        if self.min_stop_words > len(self.stop_words):
            raise ValueError(f"min_stop_words is {min_stop_words}, more than the {len(self.stop_words)} stop_words")

    def rules(self, text: pl.Series) -> Iterator[Rule]:
        """Compare words, symbols, lines and stop words with their limits."""
        if self.flavor == "datatrove":
            yield from datatrove_rules(self, text)
            return
        words = self.words_of(text)
        counts = words.counts
        yield from below("too_few_words", pl.Series(counts), self.min_words, "min_words")
        yield from above("too_many_words", pl.Series(counts), self.max_words, "max_words")
        mean_length = ratio(words.character_counts, counts)
        yield from below("short_words", mean_length, self.min_mean_word_length, "min_mean_word_length")
        yield from above("long_words", mean_length, self.max_mean_word_length, "max_mean_word_length")
        hashes = text.str.count_matches("#", literal=True)
        yield from above("too_many_hashes", _per(hashes, counts), self.max_symbol_ratio, "max_symbol_ratio")
        yield from above(
            "too_many_ellipses",
            _per(text.str.count_matches(_ELLIPSIS), counts),
            self.max_symbol_ratio,
            "max_symbol_ratio",
        )
        yield from self._line_rules(Lines.from_text(text))
        if self.min_alphabetic_words is not None:
            alphabetic = self._alphabetic_share(text, words)
            yield from below("too_few_alphabetic_words", alphabetic, self.min_alphabetic_words, "min_alphabetic_words")
        if self.min_stop_words:
            found = self._different_stop_words(text, words)
            yield from below("too_few_stop_words", pl.Series(found), self.min_stop_words, "min_stop_words")

    def _line_rules(self, lines: Lines) -> Iterator[Rule]:
        bullets = lines.share(lines.text.str.contains(_BULLET))
        yield from above("too_many_bullet_lines", bullets, self.max_bullet_lines, "max_bullet_lines")
        ellipses = lines.share(lines.text.str.contains(f"(?:{_ELLIPSIS})$"))
        yield from above("too_many_ellipsis_lines", ellipses, self.max_ellipsis_lines, "max_ellipsis_lines")

    def _alphabetic_share(self, text: pl.Series, words: Words) -> pl.Series:
        if isinstance(words, UnicodeWords):
            return ratio(words.alphabetic, words.segments)
        return _per(text.str.count_matches(_ALPHABETIC_WORD), words.counts)

    def _different_stop_words(self, text: pl.Series, words: Words) -> Integers:
        """Count for every text the stop words that occur in it."""
        if isinstance(words, UnicodeWords):
            return words.lowercased(text).different_of(self.stop_words)
        found = np.zeros(len(text), dtype=np.int64)
        for word in self.stop_words:
            found += text.str.contains(rf"(?i)\b{re.escape(word)}\b").fill_null(False).to_numpy()
        return found


def _per(matches: pl.Series, words: Integers) -> pl.Series:
    """Return matches per word, 0 if there is no word."""
    return ratio(matches.fill_null(0).cast(pl.Int64).to_numpy(), words)
