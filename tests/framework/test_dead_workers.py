"""A worker that died is noticed, whatever it left behind."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from multiprocessing.connection import Connection

from mega_data_factory.framework.engines.local.processes.process import WorkerProcess


def worker_like(code: str) -> tuple[WorkerProcess, socket.socket]:
    """A `WorkerProcess` around a process of ours that speaks on a socket pair."""
    ours, theirs = socket.socketpair()
    worker = WorkerProcess.__new__(WorkerProcess)
    worker._process = subprocess.Popen([sys.executable, "-c", code, str(theirs.fileno())], pass_fds=[theirs.fileno()])
    worker._lifeline = -1
    worker.connection = Connection(ours.detach())
    return worker, theirs


def test_half_an_answer_is_a_death() -> None:
    """A worker killed while it sends is dead, not an error of the run."""
    worker, theirs = worker_like("pass")
    theirs.sendall(struct.pack("!i", 1000) + b"half")
    theirs.close()
    worker._process.wait()
    assert worker.receive() is None
    worker.discard()


def test_a_connection_that_outlives_its_worker_does_not_hold_up() -> None:
    """What a worker has forked may keep its connection open; the worker is gone all the same."""
    worker, theirs = worker_like("pass")
    worker._process.wait()
    assert worker.is_gone()
    assert worker.receive() is None
    theirs.close()
    worker.discard()
