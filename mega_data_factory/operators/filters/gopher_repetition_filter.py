"""Repetition within a text, by the rules of Gopher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from mega_data_factory.framework.contracts import Rule
from mega_data_factory.operators.filters.datatrove.flavor import check_flavor
from mega_data_factory.operators.filters.datatrove.gopher_repetition import datatrove_rules
from mega_data_factory.operators.filters.text_filter import above
from mega_data_factory.operators.filters.word_filter import LanguageLimits
from mega_data_factory.operators.parameters import check_optional_fraction
from mega_data_factory.operators.text.lines import Lines
from mega_data_factory.operators.text.ngrams import NgramFractions
from mega_data_factory.operators.text.repetition import duplicate_fractions

_TOP_NGRAM = {2: 0.20, 3: 0.18, 4: 0.16}
_DUPLICATE_NGRAM = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
_LONGEST = 32


class GopherRepetitionFilter(LanguageLimits):
    """Rejects text that repeats itself: Rae et al. 2021, arXiv:2112.11446, Table A1, with its thresholds.

    A duplicate is the second and every later occurrence of a line, paragraph or n-gram, so the fractions say how much
    would go if each were kept once. Lines are stripped and blank ones do not count; paragraphs are separated by blank
    lines; words are runs without white space. Characters are those of the lines, the paragraphs, or the words; white
    space between them counts neither above nor below. A character in several overlapping duplicate n-grams counts
    once. The top n-gram is the most frequent one (the longest among equals), if it occurs at least twice. Text
    without words has no repetition and stays. With `words: unicode` punctuation is no word, and the limits fit the
    language.

    Reasons, in this order: `missing_text`, `duplicate_lines`, `duplicate_paragraphs`, `duplicate_line_characters`,
    `duplicate_paragraph_characters`, `top_2_gram` …, `duplicate_5_gram` …; each with the fraction and its limit.

    Args:
        text_column: column that holds the text.
        max_duplicate_lines: greatest fraction of lines that are duplicates; None for no limit, as everywhere here.
        max_duplicate_paragraphs: greatest fraction of paragraphs that are duplicates.
        max_duplicate_line_characters: greatest fraction of characters in duplicate lines.
        max_duplicate_paragraph_characters: greatest fraction of characters in duplicate paragraphs.
        max_top_ngram: for n, the greatest fraction of characters in the top n-gram; Table A1 has
            {2: 0.20, 3: 0.18, 4: 0.16}, which is the default.
        max_duplicate_ngram: for n, the greatest fraction of characters in duplicate n-grams; Table A1 has
            {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}, which is the default.
        flavor: `paper`, or `datatrove` to decide as datatrove 0.10 does where it has the same words, with its defaults;
            needs `words: whitespace`.
    """

    def __init__(
        self,
        *,
        text_column: str = "text",
        max_duplicate_lines: float | None = 0.30,
        max_duplicate_paragraphs: float | None = 0.30,
        max_duplicate_line_characters: float | None = 0.20,
        max_duplicate_paragraph_characters: float | None = 0.20,
        max_top_ngram: Mapping[int, float] | None = None,
        max_duplicate_ngram: Mapping[int, float] | None = None,
        flavor: str = "paper",
        words: str = "whitespace",
        language: str | None = None,
        limits_by_language: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(text_column=text_column, words=words, language=language, limits_by_language=limits_by_language)
        self.flavor = check_flavor(flavor, self.words)
        self.max_duplicate_lines = check_optional_fraction("max_duplicate_lines", max_duplicate_lines)
        self.max_duplicate_paragraphs = check_optional_fraction("max_duplicate_paragraphs", max_duplicate_paragraphs)
        self.max_duplicate_line_characters = check_optional_fraction(
            "max_duplicate_line_characters", max_duplicate_line_characters
        )
        self.max_duplicate_paragraph_characters = check_optional_fraction(
            "max_duplicate_paragraph_characters", max_duplicate_paragraph_characters
        )
        self.max_top_ngram = _check_limits("max_top_ngram", max_top_ngram, _TOP_NGRAM)
        self.max_duplicate_ngram = _check_limits("max_duplicate_ngram", max_duplicate_ngram, _DUPLICATE_NGRAM)

    def rules(self, text: pl.Series) -> Iterator[Rule]:
        """Compare the fractions of lines, paragraphs and n-grams with their limits."""
        if self.flavor == "datatrove":
            yield from datatrove_rules(self, text)
            return
        lines = Lines.from_text(text)
        count, characters = duplicate_fractions(lines.owners, lines.characters, lines.hashes, len(text))
        yield from above("duplicate_lines", count, self.max_duplicate_lines, "max_duplicate_lines")
        line_characters = characters
        count, characters = duplicate_fractions(*lines.as_paragraphs(), len(text))
        yield from above("duplicate_paragraphs", count, self.max_duplicate_paragraphs, "max_duplicate_paragraphs")
        yield from above(
            "duplicate_line_characters",
            line_characters,
            self.max_duplicate_line_characters,
            "max_duplicate_line_characters",
        )
        yield from above(
            "duplicate_paragraph_characters",
            characters,
            self.max_duplicate_paragraph_characters,
            "max_duplicate_paragraph_characters",
        )
        yield from self._ngram_rules(text)

    def _ngram_rules(self, text: pl.Series) -> Iterator[Rule]:
        if not (self.max_top_ngram or self.max_duplicate_ngram):
            return
        shares = NgramFractions.from_words(self.words_of(text), self.max_top_ngram, self.max_duplicate_ngram)
        for n, limit in self.max_top_ngram.items():
            yield from above(f"top_{n}_gram", shares.top[n], limit, f"max_top_ngram.{n}")
        for n, limit in self.max_duplicate_ngram.items():
            yield from above(f"duplicate_{n}_gram", shares.duplicate[n], limit, f"max_duplicate_ngram.{n}")


def _check_limits(parameter: str, limits: object, default: dict[int, float]) -> dict[int, float]:
    if limits is None:
        return default
    if not isinstance(limits, Mapping):
        raise ValueError(f"{parameter} is {limits!r}, not a mapping from n to a fraction")
    checked: dict[int, float] = {}
    for key, limit in limits.items():
        n = int(key) if isinstance(key, str) and key.isdecimal() else key  # JSON has no other keys than texts
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= _LONGEST:
            raise ValueError(f"{parameter} has the key {key!r}, not a whole number from 1 to {_LONGEST}")
        fraction = check_optional_fraction(f"{parameter}[{n}]", limit)
        if fraction is None:
            raise ValueError(f"{parameter}[{n}] is None; leave {n} out to turn its test off")
        checked[n] = float(fraction)
    return dict(sorted(checked.items()))
