"""Keeping all nodes together within a number of points and of bytes."""

from __future__ import annotations

from collections.abc import Collection

from mega_data_factory.history.node import NodeHistory
from mega_data_factory.history.retention import HistoryRetention
from mega_data_factory.history.storage.chunk import Chunk

_ROOM = 0.9
"""Share of a limit that is left filled once it was exceeded, so that room is not made at every chunk again."""


def make_room(nodes: Collection[NodeHistory], retention: HistoryRetention) -> None:
    """Thin, and then drop, what is oldest until the limits hold; nothing when they hold already."""
    if _exceeds(nodes, retention, 1.0):
        while _exceeds(nodes, retention, _ROOM) and _shorten(nodes):
            pass


def _exceeds(nodes: Collection[NodeHistory], retention: HistoryRetention, share: float) -> bool:
    most_points, most_bytes = retention.max_points, retention.max_bytes
    if most_points is not None and sum(map(len, nodes)) > share * most_points:
        return True
    if most_bytes is None:
        return False
    return sum(chunk.nbytes for node in nodes for chunk in node.chunks) > share * most_bytes


def _shorten(nodes: Collection[NodeHistory]) -> bool:
    """Thin the oldest of the finest detail, or drop the oldest when there is no more to thin; False: no chunks."""
    chunks = [(node, chunk) for node in nodes for chunk in node.chunks]
    if not chunks:
        return False
    node, chunk = min(chunks, key=_order)
    interval = node.next_interval(chunk)
    if interval is not None:
        node.thin_from(chunk, interval)
    else:
        node.drop(chunk)
    return True


def _order(entry: tuple[NodeHistory, Chunk]) -> tuple[bool, int, int]:
    node, chunk = entry
    thinnable = node.next_interval(chunk) is not None
    return not thinnable, chunk.interval if thinnable else 0, chunk.end
