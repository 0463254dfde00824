"""Members of compressed files: streams that end where a member ends, and the search for the next one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from isal import isal_zlib

_PIECE_BYTES = 1 << 16


@dataclass(frozen=True)
class Codec:
    """A compression of WARC files.

    Attributes:
        magic: bytes that a member begins with.
        start: returns a decompressor with `decompress`, `eof` and `unused_data`.
    """

    magic: bytes
    start: Callable[[], Any]


def _gunzip() -> Any:
    return isal_zlib.decompressobj(31)


def _unzstd() -> Any:
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()


GZIP = Codec(b"\x1f\x8b\x08", _gunzip)
ZSTD = Codec(b"\x28\xb5\x2f\xfd", _unzstd)


def codec_of(file: BinaryIO) -> Codec | None:
    """Return the codec that the first bytes of a file tell; None for a plain file. Leaves the file at its start."""
    file.seek(0)
    head = file.read(4)
    file.seek(0)
    return next((codec for codec in (GZIP, ZSTD) if head.startswith(codec.magic)), None)


class Member:
    """Decompressed bytes of one member.

    Args:
        file: the compressed file.
        start: offset of the member.
        codec: of the file.

    Attributes:
        end: offset behind the member, once all of it was pulled; None before, and of a damaged one.
        damage: why the rest of the member cannot be read; empty while nothing is wrong.
    """

    def __init__(self, file: BinaryIO, start: int, codec: Codec) -> None:
        self.end: int | None = None
        self.damage = ""
        self._file = file
        self._position = start
        self._decompressor = codec.start()

    def pull(self) -> bytes:
        """Return the next bytes; none at the end, or where the member is damaged."""
        while self.end is None and not self.damage:
            self._file.seek(self._position)
            packed = self._file.read(_PIECE_BYTES)
            if not packed:
                self.damage = "the file ends within it"
                break
            self._position += len(packed)
            try:
                piece: bytes = self._decompressor.decompress(packed)
            except Exception as error:  # noqa: BLE001 - isal and zstandard raise errors of their own
                self.damage = str(error)
                break
            if self._decompressor.eof:
                self.end = self._position - len(self._decompressor.unused_data)
            if piece:
                return piece
        return b""


class PlainFile:
    """Bytes of an uncompressed file, pulled like those of a member."""

    damage = ""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self._file = file

    def pull(self) -> bytes:
        """Return the next bytes; none at the end."""
        return self._file.read(_PIECE_BYTES)


def next_member(file: BinaryIO, after: int, codec: Codec) -> int | None:
    """Return the offset of the first member behind `after` that holds WARC records; None where there is none."""
    position, carried = after, b""
    while True:
        file.seek(position + len(carried))
        piece = file.read(_PIECE_BYTES)
        window = carried + piece
        at = window.find(codec.magic)
        while at >= 0:
            if Member(file, position + at, codec).pull().startswith(b"WARC/"):
                return position + at
            at = window.find(codec.magic, at + 1)
        if not piece:
            return None
        carried = window[-(len(codec.magic) - 1) :]
        position += len(window) - len(carried)
