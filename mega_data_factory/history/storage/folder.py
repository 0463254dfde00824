"""A history on disk: one Parquet file for each chunk, in folders that any reader of Hive partitions understands.

    _history.json                                         says that this is a history
    node_id=worker-1/resolution=raw/000000000004.parquet  a chunk; its number is the order of writing
    node_id=worker-1/resolution=1min/000000000007.parquet
    node_id=worker-1/_000000000008.records                the newest points, not yet sealed (see `records`)
    node_id=worker-1/_attributes.jsonl                    what it reports beside numbers (see `attributes`)

A chunk's metadata name the chunks and records that it replaces. It takes its name when it is whole, and only then what
it replaces is removed; a reader that finds both trusts the newer one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import quote

from mega_data_factory.errors import HistoryError
from mega_data_factory.history.attributes import Attributes
from mega_data_factory.history.block import Block
from mega_data_factory.history.storage.attribute_file import ATTRIBUTES, AttributeFile, read_attributes
from mega_data_factory.history.storage.chunk import Chunk
from mega_data_factory.history.storage.codec import VERSION, facts_of
from mega_data_factory.history.storage.explaining import explained
from mega_data_factory.history.storage.records import read_records

_MARK = "_history.json"
_LOCK = ".lock"
_LONGEST_NAME = 150
_ATTEMPTS = 5
"""Readings of a folder whose owner replaces files at the same time."""

_UNITS = (("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1))


class NodeFolder:
    """Return the folder of the files of one node.

    Args:
        root: folder of the history.
        node_id: the node; what a file name cannot hold is quoted, what is too long is shortened with a digest.
    """

    def __init__(self, root: Path, node_id: str) -> None:
        name = quote(node_id, safe="")
        if len(name) > _LONGEST_NAME:
            name = f"{name[:_LONGEST_NAME]}~{hashlib.blake2b(node_id.encode(), digest_size=8).hexdigest()}"
        self.path = root / f"node_id={name}"
        self.attributes = AttributeFile(self.path / ATTRIBUTES)

    def records(self, sequence: int) -> Path:
        """Return the file of a buffer of new points."""
        return self.path / f"_{sequence:012d}.records"

    def new_records(self, sequence: int) -> Path:
        """Return the same, in a folder that exists.

        Raises:
            HistoryError: it cannot be made.
        """
        with explained(self.path, "make"):
            self.path.mkdir(exist_ok=True)
        return self.records(sequence)

    def remove_records(self, sequence: int) -> None:
        """Remove the file of a buffer.

        Raises:
            HistoryError: it may not be removed.
        """
        remove(self.records(sequence))

    def write(self, payload: bytes, interval: int, sequence: int) -> Path:
        """Write a chunk; it is whole or absent.

        Raises:
            HistoryError: it cannot be written.
        """
        path = self.path / f"resolution={_resolution(interval)}" / f"{sequence:012d}.parquet"
        temporary = path.with_name(f".{path.name}.tmp")
        with explained(path, "write"):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_bytes(payload)
                temporary.replace(path)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
        return path

    def remove(self, chunk: Chunk) -> None:
        """Remove the file of a chunk.

        Raises:
            HistoryError: it may not be removed.
        """
        if isinstance(chunk.payload, Path):
            remove(chunk.payload)


def remove(path: Path) -> None:
    """Remove a file; it is no error when there is none.

    Raises:
        HistoryError: it may not be removed.
    """
    with explained(path, "remove"):
        path.unlink(missing_ok=True)


@dataclass
class FoundNode:
    """Contents of a folder for one node: chunks, by sequence number the points of buffers in none, and attributes."""

    chunks: list[Chunk] = field(default_factory=list)
    unsealed: dict[int, Block] = field(default_factory=dict)
    stale: list[Path] = field(default_factory=list)
    """Files whose rows are in a newer chunk."""
    attributes: Attributes = field(default_factory=Attributes)


def own(directory: Path) -> IO[bytes]:
    """Make a folder a history that this process alone writes; gives the open lock file.

    Raises:
        HistoryError: another process writes it, it holds something else, or it cannot be made.
    """
    with explained(directory, "make"):
        directory.mkdir(parents=True, exist_ok=True)
        if not (directory / _MARK).exists() and any(one.name != _LOCK for one in directory.iterdir()):
            raise HistoryError(f"{directory} holds something that is not a history", hint="name an empty folder")
        lock = (directory / _LOCK).open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise HistoryError(
                f"{directory} is written by another process (or another MetricsHistory)",
                hint="read it with MetricsHistory.load, or name a folder of its own",
            ) from None
        _mark(directory)
    return lock


def read(path: Path, *, in_memory: bool) -> dict[str, FoundNode]:
    """Read everything in the folder of a history, by node.

    Args:
        path: the folder; another process may be writing it.
        in_memory: whether chunks are read now, or on demand by the one who owns the folder.

    Raises:
        HistoryError: it is not a history, or a file of it is damaged.
    """
    if not (path / _MARK).exists():
        raise HistoryError(
            f"{path} is not the folder of a history" if path.exists() else f"there is no {path}",
            hint="name what MetricsHistory.save wrote, or the `directory` of a MetricsHistory",
        )
    for attempt in range(_ATTEMPTS):
        try:
            return _read(path, in_memory)
        except FileNotFoundError as error:
            if attempt == _ATTEMPTS - 1:
                raise HistoryError(f"cannot read {path}: {error.filename} keeps appearing and disappearing") from error
    raise AssertionError("unreachable")


def _read(path: Path, in_memory: bool) -> dict[str, FoundNode]:
    nodes: dict[str, FoundNode] = {}
    replaced: dict[str, set[int]] = {}
    with explained(path, "read"):
        for file in sorted(path.glob("node_id=*/_*.records")):  # before the chunks: sealing goes the other way
            node_id, block = read_records(file)
            nodes.setdefault(node_id, FoundNode()).unsealed[int(file.stem[1:])] = block
        for file in sorted(path.glob("node_id=*/resolution=*/*.parquet")):
            payload = file.read_bytes()
            facts = facts_of(payload, str(file))
            replaced.setdefault(facts["node_id"], set()).update(facts["replaces"])
            chunk = Chunk(facts, payload if in_memory else file, len(payload))
            nodes.setdefault(facts["node_id"], FoundNode()).chunks.append(chunk)
        for file in sorted(path.glob(f"node_id=*/{ATTRIBUTES}")):
            node_id, attributes = read_attributes(file)
            if node_id in nodes:
                nodes[node_id].attributes = attributes
    for node_id, node in nodes.items():
        _leave_out(node, replaced.get(node_id, set()), NodeFolder(path, node_id))
    return nodes


def _leave_out(node: FoundNode, replaced: set[int], folder: NodeFolder) -> None:
    for sequence in replaced & set(node.unsealed):
        del node.unsealed[sequence]
        node.stale.append(folder.records(sequence))
    node.stale += [one.payload for one in node.chunks if one.sequence in replaced and isinstance(one.payload, Path)]
    node.chunks = [one for one in node.chunks if one.sequence not in replaced]


def save(path: Path, nodes: Iterable[tuple[str, Attributes, Iterable[tuple[int, int, bytes]]]]) -> None:
    """Write a whole history: the folder appears when it is complete, in place of the history that was there.

    Args:
        path: the folder.
        nodes: for each node its name, its attributes, and interval, sequence number and content of its chunks.

    Raises:
        HistoryError: the folder holds something else, is being written by its owner, or cannot be written.
    """
    with contextlib.ExitStack() as stack:
        if path.exists():
            if not path.is_dir():
                raise HistoryError(f"{path} is a file", hint="a history is saved as a folder of Parquet files")
            stack.enter_context(own(path))
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        with explained(path, "write"):
            temporary.mkdir(parents=True)
            _mark(temporary)
        for node_id, attributes, chunks in nodes:
            folder = NodeFolder(temporary, node_id)
            if attributes.names:
                folder.attributes.write(node_id, attributes)
            for interval, sequence, payload in chunks:
                folder.write(payload, interval, sequence)
        with explained(path, "replace"):
            former = temporary.with_suffix(".old")
            if path.exists():
                path.rename(former)
                stack.callback(shutil.rmtree, former)
            temporary.rename(path)


def _mark(directory: Path) -> None:
    mark = directory / _MARK
    if not mark.exists():
        temporary = mark.with_name(f".{_MARK}.tmp")
        temporary.write_text(json.dumps({"format": "mega_data_factory.history", "version": VERSION}) + "\n")
        temporary.replace(mark)


def _resolution(interval: int) -> str:
    """Return `raw`, or the interval in its largest whole unit: `1min`."""
    if interval == 0:
        return "raw"
    return next(f"{interval // unit}{name}" for name, unit in _UNITS if interval % unit == 0)
