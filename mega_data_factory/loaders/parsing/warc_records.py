"""Read the records of a WARC file around damage, with every loss named.

What cannot be read is reported, and reading continues at the next record or the next member of the compressed file.
Header lines may end in LF alone, and names of fields may be of any case.

Source: ISO 28500:2017 (WARC 1.1), sections 4 and 5, and annex A on compression.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from mega_data_factory.storage.members import Codec, Member, next_member

_PIECE_BYTES = 1 << 16
_LONGEST_HEADER = 1 << 20
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_RECORD_START = re.compile(rb"[\n\0](?=WARC/\d)")
_VERSION = re.compile(r"WARC/[0-9]+\.[0-9]+[ \t]*")
_SPACE = " \t\n\r\v\f"


@dataclass(frozen=True)
class Found:
    """A record.

    Attributes:
        place: the offset of its member or of the record itself, and `+n` for the n-th of a member.
        fields: header fields, names in lower case.
        length: bytes of its content, as its header says.
        content: its content; None if it is larger than requested.
    """

    place: str
    fields: dict[str, str]
    length: int
    content: bytes | None


@dataclass(frozen=True)
class Damage:
    """Bytes that are not a record.

    Attributes:
        place: where they begin.
        reason: what is wrong.
    """

    place: str
    reason: str


class _PlainFile:
    """Bytes of an uncompressed file, pulled like those of a member."""

    damage = ""

    def __init__(self, file: BinaryIO) -> None:
        self._size = file.seek(0, io.SEEK_END)
        file.seek(0)
        self._file = file

    def pull(self) -> bytes:
        """Return the next bytes; none at the end."""
        return self._file.read(_PIECE_BYTES)

    def left(self) -> int:
        """Return how many bytes have not been pulled."""
        return self._size - self._file.tell()


class _Stream(Protocol):
    damage: str

    def pull(self) -> bytes: ...

    def left(self) -> int | None: ...


def read_records(file: BinaryIO, codec: Codec | None, most_bytes: int) -> Iterator[Found | Damage]:
    """Read all records of a file.

    Args:
        file: seekable, not decompressed.
        codec: of the file; None for a plain one.
        most_bytes: content of larger records is left out.
    """
    if codec is None:
        yield from _Records(_PlainFile(file), 0, most_bytes, plain=True)
        return
    position = 0
    while not _ends_at(file, position):
        member = Member(file, position, codec)
        records = _Records(member, position, most_bytes, plain=False)
        yield from records
        if member.end is not None and _begins_member(file, member.end, codec):
            position = member.end
            continue
        behind = position + 1 if member.end is None else member.end
        found = next_member(file, behind, codec, lambda head: head.startswith(b"WARC/"))
        onward = "to the end of the file" if found is None else f"up to byte {found}"
        if member.end is not None:
            yield Damage(str(behind), f"no record begins here; passed over {onward}")
        elif not records.told_damage:
            yield Damage(str(position), f"damaged ({member.damage}); passed over {onward}")
        if found is None:
            return
        position = found


def _ends_at(file: BinaryIO, position: int) -> bool:
    file.seek(position)
    return not file.read(1)


def _begins_member(file: BinaryIO, position: int, codec: Codec) -> bool:
    file.seek(position)
    head = file.read(len(codec.magic))
    return not head or head == codec.magic


class _Records:
    """The records of one stream.

    Attributes:
        told_damage: whether the damage of the stream has been yielded.
    """

    def __init__(self, stream: _Stream, start: int, most_bytes: int, *, plain: bool) -> None:
        self.told_damage = False
        self._stream = stream
        self._start = start
        self._most = most_bytes
        self._plain = plain
        self._buffer = bytearray()
        self._passed = 0
        self._number = 0

    def __iter__(self) -> Iterator[Found | Damage]:
        while self._skip_blank_lines():
            place = self._place()
            self._number += 1
            self._fill(5)
            if not self._buffer.startswith(b"WARC/"[: len(self._buffer)]):
                yield Damage(place, "no record begins here")
                self._resume()
                continue
            head = self._head()
            if head is None:
                yield self._damage(place, "cut off within the header of a record")
                return
            fields = _fields(head)
            length = None if fields is None else _length(fields)
            if fields is None or length is None:
                yield Damage(place, "a damaged header" if fields is None else "a record without Content-Length")
                self._resume()
                continue
            yield self._content(place, fields, length)

    def _content(self, place: str, fields: dict[str, str], length: int) -> Found | Damage:
        large = length > self._most
        there = left if (left := self._left()) < length else self._drop(length) if large else self._fill(length)
        if there < length:
            damage = self._damage(place, f"cut off: {there:,} of {length:,} bytes are there")
            resumed = (left < length or not large) and self._resume()
            return Damage(place, f"its header says {length:,} bytes, more than it has") if resumed else damage
        held = 0 if large else length
        if not self._followed_well(held):
            self._resume()
            return Damage(place, f"its header says {length:,} bytes, and it does not end there")
        if self._stream.damage and not bytes(self._buffer[held:]).strip(b"\r\n"):
            self._take(len(self._buffer))
            return self._damage(place, "damaged")
        content = None if large else self._beginning(length)
        self._take(held)
        return Found(place, fields, length, content)

    def _damage(self, place: str, reason: str) -> Damage:
        self.told_damage = bool(self._stream.damage)
        return Damage(place, f"{reason} ({self._stream.damage})" if self._stream.damage else reason)

    def _place(self) -> str:
        if self._plain:
            return str(self._start + self._passed)
        return f"{self._start}+{self._number}" if self._number else str(self._start)

    # ── bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _left(self) -> int:
        """Return how many bytes are left, at most: of a compressed stream that is not known."""
        left = self._stream.left()
        return sys.maxsize if left is None else left + len(self._buffer)

    def _fill(self, wanted: int) -> int:
        """Pull until the buffer holds `wanted` bytes; return how many of them there are."""
        while len(self._buffer) < wanted and (piece := self._stream.pull()):
            self._buffer += piece
        return min(len(self._buffer), wanted)

    def _take(self, count: int) -> None:
        del self._buffer[:count]
        self._passed += count

    def _drop(self, count: int) -> int:
        """Pass `count` bytes without holding them; return how many there were."""
        left = count
        while left:
            self._fill(1)
            if not self._buffer:
                break
            taken = min(left, len(self._buffer))
            self._take(taken)
            left -= taken
        return count - left

    def _beginning(self, count: int) -> bytes:
        with memoryview(self._buffer) as view:  # a slice of the buffer would be a second copy
            return bytes(view[:count])

    def _skip_blank_lines(self) -> bool:
        """Pass the line ends between records; return whether anything follows."""
        while self._fill(1):
            blank = len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))
            self._take(blank)
            if self._buffer:
                return True
        return False

    def _head(self) -> bytes | None:
        """Take the header; None if the stream ends within it."""
        wanted = 1
        while True:
            have = self._fill(wanted)
            if found := _HEADER_END.search(self._buffer):
                head = bytes(self._buffer[: found.start()])
                self._take(found.end())
                return head
            if have < wanted:
                return None
            if len(self._buffer) > _LONGEST_HEADER:
                return self._all()
            wanted = len(self._buffer) + 1

    def _all(self) -> bytes:
        taken = bytes(self._buffer)
        self._take(len(taken))
        return taken

    def _followed_well(self, at: int) -> bool:
        """Return whether two line ends follow, or a record, or the end of the stream."""
        self._fill(at + 16)
        rest = bytes(self._buffer[at : at + 16])
        if rest.startswith((b"\r\n\r\n", b"\n\n")):
            return True
        rest = rest.lstrip(b"\r\n")
        return not rest or rest.startswith(b"WARC/"[: len(rest)])

    def _resume(self) -> bool:
        """Pass bytes up to the next line that looks like the start of a record; return whether there is one."""
        while not (found := _RECORD_START.search(self._buffer)):
            size = len(self._buffer)
            if self._fill(size + 1) <= size:
                self._take(size)
                return False
            self._take(max(0, size - 16))  # a start may lie across two pieces
        self._take(found.end())
        return True


def _fields(head: bytes) -> dict[str, str] | None:
    """Return the fields of a header; None if it is not one of a WARC record. Folded lines are joined."""
    first, *lines = head.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    if not _VERSION.fullmatch(first):
        return None
    fields: dict[str, str] = {}
    name = ""
    for line in lines:
        if line[:1] in (" ", "\t") and name:
            fields[name] += " " + line.strip(_SPACE)
            continue
        field, colon, value = line.partition(":")
        if colon and field and not field[0].isspace():
            name = field.strip().lower()
            fields[name] = value.strip(" \t")
    return fields


def _length(fields: dict[str, str]) -> int | None:
    text = fields.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
