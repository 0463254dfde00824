"""List folders and find files, in an order that does not depend on the file system."""

from __future__ import annotations

import glob
import os
import posixpath
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mega_data_factory.errors import InputError
from mega_data_factory.storage.location import (
    Location,
    absolute,
    explained,
    failure,
    file_system,
    is_local,
    local_path,
    printable,
)

IGNORED_PREFIXES = (".", "_")
"""Names that no data file has: temporary files, `_SUCCESS` and the like (the convention of Hadoop and its heirs)."""


@dataclass(frozen=True)
class FileInfo:
    """A file that was found.

    Attributes:
        path: where it is, absolute.
        size: in bytes, as it is stored; 0 where that cannot be told (a dangling link, say).
        name: its path below the root of the search, with `/` between the parts.
    """

    path: str
    size: int
    name: str

    @property
    def root(self) -> str:
        """The folder that `name` is relative to."""
        return self.path[: len(self.path) - len(self.name)].rstrip("/") or "/"


def list_files(
    where: Location, suffixes: Sequence[str] | None = None, *, ignore: tuple[str, ...] = IGNORED_PREFIXES
) -> list[FileInfo]:
    """Find the files that a file name, a folder (searched to its depths) or a glob (`**` too) stands for.

    Links are followed, except to a folder that the search is in already. A file that is named outright is found
    whatever its name; one that is reached through a folder or a glob must pass `suffixes` and `ignore`.

    Args:
        where: file, folder or glob.
        suffixes: endings of file names, with the dot, any case; None for all.
        ignore: leave out files and folders whose names begin so.

    Returns:
        The files in the order of their names; none when the folder holds none.

    Raises:
        InputError: there is no such file or folder, the glob matches nothing, or a folder may not be listed.
    """
    endings = None if suffixes is None else tuple(suffix.lower() for suffix in suffixes)
    found = list(_local_files(absolute(where), endings, ignore) if is_local(where) else _remote_files(where, ignore))
    kept = [info for info, outright in found if outright or endings is None or info.name.lower().endswith(endings)]
    return sorted(set(kept), key=lambda info: info.name)


def _no_match(where: Location) -> InputError:
    return InputError(
        f"nothing matches {printable(where)}", hint="check the spelling; relative paths start at the working folder"
    )


def _local_files(
    where: str, endings: tuple[str, ...] | None, ignore: tuple[str, ...]
) -> Iterator[tuple[FileInfo, bool]]:
    """Every file found, and whether it was named outright."""
    if os.path.isdir(where):  # noqa: PTH112 - a path of any bytes, taken as it is
        yield from ((info, False) for info in _walk(where, where, endings, ignore))
    elif os.path.lexists(where):
        yield _info(where, os.path.dirname(where)), True  # noqa: PTH120
    elif glob.has_magic(where):
        root = _fixed_folder(where)
        matches = sorted(glob.glob(where, recursive=True))  # noqa: PTH207 - takes an absolute pattern
        if not matches:
            raise _no_match(where)
        for path in matches:
            relative = os.path.relpath(path, root)
            if _ignored(relative, where, ignore):
                continue
            if not os.path.isdir(path):  # noqa: PTH112
                yield _info(path, root), False
            elif "**" not in where:
                yield from ((info, False) for info in _walk(path, root, endings, ignore))
    else:
        raise _no_match(where)


def _fixed_folder(pattern: str) -> str:
    """The longest folder at the head of a glob that holds no wildcard."""
    parts = pattern.split("/")
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:fixed]) or "/"


def _ignored(relative: str, pattern: str, ignore: tuple[str, ...]) -> bool:
    """Whether a name is one to leave out; not so where the glob spells such names itself."""
    if not ignore or any(part.startswith(ignore) for part in pattern[len(_fixed_folder(pattern)) :].split("/")):
        return False
    return any(part.startswith(ignore) for part in relative.split("/"))


def _info(path: str, root: str) -> FileInfo:
    try:
        size = os.stat(path).st_size  # noqa: PTH116
    except OSError:  # a dangling link; the reader tells the user when it opens the file
        size = 0
    return FileInfo(path, size, os.path.relpath(path, root))


def _walk(folder: str, root: str, endings: tuple[str, ...] | None, ignore: tuple[str, ...]) -> Iterator[FileInfo]:
    """The files below a folder."""
    start = len(root.rstrip("/")) + 1
    left = [(folder, frozenset[str]())]  # folders to look into, each with the real paths of those that it is in
    while left:
        here, above = left.pop()
        try:
            with os.scandir(here) as entries:
                listed = list(entries)
        except OSError as error:
            raise failure(InputError, here, error, "list") from error
        above = above | {os.path.realpath(here)}
        for entry in listed:
            if ignore and entry.name.startswith(ignore):
                continue
            if entry.is_dir():
                if not entry.is_symlink() or os.path.realpath(entry.path) not in above:
                    left.append((entry.path, above))
            elif endings is not None and not entry.name.lower().endswith(endings):
                continue
            elif (size := _readable_size(entry)) is not None:
                yield FileInfo(entry.path, size, entry.path[start:])


def _readable_size(entry: os.DirEntry[str]) -> int | None:
    """Size of a file, 0 of a dangling link, None of what is no file at all: a pipe, a socket, a device."""
    try:
        status = entry.stat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _remote_files(where: Location, ignore: tuple[str, ...]) -> Iterator[tuple[FileInfo, bool]]:
    fs, path = file_system(where)
    with explained(InputError, where, "list"):
        magic = glob.has_magic(path) and not fs.exists(path)
        try:
            if magic:
                found, root = fs.glob(path, detail=True), _fixed_folder(path)
            elif fs.isdir(path):
                found, root = fs.find(path, detail=True), path.rstrip("/")
            else:
                found, root = {path: fs.info(path)}, posixpath.dirname(path)
        except FileNotFoundError as error:
            raise _no_match(where) from error
    if magic and not found:
        raise _no_match(where)
    outright = not magic and path in found
    for name, info in found.items():
        relative = name[len(root) :].lstrip("/")
        if info["type"] == "file" and (outright or not _ignored(relative, path if magic else root + "/*", ignore)):
            yield FileInfo(fs.unstrip_protocol(name), int(info.get("size") or 0), relative), outright


def list_dir(uri: Location) -> list[str]:
    """The names in a folder, sorted, hidden ones too; empty when there is no such folder.

    Raises:
        InputError: it is not a folder, or may not be listed.
    """
    with explained(InputError, uri, "list"):
        try:
            if is_local(uri):
                return sorted(os.listdir(local_path(uri)))  # noqa: PTH208 - names are wanted, not paths
            fs, path = file_system(uri)
            return sorted({posixpath.basename(name.rstrip("/")) for name in fs.ls(path, detail=False)})
        except FileNotFoundError:
            return []


def list_stamps(uri: Location) -> dict[str, str]:
    """The names in a folder with a stamp each that differs when the file has been written over; see `list_dir`.

    Raises:
        InputError: it is not a folder, or may not be listed.
    """
    with explained(InputError, uri, "list"):
        try:
            stamps = _local_stamps(local_path(uri)) if is_local(uri) else _remote_stamps(uri)
            return dict(sorted(stamps.items()))
        except FileNotFoundError:
            return {}


def _local_stamps(folder: Path) -> dict[str, str]:
    stamps = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                found = entry.stat()
            except FileNotFoundError:  # gone since it was listed
                continue
            stamps[entry.name] = f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}"
    return stamps


def _remote_stamps(uri: Location) -> dict[str, str]:
    fs, path = file_system(uri)
    fs.invalidate_cache(path)
    return {posixpath.basename(info["name"].rstrip("/")): stamp_of(info) for info in fs.ls(path, detail=True)}


def stamp_of(info: Mapping[str, Any]) -> str:
    """The stamp of a file in a remote store, of what fsspec tells of it."""
    marks = (info.get(key) for key in ("ETag", "etag", "generation", "created", "mtime", "size"))
    return "-".join(str(mark) for mark in marks if mark is not None)
