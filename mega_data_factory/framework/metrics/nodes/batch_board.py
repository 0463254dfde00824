"""Batches that the stage workers of one node hold, shared without messages: each has a file of one byte.

Other processes of the run have a file without a byte, so that their CPU time is known for that of the run. A process
that is killed leaves its file behind; it counts for nothing, for the file is named after the process.
"""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from mega_data_factory.framework.metrics.nodes.sampler import HeldBatches
from mega_data_factory.host import is_driver_alive

_PREFIX = "mdf-board-"
_OTHER = "other-"

_LEFTOVER_AGE = 3600.0
"""Seconds after which the board of a node that was killed is rubbish, if no process of it lives."""


def board_of(run: str, node_id: str) -> Path:
    """Return the folder of one run on one node, on that node.

    Args:
        run: names the run, and the time that it was started, of several.
        node_id: the node; several may be simulated on one machine.
    """
    return Path(tempfile.gettempdir()) / f"{_PREFIX}{run}-{node_id[:16]}"


def enter_process(board: Path) -> None:
    """Enter this process on the board as one of the run that is no stage worker.

    Args:
        board: The folder of the node.
    """
    board.mkdir(mode=0o700, parents=True, exist_ok=True)
    (board / f"{_OTHER}{os.getpid()}").touch()


class Mark:
    """Says whether this process holds a batch.

    Args:
        board: the folder of the node.
    """

    def __init__(self, board: Path) -> None:
        board.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = board / str(os.getpid())
        file.write_bytes(b"\0")
        with file.open("r+b") as opened:
            self._byte = mmap.mmap(opened.fileno(), 1)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Mark a batch as held while the context lasts; takes less than a microsecond."""
        self._byte[0] = 1
        try:
            yield
        finally:
            self._byte[0] = 0


class BatchBoard:
    """Counts the marks of a node.

    Args:
        board: the folder of the node; made when it is not there.
    """

    def __init__(self, board: Path) -> None:
        board.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._board = board
        self._marks: dict[str, mmap.mmap] = {}

    def read(self) -> HeldBatches:
        """Return the batches that the living workers of the node hold."""
        with os.scandir(self._board) as entries:
            names = [entry.name for entry in entries if entry.name not in self._marks]
        for name in names:
            if not name.startswith(_OTHER):
                self._open(name)
            elif not psutil.pid_exists(_pid(name)):
                (self._board / name).unlink(missing_ok=True)
        for name in [name for name in self._marks if not psutil.pid_exists(int(name))]:
            self._marks.pop(name).close()
            (self._board / name).unlink(missing_ok=True)
        return HeldBatches(sum(mark[0] for mark in self._marks.values()), len(self._marks))

    def processes(self) -> list[int]:
        """Return the processes of the run on the node, ended ones included."""
        with os.scandir(self._board) as entries:
            return [_pid(entry.name) for entry in entries]

    def _open(self, name: str) -> None:
        with (self._board / name).open("rb") as file:
            if os.fstat(file.fileno()).st_size:  # else its worker is about to write it
                self._marks[name] = mmap.mmap(file.fileno(), 1, access=mmap.ACCESS_READ)

    def remove(self) -> None:
        """Remove the board of a run that has ended."""
        for mark in self._marks.values():
            mark.close()
        self._marks = {}
        shutil.rmtree(self._board, ignore_errors=True)


def _pid(name: str) -> int:
    return int(name.removeprefix(_OTHER))


def sweep_boards() -> None:
    """Remove the boards of runs whose node was killed on this machine."""
    for board in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            old = time.time() - board.stat().st_mtime > _LEFTOVER_AGE
            if old and not any(is_driver_alive(_pid(mark.name), mark.stat().st_mtime) for mark in board.iterdir()):
                shutil.rmtree(board, ignore_errors=True)
        except (OSError, ValueError):  # another user's, removed meanwhile, or not a board
            continue
