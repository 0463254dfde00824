"""Byte order marks."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def marked_encoding(data: bytes) -> tuple[bytes, str] | None:
    """Return the byte order mark at the head of the bytes, and the encoding that it stands for."""
    return next(((mark, codec) for mark, codec in _MARKS if data.startswith(mark)), None)
