"""Characters that the Encoding Standard maps and Python's codecs do not."""

from __future__ import annotations

import codecs
import functools
from collections.abc import Callable


@functools.cache
def error_handler(codec: str) -> str:
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
