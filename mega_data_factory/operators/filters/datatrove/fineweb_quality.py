"""FineWeb's quality rules as datatrove has them.

Lines are not stripped, so that one with a space at its end is not punctuated. A text on a limit stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from mega_data_factory.framework.contracts import Rule
from mega_data_factory.operators.filters.datatrove.characters import PYTHON_SPACE, TERMINAL_PUNCTUATION
from mega_data_factory.operators.filters.datatrove.parts import Parts
from mega_data_factory.operators.filters.text_filter import above, below, flagged
from mega_data_factory.operators.text.lines import ratio

if TYPE_CHECKING:
    from mega_data_factory.operators.filters.fineweb_quality_filter import FinewebQualityFilter

MAX_DUPLICATE_LINE_CHARACTERS = 0.01
"""datatrove's default; the paper states 0.1."""


def datatrove_rules(limits: FinewebQualityFilter, text: pl.Series) -> Iterator[Rule]:
    """Compare punctuation, line lengths, repeated lines and line feeds with the limits of the filter."""
    text = text.fill_null("")
    every = Parts.of_lists(text.str.split("\n"))
    lines = every.where(every.text.str.contains(f"[^{PYTHON_SPACE}]"))
    yield flagged("no_lines", pl.Series(lines.counts == 0))
    punctuated = lines.share(lines.text.str.contains(f"[{TERMINAL_PUNCTUATION}]$"))
    yield from below("few_punctuated_lines", punctuated, limits.min_punctuated_lines, "min_punctuated_lines")
    short = lines.share(lines.text.str.len_chars() <= limits.short_line_length)
    yield from above("many_short_lines", short, limits.max_short_lines, "max_short_lines")
    line_feeds = every.counts - 1
    characters = text.str.len_chars().to_numpy().astype(np.int64) - line_feeds
    _, repeated = lines.duplicates()
    yield from above(
        "duplicate_line_characters",
        ratio(repeated, characters),
        limits.max_duplicate_line_characters,
        "max_duplicate_line_characters",
    )
    per_word = ratio(line_feeds, limits.words_of(text).counts)
    yield from above("many_newlines", per_word, limits.max_newline_ratio, "max_newline_ratio")
