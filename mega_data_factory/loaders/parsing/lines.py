"""Whole lines of a stream, in blocks; lines that are too long are skipped and reported."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

BLOCK_BYTES = 4 << 20
"""Approximate size of a block of lines, in bytes."""

_PIECE_BYTES = 64 << 10
"""Bytes asked for at once where a file is compressed or remote: so much at most is lost before damage."""

_BEGINNING_BYTES = 2000


@dataclass
class Block:
    """Lines that follow each other.

    Attributes:
        start: offset of the first byte.
        content: the lines, whole; the last one of a file may lack its end.
        too_long: of every line that was passed over its offset, its bytes and its beginning; none of `content` is of
            these.
    """

    start: int
    content: bytes
    too_long: list[tuple[int, int, bytes]] = field(default_factory=list)


def whole_lines(file: BinaryIO, start: int, end: int | None, most_bytes: int) -> Iterator[Block]:
    """Read the lines that begin in [start, end).

    Args:
        file: positioned at its start; seekable where `start` is not 0.
        start: offset.
        end: offset; None for the end of the file.
        most_bytes: longer lines are passed over, without holding them in memory.

    Raises:
        OSError: the stream breaks; the whole lines before are given first.
    """
    position = start
    if start:
        file.seek(start - 1)
        position = start - 1 + _pass_line(file)
    while end is None or position < end:
        wanted = BLOCK_BYTES if end is None else min(BLOCK_BYTES, end - position)
        pieces: list[bytes] = []
        broken = _gather(file, wanted, pieces)
        if not pieces and broken is None:
            return
        block = Block(position, b"")
        passed = sum(map(len, pieces))
        if broken is None and not pieces[-1].endswith(b"\n"):
            passed += _finish_line(file, block, pieces, most_bytes)
        block.content = b"".join(pieces)
        if broken is not None:
            block.content = block.content[: block.content.rfind(b"\n") + 1]
        if len(block.content) > most_bytes:
            _take_out(block, most_bytes)
        if block.content or block.too_long:
            yield block
        if broken is not None:
            raise broken
        position += passed


def _gather(file: BinaryIO, wanted: int, pieces: list[bytes]) -> OSError | None:
    """Read `wanted` bytes into `pieces`; return the error that stopped it, if one did."""
    read1 = getattr(file, "read1", file.read)
    most = wanted if isinstance(getattr(file, "raw", None), io.FileIO) else _PIECE_BYTES
    try:
        while wanted > 0 and (piece := read1(min(wanted, most))):
            pieces.append(piece)
            wanted -= len(piece)
    except OSError as error:
        return error
    return None


def _finish_line(file: BinaryIO, block: Block, pieces: list[bytes], most_bytes: int) -> int:
    """Read the rest of the last line, or pass the line over where it is too long; return the bytes read."""
    begun = _open_line(pieces)
    rest = file.readline(max(0, most_bytes - begun) + 2)
    if begun + len(rest.rstrip(b"\n")) <= most_bytes:
        pieces.append(rest)
        return len(rest)
    content = b"".join(pieces)
    cut = len(content) - begun
    pieces[:] = [content[:cut]]
    passed = len(rest) + (0 if rest.endswith(b"\n") else _pass_line(file))
    beginning = (content[cut : cut + _BEGINNING_BYTES] + rest[:_BEGINNING_BYTES])[:_BEGINNING_BYTES]
    block.too_long.append((block.start + cut, begun + passed, beginning))
    return passed


def _open_line(pieces: list[bytes]) -> int:
    """Return the bytes behind the last line end."""
    size = 0
    for piece in reversed(pieces):
        at = piece.rfind(b"\n")
        size += len(piece) - at - 1
        if at >= 0:
            break
    return size


def _pass_line(file: BinaryIO) -> int:
    """Pass the rest of a line, piece by piece; return its bytes."""
    passed = 0
    while piece := file.readline(_PIECE_BYTES):
        passed += len(piece)
        if piece.endswith(b"\n"):
            break
    return passed


def _take_out(block: Block, most_bytes: int) -> None:
    """Remove blank lines that are too long from the block; the offsets of the others stay."""
    content = bytearray(block.content)
    start = 0
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        if end - start > most_bytes:
            block.too_long.append((block.start + start, end - start, bytes(content[start : start + _BEGINNING_BYTES])))
            content[start:end] = b" " * (end - start)
        start = end + 1
    block.content = bytes(content)
