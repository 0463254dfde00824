"""JSON that is not in lines, read as a stream: one array `[{…}, {…}]`, or pretty-printed objects one after another."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_PIECE_BYTES = 1 << 18
_MARK = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_BEGINNING_BYTES = 2000
_ENDS_WITHIN = "the file ends within it"

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(?P<end>"|\\?\Z)|[\[\]{},]', re.DOTALL)
"""A string, which may be cut off by the end of the buffer, or a byte that opens, closes or parts values."""


@dataclass(frozen=True)
class Item:
    """A value of the array.

    Attributes:
        start: offset of its first byte.
        text: the value; its beginning if there is a problem.
        problem: why it cannot be read; empty if it can.
    """

    start: int
    text: bytes
    problem: str = ""


class Layout(enum.Enum):
    """Format of the records of a JSON file."""

    LINES = "one object per line"
    ARRAY = "one array of objects"
    OBJECTS = "objects over several lines"


def layout_of(file: BinaryIO) -> Layout:
    """Return the layout of a file, as its beginning shows it.

    `[` and then `{`, `]` or nothing begin an array. A first line that is `{` and nothing else begins a pretty-printed
    object.
    """
    head = getattr(file, "read1", file.read)(1 << 12).removeprefix(_MARK).lstrip(_BLANK)
    if head.startswith(b"[") and head[1:].lstrip(_BLANK)[:1] in (b"{", b"]", b""):
        return Layout.ARRAY
    first, end, _ = head.partition(b"\n")
    return Layout.OBJECTS if end and first.rstrip(_BLANK) == b"{" else Layout.LINES


def items_of(file: BinaryIO, layout: Layout, most_bytes: int) -> Iterator[Item]:
    """Read the values of a file; what follows the end of an array is reported as a problem, and so is a missing end.

    Args:
        file: positioned at its start.
        layout: of the file, not `LINES`.
        most_bytes: larger values are passed over, without holding them in memory.
    """
    reader = _Reader(file, most_bytes, in_array=layout is Layout.ARRAY)
    return reader.items() if layout is Layout.ARRAY else reader.objects()


class _Reader:
    def __init__(self, file: BinaryIO, most_bytes: int, *, in_array: bool) -> None:
        self._file = file
        self._in_array = in_array
        self._most = most_bytes
        self._buffer = b""
        self._offset = 0  # of the first byte of the buffer

    def objects(self) -> Iterator[Item]:
        """Read values that follow each other with nothing but white space between them."""
        self._mark()
        while True:
            start = self._blank()
            if not self._buffer:
                return
            yield self._value(start)

    def items(self) -> Iterator[Item]:
        """Read the values of one array."""
        self._mark()
        self._blank()
        self._drop(1)  # the bracket
        while True:
            start = self._blank()
            if not self._buffer:
                yield Item(start, b"", "the file ends within the array")
                return
            if self._buffer[:1] in (b",", b"]"):
                closed = self._buffer[:1] == b"]"
                self._drop(1)
                if closed:
                    break
                continue
            yield (item := self._value(start))
            if item.problem == _ENDS_WITHIN:
                return
        start = self._blank()
        if self._buffer:
            yield Item(start, self._buffer[:_BEGINNING_BYTES], "the array has ended, and the file has not")

    def _mark(self) -> None:
        """Pass a byte order mark."""
        self._pull()
        if self._buffer.startswith(_MARK):
            self._drop(len(_MARK))

    def _value(self, start: int) -> Item:
        """Take a value: in an array up to the comma or bracket behind it, else to its own last bracket."""
        level, at, passed, beginning = 0, 0, 0, b""
        while True:
            token = _TOKEN.search(self._buffer, at)
            if token is None or token["end"] in (b"", b"\\"):
                at = len(self._buffer) if token is None else token.start()
                if passed + len(self._buffer) > self._most:
                    beginning = beginning or self._buffer[:_BEGINNING_BYTES]
                    passed += at
                    self._drop(at)
                    at = 0
                if len(self._buffer) > self._most:
                    return self._rest(start, beginning, passed)
                if not self._pull():
                    text = beginning or self._buffer[:_BEGINNING_BYTES]
                    self._drop(len(self._buffer))
                    return Item(start, text, _ENDS_WITHIN)
                continue
            byte = token[0][:1]
            level += (byte in b"{[") - (byte in b"}]")
            at = token.end()
            if self._in_array:
                end = token.start() if byte in b",]" and level <= 0 and (byte == b"]") == (level < 0) else None
            else:
                end = token.end() if byte in b",}]" and level <= 0 else None
            if end is not None:
                text = self._buffer[:end]
                self._drop(end)
                size = passed + len(text)
                if size > self._most:
                    return Item(start, beginning or text[:_BEGINNING_BYTES], f"{size:,} bytes, more than max_record_mb")
                return Item(start, text.rstrip(_BLANK))

    def _rest(self, start: int, beginning: bytes, passed: int) -> Item:
        """Pass what is left of the file: a string that is larger than any record hides where values end."""
        passed += len(self._buffer)
        self._drop(len(self._buffer))
        while self._pull():
            passed += len(self._buffer)
            self._drop(len(self._buffer))
        return Item(start, beginning, f"{passed:,} bytes up to the end of the file, more than max_record_mb")

    def _pull(self) -> bool:
        piece = self._file.read(max(_PIECE_BYTES, len(self._buffer)))  # growing: a long string is searched again
        self._buffer += piece
        return bool(piece)

    def _drop(self, count: int) -> None:
        self._buffer = self._buffer[count:]
        self._offset += count

    def _blank(self) -> int:
        """Pass white space; return the offset of what follows."""
        while True:
            self._drop(len(self._buffer) - len(self._buffer.lstrip(_BLANK)))
            if self._buffer or not self._pull():
                return self._offset
