"""Spool of tables between workers, as Arrow streams: written once, mapped instead of read, removed after use."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

import pyarrow as pa

from mega_data_factory.errors import OutputError
from mega_data_factory.framework.parcel import Parcel, read_parcel, write_parcel

_LONGEST_SOCKET_FOLDER = 90
"""Bytes that leave room for the names of sockets."""

_LOCK = "lock"


class SpoolFolder:
    """A temporary folder that is locked while its owner lives, and swept by the next owner when it was killed.

    Args:
        parent: folder to make it in; the folder for temporary files by default.
        prefix: of its name, by which later owners know what they may sweep.

    Attributes:
        path: the folder.
    """

    def __init__(self, parent: Path | None = None, prefix: str = "mdf-spool-") -> None:
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        _sweep(parent, prefix)
        new = Path(tempfile.mkdtemp(prefix="mdf-new-", dir=parent))
        self._lock = os.open(new / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # Only a folder that is locked already takes the name that others sweep.
        self.path = new.rename(new.with_name(new.name.replace("mdf-new-", prefix)))

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _sweep(parent: Path, prefix: str) -> None:
    """Remove spool folders whose owner has ended: the lock of an ended process is free."""
    for lock in parent.glob(f"{prefix}*/{_LOCK}"):
        with contextlib.suppress(OSError):  # another user's folder, or one that is being swept by another run
            descriptor = os.open(lock, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
            finally:
                os.close(descriptor)


def short_folder(folder: SpoolFolder) -> SpoolFolder:
    """Return a folder whose files may be sockets: the given one, or another where its path is too long for them.

    The path of a socket has at most 107 bytes (`sun_path` of unix(7)).

    Raises:
        OutputError: there is no folder for temporary files with a path that is short enough.
    """
    if len(os.fsencode(folder.path)) <= _LONGEST_SOCKET_FOLDER:
        return folder
    for parent in map(Path, ("/tmp", "/var/tmp", "/dev/shm")):  # noqa: S108 - made with mkdtemp
        if parent.is_dir() and os.access(parent, os.W_OK):
            return SpoolFolder(parent)
    raise OutputError(
        f"{folder.path} is too long a path for the sockets of deduplication",
        hint="let TMPDIR name a folder whose path has less than 60 bytes",
    )


class Spool:
    """A folder of files that hold the tables of a batch.

    What lies in it is bounded by the batches in flight. A worker that dies leaves its input where it was, so the batch
    is retried from the stage at which it was lost, not from the source.

    Args:
        folder: where the files go; all workers of a machine see it.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def put(self, name: str, table: pa.Table, rejects: pa.Table | None = None) -> str:
        """Write the tables of a batch as one file, in the place of an earlier one of this name; return its path.

        Args:
            name: of the file.
            table: the records.
            rejects: rows of rejected ones; None for none.

        Raises:
            OutputError: the disk is full.
        """
        path = self._folder / f"{name}.arrow"
        temporary = path.with_suffix(".tmp")
        try:
            with pa.OSFile(str(temporary), "wb") as sink:
                write_parcel(sink, Parcel(table, rejects))
            temporary.replace(path)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise OutputError(
                f"cannot write {path}, a batch in flight: {reason}",
                hint="free some space there, or let TMPDIR name another folder for temporary files",
            ) from error
        return str(path)

    @staticmethod
    def read(path: str) -> Parcel:
        """Map the tables of a batch into memory; they stay valid when the file is removed."""
        return read_parcel(pa.memory_map(path))

    @staticmethod
    def remove(path: str) -> None:
        """Remove a file that is no longer needed."""
        Path(path).unlink(missing_ok=True)
