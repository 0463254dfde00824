"""Encodings of bytes that do not say theirs, by what the bytes look like."""

from __future__ import annotations

import re
from collections.abc import Sequence

from resiliparse.parse.encoding import detect_encoding

from mega_data_factory.charsets.decoding import decode
from mega_data_factory.charsets.labels import codec_of

_SEVEN_BIT = frozenset({"hz", "iso2022_jp_ext", "iso2022_kr"})
"""Codecs of text that looks like ASCII."""

_WINDOWS_OF_ISO = {"iso8859-7": "cp1253", "iso8859-13": "cp1257"}
"""Encodings that differ from those of Windows by having control codes at 0x80 to 0x9F, which no text has."""

_LIKELIER = {"iso8859-8": "cp1255", "koi8-r": "koi8-u", "mac-cyrillic": "cp1251", "utf-8": None}
"""Label of the detector → encoding to use: a superset, or the far more frequent one."""

_CONTROL_CODES = re.compile(rb"[\x80-\x9f]")


def guess(data: bytes) -> str:
    """Return the codec of text that is not UTF-8, as it looks; windows-1252 where it looks like nothing."""
    name = detect_encoding(data, html5_compatible=False)  # its own mapping turns cp949 into UTF-8
    codec = codec_of(name) if name else None
    codec = _LIKELIER.get(codec, codec) if codec else None
    if codec in _WINDOWS_OF_ISO and _CONTROL_CODES.search(data):
        codec = _WINDOWS_OF_ISO[codec]
    if codec is None or decode(data, codec).replaced:
        codec = _by_script(data) or codec
    return codec or "cp1252"


def _by_script(data: bytes) -> str | None:
    """Return a codec that gives Korean or Japanese without an error; detectors know the commoner letters only."""
    for codec, script in (("cp949", "[가-힣]"), ("cp932", "[ぁ-ヿ]"), ("euc_jp", "[ぁ-ヿ]")):
        decoded = decode(data[:65536], codec)
        letters = [letter for letter in decoded.text if letter > "\x7f" and letter.isalpha()]
        if decoded.replaced <= 1 and letters:  # one may be cut by the end of the sample
            hits = len(re.findall(script, decoded.text))
            if hits * (1.2 if codec == "cp949" else 5) >= len(letters):
                return codec
    return None


def seven_bit(data: bytes, declared: Sequence[str]) -> str | None:
    """Return the codec of text that looks like ASCII and is not."""
    if not (b"\x1b" in data or b"~{" in data) or not data.isascii():
        return None
    codec = next((codec for codec in declared if codec in _SEVEN_BIT), None)
    codec = codec or codec_of(detect_encoding(data, html5_compatible=False) or "")
    return codec if codec in _SEVEN_BIT else None


def utf_16(data: bytes, declared: Sequence[str]) -> str | None:
    """Return the codec of UTF-16 without a mark: ASCII in it leaves NULs at every other byte."""
    head = data[:4096]
    if b"\0" not in head:
        return None
    even, odd = head[::2].count(0), head[1::2].count(0)
    if 8 * max(even, odd) > len(head) and 8 * min(even, odd) < max(even, odd):
        return "utf-16-le" if odd > even else "utf-16-be"
    return next((codec for codec in declared if codec.startswith("utf-16")), None)
