"""Work that ends, as if its process was killed, before one of its file operations."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CHANGES = frozenset({"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink"})


class Ended(BaseException):
    """The work has ended: from here on it changes no file, whatever it does to clean up."""


def ends_before(number: int, folder: Path, work: Callable[[], object]) -> bool:
    """Do the work, and end it before its n-th change below a folder.

    Args:
        number: of the change, from 1: a file opened for writing, renamed or removed, a folder made or removed.
        folder: where changes count.
        work: what to do.

    Returns:
        Whether it was ended; False when it came to its end, as it had fewer changes.
    """
    watch = _watch()
    watch.folder, watch.left = str(folder), number
    try:
        work()
    except Ended:
        pass
    finally:
        watch.folder = None
    return watch.left <= 0


class _Watch:
    """Counts changes of files, and allows no more of them when enough were made."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.left = 0

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.folder is None:
            return
        writes = event == "open" and isinstance(args[2], int) and bool(args[2] & (os.O_WRONLY | os.O_RDWR))
        if (event in _CHANGES or writes) and _below(args, self.folder):
            self.left -= 1
            if self.left <= 0:
                raise Ended


@functools.cache
def _watch() -> _Watch:
    """Return the one audit hook: there is no way to remove one."""
    watch = _Watch()
    sys.addaudithook(watch)
    return watch


def _below(args: tuple[Any, ...], folder: str) -> bool:
    """Whether a path lies below the folder, or is relative to an open folder, as `shutil.rmtree` names them."""
    paths = [os.fsdecode(arg) for arg in args if isinstance(arg, str | bytes | os.PathLike)]
    return any(path.startswith(folder) or not Path(path).is_absolute() for path in paths if path)
