"""The history of one node: a buffer of new points, and sealed chunks that grow coarser with age."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from mega_data_factory.errors import HistoryError
from mega_data_factory.history.attributes import Attributes, Text, attribute_line
from mega_data_factory.history.block import Block, stacked
from mega_data_factory.history.checks import moment, number
from mega_data_factory.history.drawing import thinned
from mega_data_factory.history.retention import HistoryRetention
from mega_data_factory.history.series import Series, combined, joined, latest
from mega_data_factory.history.storage.chunk import OUTLINE_ROWS, Chunk
from mega_data_factory.history.storage.codec import Codec
from mega_data_factory.history.storage.folder import FoundNode, NodeFolder
from mega_data_factory.history.storage.records import NO_TIME, Records

_BATCH = 4
"""Chunks that are thinned together: what they become is written once instead of rewritten at each."""

_WORTH = 8
"""Rows that must fall into a bucket for thinning to make a chunk smaller: a bucket has four columns for each metric."""


class NodeHistory:
    """One node's points. One thread may write while others read.

    What makes that safe without a lock: readers look at the buffer first and at the chunks then, writers add the
    sealed chunk first and take a new buffer then; lists of chunks are replaced, never changed. A reader in between
    sees rows twice, of which one wins.

    Args:
        node_id: its name.
        retention: what is kept.
        codec: its own; it remembers.
        folder: where chunks and new points are written as they come; None: they are held in memory.
    """

    def __init__(
        self, node_id: str, retention: HistoryRetention, codec: Codec, folder: NodeFolder | None = None
    ) -> None:
        self.node_id = node_id
        self.hot: Records | None = None
        self.chunks: Sequence[Chunk] = ()
        self.attributes = Attributes()
        self._reported = NO_TIME  # latest time that came with a description
        self._retention = retention
        self._folder = folder
        self._codec = codec
        self._hot_sequence = 0
        self._next_sequence = 0

    def restore(self, found: FoundNode) -> None:
        """Take over what was read from a folder: chunks, and by sequence number the points of buffers."""
        self.chunks = sorted(found.chunks, key=lambda chunk: chunk.sequence)
        self._next_sequence = 1 + max([*(chunk.sequence for chunk in found.chunks), *found.unsealed], default=-1)
        self.attributes = found.attributes
        self._reported = max(
            [*(chunk.end for chunk in found.chunks), *map(_latest, found.unsealed.values())], default=NO_TIME
        )
        for sequence, block in sorted(found.unsealed.items()):
            if len(block):
                self._add(block, [], [sequence])
            elif self._folder is not None:
                self._folder.remove_records(sequence)

    # Writing

    def ready(self, names: Iterable[str]) -> Records:
        """Return a buffer with room for points of these metrics, creating one if needed; it may have more metrics.

        Raises:
            HistoryError: the folder takes no more.
        """
        if self.hot is not None and self.hot.offset == self.hot.end:  # it could not be sealed when it became full
            self.seal()
        if self.hot is None or not set(names) <= set(self.hot.names):
            known = self.hot.names if self.hot is not None else ()
            self.seal()
            self.hot = self._buffer(list(dict.fromkeys((*known, *names))))
        return self.hot

    def pack(self, metrics: Mapping[str, float | None], timestamp: int) -> Records:
        """Add a point of any shape; `MetricsHistory.append` has done what is faster for points like the last.

        Raises:
            HistoryError: a value is not a number, or the timestamp is not an int64.
        """
        if self.hot is not None and timestamp != NO_TIME and self.hot.add_partial_point(metrics, timestamp):
            return self.hot
        point = {name: number(self.node_id, name, value) for name, value in metrics.items()}
        when = moment(self.node_id, timestamp)
        hot = self.ready(point)
        hot.pack(hot.buffer, hot.offset, *(point.get(name, math.nan) for name in hot.names), when)
        hot.offset += hot.width
        return hot

    def describe(
        self,
        timestamp: int,
        names: Iterable[str],
        whole: Iterable[str],
        fractional: Iterable[str],
        values: Mapping[str, Text],
    ) -> None:
        """Keep what a point had beside its numbers, see `MetricsHistory.describe`."""
        described = self.attributes.described(names, whole, fractional)
        late, self._reported = timestamp < self._reported, max(timestamp, self._reported)
        reported = described.reported(values, timestamp, late=late)
        if self._folder is not None and described is not self.attributes:
            self._folder.attributes.write(self.node_id, reported)
        elif self._folder is not None and reported is not described:
            self._folder.attributes.add(self.node_id, reported, attribute_line(values, timestamp, late=late))
        self.attributes = reported

    def seal(self) -> None:
        """Compress the points of the buffer into a chunk, and begin an empty buffer."""
        hot = self.hot
        if hot is None or not len(hot):
            return
        self._add(hot.block(), [], [self._hot_sequence])
        self.hot = None  # its points are in the chunk, whether or not there is room for another buffer
        self.hot = self._buffer(hot.names)

    def release_buffer(self) -> None:
        """Seal, and give back the buffer: for a node from which nothing comes any more."""
        self.seal()
        hot, self.hot = self.hot, None
        if hot is not None and self._folder is not None:
            self._folder.remove_records(self._hot_sequence)

    def _buffer(self, names: Sequence[str]) -> Records:
        former = self._hot_sequence if self.hot is not None else None
        self._hot_sequence = self._take_sequence()
        path = self._folder.new_records(self._hot_sequence) if self._folder is not None else None
        records = Records(self.node_id, names, self._retention.chunk_points, path)
        if former is not None and self._folder is not None:
            self._folder.remove_records(former)
        return records

    def _take_sequence(self) -> int:
        self._next_sequence += 1
        return self._next_sequence - 1

    def _add(self, block: Block, replaced: Sequence[Chunk], buffers: Sequence[int] = ()) -> None:
        """Seal a block in place of chunks and buffers that hold its rows now; joins it to the last chunk if small."""
        last = next((one for one in reversed(self.chunks) if one.interval == block.interval), None)
        if last is not None and last not in replaced and self._belong_together(last, block):
            block, replaced = stacked([last.block(), block]), [*replaced, last]
        chunk = self._sealed(block, [*(one.sequence for one in replaced), *buffers])
        self.chunks = [*(one for one in self.chunks if one not in replaced), chunk]
        if self._folder is not None:
            for one in replaced:
                self._folder.remove(one)
            for sequence in buffers:
                self._folder.remove_records(sequence)

    def _belong_together(self, last: Chunk, block: Block) -> bool:
        """Return whether the last chunk takes this one too: small chunks compress badly, so up to twice its size."""
        enough = self._retention.chunk_points // (1 if block.interval == 0 else _WORTH)
        small = min(last.rows, len(block)) < enough / 2
        return small and last.rows + len(block) <= 2 * enough

    def _sealed(self, block: Block, replaces: Sequence[int]) -> Chunk:
        sequence = self._take_sequence()
        facts = {"node_id": self.node_id, "sequence": sequence, "replaces": list(replaces)}
        payload, facts = self._codec.encode(block, facts)
        where = self._folder.write(payload, block.interval, sequence) if self._folder is not None else payload
        return Chunk(facts, where, len(payload), block)

    # Growing older

    def grow_older(self) -> None:
        """Thin and drop what has come of age, counted back from the newest point."""
        span = self.span()
        due: dict[int, list[Chunk]] = {}
        for chunk in self.chunks:
            target = None if span is None else self._retention.interval_at(span[1] - chunk.end)
            if target is None:
                self.drop(chunk)
            elif target > chunk.interval and _shrinks(chunk, target):
                due.setdefault(target, []).append(chunk)
        for interval, chunks in due.items():
            if len(chunks) >= _BATCH:
                self.thin(chunks, interval)

    def next_interval(self, chunk: Chunk) -> int | None:
        """Return the interval to thin a chunk to when space is needed, in µs; None if it can only be dropped."""
        return next((width for width in self._retention.coarser(chunk.interval) if _shrinks(chunk, width)), None)

    def thin_from(self, chunk: Chunk, interval: int) -> None:
        """Thin a chunk, and a few more of its kind that come after it."""
        alike = [one for one in self.chunks if one.interval == chunk.interval and one.end >= chunk.end]
        alike = [one for one in alike if self.next_interval(one) == interval]
        self.thin(sorted(alike, key=lambda one: one.end)[:_BATCH], interval)

    def thin(self, chunks: Sequence[Chunk], interval: int) -> None:
        """Replace chunks by their buckets of `interval` microseconds."""
        by_interval: dict[int, list[Block]] = {}
        for chunk in chunks:
            by_interval.setdefault(chunk.interval, []).append(chunk.block())
        buckets = [stacked(blocks).thinned(interval) for blocks in by_interval.values()]
        self._add(stacked(buckets), chunks)

    def drop(self, chunk: Chunk) -> None:
        """Forget a chunk."""
        self.chunks = [one for one in self.chunks if one is not chunk]
        if self._folder is not None:
            self._folder.remove(chunk)

    # Reading

    def series(self, metric: str, start: int | None, end: int | None) -> Series:
        """Return one metric from `start` to `end`, both included."""
        return self._read(metric, start, end, lambda chunk: chunk.series(metric))

    def thinned(self, metric: str, points: int, start: int | None, end: int | None) -> Series:
        """Return `drawing.thinned` of the series; of long stretches without decompressing them."""
        if sum(chunk.rows for chunk in self._reaching(start, end)) < OUTLINE_ROWS * points:
            return thinned(self.series(metric, start, end), points)

        def read(chunk: Chunk) -> Series:
            whole = (start is None or start <= chunk.start) and (end is None or chunk.end <= end)
            return chunk.outline(metric) if whole else chunk.series(metric)

        return thinned(self._read(metric, start, end, read), points)

    def _read(self, metric: str, start: int | None, end: int | None, read: Callable[[Chunk], Series]) -> Series:
        while True:
            hot, chunks = self.hot, self.chunks  # in this order, see the class
            try:
                parts = [read(chunk) for chunk in self._reaching(start, end)]
            except HistoryError:
                if self.chunks is chunks:
                    raise
                continue  # the writer has replaced a file in between
            new = hot.series(metric) if hot is not None else joined([])
            return _merged(parts, new).between(start, end)

    def _reaching(self, start: int | None, end: int | None) -> list[Chunk]:
        """Return the chunks that reach into the time."""
        low, high = -math.inf if start is None else start, math.inf if end is None else end
        return [chunk for chunk in self.chunks if chunk.end >= low and chunk.start <= high]

    def metrics(self) -> list[str]:
        """Return all metrics, in the order in which they appeared."""
        hot = self.hot
        names = dict.fromkeys(name for chunk in self.chunks for name in chunk.metrics)
        return list(names | dict.fromkeys(hot.names if hot is not None else ()))

    def span(self) -> tuple[int, int] | None:
        """Return first and last timestamp; None when there are no points."""
        hot = self.hot.span() if self.hot is not None else None
        spans = [*((chunk.start, chunk.end) for chunk in self.chunks), *([hot] if hot is not None else [])]
        return (min(start for start, _ in spans), max(end for _, end in spans)) if spans else None

    def __len__(self) -> int:
        hot = self.hot
        return (len(hot) if hot is not None else 0) + sum(chunk.rows for chunk in self.chunks)

    def files(self) -> Iterable[tuple[int, int, bytes]]:
        """Return interval, sequence number and content of the chunks that hold all points so far; change nothing."""
        hot, chunks = self.hot, list(self.chunks)
        if hot is not None and len(hot):
            block, sequence = hot.block(), self._next_sequence
            last = next((one for one in reversed(chunks) if one.interval == 0), None)
            if last is not None and self._belong_together(last, block):
                chunks.remove(last)
                block = stacked([last.block(), block])
            payload, _ = self._codec.encode(block, {"node_id": self.node_id, "sequence": sequence, "replaces": []})
            yield 0, sequence, payload
        for chunk in chunks:
            yield chunk.interval, chunk.sequence, chunk.content()


def _merged(parts: Sequence[Series], new: Series) -> Series:
    """Return points and buckets in order of time: of points the last written wins, buckets stand for their points."""
    points = latest(joined([*(part for part in parts if _is_raw(part)), new]))
    buckets = [part for part in parts if not _is_raw(part)]
    return combined(joined([combined(joined(buckets)), points])) if buckets else points


def _latest(block: Block) -> int:
    return int(block.timestamps.max(initial=NO_TIME))


def _is_raw(series: Series) -> bool:
    return not len(series) or series.interval[0] == 0


def _shrinks(chunk: Chunk, interval: int) -> bool:
    """Return whether buckets of `interval` take less room than the chunk, as its span and rows promise."""
    return chunk.rows >= _WORTH * ((chunk.end - chunk.start) // interval + 1)
