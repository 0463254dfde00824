"""Write files whole or not at all, and remove them."""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import shutil
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from mega_data_factory.errors import OutputError
from mega_data_factory.storage.location import (
    Location,
    StoreSilent,
    explained,
    failure,
    file_system,
    is_local,
    is_store_error,
    local_name,
    local_path,
)

_VISIBLE_ON_CLOSE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss"})
"""Object stores: an upload appears under its name when it is complete, and not before."""

_PART_BYTES = 16 << 20
"""What is sent at once of a file to an object store; S3 takes 10,000 parts."""

_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
"""Exceptions of a failed write, for all callers of `write`."""

_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What file systems without hard links answer to one."""


@contextlib.contextmanager
def atomic_output(uri: Location, *, new: bool = False, workspace: Location | None = None) -> Iterator[BinaryIO]:
    """Write a file that is whole or absent: it takes its name when the block ends well, and leaves nothing otherwise.

    The folder is made when it is missing. Any number of writers may write the same file at once; the last to finish
    wins, or the first with `new`. A process that is killed in the block leaves at most a hidden file
    `.<name>.<random>.tmp`.

    Args:
        uri: the file.
        new: refuse to replace a file. Of two writers that finish at the same moment one is refused on a local file
            system with hard links; elsewhere both may find no file, and the last wins.
        workspace: local folder on the same file system in which the hidden file is; beside the file by default.

    Raises:
        FileExistsError: the file is there, and `new` is set.
        OutputError: it cannot be written, or the disk is full.
    """
    local = is_local(uri)
    with _local_output(local_path(uri), workspace, new) if local else _remote_output(uri, new) as sink:
        try:
            yield sink
        except Exception as error:
            if _is_about_the_sink(error):
                raise failure(OutputError, uri, error, "write") from error
            raise


def _is_about_the_sink(error: Exception) -> bool:
    """Return whether the sink failed; what the block itself raised about some other file is not ours to explain."""
    if isinstance(error, OSError) and not isinstance(error, StoreSilent):
        return error.errno in _DISK_ERRORS and error.filename is None
    return is_store_error(error)


def _temporary_name(name: str) -> str:
    return f".{name[:100]}.{uuid.uuid4().hex}.tmp"


@contextlib.contextmanager
def _local_output(path: Path, workspace: Location | None, new: bool) -> Iterator[BinaryIO]:
    folder = path.parent if workspace is None else local_path(workspace)
    temporary = folder / _temporary_name(path.name)
    with explained(OutputError, path, "write"):
        for needed in {path.parent, folder}:
            needed.mkdir(parents=True, exist_ok=True)
        sink = temporary.open("wb")
    try:
        yield cast("BinaryIO", sink)
        with explained(OutputError, path, "write"):
            sink.close()
        if new:
            _publish_new(temporary, path)
        else:
            with explained(OutputError, path, "write"):
                temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # a full disk fails once more on what was still buffered
            sink.close()
        temporary.unlink(missing_ok=True)
        raise


def _publish_new(temporary: Path, path: Path) -> None:
    """Give a finished file its name unless another file has it.

    Raises:
        FileExistsError: another file has it.
    """
    with explained(OutputError, path, "write"):
        try:
            os.link(temporary, path)
            temporary.unlink()
            return
        except FileExistsError:
            taken = True
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            taken = path.exists()
            if not taken:
                temporary.replace(path)
    if taken:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(path))


@contextlib.contextmanager
def _remote_output(uri: Location, new: bool) -> Iterator[BinaryIO]:
    fs, path = file_system(uri, OutputError)
    protocols = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
    direct = bool(protocols & _VISIBLE_ON_CLOSE)
    folder, name = posixpath.split(path)
    target = path if direct else posixpath.join(folder, _temporary_name(name))
    with explained(OutputError, uri, "write"):
        if not direct:
            fs.makedirs(folder, exist_ok=True)
        sink = fs.open(target, "wb", block_size=_PART_BYTES)
    try:
        yield cast("BinaryIO", sink)
        with explained(OutputError, uri, "write"):
            taken = new and fs.exists(path)
            if not taken:
                sink.close()
                if not direct:
                    fs.mv(target, path)
        if taken:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(uri))
    except BaseException:
        if direct:
            _abandon_upload(sink)
        else:
            with contextlib.suppress(OSError):
                sink.close()
                fs.rm_file(target)
        raise


def _abandon_upload(sink: Any) -> None:
    """Throw an upload away; marked closed, so that no later `close` (of the garbage collector, say) completes it."""
    if sink.closed:
        return
    sink.closed = True
    try:
        sink.discard()
    except Exception as error:
        if not is_store_error(error):  # a store that is down fails here too; what ended the write is the one to tell
            raise


def remove(uri: Location) -> None:
    """Remove a file; it is no error when there is none.

    Raises:
        OutputError: it may not be removed.
    """
    with explained(OutputError, uri, "remove"), contextlib.suppress(FileNotFoundError):
        if is_local(uri):
            os.unlink(local_name(uri))  # noqa: PTH108 - half the time of a `Path`
        else:
            fs, path = file_system(uri, OutputError)
            fs.rm_file(path)


def remove_all(uris: Iterable[Location]) -> None:
    """Remove files, in an object store many with one request; it is no error when one is missing.

    Raises:
        OutputError: one may not be removed; others may have been removed by then.
    """
    uris = list(uris)
    if not uris or is_local(uris[0]) or len(uris) == 1:
        for uri in uris:
            remove(uri)
        return
    with explained(OutputError, uris[0], "remove"):
        fs = file_system(uris[0], OutputError)[0]
        try:
            fs.rm([file_system(uri, OutputError)[1] for uri in uris])
        except FileNotFoundError:
            for uri in uris:
                remove(uri)


def move(source: Location, target: Location) -> None:
    """Rename a file in the same store, replacing a file of the new name.

    Local: in one step. In an object store: the file appears under its new name, then goes from its old one.

    Raises:
        OutputError: it may not be moved, or there is no such file (its cause is a `FileNotFoundError` then).
    """
    with explained(OutputError, target, "write"):
        if is_local(source):
            local_path(target).parent.mkdir(parents=True, exist_ok=True)
            local_path(source).replace(local_path(target))
        else:
            fs, path = file_system(source, OutputError)
            fs.copy(path, file_system(target, OutputError)[1])
            fs.rm_file(path)


def remove_tree(uri: Location) -> None:
    """Remove a folder and all that is in it; it is no error when there is none.

    Raises:
        OutputError: it may not be removed.
    """
    with explained(OutputError, uri, "remove"), contextlib.suppress(FileNotFoundError):
        if is_local(uri):
            shutil.rmtree(local_path(uri))
        else:
            fs, path = file_system(uri, OutputError)
            fs.rm(path, recursive=True)
