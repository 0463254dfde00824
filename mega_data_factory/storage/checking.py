"""Check that a folder can be written, before there is something to write."""

from __future__ import annotations

import contextlib
import os
import stat
import uuid
from pathlib import Path

from mega_data_factory.errors import InputError, OutputError
from mega_data_factory.storage.location import Location, absolute, explained, failure, file_system, is_local, printable


def check_folder(uri: Location) -> None:
    """Check, without writing, that nothing else has the name of a folder or of one above it.

    Raises:
        OutputError: a file has; or the name is one that no folder can have, or its protocol is unknown.
    """
    if not is_local(uri):
        file_system(uri, OutputError)
        return
    existing = _nearest(uri)
    if not stat.S_ISDIR(existing.stat().st_mode):
        problem = f"{printable(existing)} is a file, not a folder"
        raise OutputError(problem, hint="name a folder, or remove the file")


def check_writable(uri: Location) -> None:
    """Check that a folder can be made and files written to it; nothing of the attempt stays.

    A folder that exists gets a hidden file, for one that does not a hidden folder is made where it would begin. Of an
    object store only the protocol and its package are checked.

    Raises:
        OutputError: it cannot.
    """
    check_folder(uri)
    if not is_local(uri):
        return
    folder, existing = Path(absolute(uri)), _nearest(uri)
    probe = existing / f".mdf-probe.{uuid.uuid4().hex}.tmp"
    with explained(OutputError, folder, "write to" if existing == folder else "make"):
        if existing == folder:
            os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            probe.unlink()
        else:
            probe.mkdir(0o700)
            with contextlib.suppress(FileNotFoundError):
                probe.rmdir()


def _nearest(uri: Location) -> Path:
    """Return the folder, or the nearest above it that exists.

    Raises:
        OutputError: a name in it is none, or a link on the way leads nowhere.
    """
    try:
        path = Path(absolute(uri))
    except InputError as error:
        raise OutputError(error.message, hint=error.hint) from error
    for candidate in (path, *path.parents):
        try:
            candidate.stat()
        except FileNotFoundError as error:
            if candidate.is_symlink():
                target = printable(candidate.readlink())
                raise OutputError(f"{printable(candidate)} is a link to {target}, which does not exist") from error
        except NotADirectoryError:
            continue
        except (OSError, ValueError) as error:  # too long, links in a circle, a null byte
            raise failure(OutputError, path, error, "make") from error
        else:
            return candidate
    return path
