"""List folders and find files, in an order that does not depend on the file system."""

from __future__ import annotations

import glob
import heapq
import os
import posixpath
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mega_data_factory.errors import InputError
from mega_data_factory.storage.globs import IGNORED_PREFIXES, fixed_folder, is_ignored, matcher
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


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file that was found.

    Attributes:
        path: its absolute path.
        size: in bytes, as it is stored; 0 if that is unknown (a dangling link, for example).
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

    Links are followed. A folder that several paths lead to is searched once; for a glob with `**`, which may name such
    a path, under every path that does not lead through it twice. A file that is named outright is found
    under any name; one that is reached through a folder or a glob must pass `suffixes` and `ignore`. Pipes, sockets
    and devices are not files: folders and globs pass over them, and to name one is an error.

    Args:
        where: file, folder or glob.
        suffixes: endings of file names, with the dot, any case; None for all.
        ignore: leave out files and folders whose names begin so.

    Returns:
        The files in the order of their names; none when the folder holds none.

    Raises:
        InputError: there is no such file or folder, what is named is not a file, the glob matches nothing, or a folder
            may not be listed.
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
    """Yield every file found, and whether it was named outright."""
    if os.path.isdir(where):  # noqa: PTH112 - a path of any bytes, taken as it is
        yield from ((info, False) for info in _walk(where, where, endings, ignore))
    elif os.path.lexists(where):
        size = _size(where)
        if size is None:
            raise InputError(f"{printable(where)} is not a file but a pipe, a socket or a device", hint="name a file")
        yield FileInfo(where, size, os.path.basename(where)), True  # noqa: PTH119
    elif "**" in where.split("/"):
        yield from ((info, False) for info in _deep_glob(where, ignore))
    elif glob.has_magic(where):
        yield from ((info, False) for info in _flat_glob(where, endings, ignore))
    else:
        raise _no_match(where)


def _flat_glob(pattern: str, endings: tuple[str, ...] | None, ignore: tuple[str, ...]) -> Iterator[FileInfo]:
    """Yield the files that a glob without `**` matches, and those below the folders that it matches."""
    root = fixed_folder(pattern)
    matches = sorted(glob.glob(pattern))  # noqa: PTH207 - takes an absolute pattern
    if not matches:
        raise _no_match(pattern)
    for path in matches:
        relative = os.path.relpath(path, root)
        if is_ignored(relative, pattern, ignore):
            continue
        if os.path.isdir(path):  # noqa: PTH112
            yield from _walk(path, root, endings, ignore)
        elif (size := _size(path)) is not None:
            yield FileInfo(path, size, relative)


def _deep_glob(pattern: str, ignore: tuple[str, ...]) -> Iterator[FileInfo]:
    """Yield the files that a glob with `**` matches. Python's own `glob` would follow links round and round."""
    root = fixed_folder(pattern)
    matches = matcher(pattern[len(root.rstrip("/")) + 1 :])
    found = False
    for info in _walk(root, root, None, (), every_name=True) if os.path.isdir(root) else ():  # noqa: PTH112
        if matches(info.name):
            found = True
            if not is_ignored(info.name, pattern, ignore):
                yield info
    if not found:
        raise _no_match(pattern)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _size(path: str) -> int | None:
    """Return the size of a file, 0 of a dangling link, None of anything else: a pipe, a socket, a device."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:  # the reader tells the user when it opens the file
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _walk(
    folder: str, root: str, endings: tuple[str, ...] | None, ignore: tuple[str, ...], *, every_name: bool = False
) -> Iterator[FileInfo]:
    """Yield the files below a folder.

    Args:
        folder: where to begin.
        root: folder that names are relative to.
        endings: of file names; None for all.
        ignore: beginnings of names to leave out.
        every_name: search a folder under each name that links give it, if not within itself; else once, under its own
            name if that is below `folder`.
    """
    start = len(root.rstrip("/")) + 1
    seen: set[str] = set()
    left = [(folder, os.path.realpath(folder), frozenset[str]())]  # folder, real path, real paths of those around it
    links: list[tuple[str, str, frozenset[str]]] = []  # a heap: links wait until all else was searched
    while left or links:
        here, real, above = left.pop() if left else heapq.heappop(links)
        if real in (above if every_name else seen):
            continue
        seen.add(real)
        above |= {real}
        for entry in _entries(here):
            if ignore and entry.name.startswith(ignore):
                continue
            if _is_folder(entry):
                if entry.is_symlink():
                    heapq.heappush(links, (entry.path, os.path.realpath(entry.path), above))
                else:
                    left.append((entry.path, posixpath.join(real, entry.name), above))
            elif endings is not None and not entry.name.lower().endswith(endings):
                continue
            elif (size := _size(entry.path)) is not None:
                yield FileInfo(entry.path, size, entry.path[start:])


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise failure(InputError, folder, error, "list") from error


def _remote_files(where: Location, ignore: tuple[str, ...]) -> Iterator[tuple[FileInfo, bool]]:
    fs, path = file_system(where)
    with explained(InputError, where, "list"):
        magic = glob.has_magic(path) and not fs.exists(path)
        try:
            if magic:
                found, root = fs.glob(path, detail=True), fixed_folder(path)
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
        if info["type"] == "file" and (outright or not is_ignored(relative, path if magic else root + "/*", ignore)):
            yield FileInfo(fs.unstrip_protocol(name), int(info.get("size") or 0), relative), outright


def list_dir(uri: Location) -> list[str]:
    """Return the names in a folder, sorted, hidden ones too; empty when there is no such folder.

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
    """Return the names in a folder with a stamp each that differs when the file has been written over; see `list_dir`.

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
            except OSError:  # removed since it was listed, or a link to nothing or to itself
                continue
            stamps[entry.name] = stamp_of_stat(found)
    return stamps


def stamp_of_stat(found: os.stat_result) -> str:
    """Return the stamp of a local file: it differs when the file has been written over."""
    return f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}"


def _remote_stamps(uri: Location) -> dict[str, str]:
    fs, path = file_system(uri)
    fs.invalidate_cache(path)
    return {posixpath.basename(info["name"].rstrip("/")): stamp_of(info) for info in fs.ls(path, detail=True)}


def stamp_of(info: Mapping[str, Any]) -> str:
    """Return the stamp of a file in a remote store, from fsspec's details."""
    marks = (info.get(key) for key in ("ETag", "etag", "generation", "created", "mtime", "size"))
    return "-".join(str(mark) for mark in marks if mark is not None)
