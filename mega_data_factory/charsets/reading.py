"""Text of web pages and of files, in whatever encoding they are."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence

from mega_data_factory.charsets.decoding import AFTERWARDS, Decoded, decode
from mega_data_factory.charsets.detection import guess, seven_bit, utf_16
from mega_data_factory.charsets.labels import WEB_CODECS, codec_of
from mega_data_factory.charsets.marks import marked_encoding

_HIGH_BYTES = bytes(range(0x80, 0x100))

_META_BYTES = 4096
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_META = re.compile(rb"<meta[\s/][^>]*?charset\s*=\s*[\"']?\s*([^\s\"'/>;]+)", re.IGNORECASE)
_XML = re.compile(rb"\A\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']\s*([^\s\"'>]+)")

_TOLERATED = 20
"""A declaration is believed when at most one in this many characters beyond ASCII does not fit it."""


def decode_page(data: bytes, charset: str | None = None) -> Decoded:
    """Decode an HTML page.

    Args:
        data: the page.
        charset: what its HTTP header says, if anything.
    """
    if found := _marked(data) or _plain_utf_8(data):
        return found
    declared = [codec for label in (charset, _declared_in(data)) if label and (codec := codec_of(label))]
    return _decode_by(data, declared)


def decode_text(data: bytes) -> Decoded:
    """Decode a text file of unknown encoding."""
    return _marked(data) or _plain_utf_8(data) or _decode_by(data, [])


def is_plain_utf_8(data: bytes) -> bool:
    """Return whether the bytes are valid UTF-8 without a mark, and no encoding of seven bits: they are the text."""
    if data.isascii():
        return not _may_be_wider_or_narrower(data)
    return marked_encoding(data) is None and _plain_utf_8(data) is not None


def load_codecs() -> None:
    """Load what Python loads when an encoding is first used, so that no batch pays for it."""
    for codec in (
        *WEB_CODECS.values(),
        *AFTERWARDS,
        *(f"cp125{digit}" for digit in range(9)),
        "utf-16-le",
        "utf-16-be",
    ):
        codecs.lookup(codec)
    decode_text(b"caf\xe9 \xff" * 9)


def _marked(data: bytes) -> Decoded | None:
    found = marked_encoding(data)
    return None if found is None else decode(data[len(found[0]) :], found[1])


def _plain_utf_8(data: bytes) -> Decoded | None:
    """Return valid UTF-8 that nothing marks as UTF-16 or as an encoding of seven bits: most of what is decoded."""
    if _may_be_wider_or_narrower(data):
        return None
    try:
        return Decoded(data.decode(), "utf-8", 0)
    except UnicodeDecodeError:
        return None


def _may_be_wider_or_narrower(data: bytes) -> bool:
    """Return whether bytes may be UTF-16, or one of the encodings of seven bits."""
    return b"\0" in data or b"\x1b" in data or (b"~" in data and b"~{" in data)  # one byte is found ten times faster


def _declared_in(page: bytes) -> str | None:
    """Return the label in the page's `<meta>` or XML declaration."""
    head = _COMMENT.sub(b"", page[:_META_BYTES])
    found = _META.search(head) or _XML.search(head)
    label = found[1].decode("ascii", "replace").lower() if found else None
    if label and label.startswith(("utf-16", "unicode", "ucs-2", "iso-10646")):
        return "utf-8"  # a page in UTF-16 could not have been read this far
    return label


def _decode_by(data: bytes, declared: Sequence[str]) -> Decoded:
    """Decode bytes without a mark: UTF-8 where they are, else as declared, else as they look."""
    if narrow := seven_bit(data, declared) or utf_16(data, declared):
        return decode(data, narrow)
    utf_8 = decode(data, "utf-8")
    beyond_ascii = len(utf_8.text) - len(data.translate(None, _HIGH_BYTES))
    if beyond_ascii >= 2 * utf_8.replaced:  # of other encodings about one character in ten looks like UTF-8
        return utf_8
    tried = []
    for codec in declared:
        tried.append(utf_8 if codec == "utf-8" else decode(data, codec))
        if tried[-1].replaced * _TOLERATED <= beyond_ascii:
            return tried[-1]
    return min(*tried, decode(data, guess(data)), utf_8, key=lambda decoded: decoded.replaced)
