"""Scripts of texts: those that put no space between words, and the language that a script stands for."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl

Flags = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

ALPHABETIC, NUMERIC, SPACE = (np.uint8(1 << bit) for bit in range(3))
_SCRIPT_SHIFT = np.uint8(3)

_SCRIPTS = ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan", "Hangul")
_LANGUAGES = ("zh", "ja", "ja", "th", "lo", "km", "my", "bo", "ko")
_UNSPACED = "".join(rf"\p{{{script}}}" for script in _SCRIPTS if script != "Hangul")
UNSPACED_LETTER = rf"[[{_UNSPACED}]&&\p{{L}}]"
"""Regular expression: one letter of a script without spaces between words."""

_LAST_SCRIPT_POINT = 0x33480
"""Behind the last ideograph; beyond are no letters but private ones."""

_TSHEG = "\u0f0b\u0f0c"
"""It stands between the syllables of Tibetan as a space does between words."""

_HEAD = 300
_LEAST_SHARE = 0.25
_LEAST_KANA = 0.05


def unspaced(text: pl.Series, candidates: pl.Series) -> Mask:
    """Return for every text whether most letters of its first 300 characters are of a script without spaces.

    Args:
        text: String series.
        candidates: numbers of the texts that may be: those with more than two bytes a character, as these scripts have
            three.
    """
    found = np.zeros(len(text), dtype=np.bool_)
    if len(candidates):
        head = text.gather(candidates).str.slice(0, _HEAD)
        most = head.str.count_matches(UNSPACED_LETTER) * 2 > head.str.count_matches(r"\p{L}")
        found[candidates.to_numpy()] = most.to_numpy()
    return found


def languages_by_script(text: pl.Series) -> list[str]:
    """Return for every text the language that its script stands for: zh, ja, th, lo, km, my, bo, ko; all others en.

    The script is the one of most letters among these, where it has at least a quarter of all letters: a word of them is
    short, so that this is about half of the words. Ideographs with some kana are Japanese, without are Chinese.
    """
    texts = text.fill_null("").to_list()
    flags = flags_of("".join(texts).encode("utf-32-le"))
    lengths = np.array([len(item) for item in texts], dtype=np.int64)
    owners = np.repeat(np.arange(len(texts)), lengths)
    letters = (flags & ALPHABETIC) != 0
    kinds = len(_SCRIPTS) + 1
    places = owners[letters] * kinds + (flags[letters] >> _SCRIPT_SHIFT)
    counts = np.bincount(places, minlength=len(texts) * kinds).reshape(len(texts), kinds)
    return [_language(row) for row in counts.tolist()]


def _language(letters: list[int]) -> str:
    """Choose from the letters of a text: of no listed script, then of each of `_SCRIPTS`."""
    by_language: dict[str, int] = {}
    for language, number in zip(_LANGUAGES, letters[1:], strict=True):
        by_language[language] = by_language.get(language, 0) + number
    east_asian = by_language["zh"] + by_language["ja"]
    is_japanese = by_language["ja"] > _LEAST_KANA * east_asian
    by_language["zh"], by_language["ja"] = (0, east_asian) if is_japanese else (east_asian, 0)
    language = max(by_language, key=lambda name: by_language[name])
    return language if by_language[language] > 0 and by_language[language] >= _LEAST_SHARE * sum(letters) else "en"


def flags_of(utf32: bytes) -> Flags:
    """Look up characters: bits `ALPHABETIC`, `NUMERIC`, `SPACE` by their Unicode properties, above them the script.

    Args:
        utf32: the characters, little-endian, without a mark of the byte order.
    """
    points = np.frombuffer(utf32, dtype="<u4")
    flags: Flags = character_flags()[np.minimum(points, _LAST_SCRIPT_POINT)]
    return flags


@cache
def character_flags() -> Flags:
    """Make the table of `flags_of`; the first call takes a while."""
    points = [point for point in range(_LAST_SCRIPT_POINT) if not 0xD800 <= point < 0xE000]
    characters = pl.Series([chr(point) for point in points])
    flags = np.zeros(len(points), dtype=np.uint8)
    for flag, name in ((ALPHABETIC, "Alphabetic"), (NUMERIC, "N"), (SPACE, "White_Space")):
        flags[characters.str.contains(rf"\p{{{name}}}").to_numpy()] |= flag
    flags[characters.is_in(list(_TSHEG)).to_numpy()] |= SPACE
    for number, script in enumerate(_SCRIPTS, start=1):
        flags[characters.str.contains(rf"\p{{{script}}}").to_numpy()] |= np.uint8(number) << _SCRIPT_SHIFT
    table = np.zeros(_LAST_SCRIPT_POINT + 1, dtype=np.uint8)
    table[points] = flags
    return table
