"""Reading of all nodes' metrics over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from mega_data_factory.history import alignment
from mega_data_factory.history.attributes import Attributes
from mega_data_factory.history.node import NodeHistory
from mega_data_factory.history.retention import MICROSECOND, HistoryRetention
from mega_data_factory.history.series import Floats, Series, Times


class HistoryReader:
    """What is known of the nodes. Any thread may read while one appends.

    Args:
        retention: what is kept for how long.
    """

    def __init__(self, retention: HistoryRetention) -> None:
        self.retention = retention
        self._nodes: dict[str, NodeHistory] = {}

    def nodes(self) -> list[str]:
        """Return the nodes, sorted."""
        return sorted(name for name, node in self._nodes.items() if len(node))

    def metrics(self, node_id: str | None = None) -> list[str]:
        """Return the metrics of a node, or of all, in order of appearance; none for an unknown node."""
        return list(dict.fromkeys(name for node in self._some(node_id) for name in node.metrics()))

    def span(self, node_id: str | None = None) -> tuple[int, int] | None:
        """Return first and last timestamp of a node or of all, microseconds; None when there are no points."""
        spans = [span for node in self._some(node_id) if (span := node.span()) is not None]
        return (min(start for start, _ in spans), max(end for _, end in spans)) if spans else None

    def series(self, node_id: str, metric: str, start: int | None = None, end: int | None = None) -> Series:
        """Return one metric of one node, points and older buckets together in order of time.

        Args:
            node_id: the node; of one that is unknown the series is empty.
            metric: the metric; where a point does not have it, the value is NaN.
            start, end: microseconds since 1970-01-01 UTC, both included.
        """
        for node in self._some(node_id):
            return node.series(metric, start, end)
        return Series.of_points(np.empty(0, np.int64), np.empty(0))

    def attributes(self, node_id: str) -> Attributes:
        """Return what a node reports beside numbers; of one that is unknown, nothing."""
        for node in self._some(node_id):
            return node.attributes
        return Attributes()

    def thinned(
        self, node_id: str, metric: str, points: int = 2000, start: int | None = None, end: int | None = None
    ) -> Series:
        """Return the result of `drawing.thinned(history.series(...), points)`, without decompressing long stretches.

        The extremes of all rows are among the rows; an extreme that lies next to the edge of a bucket may be counted
        to the bucket beside, and a point that was written again later may still show with the value before.
        """
        for node in self._some(node_id):
            return node.thinned(metric, points, start, end)
        return Series.of_points(np.empty(0, np.int64), np.empty(0))

    def resampled(
        self,
        metric: str,
        nodes: Sequence[str] | None = None,
        *,
        step: int | timedelta,
        start: int | None = None,
        end: int | None = None,
        carry: int = 2,
        statistic: alignment.Statistic = "mean",
    ) -> tuple[Times, Floats]:
        """Return one metric of several nodes on one grid of time, though their clocks tick at different moments.

        Args:
            metric: the metric.
            nodes: rows of the result; by default all nodes, sorted as `nodes()`.
            step: width of a cell: microseconds, or a timedelta.
            start, end: first and last moment to cover; by default what there is of the nodes.
            carry: cells without a row that repeat the last value; then NaN.
            statistic: mean, minimum or maximum of the rows in a cell.

        Returns:
            Beginnings of the cells, int64 (n,), multiples of `step`; and values, float64 (nodes, n).

        Raises:
            HistoryError: `step` is not positive, or so small that there would be over 10 million cells.
        """
        width = step // MICROSECOND if isinstance(step, timedelta) else int(step)
        names = self.nodes() if nodes is None else list(nodes)
        spans = [span for name in names if (span := self.span(name)) is not None]
        first = min((begin for begin, _ in spans), default=0) if start is None else start
        last = max((stop for _, stop in spans), default=first - 1) if end is None else end
        times = alignment.grid(first, last, width)
        if not len(times):
            return times, np.empty((len(names), 0))
        widest = max(tier.interval // MICROSECOND for tier in self.retention.tiers)
        before = int(times[0]) - max(carry * width, widest)
        rows = [self.series(name, metric, before, int(times[-1]) + width - 1) for name in names]
        values = [alignment.aligned(row, times, width, carry, statistic) for row in rows]
        return times, np.array(values).reshape(len(names), len(times))

    def _some(self, node_id: str | None) -> list[NodeHistory]:
        if node_id is None:
            return list(self._nodes.values())
        return [self._nodes[node_id]] if node_id in self._nodes else []

    def __len__(self) -> int:
        """Return the rows held: points, and buckets of older points."""
        return sum(len(node) for node in self._nodes.values())

    @property
    def nbytes(self) -> int:
        """Bytes held: compressed chunks (in memory, or in the directory), outlines, and buffers of new points."""
        chunks = sum(chunk.nbytes for node in self._nodes.values() for chunk in node.chunks)
        return chunks + sum(node.hot.nbytes for node in self._nodes.values() if node.hot is not None)
