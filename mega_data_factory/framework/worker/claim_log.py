"""Logs of deduplication claims: a file that is appended to, or objects beside each other in an object store."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import BinaryIO, Protocol

from mega_data_factory import storage

MERGE_FROM = 256
"""Objects that are merged into one, so that a shard that comes back has few to read."""


class ClaimLog(Protocol):
    """What a shard writes down; every entry is kept when `append` returns."""

    def read(self) -> bytes:
        """Return everything that was appended, in order; what was torn by a kill may be at the end."""

    def append(self, entries: bytes | bytearray) -> None:
        """Append entries.

        Raises:
            OSError: a file cannot be written.
            OutputError: an object cannot.
        """

    def close(self) -> None:
        """Close the log."""


def open_log(path: str | Path, entry_bytes: int) -> ClaimLog:
    """Open the log of a shard; create it if it is missing.

    Args:
        path: file, or folder of objects in an object store.
        entry_bytes: size of an entry: of a file a torn last one is cut off.
    """
    return FileLog(storage.local_path(path), entry_bytes) if storage.is_local(path) else ObjectLog(str(path))


class FileLog:
    """A log in a file.

    Args:
        path: the file.
        entry_bytes: size of an entry.
    """

    def __init__(self, path: Path, entry_bytes: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file: BinaryIO = path.open("ab", buffering=0)
        torn = self._file.tell() % entry_bytes
        if torn:
            self._file.truncate(self._file.tell() - torn)

    def read(self) -> bytes:
        """Return everything that was appended."""
        return self._path.read_bytes()

    def append(self, entries: bytes | bytearray) -> None:
        """Write all of it: an unbuffered write may take less than it is given, and half an entry garbles the rest."""
        rest = memoryview(entries)
        while rest:
            rest = rest[self._file.write(rest) :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ObjectLog:
    """A log of objects, one for each call of `append`, with a number in front of its name; merged when there are many.

    Names have a random part as well, so that a shard that was taken for dead overwrites nothing.

    Args:
        folder: of the objects; URI.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._last = max((_number(name) for name in storage.list_dir(folder)), default=0)
        self._recent: list[str] = []
        self._entries = bytearray()  # of `_recent`
        if not self._last:  # that there is a log without claims says that none is lost
            self._write(b"")

    def read(self) -> bytes:
        """Return everything that was appended."""
        return b"".join(storage.read_bytes(storage.join(self._folder, name)) for name in storage.list_dir(self._folder))

    def append(self, entries: bytes | bytearray) -> None:
        """Write an object.

        Raises:
            OutputError: it cannot be written.
        """
        if not entries:
            return
        self._recent.append(self._write(entries))
        self._entries += entries
        if len(self._recent) == MERGE_FROM:
            self._merge()

    def _merge(self) -> None:
        """Write the recent objects as one, then remove them; killed in between, both say the same."""
        self._write(self._entries)
        storage.remove_all(storage.join(self._folder, name) for name in self._recent)
        self._recent.clear()
        self._entries.clear()

    def _write(self, entries: bytes | bytearray) -> str:
        self._last += 1
        name = f"{self._last:010d}-{uuid.uuid4().hex[:8]}"
        with storage.atomic_output(storage.join(self._folder, name)) as sink:
            sink.write(entries)
        return name

    def close(self) -> None:
        """Do nothing: every object is complete."""


def _number(name: str) -> int:
    return int(name.partition("-")[0])
