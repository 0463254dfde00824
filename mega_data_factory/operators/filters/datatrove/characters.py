"""Classes of characters of datatrove 0.10, and the lines and white space of Python, as regular expressions.

Each constant but `PYTHON_SPACES` is what stands between the brackets of a character class.
"""

from __future__ import annotations

import polars as pl

PYTHON_SPACES = "".join(character for character in map(chr, range(0x3001)) if character.isspace())
"""The characters for which `str.isspace` is true: Unicode's white space and four separators of ASCII."""

PYTHON_SPACE = r"\s\x{1C}-\x{1F}"

TERMINAL_PUNCTUATION = (
    r"[\p{Sentence_Terminal}\x{17D6}\x{17D9}\x{17DA}]"
    r"--[\x{1B4E}\x{1B4F}\x{1B7F}\x{2024}\x{2CF9}-\x{2CFB}\x{FE12}\x{FE15}\x{FE16}\x{113D4}\x{113D5}\x{16D6E}\x{16D6F}]"
)
"""`TERMINAL_PUNCTUATION` of datatrove: Unicode's Sentence_Terminal without 14 characters, and three of Khmer."""

PUNCTUATION = (
    r"\x{0}-\x{8}\x{B}-\x{1F}\x{7F}-\x{9F}!-/:-@\[-`\{-~«´»–—’“”„…∶━►、。〈〉《》「」【】！％（）１，．：；？～"  # noqa: RUF001 - datatrove's
    rf"[{TERMINAL_PUNCTUATION}]"
)
"""`PUNCTUATION_SET` of datatrove, with control characters and a wide digit one."""

_LINE_END = r"\r\n|[\r\x{B}\x{C}\x{1C}-\x{1E}\x{85}\x{2028}\x{2029}]"


def split_lines(text: pl.Series) -> pl.Series:
    """Return the lines of every text as `str.splitlines` finds them, as lists; null has none."""
    whole = text.fill_null("").str.replace_all(_LINE_END, "\n")
    lines = whole.str.strip_suffix("\n").str.split("\n")
    return pl.select(pl.when(whole != "").then(lines).otherwise(pl.lit([], dtype=pl.List(pl.String)))).to_series()
