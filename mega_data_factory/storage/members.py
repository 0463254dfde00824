"""Members of compressed files: gzip members and zstd frames, one after the other, around damage."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from mega_data_factory import extras

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PIECE_BYTES = 1 << 14
"""Compressed bytes that are decompressed at once; where they are damaged, what was made of them is lost."""


@dataclass(frozen=True)
class Codec:
    """A compression of files that may have several members.

    Attributes:
        name: for messages.
        magic: bytes that a member begins with.
        start: returns a decompressor with `decompress`, `eof` and `unused_data`.
    """

    name: str
    magic: bytes
    start: Callable[[], Any]


def _gunzip() -> Any:
    with extras.needed_by("a .gz file"):
        from isal import isal_zlib

    return isal_zlib.decompressobj(31)


def _unzstd() -> Any:
    with extras.needed_by("a .zst file"):
        import zstandard

    return zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()


GZIP = Codec("gzip", b"\x1f\x8b\x08", _gunzip)
ZSTD = Codec("zstd", b"\x28\xb5\x2f\xfd", _unzstd)


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
            if self._file.tell() != self._position:
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

    def left(self) -> None:
        """Return None: how many bytes are left is not known."""


def next_member(file: BinaryIO, after: int, codec: Codec, looks_right: Callable[[bytes], bool]) -> int | None:
    """Return the offset of the first member at or behind `after` that begins as it should; None if there is none.

    Args:
        file: seekable.
        after: offset.
        codec: of the file.
        looks_right: whether the first decompressed bytes of a member are those of a record; the magic bytes alone come
            up by chance.
    """
    position, carried = after, b""
    while True:
        file.seek(position + len(carried))
        piece = file.read(_PIECE_BYTES)
        window = carried + piece
        at = window.find(codec.magic)
        while at >= 0:
            if looks_right(Member(file, position + at, codec).pull()):
                return position + at
            at = window.find(codec.magic, at + 1)
        if not piece:
            return None
        carried = window[-(len(codec.magic) - 1) :]
        position += len(window) - len(carried)


class Decompressed(io.RawIOBase):
    """Decompressed bytes of all members of a file.

    Reading raises `OSError` at damage, after all bytes before it. Zeros behind the last member of a gzip file are
    padding, as for gzip itself.

    Args:
        file: the compressed file, seekable where it has several members; closed with the stream.
        codec: of the file.
    """

    def __init__(self, file: BinaryIO, codec: Codec) -> None:
        super().__init__()
        self._file = file
        self._codec = codec
        self._member: Member | None = None
        self._start = 0
        self._ready = memoryview(b"")
        self._broken = ""

    def readable(self) -> bool:
        """Return True: the stream is for reading."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read the next bytes; 0 at the end.

        Raises:
            OSError: the file is damaged here.
        """
        if not self._ready:
            self._ready = memoryview(self._pull())
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._ready))
        target[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def skip_damage(self, looks_right: Callable[[bytes], bool]) -> int | None:
        """Go to the next member behind damage; return its offset in the compressed file, None if there is none.

        Args:
            looks_right: see `next_member`.
        """
        found = next_member(self._file, self._start + 1, self._codec, looks_right)
        if found is not None:
            self._start, self._member, self._broken = found, None, ""
        return found

    def close(self) -> None:
        """Close the compressed file too."""
        if not self.closed:
            self._file.close()
        super().close()

    def _pull(self) -> bytes:
        """Return the next bytes of this member, or of the one behind it."""
        while not self._broken:
            if self._member is None:
                if self._is_over():
                    return b""
                self._member = Member(self._file, self._start, self._codec)
            if piece := self._member.pull():
                return piece
            if self._member.end is None:
                self._broken = f"{self._codec.name} member at byte {self._start} is damaged: {self._member.damage}"
            else:
                self._start, self._member = self._member.end, None
        raise OSError(self._broken)

    def _is_over(self) -> bool:
        """Return whether no member is left; take note where something else is."""
        if self._file.tell() != self._start:
            self._file.seek(self._start)
        head = self._file.read(len(self._codec.magic))
        if not head or head == self._codec.magic or self._codec is ZSTD:  # zstd has frames of other magic to skip
            return not head
        rest = head
        while self._codec is GZIP and self._start and rest and not rest.strip(b"\0"):
            rest = self._file.read(_PIECE_BYTES)
        if not rest:
            return True
        where = f" behind its last whole member, at byte {self._start}" if self._start else ", though its name says so"
        self._broken = f"not {self._codec.name} data{where}"
        raise OSError(self._broken)
