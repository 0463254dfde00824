"""Actor that samples one node of a Ray cluster. It imports little, since it runs on every node beside the workers."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from mega_data_factory.framework.metrics.nodes import NodeMetrics
from mega_data_factory.framework.metrics.nodes.batch_board import BatchBoard, board_of, sweep_boards
from mega_data_factory.framework.metrics.nodes.probes.machine import MachineProbe
from mega_data_factory.framework.metrics.nodes.probes.processes import RunProcesses
from mega_data_factory.framework.metrics.nodes.sampler import NodeSampler
from mega_data_factory.framework.metrics.nodes.ticker import Ticker
from mega_data_factory.host import host_name

_KEPT = 600
"""Samples that an actor keeps at most while they are not fetched."""


class NodeActor:
    """Samples the node that it is pinned to, on a thread.

    Args:
        run_id: the run.
        node_id: the node.
        interval: seconds from one sample to the next.
        folders: where work of the run lies.
        board: names the run on the boards that its processes mark.
        driver: Process id of the driver; None if that is on another machine.
    """

    def __init__(
        self, run_id: str, node_id: str, interval: float, folders: Sequence[Path], board: str, driver: int | None
    ) -> None:
        sweep_boards()
        self._board = BatchBoard(board_of(board, node_id))
        self._others = [os.getpid(), *([] if driver is None else [driver])]
        probe = MachineProbe(folders, processes=RunProcesses(self._processes))
        self._sampler = NodeSampler(run_id, node_id, probe, self._board.read, hostname=host_name())
        self._lock = threading.Lock()
        self._rows: list[tuple[int, NodeMetrics]] = []
        self._count = 0
        self._ticker = Ticker(f"node-of-{run_id}", interval, self._sample)
        self._ticker.start()

    def rows_after(self, number: int) -> list[tuple[int, NodeMetrics]]:
        """Return samples that the driver does not have yet, numbered from 1.

        Args:
            number: of the last one that it has.
        """
        with self._lock:
            self._rows = [row for row in self._rows if row[0] > number]
            return list(self._rows)

    def finish(self, number: int) -> list[tuple[int, NodeMetrics]]:
        """Take the last sample and end; returns what `rows_after` does."""
        self._ticker.end()
        self._board.remove()
        return self.rows_after(number)

    def _processes(self) -> list[int]:
        return [*self._others, *self._board.processes()]

    def _sample(self) -> None:
        row = self._sampler.sample()
        with self._lock:
            self._count += 1
            self._rows = [*self._rows[1 - _KEPT :], (self._count, row)]
