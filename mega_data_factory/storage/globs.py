"""Which paths a file name, a folder or a glob stands for."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Callable, Sequence

from mega_data_factory.storage.location import Location, absolute, is_local

IGNORED_PREFIXES = (".", "_")
"""Names that no data file has: temporary files, `_SUCCESS` and the like (the convention of Hadoop and its heirs)."""


def would_list(
    where: Location,
    path: Location,
    suffixes: Sequence[str] | None = None,
    *,
    ignore: tuple[str, ...] = IGNORED_PREFIXES,
) -> bool:
    """Return whether `list_files` would find a file, which need not be there yet.

    Links in both paths are resolved; those below a folder that is searched are not looked for.

    Args:
        where: file, folder or glob.
        path: the file.
        suffixes: endings of file names, with the dot, any case; None for all.
        ignore: files and folders whose names begin so are left out.
    """
    if is_local(where) != is_local(path):
        return False
    source, file = (_real(absolute(one)) if is_local(one) else _canonical(os.fspath(one)) for one in (where, path))
    if file == source:
        return True
    if suffixes is not None and not file.lower().endswith(tuple(suffix.lower() for suffix in suffixes)):
        return False
    is_glob = glob.has_magic(source) and not os.path.lexists(source)
    root = fixed_folder(source) if is_glob else source
    if not file.startswith(root.rstrip("/") + "/"):
        return False
    name = file[len(root.rstrip("/")) + 1 :]
    if is_ignored(name, source if is_glob else root + "/*", ignore):
        return False
    return not is_glob or _is_matched(source[len(root.rstrip("/")) + 1 :], name)


def _is_matched(pattern: str, name: str) -> bool:
    """Return whether a glob matches a relative path, or, if it has no `**`, a folder that the path leads through."""
    parts = name.split("/")
    if "**" not in pattern.split("/"):
        parts = parts[: pattern.count("/") + 1]
    return matcher(pattern)("/".join(parts))


def _real(path: str) -> str:
    """Return the path without links; of a glob the folder before the first wildcard."""
    if not glob.has_magic(path) or os.path.lexists(path):
        return os.path.realpath(path)
    folder = fixed_folder(path)
    return os.path.join(os.path.realpath(folder), path[len(folder.rstrip("/")) + 1 :])  # noqa: PTH118


def _canonical(uri: str) -> str:
    """Return a URI with one name for its protocol and no slash at its end."""
    protocol, _, rest = uri.partition("://")
    same = {"s3a": "s3", "gcs": "gs", "abfss": "abfs", "az": "abfs"}
    return f"{same.get(protocol.lower(), protocol.lower())}://{rest.rstrip('/')}"


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return whether a relative path matches a glob: `**` is any number of folders, no wildcard a leading dot."""
    text = ""
    parts = pattern.split("/")
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            text += r"(?:(?!\.)[^/]+/)*" + (r"(?!\.)[^/]+" if last else "")
            continue
        hidden = "" if part.startswith(".") else r"(?!\.)"
        text += hidden + _segment(part) + ("" if last else "/")
    return lambda name: re.fullmatch(text, name) is not None


def _segment(part: str) -> str:
    """Return the regular expression of a glob without slashes."""
    text = ""
    for piece in re.findall(r"\[!?\]?[^\]]*\]|.", part, re.DOTALL):
        if piece == "*":
            text += "[^/]*"
        elif piece == "?":
            text += "[^/]"
        else:
            translated = fnmatch.translate(piece)  # of a class of letters, or a letter: `(?s:…)\\Z`
            text += translated[len("(?s:") : translated.rindex(")")]
    return text


def fixed_folder(pattern: str) -> str:
    """Return the longest folder at the head of a glob that holds no wildcard."""
    parts = pattern.split("/")
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:fixed]) or "/"


def is_ignored(relative: str, pattern: str, ignore: tuple[str, ...]) -> bool:
    """Return whether a name is one to leave out; not so where the glob spells such names itself."""
    if not ignore or any(part.startswith(ignore) for part in pattern[len(fixed_folder(pattern)) :].split("/")):
        return False
    return any(part.startswith(ignore) for part in relative.split("/"))
