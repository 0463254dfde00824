"""C4's rules as datatrove has them.

Placeholder text and an opening curly bracket count only in lines that no test before has skipped. Marks of citations
are removed from a line before its end is looked at. Unlike datatrove, the text is not changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from mega_data_factory.framework.contracts import Rule
from mega_data_factory.operators.filters.datatrove.characters import PYTHON_SPACE, PYTHON_SPACES, split_lines
from mega_data_factory.operators.filters.datatrove.parts import Parts
from mega_data_factory.operators.filters.text_filter import below, flagged

if TYPE_CHECKING:
    from mega_data_factory.operators.filters.c4_quality_filter import C4QualityFilter

_CITATION = r"\[\p{Nd}*\]|\[edit\]|\[citation needed\]"
_TERMINAL = r"""[.?!"']$"""
_POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
_SENTENCE_END = r"[.!?]+[\"'\x{201D}\x{2019})\]]*(?:\s|$)"


def datatrove_rules(limits: C4QualityFilter, text: pl.Series) -> Iterator[Rule]:
    """Look for what rejects a page, then count sentences."""
    lines = Parts.of_lists(split_lines(text))
    lines = Parts(lines.text.str.strip_chars(PYTHON_SPACES), lines.owners, lines.num_texts)
    if limits.max_word_length is not None:
        lines = lines.where(~_with_long_word(lines.text, limits.max_word_length))
    lines = lines.where(lines.text.str.count_matches(f"[^{PYTHON_SPACE}]+") >= limits.min_words_per_line)
    lines = Parts(lines.text.str.replace_all(_CITATION, ""), lines.owners, lines.num_texts)
    if limits.require_terminal_punctuation:
        lines = lines.where(lines.text.str.contains(_TERMINAL) & ~lines.text.str.ends_with("..."))
    lower = lines.text.str.to_lowercase()
    placeholder = lower.str.contains("lorem ipsum", literal=True)
    if limits.reject_lorem_ipsum:
        yield flagged("lorem_ipsum", pl.Series(lines.total(placeholder) > 0))
    if limits.skip_javascript_lines:
        unscripted = ~lower.str.contains("javascript", literal=True)
        lines, lower = lines.where(unscripted), lower.filter(unscripted)
    if limits.reject_curly_brackets:
        yield flagged("curly_bracket", pl.Series(lines.total(lines.text.str.contains("{", literal=True)) > 0))
    if limits.blocked_words_pattern:
        yield flagged("blocked_word", text.str.contains(limits.blocked_words_pattern))
    if limits.skip_policy_lines:
        lines = lines.where(~lower.str.contains("|".join(_POLICIES)))
    if limits.min_sentences:
        sentences = pl.Series(lines.total(lines.text.str.count_matches(_SENTENCE_END).clip(lower_bound=1)))
        yield from below("too_few_sentences", sentences, limits.min_sentences, "min_sentences")


def _with_long_word(lines: pl.Series, longest: int) -> pl.Series:
    """Return which lines have a word of more characters; only the few lines that are as long can."""
    found = np.zeros(len(lines), dtype=np.bool_)
    for place in np.flatnonzero((lines.str.len_bytes() > longest).to_numpy()).tolist():
        found[place] = max(map(len, lines[place].split()), default=0) > longest
    return pl.Series(found, dtype=pl.Boolean)
