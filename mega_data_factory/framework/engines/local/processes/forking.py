"""Driver's side of the fork server: started, asked for workers, and replaced when it has died."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Protocol

from mega_data_factory.framework.engines.local.processes import interpreter

REQUEST_LENGTH = struct.Struct("!I")
"""Before a request: the length of its JSON in bytes. The file descriptors of the worker travel with it."""

WORKER_STATUS = struct.Struct("!i")
"""Messages about a worker: its process id with a descriptor of the process, then its exit code."""


def can_fork() -> bool:
    """Return whether this machine can have a fork server: Linux 5.3 or later with `/proc`.

    Descriptors of processes are needed, and the number of threads.
    """
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
        os.stat("/proc/self/task")  # noqa: PTH116 - whether it is there
    except (AttributeError, OSError):
        return False
    return True


class ForkedProcess:
    """A worker that the fork server has forked; like `subprocess.Popen`, as far as it is needed.

    Args:
        status: socket on which the server reports its start and its end.

    Attributes:
        server_died: whether it ended since its server did.
    """

    def __init__(self, status: socket.socket) -> None:
        self.server_died = False
        self._status = status
        self._pid: int | None = None
        self._process: int | None = None  # descriptor, which unlike the number cannot come to name another process
        self._code: int | None = None

    @property
    def pid(self) -> int:
        """Process id; 0 if the server died before it forked."""
        self._wait_for_start()
        return self._pid or 0

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while the worker lives."""
        while self._code is None and wait([self._status], 0):
            self._hear()
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the worker and return its exit code, negative for a signal.

        Raises:
            subprocess.TimeoutExpired: it lives longer than `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._code is None:
            if not wait([self._status], None if deadline is None else max(0.0, deadline - time.monotonic())):
                raise subprocess.TimeoutExpired(interpreter.WORKER, timeout or 0.0)
            self._hear()
        return self._code

    def kill(self) -> None:
        """End the worker at once."""
        self._wait_for_start()
        if self.poll() is None:
            self._send_kill()

    def _send_kill(self) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def _wait_for_start(self) -> None:
        while self._pid is None and self._code is None:
            self._hear()

    def _hear(self) -> None:
        """Take the next message of the server about this worker, waiting for it."""
        try:
            message, files, _, _ = socket.recv_fds(self._status, WORKER_STATUS.size, 1)
        except ConnectionError:
            message, files = b"", []
        if files:
            (self._process,) = files
            os.set_inheritable(self._process, False)
            (self._pid,) = WORKER_STATUS.unpack(message)
        elif message:
            self._end(*WORKER_STATUS.unpack(message))
        else:
            self._end_without_server()

    def _end_without_server(self) -> None:
        """End as the server has ended, and can no longer tell the exit code. The worker has ended when this returns."""
        self.server_died = True
        if self._process is not None:
            self._send_kill()  # the kernel does so as well, where it knows how
            wait([self._process])
        self._end(-signal.SIGKILL)

    def _end(self, code: int) -> None:
        self._code = code
        self._status.close()
        if self._process is not None:
            os.close(self._process)
            self._process = None


class ServerProcess(Protocol):
    """Process of a fork server: a child of this one."""

    def kill(self) -> None:
        """End it at once."""

    def wait(self) -> int:
        """Wait for its end and return its exit code."""


class ForkServer:
    """Forks workers for as long as the run lasts.

    Args:
        running: a server that was forked from this process, and the channel to it; one is started when None.
    """

    def __init__(self, running: tuple[ServerProcess, socket.socket] | None = None) -> None:
        self._process, self._channel = running or _start()
        self._preloaded: list[str] = []

    def preload(self, targets: Sequence[str]) -> None:
        """Have what all later workers share loaded, also by a server that replaces this one.

        Args:
            targets: modules to import, and functions to call, as `module:function`.
        """
        self._preloaded += [target for target in targets if target not in self._preloaded]
        with suppress(ConnectionError):  # it has died, as the next request for a worker finds
            self._ask({"preload": self._preloaded})

    def fork(self, environment: Mapping[str, str], files: Sequence[int], held: Sequence[int] = ()) -> ForkedProcess:
        """Ask for a worker, which is forked while this process continues; a server that has died is replaced.

        Args:
            environment: its environment variables.
            files: file descriptors of its connection and of its lifeline.
            held: file descriptors that it keeps open as long as it lives.
        """
        request = {"environment": dict(environment)}
        ours, theirs = socket.socketpair()
        with theirs:
            descriptors = [*files, theirs.fileno(), *held]
            try:
                self._ask(request, descriptors)
            except ConnectionError:
                self.kill()
                self._process, self._channel = _start()
                self.preload([])
                self._ask(request, descriptors)
        return ForkedProcess(ours)

    def _ask(self, request: Mapping[str, object], descriptors: Sequence[int] = ()) -> None:
        body = json.dumps(request).encode()
        socket.send_fds(self._channel, [REQUEST_LENGTH.pack(len(body))], descriptors)
        self._channel.sendall(body)

    def kill(self) -> None:
        """End the server and all workers that it has forked."""
        self._channel.close()
        self._process.kill()
        self._process.wait()


def _start() -> tuple[ServerProcess, socket.socket]:
    ours, theirs = socket.socketpair()
    with theirs:
        environment = os.environ | {"PYTHONPATH": interpreter.python_path()}
        return interpreter.start(interpreter.FORK_SERVER, [theirs.fileno()], environment), ours


_offered: list[ForkServer] = []


def offer(server: ForkServer) -> None:
    """Let the next run have a server that is running."""
    _offered.append(server)


def withdraw() -> None:
    """End the server that was offered, if any: the run needs none."""
    while _offered:
        _offered.pop().kill()


def fork_server(modules: Sequence[str]) -> ForkServer | None:
    """Return the fork server of a run, which ends it: the one that was offered or a new one; None if none can be.

    Args:
        modules: imported by the server, for its workers to share.
    """
    server = _offered.pop() if _offered else ForkServer() if can_fork() else None
    if server is not None:
        server.preload(modules)
    return server
