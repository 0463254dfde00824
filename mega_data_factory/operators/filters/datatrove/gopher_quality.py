"""Gopher's quality rules as datatrove has them.

Words of punctuation alone do not count for the number and the length of words, but for all shares. Only a dash or a
bullet begins a bullet line, blank lines are lines, a stop word is a whole word in lower case.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from mega_data_factory.framework.contracts import Rule
from mega_data_factory.operators.filters.datatrove.characters import PUNCTUATION, PYTHON_SPACE, split_lines
from mega_data_factory.operators.filters.datatrove.parts import Parts
from mega_data_factory.operators.filters.text_filter import above, below
from mega_data_factory.operators.text.lines import ratio
from mega_data_factory.operators.text.words import Integers

if TYPE_CHECKING:
    from mega_data_factory.operators.filters.gopher_quality_filter import GopherQualityFilter

_OTHER_WORD = rf"[{PUNCTUATION}--\s]*[^{PUNCTUATION}\s]\S*"
_LETTER_WORD = r"[^\s\p{L}]*\p{L}\S*"
_ELLIPSIS = r"\.\.\.|…"


def datatrove_rules(limits: GopherQualityFilter, text: pl.Series) -> Iterator[Rule]:
    """Compare words, symbols, lines and stop words with the limits of the filter."""
    words = limits.words_of(text)
    counted = _matches(text, _OTHER_WORD)
    yield from below("too_few_words", pl.Series(counted), limits.min_words, "min_words")
    yield from above("too_many_words", pl.Series(counted), limits.max_words, "max_words")
    of_punctuation = _matches(text.str.replace_all(_OTHER_WORD, ""), r"\S")
    mean_length = ratio(words.character_counts - of_punctuation, counted)
    exists = pl.Series(counted > 0)
    mean_length = pl.select(pl.when(exists).then(mean_length)).to_series()
    yield from below("short_words", mean_length, limits.min_mean_word_length, "min_mean_word_length")
    yield from above("long_words", mean_length, limits.max_mean_word_length, "max_mean_word_length")
    for reason, symbol in (("too_many_hashes", "#"), ("too_many_ellipses", _ELLIPSIS)):
        share = ratio(_matches(text, symbol), words.counts)
        yield from above(reason, share, limits.max_symbol_ratio, "max_symbol_ratio")
    lines = Parts.of_lists(split_lines(text))
    bullets = lines.share(lines.text.str.contains(rf"^[{PYTHON_SPACE}]*[•-]"))
    yield from above("too_many_bullet_lines", bullets, limits.max_bullet_lines, "max_bullet_lines")
    ellipses = lines.share(lines.text.str.contains(rf"(?:{_ELLIPSIS})[{PYTHON_SPACE}]*$"))
    yield from above("too_many_ellipsis_lines", ellipses, limits.max_ellipsis_lines, "max_ellipsis_lines")
    alphabetic = ratio(_matches(text, _LETTER_WORD), words.counts)
    yield from below("too_few_alphabetic_words", alphabetic, limits.min_alphabetic_words, "min_alphabetic_words")
    if limits.min_stop_words:
        found = words.different_of(limits.stop_words)
        yield from below("too_few_stop_words", pl.Series(found), limits.min_stop_words, "min_stop_words")


def _matches(text: pl.Series, pattern: str) -> Integers:
    """Count the matches in every text; null has none."""
    counts: Integers = text.str.count_matches(pattern).fill_null(0).cast(pl.Int64).to_numpy()
    return counts
