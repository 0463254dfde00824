"""The choice between two kinds of words, which every operator that counts words offers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from mega_data_factory.catalogue import UNSPACED_RECORDS
from mega_data_factory.framework.contracts import Operator
from mega_data_factory.operators.parameters import check_choice
from mega_data_factory.operators.text.scripts import unspaced
from mega_data_factory.operators.text.unicode_words import UnicodeWords, load
from mega_data_factory.operators.text.words import Words

WORDS = ("whitespace", "unicode")


def check_words(words: object) -> str:
    """Return the value if it is one of `WORDS`."""
    return check_choice("words", words, WORDS)


def words_of(words: str) -> Callable[[pl.Series], Words]:
    """Return what cuts a String series into words; null has none.

    Args:
        words: one of `WORDS`.
    """
    return UnicodeWords.from_text if words == "unicode" else Words.from_text


def load_words(words: str) -> None:
    """Load what `words_of` needs, so that the first batch does not wait for it.

    Args:
        words: one of `WORDS`.
    """
    if words == "unicode":
        load()


def notice_unspaced(operator: Operator, text: pl.Series, words: Words) -> None:
    """Count the texts in a script without spaces, for the finding about them.

    Args:
        operator: notices them.
        text: String series without null.
        words: its words.
    """
    if isinstance(words, UnicodeWords):
        return
    found = unspaced(text, words.texts_of_wide_characters)
    if found.any():
        operator.notice(UNSPACED_RECORDS, int(np.count_nonzero(found)))
