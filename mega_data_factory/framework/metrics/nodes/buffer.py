"""Buffer of node rows between the sampler and the writer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from mega_data_factory.framework.metrics.nodes.models import NodeMetrics

MOST_WAITING = 50_000
"""Rows that wait at most while a store fails; then the oldest go. About 40 MB: 8 minutes of 100 nodes, 14 h of one."""


class NodeBuffer:
    """Keeps rows until they are taken, and the newest of every node. Any threads may add, one takes.

    Args:
        run_id: the run.
        interval: seconds from one sample of a node to the next.

    Attributes:
        seconds: CPU time that the driver spent on sampling or gathering samples; the sampler adds to it.
    """

    def __init__(self, run_id: str, interval: float) -> None:
        self.run_id = run_id
        self.interval = interval
        self.seconds = 0.0
        self._lock = threading.Lock()
        self._rows: deque[NodeMetrics] = deque(maxlen=MOST_WAITING)
        self._newest: dict[str, NodeMetrics] = {}

    def add_samples(self, rows: Iterable[NodeMetrics]) -> None:
        """Enter rows; they must not change afterwards."""
        with self._lock:
            for row in rows:
                self._rows.append(row)
                newest = self._newest.get(row.node_id)
                if newest is None or newest.timestamp <= row.timestamp:
                    self._newest[row.node_id] = row

    def take_samples(self) -> list[NodeMetrics]:
        """Return and clear the rows that were added since the last call."""
        with self._lock:
            rows = list(self._rows)
            self._rows.clear()
        return rows

    def newest(self) -> list[NodeMetrics]:
        """Return the newest row of every node, by node."""
        with self._lock:
            newest = dict(self._newest)
        return [newest[node] for node in sorted(newest)]
