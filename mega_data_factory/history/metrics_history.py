"""All nodes' metrics over time: append points, keep to the limits, save and load."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from mega_data_factory.errors import HistoryError
from mega_data_factory.history.attributes import Text
from mega_data_factory.history.checks import arrays
from mega_data_factory.history.limits import make_room
from mega_data_factory.history.node import NodeHistory
from mega_data_factory.history.reading import HistoryReader
from mega_data_factory.history.retention import MICROSECOND, HistoryRetention
from mega_data_factory.history.series import Floats, Times
from mega_data_factory.history.storage import folder, packing
from mega_data_factory.history.storage.codec import Codec, Form
from mega_data_factory.history.storage.records import NO_TIME, Records

Location = str | os.PathLike[str]

_NODES_A_SEAL = 32
"""Nodes that are looked at, for each chunk sealed, whether they have fallen silent."""


class MetricsHistory(HistoryReader):
    """Metrics of many nodes over time, in bounded memory.

    New points go into a buffer for each node. A full buffer is sealed: sorted, compressed without loss, and thinned
    as it ages, as the retention says. Points may come late and in any order. The last write of a timestamp wins,
    metric by metric: what a later write does not have (or has as None) keeps its value. A point that is older than
    what was thinned already is kept as a point, and joins its bucket when its chunk is thinned; there it counts as one
    more point, as those that it could replace are no longer there.

    One thread may append while others read.

    Args:
        retention: what is kept for how long, see `HistoryRetention`.
        directory: local folder to live in. Chunks are files there, and new points go through a mapped file: a process
            that is killed loses nothing that `append` has returned from. (A power failure can cost what the system has
            not yet written back, usually some seconds.) A folder that holds a history is continued. One
            history may own a folder at a time; `load` reads it meanwhile. It takes one open file for each live node.

    Raises:
        HistoryError: the directory cannot be used.
    """

    def __init__(self, retention: HistoryRetention | None = None, directory: Location | None = None) -> None:
        super().__init__(retention or HistoryRetention())
        self.directory = None if directory is None else Path(directory)
        self._hot: dict[str, Records] = {}
        self._forms: dict[str, Form] = {}
        self._seals = 0
        self._lock: IO[bytes] | None = None
        if self.directory is not None:
            self._lock = folder.own(self.directory)
            try:
                self._restore(folder.read(self.directory, in_memory=False))
            except BaseException:
                self._lock.close()
                raise

    # Writing

    def append(self, node_id: str, metrics: Mapping[str, float | None], timestamp: int) -> None:
        """Add one point.

        Args:
            node_id: any text.
            metrics: values by name; None or NaN: not measured. Names that come later, or are missing, are no matter.
            timestamp: microseconds since 1970-01-01 UTC.

        Raises:
            HistoryError: a value is not a number, or the timestamp is not an integer: nothing was added. Or the disk is
            full: points are taken until the buffer is, and refused until there is room again.
        """
        hot = self._hot.get(node_id)
        if hot is None or hot.sparse or timestamp == NO_TIME or tuple(metrics) != hot.names:
            hot = self._pack(node_id, metrics, timestamp)
        else:  # the way of nearly every point: the same metrics as the last one, all of them measured
            try:
                hot.pack(hot.buffer, hot.offset, *metrics.values(), timestamp)
                hot.offset += hot.width
            except (struct.error, OverflowError):  # a value is None, or not a number at all
                hot = self._pack(node_id, metrics, timestamp)
        if hot.offset == hot.end:
            self._sealed(node_id)

    def _pack(self, node_id: str, metrics: Mapping[str, float | None], timestamp: int) -> Records:
        hot = self._hot[node_id] = self._node(node_id).pack(metrics, timestamp)
        return hot

    def extend(self, node_id: str, timestamps: Times, columns: Mapping[str, Floats]) -> None:
        """Add many points of one node.

        Args:
            node_id: any text.
            timestamps: int64 (n,), microseconds since 1970-01-01 UTC, in any order.
            columns: float64 (n,) for each metric; NaN: not measured.

        Raises:
            HistoryError: shapes or types do not fit; nothing was added.
        """
        times, values = arrays(node_id, timestamps, columns)
        done = 0
        while done < len(times):
            hot = self._hot[node_id] = self._node(node_id).ready(values)
            done += hot.extend(times[done:], {name: column[done:] for name, column in values.items()})
            if hot.offset == hot.end:
                self._sealed(node_id)

    def describe(
        self,
        node_id: str,
        timestamp: int,
        names: Iterable[str],
        *,
        whole: Iterable[str] = (),
        fractional: Iterable[str] = (),
        attributes: Mapping[str, Text] | None = None,
    ) -> None:
        """Keep what a point of a node had beside its numbers, see `Attributes`.

        Args:
            node_id: a node that has a point.
            timestamp: of the point, microseconds since 1970-01-01 UTC.
            names: everything that the point had, in its order.
            whole: those that were whole numbers.
            fractional: those that were numbers, but not whole ones.
            attributes: texts and lists of texts.

        Raises:
            HistoryError: the directory takes no more.
        """
        self._node(node_id).describe(timestamp, names, whole, fractional, attributes or {})

    def _node(self, node_id: str) -> NodeHistory:
        if self.directory is not None and self._lock is None:
            raise HistoryError(f"the history in {self.directory} is closed", hint="open it again to add points")
        if node_id not in self._nodes:
            if not isinstance(node_id, str):
                raise HistoryError(f"node {node_id!r} is not text", hint="str(node_id)")
            place = folder.NodeFolder(self.directory, node_id) if self.directory is not None else None
            node = NodeHistory(node_id, self.retention, Codec(self._forms), place)
            self._nodes = {**self._nodes, node_id: node}
        return self._nodes[node_id]

    def _sealed(self, node_id: str) -> None:
        """Seal a node's buffer, and keep to the retention."""
        node = self._nodes[node_id]
        node.seal()
        if node.hot is not None:
            self._hot[node_id] = node.hot
        self._keep_to_retention(node)

    # Keeping to the limits

    def _keep_to_retention(self, node: NodeHistory) -> None:
        node.grow_older()
        self._seals += 1
        newest = node.span()
        if newest is not None and self._seals % (1 + len(self._nodes) // _NODES_A_SEAL) == 0:
            self._rest_before(newest[1] - self.retention.tiers[0].keep // MICROSECOND)
        make_room(self._nodes.values(), self.retention)
        for name, one in list(self._nodes.items()):
            if not len(one):
                self._hot.pop(name, None)
                one.release_buffer()
                self._nodes = {key: other for key, other in self._nodes.items() if key != name}

    def _rest_before(self, moment: int) -> None:
        """Give back the buffers of nodes that have been silent since a moment."""
        for node_id in list(self._hot):
            span = self._nodes[node_id].span()
            if span is not None and span[1] < moment:
                del self._hot[node_id]
                self._nodes[node_id].release_buffer()

    # Keeping

    def save(self, path: Location) -> None:
        """Write all of it as a folder of Parquet files; see `storage.folder`. It appears when it is complete.

        Raises:
            HistoryError: the folder holds something that is not a history, or cannot be written.
        """
        nodes = ((name, node.attributes, node.files()) for name, node in self._nodes.items())
        folder.save(Path(path), nodes)

    @classmethod
    def load(cls, path: Location, retention: HistoryRetention | None = None) -> Self:
        """Read what `save` wrote, or the directory of another history, whether that one is alive, closed or killed.

        The result lives in memory; what is appended to it does not go into the folder. It is as fine as what was
        saved: the retention begins to act when new points are sealed.

        Raises:
            HistoryError: it is not a history, or damaged.
        """
        history = cls(retention)
        history._restore(folder.read(Path(path), in_memory=True))
        return history

    def __reduce__(self) -> tuple[Callable[..., MetricsHistory], tuple[object, ...]]:
        """Pickle the files that `save` writes; what is unpickled lives in memory, as after `load`."""
        return _unpacked, (type(self), self.retention, packing.packed(self.save))

    def _restore(self, found: Mapping[str, folder.FoundNode]) -> None:
        for node_id, content in found.items():
            self._node(node_id).restore(content)
            for path in content.stale:
                folder.remove(path)

    def close(self) -> None:
        """Seal all points, so that the directory holds nothing but Parquet, and release it. Reading still works."""
        self._hot.clear()
        for node in self._nodes.values():
            node.release_buffer()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _unpacked(kind: type[MetricsHistory], retention: HistoryRetention, files: dict[str, bytes]) -> MetricsHistory:
    """Return what was pickled."""
    with packing.unpacked(files) as path:
        return kind.load(path, retention)
