"""Fork servers for the local runs of a test session, forked from one process that has imported what they need.

A run of the local engine starts a fork server, whose imports take most of the processor time of a small run. Here they
are made once: the nursery forks a server for each run, as `mdf run` forks its own. The server, its workers and the
messages between them are those of the product.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from mega_data_factory.framework.engines.local.processes import forking, interpreter
from mega_data_factory.framework.engines.local.processes.fork_server import import_all, serve

_ANSWER = struct.Struct("!i")
_LONGEST = 1 << 20
_start_afresh = forking._start


class Nursery:
    """Process that forks the servers; started with the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._channel: socket.socket | None = None

    def start(self) -> tuple[forking.ServerProcess, socket.socket]:
        """Fork a server, with the working folder, environment and standard error that this process has now."""
        ours, theirs = socket.socketpair()
        with theirs:
            environment = os.environ | {"PYTHONPATH": interpreter.python_path()}
            pid = self.ask({"folder": str(Path.cwd()), "environment": environment}, [theirs.fileno(), 2])
        return _Server(self, pid), ours

    def ask(self, request: dict[str, object], files: list[int]) -> int:
        """Send a request with file descriptors; return the answer."""
        with self._lock:
            if self._channel is None:
                self._channel = self._begin()
            socket.send_fds(self._channel, [json.dumps(request).encode()], files)
            return int(_ANSWER.unpack(self._channel.recv(_ANSWER.size))[0])

    def _begin(self) -> socket.socket:
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            environment = os.environ | {"PYTHONPATH": interpreter.python_path()}
            self._process = interpreter.start(__name__, [theirs.fileno()], environment)
        return ours

    def processes(self) -> set[int]:
        """Return the servers that live, and all that they have forked."""
        if self._channel is None:
            return set()
        return {child.pid for child in psutil.Process(self._process.pid).children(recursive=True)}

    def end(self) -> None:
        """End the process."""
        if self._channel is not None:
            self._channel.close()
            self._process.wait()
            self._channel = None


class _Server:
    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self._pid = pid

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)  # the number is its own until it was waited for

    def wait(self) -> int:
        return self._nursery.ask({"wait": self._pid}, [])


NURSERY = Nursery()


@contextmanager
def servers_from_nursery() -> Iterator[None]:
    """Have the servers of all runs of this process forked from the nursery."""
    forking._start = NURSERY.start
    try:
        yield
    finally:
        forking._start = _start_afresh
        NURSERY.end()


@contextmanager
def servers_started_afresh() -> Iterator[None]:
    """Have servers started as the product does, for tests of that."""
    given, forking._start = forking._start, _start_afresh
    try:
        yield
    finally:
        forking._start = given


def main() -> None:
    """Fork servers until the channel closes, whose file descriptor is the argument. Returns in workers as well."""
    import_all()
    channel = socket.socket(fileno=int(sys.argv[1]))
    while True:
        message, files, _, _ = socket.recv_fds(channel, _LONGEST, 2)
        if not message:
            return
        request = json.loads(message)
        if "wait" in request:
            channel.send(_ANSWER.pack(os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])))
            continue
        pid = os.fork()
        if pid == 0:
            channel.close()
            _become_server(request, *files)
            return
        for descriptor in files:
            os.close(descriptor)
        channel.send(_ANSWER.pack(pid))


def _become_server(request: dict[str, Any], channel: int, errors: int) -> None:
    os.setsid()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for standard in (1, 2):
        os.dup2(errors, standard)
    os.close(errors)
    serve(socket.socket(fileno=channel))


if __name__ == "__main__":
    main()
