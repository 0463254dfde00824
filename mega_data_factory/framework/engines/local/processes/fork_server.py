"""Fork server of the local engine: a process that has imported what workers need, and forks them.

A fork of it is ready in milliseconds, and shares the memory of what is imported. Forking is safe here because the
server has one thread: it imports modules of ours, never a user's, and starts no thread pool. Where something else has
started a thread in it (a `sitecustomize`), its workers are fresh interpreters. It ends when the driver closes the
channel, which a driver that is killed does too, and its workers end with it.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mega_data_factory.collection import no_collection
from mega_data_factory.environment import environment
from mega_data_factory.framework.engines.local import worker
from mega_data_factory.framework.engines.local.polars_import import import_polars, start_polars
from mega_data_factory.framework.engines.local.processes import interpreter
from mega_data_factory.framework.engines.local.processes.forking import (
    REQUEST_LENGTH,
    WORKER_STATUS,
    ForkServer,
    can_fork,
    offer,
)

_MOST_FILES = 4
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_SINGLE_THREADED = {
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # of an allocator that Arrow loads and does not use
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
_ALLOCATOR = "ARROW_DEFAULT_MEMORY_POOL"


def import_all() -> None:
    """Import what workers need, without starting a thread.

    Arrow gets the allocator of the system, unless the user has chosen: its own keeps a reserve for every worker.
    """
    allocator = os.environ.get(_ALLOCATOR, "system")
    with no_collection(), environment(**_SINGLE_THREADED, **{_ALLOCATOR: allocator}):
        from mega_data_factory.framework.engines.local import claim_server, roles  # noqa: F401
        from mega_data_factory.framework.worker.without_pandas import keep_pandas_out

        keep_pandas_out()
        import_polars()


def has_one_thread() -> bool:
    """Return whether this process has one thread, counting those that Python does not know."""
    return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 - names are not wanted


@dataclass(frozen=True)
class _Request:
    """A request for a worker.

    Attributes:
        environment: its environment variables.
        connection: file descriptor of its connection to the driver.
        lifeline: file descriptor of the pipe that closes when the driver ends.
        status: file descriptor of the socket on which the driver hears of its start and its end.
        held: file descriptors that it keeps open as long as it lives: of the run's lock.
    """

    environment: dict[str, str]
    connection: int
    lifeline: int
    status: int
    held: list[int]


def _receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Return the next message with its file descriptors; None when the driver has closed the channel."""
    files = array.array("i")
    space = socket.CMSG_SPACE(_MOST_FILES * files.itemsize)
    head, ancillary, _, _ = channel.recvmsg(REQUEST_LENGTH.size, space, socket.MSG_CMSG_CLOEXEC)
    for _, _, data in ancillary:
        files.frombytes(data)
    length = REQUEST_LENGTH.unpack(head)[0] if len(head) == REQUEST_LENGTH.size else 0
    body = channel.recv(length, socket.MSG_WAITALL) if length else b""
    return (json.loads(body), list(files)) if length and len(body) == length else None


def _preload(targets: Sequence[str]) -> None:
    """Import modules, and call the functions of those that are named as `module:function`."""
    for target in targets:
        module, _, function = target.partition(":")
        with no_collection(), contextlib.suppress(Exception):  # the worker that needs it reports the same failure
            imported = importlib.import_module(module)
            if function:
                getattr(imported, function)()
    gc.freeze()


class _Server:
    """The loop of the server.

    Args:
        channel: to the driver.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._pid = os.getpid()
        self._prctl = ctypes.CDLL(None).prctl
        self._children: dict[int, tuple[int, socket.socket]] = {}  # process id and status, by descriptor of the process
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)

    def serve(self) -> _Request:
        """Start a worker for every request, and report how it ends. Returns in the workers only."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor != self._channel.fileno():
                    self._reap(descriptor)
                    continue
                received = _receive(self._channel)
                if received is None:
                    os._exit(0)
                message, files = received
                if "preload" in message:
                    _preload(message["preload"])
                    continue
                connection, lifeline, status, *held = files
                request = _Request(message["environment"], connection, lifeline, status, held)
                if self._start(request):
                    return request

    def _start(self, request: _Request) -> bool:
        """Start a worker; return whether this process is it."""
        can_stay = has_one_thread()
        try:
            pid = os.fork()
        except OSError as error:  # too many processes, or no memory; the driver finds the worker dead
            sys.stderr.write(f"mdf: a worker cannot be forked: {error.strerror}\n")
            pid = -1
        if pid == 0:
            self._become_worker(request)
            if not can_stay:
                _become_interpreter(request)
            return True
        for descriptor in (request.connection, request.lifeline, *request.held):
            os.close(descriptor)
        if pid < 0:
            os.close(request.status)
            return False
        status, process = socket.socket(fileno=request.status), os.pidfd_open(pid)
        with contextlib.suppress(OSError):  # the driver has ended, as the channel tells next
            socket.send_fds(status, [WORKER_STATUS.pack(pid)], [process])
        self._children[process] = pid, status
        self._poll.register(process, select.POLLIN)
        return False

    def _reap(self, process: int) -> None:
        pid, status = self._children.pop(process)
        self._poll.unregister(process)
        os.close(process)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with status, contextlib.suppress(OSError):
            status.sendall(WORKER_STATUS.pack(code))

    def _become_worker(self, request: _Request) -> None:
        # A worker without its server could not be waited for, so the kernel ends it with the server.
        self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != self._pid:
            os._exit(1)
        self._prctl(_PR_SET_NAME, b"mdf-worker", 0, 0, 0)
        os.setsid()
        self._channel.close()
        os.close(request.status)
        for process, (_, status) in self._children.items():
            os.close(process)
            status.close()


def _become_interpreter(request: _Request) -> None:
    """Replace this process by a fresh interpreter: a fork of a process with threads is not safe for more than that."""
    for descriptor in (request.connection, request.lifeline, *request.held):
        os.set_inheritable(descriptor, True)
    command = interpreter.command(interpreter.WORKER, [request.connection, request.lifeline])
    os.execve(sys.executable, command, request.environment)  # noqa: S606 - no shell is wanted


def serve(channel: socket.socket) -> None:
    """Serve the driver. Returns in the workers only, when their work is done.

    Args:
        channel: to the driver.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the driver's own may be to ignore it, and then no exit code is kept
    gc.freeze()  # the garbage collector of a worker leaves the shared memory alone
    request = _Server(channel).serve()
    _resemble_interpreter(request)
    worker.run(request.connection, request.lifeline)


def _resemble_interpreter(request: _Request) -> None:
    """Give this fork what a fresh interpreter of `interpreter.command` would have."""
    os.environ.clear()
    os.environ.update(request.environment)
    sys.path[:] = [str(Path.cwd()), *request.environment["PYTHONPATH"].split(os.pathsep)]
    sys.argv[:] = [str(worker.__file__), str(request.connection), str(request.lifeline)]
    importlib.invalidate_caches()


class _Child:
    """A child process that was forked here."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def kill(self) -> None:
        """End it at once."""
        os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        try:
            return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        except ChildProcessError:  # this process ignores SIGCHLD: the kernel has not kept the code
            return 0


def fork_here() -> bool:
    """Fork the server of the next run from this process, so that both have imported only once what both need.

    It is for a process that has just been started, by `mdf run`: nothing of it must matter to a worker. Nothing is
    forked where this machine or a thread of this process does not allow it; the run starts a server then.

    Returns:
        Whether this process is a worker, whose work is done.
    """
    if not can_fork():
        return False
    import_all()
    if not has_one_thread():
        start_polars()
        return False
    ours, theirs = socket.socketpair()
    gc.freeze()  # that of this process as well
    pid = os.fork()
    if pid:
        start_polars()
        theirs.close()
        offer(ForkServer((_Child(pid), ours)))
        return False
    ours.close()
    os.setsid()
    with open(os.devnull) as nothing:  # noqa: PTH123 - for its descriptor
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    serve(theirs)
    return True


def main() -> None:
    """Serve the driver; the file descriptor of the channel is the argument."""
    import_all()
    serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
