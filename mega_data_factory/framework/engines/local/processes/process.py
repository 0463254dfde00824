"""A worker process of the local engine: started, spoken to, and known to be dead when it is."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from multiprocessing.connection import Connection

from mega_data_factory.framework.engines.local.messages import Answer, Job, Work
from mega_data_factory.framework.engines.local.processes import interpreter
from mega_data_factory.framework.engines.local.processes.forking import ForkedProcess, ForkServer
from mega_data_factory.framework.engines.local.processes.main_guard import IN_WORKER
from mega_data_factory.framework.worker import time_limit

_THREAD_POOLS = (
    "POLARS_MAX_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "RAYON_NUM_THREADS",
)

_LIVENESS_INTERVAL = 1.0
"""Seconds of silence after which it is checked whether the worker still lives."""


class WorkerProcess:
    """A child process that runs `worker` and speaks JSON over a socket pair.

    It is a fork of the fork server, or a fresh interpreter, never a fork of this process: thread pools of Arrow and
    polars do not survive that, and the caller's `__main__` is not run again. It ends by itself when this process ends,
    however that happens.

    Args:
        job: the first message: what the worker is for.
        cpu: cores it may use; sets the size of thread pools.
        lock_fd: file descriptor of the run's lock, which it holds as long as it lives.
        forks: the fork server. A worker of more than one core does without: its libraries must size their pools.
    """

    def __init__(self, job: Job, cpu: float = 1.0, lock_fd: int | None = None, forks: ForkServer | None = None) -> None:
        ours, theirs = socket.socketpair()
        lifeline_read, lifeline_write = os.pipe()
        environment = os.environ | {name: str(max(1, int(cpu))) for name in _THREAD_POOLS}
        environment |= {IN_WORKER: "1", "PYTHONPATH": interpreter.python_path()}
        files, held = [theirs.fileno(), lifeline_read], [] if lock_fd is None else [lock_fd]
        try:
            self._process: subprocess.Popen[bytes] | ForkedProcess
            if forks is None or cpu >= 2:  # pools of the fork server have one thread
                self._process = interpreter.start(interpreter.WORKER, files, environment, held)
            else:
                self._process = forks.fork(environment, files, held)
        finally:
            theirs.close()
            os.close(lifeline_read)
        self._lifeline = lifeline_write
        self.connection: Connection = Connection(ours.detach())
        self.send(job)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def send(self, message: Job | Work) -> None:
        """Send a message; a worker that is dead already does not hear it, and is found dead by `receive`."""
        try:
            self.connection.send_bytes(json.dumps(message).encode())
        except (BrokenPipeError, ConnectionResetError):
            return

    def receive(self) -> Answer | None:
        """Return the next message, waiting for it; None when the worker is dead."""
        try:
            while not self.connection.poll(_LIVENESS_INTERVAL):
                if self.is_gone():
                    return None
            message: Answer = json.loads(self.connection.recv_bytes())
        except (EOFError, OSError):  # nothing more comes, or half a message: it was killed while it sent one
            return None
        return message

    def is_gone(self) -> bool:
        """Return whether the worker has ended without a message: what it has forked may keep its connection open."""
        return self._process.poll() is not None and not self.connection.poll(0)

    def exit_reason(self) -> str:
        """Return how a dead worker ended, in words."""
        code = self._process.wait()
        if isinstance(self._process, ForkedProcess) and self._process.server_died:
            return "the process that forks workers was killed, or could not fork it"
        if code < 0:
            return f"worker killed by {signal.Signals(-code).name}"
        return f"worker exited with code {code}"

    def timed_out(self) -> bool:
        """Return whether a dead worker ended since a record took too long."""
        return self._process.wait() == -time_limit.SIGNAL

    def stop(self, patience: float = 5.0) -> None:
        """Let the worker close its operators and end; kill it when it takes longer than `patience` seconds."""
        self.send({"kind": "stop"})
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self.discard()

    def kill(self) -> None:
        """End the worker at once."""
        self._process.kill()
        self.discard()

    def discard(self) -> None:
        """Give back what belongs to a worker that has ended or is about to."""
        self._process.wait()
        self.connection.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
