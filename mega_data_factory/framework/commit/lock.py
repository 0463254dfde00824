"""Locks: one on a run, held by every process that may still write its files, and one on its output folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mega_data_factory import storage
from mega_data_factory.errors import OutputError, ResumeError
from mega_data_factory.host import host_name, is_driver_alive

PATIENCE = 10.0
"""Seconds in which the workers of a driver that was killed have ended."""


class RunLock:
    """An advisory lock (`flock`) on a file beside the commit log.

    The kernel frees it when the last process that has the file open ends, however it ends. The driver's writers and
    deduplication shards get the open file too: so a free lock means that no process is left that could still
    finish a file of the run.

    Args:
        folder: of the commit log; None if there are no locks (an object store).
        run_id: for messages.
        clock: monotonic seconds.
        sleep: waits for some seconds.
    """

    def __init__(
        self,
        folder: Path | None,
        run_id: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = None if folder is None else folder / "lock"
        self._run_id = run_id
        self._clock = clock
        self._sleep = sleep
        self._descriptor: int | None = None
        self._holder_before: dict[str, Any] = {}

    @property
    def is_certain(self) -> bool:
        """Whether holding the lock proves that no other process is running the run.

        It does not on an object store, nor where the holder before was another machine, as not every shared file system
        shares its locks.
        """
        before = self._holder_before.get("hostname", host_name())
        return self._descriptor is not None and before == host_name()

    @property
    def descriptor(self) -> int | None:
        """The open file, for child processes to hold as well; None while it is not held."""
        return self._descriptor

    def acquire(self) -> None:
        """Take the lock; wait a little for the workers of a driver that was killed.

        Raises:
            ResumeError: the run is still running.
            OutputError: the folder cannot be made.
        """
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise storage.failure(OutputError, self._path, error, "write") from error
        deadline = self._clock() + PATIENCE
        while not _try_lock(descriptor):
            holder = _holder(descriptor)
            if self._clock() > deadline or _is_alive(holder):
                os.close(descriptor)
                raise ResumeError(
                    f"{self._run_id} is still running: {_describe(holder)}",
                    hint="stop it or wait; a run in progress cannot be resumed",
                )
            self._sleep(0.05)
        self._holder_before = _holder(descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, _own_name(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class FolderLock:
    """An advisory lock on an output folder: two runs at the same time would mix their records.

    Runs that append share it, others hold it alone. It is a hidden file, removed when it is given back; a driver that
    is killed loses the lock and leaves the file. Object stores have no locks.

    Args:
        folder: the output folder; None on an object store.
        shared: whether other runs may share it.
    """

    def __init__(self, folder: Path | None, *, shared: bool) -> None:
        self._path = None if folder is None else folder / ".mdf-lock"
        self._shared = shared
        self._descriptor: int | None = None
        self._made_folder = False

    def acquire(self) -> None:
        """Take the lock; create the folder if it is missing.

        Raises:
            OutputError: another run holds it, or the folder cannot be written.
        """
        while self._path is not None and self._descriptor is None:
            try:
                self._made_folder = not self._path.parent.exists()
                self._path.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
            except OSError as error:
                if isinstance(error, FileNotFoundError) and not self._path.parent.exists():
                    continue  # removed by another run, which had made it and left nothing in it
                raise storage.failure(OutputError, self._path, error, "write") from error
            if not _try_lock(descriptor, shared=self._shared):
                holder = _describe(_holder(descriptor))
                os.close(descriptor)
                raise OutputError(
                    f"another run is writing to {self._path.parent}: {holder}",
                    hint="wait for it to end, or choose another data_writer.params.output_path",
                )
            if _is_at(descriptor, self._path):
                self._descriptor = descriptor
            else:  # removed by the run that had it, after we opened it
                os.close(descriptor)
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, _own_name(), 0)

    def release(self, *, unused: bool = False) -> None:
        """Remove the file and give the lock back; remove the folder too where `acquire` has made it, and it is unused.

        Args:
            unused: the run has not begun to write.
        """
        if self._descriptor is not None and self._path is not None:
            if not self._shared or _try_lock(self._descriptor):  # the last one of those that share it
                self._path.unlink(missing_ok=True)
                if unused and self._made_folder:
                    with contextlib.suppress(OSError):  # it holds something
                        self._path.parent.rmdir()
            os.close(self._descriptor)
            self._descriptor = None


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _own_name() -> bytes:
    return json.dumps({"hostname": host_name(), "pid": os.getpid(), "time": time.time()}).encode()


def _try_lock(descriptor: int, *, shared: bool = False) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> dict[str, Any]:
    try:
        holder = json.loads(os.pread(descriptor, 1000, 0))
    except ValueError:  # it has the lock, and has not written its name yet
        return {}
    return holder if isinstance(holder, dict) else {}


def _is_alive(holder: dict[str, Any]) -> bool:
    """Return whether the driver is alive; for another machine only the lock says."""
    if holder.get("hostname") != host_name():
        return False
    return is_driver_alive(int(holder.get("pid", 0)), float(holder.get("time", 0.0)))


def _describe(holder: dict[str, Any]) -> str:
    return f"process {holder['pid']} on {holder['hostname']}" if holder.keys() >= {"pid", "hostname"} else "somewhere"
