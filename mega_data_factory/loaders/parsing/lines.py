"""Whole lines of a stream, in blocks; lines that are too long are skipped and reported."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, cast

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
    content: bytearray
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
        content, broken = _gather(file, BLOCK_BYTES if end is None else min(BLOCK_BYTES, end - position))
        if not content and broken is None:
            return
        block = Block(position, content)
        if broken is not None:
            del content[content.rfind(b"\n") + 1 :]
            passed = 0
        else:
            passed = len(content) if content.endswith(b"\n") else _finish_line(file, block, most_bytes)
        if len(content) > most_bytes:
            _take_out(block, most_bytes)
        if content or block.too_long:
            yield block
        if broken is not None:
            raise broken
        position += passed


def _gather(file: BinaryIO, wanted: int) -> tuple[bytearray, OSError | None]:
    """Read `wanted` bytes; return those that were there, and the error that stopped it, if one did."""
    is_here = isinstance(getattr(file, "raw", None), io.FileIO)
    content = bytearray(wanted + _PIECE_BYTES if is_here else 0)  # with room for the rest of a line
    try:
        if is_here:
            _fill(content, cast("io.BufferedReader", file), wanted)
        else:
            read1 = getattr(file, "read1", file.read)
            while len(content) < wanted and (piece := read1(min(wanted - len(content), _PIECE_BYTES))):
                content += piece
    except OSError as error:
        return content, error
    return content, None


def _fill(content: bytearray, file: io.BufferedReader, wanted: int) -> None:
    """Read a file on this machine into `content`, without a copy, up to `wanted` bytes or its end."""
    filled = 0
    try:
        with memoryview(content) as space:
            while filled < wanted and (count := file.readinto1(space[filled:wanted])):
                filled += count
    finally:
        del content[filled:]


def _finish_line(file: BinaryIO, block: Block, most_bytes: int) -> int:
    """Read the rest of the last line, or pass the line over where it is too long; return the bytes of the block."""
    content = block.content
    cut = content.rfind(b"\n") + 1
    begun = len(content) - cut
    rest = file.readline(max(0, most_bytes - begun) + 2)
    if begun + len(rest.rstrip(b"\n")) <= most_bytes:
        content += rest
        return len(content)
    size = begun + len(rest) + (0 if rest.endswith(b"\n") else _pass_line(file))
    beginning = bytes(content[cut : cut + _BEGINNING_BYTES] + rest[:_BEGINNING_BYTES])[:_BEGINNING_BYTES]
    block.too_long.append((block.start + cut, size, beginning))
    del content[cut:]
    return cut + size


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
    content = block.content
    start = 0
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        if end - start > most_bytes:
            block.too_long.append((block.start + start, end - start, bytes(content[start : start + _BEGINNING_BYTES])))
            content[start:end] = b" " * (end - start)
        start = end + 1
