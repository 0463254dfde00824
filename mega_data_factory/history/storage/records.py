"""Points as they come: packed records in one buffer of fixed size, in memory or in a mapped file.

A record is the values of one point and its timestamp, 8 bytes each, packed by one call with the timestamp last: a point
that is refused, or whose process is killed in the middle of it, is not there. The columns are strided views of the
same bytes.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mega_data_factory.errors import HistoryError
from mega_data_factory.history.block import Block
from mega_data_factory.history.series import Floats, Series, Times, latest

NO_TIME = int(np.iinfo(np.int64).min)
"""Timestamp of a record that was not written yet (as NumPy's NaT); no point may have it."""

_MAGIC = b"MDFHIST1"
_HEAD = struct.Struct("<8sII")
"""Magic, length of the JSON behind it (node and metrics), offset of the first record."""


class Records:
    """A buffer for `capacity` points of the same metrics.

    `MetricsHistory.append` packs into it directly; the attributes are for that.

    Args:
        node_id: whose points they are.
        names: the metrics, in the order of the values in a record.
        capacity: points that it takes.
        path: file to keep the records in. They are written through a shared mapping: what was packed survives the end
            of the process, however it ends (not a power failure, before the system has written it back).

    Attributes:
        names, pack, buffer: `pack(buffer, offset, *values, timestamp)` writes a record.
        offset, end: where the next record goes; the buffer is full when they are equal.
        width: bytes of a record.
        sparse: whether some point did not have all metrics; then trying to pack the next as it is would be in vain.

    Raises:
        HistoryError: the file cannot be made.
    """

    __slots__ = ("_first", "_known", "buffer", "end", "names", "offset", "pack", "path", "sparse", "width")

    def __init__(self, node_id: str, names: Sequence[str], capacity: int, path: Path | None = None) -> None:
        self.names = tuple(names)
        self._known = frozenset(names)
        self.path = path
        record = struct.Struct(f"@{len(self.names)}dq")  # native: the timestamp is copied as a whole, never by bytes
        self.pack = record.pack_into
        self.width = record.size
        self._first = 0
        self.buffer: bytearray | mmap.mmap
        if path is None:
            self.buffer = bytearray(capacity * self.width)
        else:
            self.buffer, self._first = _mapped(path, {"node_id": node_id, "metrics": self.names}, capacity)
        self.sparse = False
        self.offset = self._first
        self.end = self._first + capacity * self.width

    def __len__(self) -> int:
        return (self.offset - self._first) // self.width

    @property
    def nbytes(self) -> int:
        """Bytes of the buffer."""
        return self.end - self._first

    def add_partial_point(self, metrics: Mapping[str, float | None], timestamp: int) -> bool:
        """Add a point that does not have all metrics, or has them in another order.

        Returns:
            False, and nothing is added, when it has others, or what is not a number.
        """
        if not metrics.keys() <= self._known:
            return False
        values = [math.nan if (value := metrics.get(name)) is None else value for name in self.names]
        try:
            self.pack(self.buffer, self.offset, *values, timestamp)
        except (struct.error, OverflowError):
            return False
        self.offset += self.width
        self.sparse = True
        return True

    def extend(self, timestamps: Times, columns: Mapping[str, Floats]) -> int:
        """Take points from arrays until the buffer is full; gives how many were taken."""
        taken = min(len(timestamps), (self.end - self.offset) // self.width)
        table = np.frombuffer(self.buffer, _record_type(len(self.names)), taken, self.offset)
        for at, name in enumerate(self.names):
            table["values"][:, at] = columns[name][:taken] if name in columns else np.nan
        table["timestamp"] = timestamps[:taken]
        self.offset += taken * self.width
        return taken

    def block(self) -> Block:
        """Return the points so far as a settled block, copied: later points do not show in it."""
        return _block(self.names, self._table())

    def series(self, metric: str) -> Series:
        """Return one metric of the points so far, copied; NaN when the records do not have it."""
        table = self._table()
        timestamps = table["timestamp"].copy()
        if metric not in self.names:
            return latest(Series.unknown(timestamps))
        return latest(Series.of_points(timestamps, table["values"][:, self.names.index(metric)].copy()))

    def span(self) -> tuple[int, int] | None:
        """Return first and last timestamp; None when there are no points."""
        times = self._table()["timestamp"]
        return (int(times.min()), int(times.max())) if len(times) else None

    def _table(self) -> npt.NDArray[np.void]:
        return np.frombuffer(self.buffer, _record_type(len(self.names)), len(self), self._first)


def read_records(path: Path) -> tuple[str, Block]:
    """Return the node and the points that were packed into a file, whether its process still lives or not.

    Raises:
        HistoryError: it is not a file of records.
    """
    content = path.read_bytes()
    if len(content) < _HEAD.size or not content.startswith(_MAGIC):
        raise HistoryError(f"{path} is not a file of records of a history")
    _, length, first = _HEAD.unpack_from(content)
    about = json.loads(content[_HEAD.size : _HEAD.size + length])
    names = about["metrics"]
    kind = _record_type(len(names))
    table = np.frombuffer(content, kind, (len(content) - first) // kind.itemsize, first)
    unwritten = np.flatnonzero(table["timestamp"] == NO_TIME)
    return about["node_id"], _block(names, table[: unwritten[0]] if len(unwritten) else table)


def _record_type(metrics: int) -> np.dtype[np.void]:
    return np.dtype([("values", "f8", (metrics,)), ("timestamp", "i8")])


def _block(names: Sequence[str], table: npt.NDArray[np.void]) -> Block:
    timestamps = np.ascontiguousarray(table["timestamp"])
    if np.shares_memory(timestamps, table):
        timestamps = timestamps.copy()
    values = np.ascontiguousarray(table["values"].T)
    columns = {name: Series.of_points(timestamps, values[at].copy()) for at, name in enumerate(names)}
    return Block(0, timestamps, columns).settled()


def _mapped(path: Path, about: Mapping[str, Any], capacity: int) -> tuple[mmap.mmap, int]:
    """Return a new file of unwritten records and where the first goes; the file takes its name when it is whole."""
    head = json.dumps(about).encode()
    first = -(-(_HEAD.size + len(head)) // 8) * 8
    blank = np.zeros(capacity, _record_type(len(about["metrics"])))
    blank["timestamp"] = NO_TIME
    size = first + blank.nbytes
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("w+b") as file:
            if hasattr(os, "posix_fallocate"):  # a full disk says so here, not as SIGBUS at some later point
                os.posix_fallocate(file.fileno(), 0, size)  # macOS has none: there the blank records find it out
            file.write(_HEAD.pack(_MAGIC, len(head), first) + head)
            file.seek(first)
            file.write(blank.data)
            file.flush()
            mapping = mmap.mmap(file.fileno(), size)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise HistoryError(
            f"cannot make {path}: {error.strerror}", hint="a folder on a local disk with room"
        ) from error
    return mapping, first
