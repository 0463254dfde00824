"""Character encodings of web pages and text files: labels, decoding with a count of replaced characters, detection.

Sources: WHATWG Encoding Standard (labels and mappings); WHATWG HTML, section 13.2.3.2, "Determining the character
encoding" (the order of byte order mark, HTTP header and `<meta>`). Differences, each because a corpus is not a browser:
bytes that are valid UTF-8 are UTF-8 despite any declaration; a declaration that most of the text contradicts is not
believed; HZ and ISO-2022-KR, which browsers refuse for security, are decoded.
"""

# ruff: noqa: RUF001 - characters that look alike are what some tables are about

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_MORE_LABELS = {"x-mac-cyrillic": "mac-cyrillic", "x-mac-ukrainian": "mac-cyrillic", "x-user-defined": "cp1252"}
"""Labels of the standard that Resiliparse does not know."""

_WEB_CODECS = {
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

_SEVEN_BIT = frozenset({"hz", "iso2022_jp_ext", "iso2022_kr"})
"""Codecs of text that looks like ASCII."""

_WINDOWS_OF_ISO = {"iso8859-7": "cp1253", "iso8859-13": "cp1257"}
"""Encodings that differ from those of Windows by having control codes at 0x80 to 0x9F, which no text has."""

_LIKELIER = {"iso8859-8": "cp1255", "koi8-r": "koi8-u", "mac-cyrillic": "cp1251", "utf-8": None}
"""Label of the detector → encoding to use: a superset, or the far more frequent one."""

_CONTROL_CODES = re.compile(rb"[\x80-\x9f]")
_HIGH_BYTES = bytes(range(0x80, 0x100))

_JAPANESE = str.maketrans("〜‖−¢£¬", "～∥－￠￡￢")
_OLD_GB18030 = (0xE5E5, *range(0xE78D, 0xE797), 0xE7C7, 0xE81E, 0xE826, 0xE82B, 0xE82C, 0xE832, 0xE843, 0xE854, 0xE864)
"""Private characters that Python gives for what has had characters of its own since GB 18030-2005 and -2022."""

_AFTERWARDS: dict[str, dict[int, int]] = {
    "big5hkscs": str.maketrans("•､‾∼♁☉¥¢£", "‧﹑¯～⊕⊙￥￠￡"),
    "cp932": dict.fromkeys(range(0xF8F0, 0xF8F4), 0xFFFD),  # of bytes without a character
    "euc_jp": _JAPANESE,
    "gb18030": dict(zip(_OLD_GB18030, map(ord, "\u3000︐︒︑︓︔︕︖︗︘︙ḿ龴龵龶龷龸龹龺龻"), strict=True)),
    "iso2022_jp_ext": _JAPANESE,
    "koi8-u": str.maketrans("╝╬", "ўЎ"),
}
"""Characters that Python's codecs give → those of the standard."""

_META_BYTES = 4096
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_META = re.compile(rb"<meta[\s/][^>]*?charset\s*=\s*[\"']?\s*([^\s\"'/>;]+)", re.IGNORECASE)
_XML = re.compile(rb"\A\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']\s*([^\s\"'>]+)")

_TOLERATED = 20
"""A declaration is believed when at most one in this many characters beyond ASCII does not fit it."""


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


def codec_of(label: str) -> str | None:
    """Return Python's codec for a label of the web, or for a name that Python knows; None for what is neither."""
    label = label.strip(" \t\r\n\f\"'").lower()
    name = map_encoding_to_html5(label, fallback_utf8=False) if label else None
    if name is None:
        name = _MORE_LABELS.get(label) or _python_name(label)
        name = None if name is None else map_encoding_to_html5(name, fallback_utf8=False) or name
    return None if name is None else _WEB_CODECS.get(name, name)


def _python_name(label: str) -> str | None:
    try:
        info = codecs.lookup(label)
    except (LookupError, ValueError):
        return None
    is_text = getattr(info, "_is_text_encoding", True)
    return info.name if is_text and info.name.replace("_", "-") not in _NO_CHARSETS else None


def load_codecs() -> None:
    """Load what Python loads when an encoding is first used, so that no batch pays for it."""
    for codec in (
        *_WEB_CODECS.values(),
        *_AFTERWARDS,
        *(f"cp125{digit}" for digit in range(9)),
        "utf-16-le",
        "utf-16-be",
    ):
        codecs.lookup(codec)
    decode_text(b"caf\xe9 \xff" * 9)


def decode(data: bytes, codec: str) -> Decoded:
    """Decode bytes as the Encoding Standard does; never fails.

    Args:
        data: any bytes.
        codec: one that `codec_of` gave.
    """
    try:
        text, replaced = data.decode(codec), 0
    except UnicodeDecodeError:
        text = data.decode(codec, _error_handler(codec))
        replaced = text.count("\ufffd") - (data.count(b"\xef\xbf\xbd") if codec == "utf-8" else 0)
    if table := _AFTERWARDS.get(codec):
        text = text.translate(table)
        replaced = max(replaced, text.count("\ufffd"))
    return Decoded(text, codec, replaced)


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


def marked_encoding(data: bytes) -> tuple[bytes, str] | None:
    """Return the byte order mark at the head of the bytes, and the encoding that it stands for."""
    return next(((mark, codec) for mark, codec in _MARKS if data.startswith(mark)), None)


def _marked(data: bytes) -> Decoded | None:
    found = marked_encoding(data)
    return None if found is None else decode(data[len(found[0]) :], found[1])


def _plain_utf_8(data: bytes) -> Decoded | None:
    """Return valid UTF-8 that nothing marks as UTF-16 or as an encoding of seven bits: most of what is decoded."""
    if b"\x1b" in data or b"\0" in data or b"~{" in data:
        return None
    try:
        return Decoded(data.decode(), "utf-8", 0)
    except UnicodeDecodeError:
        return None


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
    if narrow := _seven_bit(data, declared) or _utf_16(data, declared):
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


def _seven_bit(data: bytes, declared: Sequence[str]) -> str | None:
    """Return the codec of text that looks like ASCII and is not."""
    if not (b"\x1b" in data or b"~{" in data) or not data.isascii():
        return None
    codec = next((codec for codec in declared if codec in _SEVEN_BIT), None)
    codec = codec or codec_of(detect_encoding(data, html5_compatible=False) or "")
    return codec if codec in _SEVEN_BIT else None


def _utf_16(data: bytes, declared: Sequence[str]) -> str | None:
    """Return the codec of UTF-16 without a mark: ASCII in it leaves NULs at every other byte."""
    head = data[:4096]
    if b"\0" not in head:
        return None
    even, odd = head[::2].count(0), head[1::2].count(0)
    if 8 * max(even, odd) > len(head) and 8 * min(even, odd) < max(even, odd):
        return "utf-16-le" if odd > even else "utf-16-be"
    return next((codec for codec in declared if codec.startswith("utf-16")), None)


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


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@functools.cache
def _error_handler(codec: str) -> str:
    """Return the name of an error handler that maps what the standard maps and Python's codec does not."""
    repair = _REPAIRS.get(codec, _control_code if codec.startswith("cp125") else None)
    if repair is None:
        return "replace"

    def handle(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeDecodeError):
            raise error
        return repair(error.object, error.start) or ("\ufffd", error.end)

    codecs.register_error(f"mdf-{codec}", handle)
    return f"mdf-{codec}"


def _control_code(data: bytes, at: int) -> tuple[str, int] | None:
    """Decode bytes 0x80 to 0x9F without a meaning as control codes."""
    return (chr(data[at]), at + 1) if 0x80 <= data[at] <= 0x9F else None


def _windows_1255(data: bytes, at: int) -> tuple[str, int] | None:
    return ("\u05ba", at + 1) if data[at] == 0xCA else _control_code(data, at)


def _euro(data: bytes, at: int) -> tuple[str, int] | None:
    return ("€", at + 1) if data[at] == 0x80 else None


_ETEN = dict(zip((b"\xc6" + bytes((trail,)) for trail in b"\xcf\xd3\xd5\xd7\xde\xdf"), "廴无癶隶〃仝", strict=True))


def _eten(data: bytes, at: int) -> tuple[str, int] | None:
    """Decode characters of Big5 that Python's codec of HKSCS lacks."""
    pair = data[at : at + 2]
    if b"\xc6\xa1" <= pair <= b"\xc8\xfe":  # Windows has Japanese letters here, at other places
        return (_ETEN[pair], at + 2) if pair in _ETEN else None
    return _pair(pair, "cp950", at)


def _nec_and_ibm(data: bytes, at: int) -> tuple[str, int] | None:
    """Decode rows 13 and 89 to 92 of JIS X 0208, extensions of NEC and IBM that Windows-31J has too."""
    lead, trail = ((byte | 0x80) - 0xA0 for byte in (*data[at : at + 2], 0, 0)[:2])
    if not (1 <= lead <= 94 and 1 <= trail <= 94):
        return None
    first = (lead - 1) // 2 + (0x81 if lead < 63 else 0xC1)
    second = trail + 0x9E if lead % 2 == 0 else trail + (0x3F if trail < 64 else 0x40)
    return _pair(bytes((first, second)), "cp932", at)


def _pair(pair: bytes, codec: str, at: int) -> tuple[str, int] | None:
    try:
        return pair.decode(codec), at + 2
    except UnicodeDecodeError:
        return None


_REPAIRS: dict[str, Callable[[bytes, int], tuple[str, int] | None]] = {
    "big5hkscs": _eten,
    "cp1255": _windows_1255,
    "cp874": _control_code,
    "euc_jp": _nec_and_ibm,
    "gb18030": _euro,
    "iso2022_jp_ext": _nec_and_ibm,
}
