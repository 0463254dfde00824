"""Decoding as the Encoding Standard does, with a count of replaced characters."""

# ruff: noqa: RUF001 - characters that look alike are what some tables are about

from __future__ import annotations

from dataclasses import dataclass

from mega_data_factory.charsets.repairs import error_handler

_JAPANESE = str.maketrans("〜‖−¢£¬", "～∥－￠￡￢")
_OLD_GB18030 = (0xE5E5, *range(0xE78D, 0xE797), 0xE7C7, 0xE81E, 0xE826, 0xE82B, 0xE82C, 0xE832, 0xE843, 0xE854, 0xE864)
"""Private characters that Python gives for what has had characters of its own since GB 18030-2005 and -2022."""

AFTERWARDS: dict[str, dict[int, int]] = {
    "big5hkscs": str.maketrans("•､‾∼♁☉¥¢£", "‧﹑¯～⊕⊙￥￠￡"),
    "cp932": dict.fromkeys(range(0xF8F0, 0xF8F4), 0xFFFD),  # of bytes without a character
    "euc_jp": _JAPANESE,
    "gb18030": dict(zip(_OLD_GB18030, map(ord, "\u3000︐︒︑︓︔︕︖︗︘︙ḿ龴龵龶龷龸龹龺龻"), strict=True)),
    "iso2022_jp_ext": _JAPANESE,
    "koi8-u": str.maketrans("╝╬", "ўЎ"),
}
"""Characters that Python's codecs give → those of the standard."""


@dataclass(frozen=True)
class Decoded:
    """Text that was decoded.

    Attributes:
        text: holds no half of a surrogate pair.
        encoding: name of Python's codec.
        replaced: places where bytes could not be decoded and U+FFFD was put.
    """

    text: str
    encoding: str
    replaced: int


def decode(data: bytes, codec: str) -> Decoded:
    """Decode bytes as the Encoding Standard does; never fails.

    Args:
        data: any bytes.
        codec: one that `codec_of` gave.
    """
    try:
        text, replaced = data.decode(codec), 0
    except UnicodeDecodeError:
        text = data.decode(codec, error_handler(codec))
        replaced = text.count("\ufffd") - (data.count(b"\xef\xbf\xbd") if codec == "utf-8" else 0)
    if table := AFTERWARDS.get(codec):
        text = text.translate(table)
        replaced = max(replaced, text.count("\ufffd"))
    return Decoded(text, codec, replaced)
