"""Labels of encodings, and Python's codecs for them."""

from __future__ import annotations

import codecs

from resiliparse.parse.encoding import map_encoding_to_html5

_MORE_LABELS = {"x-mac-cyrillic": "mac-cyrillic", "x-mac-ukrainian": "mac-cyrillic", "x-user-defined": "cp1252"}
"""Labels of the standard that Resiliparse does not know."""

WEB_CODECS = {
    "big5": "big5hkscs",
    "euc_kr": "cp949",
    "gbk": "gb18030",
    "iso2022_jp": "iso2022_jp_ext",
    "iso8859-11": "cp874",
    "shift_jis": "cp932",
    "tis-620": "cp874",
}
"""Python's codec of a name → the codec that the web uses under that name."""

_NO_CHARSETS = frozenset(
    {"idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)
"""Text codecs of Python in which no file is written, or which can hide markup."""


def codec_of(label: str) -> str | None:
    """Return Python's codec for a label of the web, or for a name that Python knows; None for what is neither."""
    label = label.strip(" \t\r\n\f\"'").lower()
    name = map_encoding_to_html5(label, fallback_utf8=False) if label else None
    if name is None:
        name = _MORE_LABELS.get(label) or _python_name(label)
        name = None if name is None else map_encoding_to_html5(name, fallback_utf8=False) or name
    return None if name is None else WEB_CODECS.get(name, name)


def _python_name(label: str) -> str | None:
    try:
        info = codecs.lookup(label)
    except (LookupError, ValueError):
        return None
    is_text = getattr(info, "_is_text_encoding", True)
    return info.name if is_text and info.name.replace("_", "-") not in _NO_CHARSETS else None
