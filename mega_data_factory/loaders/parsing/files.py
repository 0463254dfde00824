"""Shared code of the file loaders: finding files, naming records, cutting tables to size."""

from __future__ import annotations

import functools
import itertools
import posixpath
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from mega_data_factory import storage
from mega_data_factory.errors import InputError, did_you_mean
from mega_data_factory.framework.contracts import RECORD_ID

PLACEHOLDERS = {"{site-packages}": "purelib", "{stdlib}": "stdlib"}
"""Prefix of a path → folder of the running Python (a key of `sysconfig`)."""

BATCH_BYTES = 64 << 20
"""Approximate size of a table in bytes, however few rows it has: Arrow strings end at 2 GiB a column."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the source.

    Attributes:
        root: folder that was searched; placeholders stay in it, so that it means the same on every machine.
        relative: path below the root.
        label: what tells this root from the other roots of the loader; empty when there is one root.
        size: in bytes, as it is stored.
    """

    root: str
    relative: str
    label: str
    size: int

    @property
    def path(self) -> str:
        """Path or URI to open."""
        return file_path(self.root, self.relative)

    @property
    def name(self) -> str:
        """Base of its record ids: independent of the root, and unique in the source."""
        return file_name(self.label, self.relative)


def file_path(root: str, relative: str) -> str:
    """Return the path of a file on this machine."""
    base = _local_base(root)
    return storage.join(resolve(root), relative) if base is None else posixpath.join(base, relative).rstrip("/")


@functools.cache
def _local_base(root: str) -> str | None:
    """Return the local path of a root, for that of each of its many files; None if it is remote."""
    found = resolve(root)
    return str(storage.local_path(found)) if storage.is_local(found) else None


def file_name(label: str, relative: str) -> str:
    """Return the name of a file within its source; bytes that are not UTF-8 become escapes and a hash."""
    name = f"{label}/{relative}" if label else relative
    try:
        name.encode()
    except UnicodeEncodeError:
        raw = name.encode("utf-8", "surrogateescape")
        return f"{raw.decode('utf-8', 'backslashreplace')}~{xxhash.xxh3_64_hexdigest(raw)}"
    return name


def resolve(path: str) -> str:
    """Return the path with a placeholder at its head replaced by the folder of the running Python."""
    for placeholder, key in PLACEHOLDERS.items():
        if path == placeholder or path.startswith(placeholder + "/"):
            return _python_folder(key) + path[len(placeholder) :]
    return path


@functools.cache
def _python_folder(key: str) -> str:
    return sysconfig.get_path(key)


def checked_paths(path: str | Sequence[str]) -> list[str]:
    """Return the `path` parameter of a loader as a list.

    Raises:
        ValueError: it is empty or not made of strings.
    """
    paths = [path] if isinstance(path, str) else list(path)
    if not paths or not all(isinstance(one, str) and one for one in paths):
        raise ValueError(f"path is {path!r}; give a file, a folder, a glob, or a list of them")
    return paths


def find_files(
    paths: Sequence[str], suffixes: Sequence[str], *, ignore: tuple[str, ...] = (".", "_")
) -> list[SourceFile]:
    """Return all files of a source in a fixed order, each once however many paths lead to it.

    Raises:
        InputError: a path does not exist or matches nothing, or no file is found; the message names the parameter.
    """
    found: dict[str, tuple[str, str, int]] = {}
    for path in paths:
        try:
            listed = storage.list_files(resolve(path), suffixes, ignore=ignore)
        except InputError as error:
            raise InputError(f"data_loader.params.path: {error.message}", hint=error.hint) from error
        roots = {root: _portable(root, path) for root in {info.root for info in listed}}
        for info in listed:
            if path.startswith("{stdlib}") and info.name.startswith(("site-packages/", "dist-packages/")):
                continue
            found.setdefault(info.path, (roots[info.root], info.name, info.size))
    if not found:
        raise InputError(
            f"data_loader.params.path: no file below {', '.join(paths)} ends in {', '.join(suffixes)}",
            hint="check the path, and data_loader.params.suffixes",
        )
    labels = _labels(list(dict.fromkeys(root for root, _, _ in found.values())))
    return [SourceFile(root, relative, labels[root], size) for root, relative, size in found.values()]


def would_find(
    paths: Sequence[str], suffixes: Sequence[str], file: str, *, ignore: tuple[str, ...] = (".", "_")
) -> bool:
    """Return whether `find_files` would find a file, which need not be there yet."""
    return any(storage.would_list(resolve(path), file, suffixes, ignore=ignore) for path in paths)


@functools.cache
def _portable(root: str, path: str) -> str:
    """Return the root with the placeholder that the configured path begins with put back into it."""
    placeholder = next((one for one in PLACEHOLDERS if path.startswith(one)), None)
    return root if placeholder is None else placeholder + root[len(storage.absolute(resolve(placeholder))) :]


def _labels(roots: Sequence[str]) -> dict[str, str]:
    """Return a short distinct label for every root: the last part of its path, numbered if it repeats."""
    if len(roots) == 1:
        return {roots[0]: ""}
    labels: dict[str, str] = {}
    taken: set[str] = set()
    for root in roots:
        base = posixpath.basename(root).strip("{}") or "root"
        numbered = (f"{base}~{number}" for number in itertools.count(2))
        label = next(name for name in itertools.chain([base], numbered) if name not in taken)
        taken.add(label)
        labels[root] = label
    return labels


def numbered(prefix: str, numbers: npt.NDArray[np.int64] | range) -> pa.StringArray:
    """Return the prefix followed by each number, as text."""
    values = np.arange(numbers.start, numbers.stop) if isinstance(numbers, range) else numbers
    return pc.binary_join_element_wise(pa.scalar(prefix), pc.cast(pa.array(values, pa.int64()), pa.string()), "")


class RecordNames:
    """Names the records of one split.

    A record is named by its position in the source, or by the value of `id_column`, cast to a string. Where that value
    is null, or was seen before in this split, the position takes its place or is added to it (`value~position`); that
    values repeat in other splits is not noticed. A column of the input that is called `record_id` already is kept as
    `source_record_id`, unless it is the id column.
    """

    def __init__(self, id_column: str | None) -> None:
        self._id_column = id_column
        self._seen: set[str] = set()

    def name(self, table: pa.Table, positions: pa.StringArray) -> pa.Table:
        """Return the table with `record_id` as its first column; `positions` has one entry per row."""
        ids = positions
        if self._id_column is not None and self._id_column in table.column_names:
            ids = self._from_column(table.column(self._id_column), positions)
        if RECORD_ID in table.column_names:
            at = table.column_names.index(RECORD_ID)
            if self._id_column == RECORD_ID:
                table = table.remove_column(at)
            else:
                free = _free_name(f"source_{RECORD_ID}", table.column_names)
                table = table.rename_columns([free if i == at else n for i, n in enumerate(table.column_names)])
        return table.add_column(0, RECORD_ID, ids)

    def _from_column(self, column: pa.ChunkedArray, positions: pa.StringArray) -> pa.StringArray:
        try:
            values = pc.cast(column, pa.string()).to_pylist()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(
                f"data_loader.params.id_column: `{self._id_column}` has type {column.type}, which makes no name",
                hint="choose a column of strings or numbers, or leave id_column out",
            ) from error
        ids = []
        for value, position in zip(values, positions.to_pylist(), strict=True):
            unique = position if value is None else f"{value}~{position}" if value in self._seen else value
            self._seen.add(unique)
            ids.append(unique)
        return pa.array(ids, pa.string())


def _free_name(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name


def check_columns(wanted: Sequence[str], known: Sequence[str], where: str, param: str) -> None:
    """Check that columns exist.

    Raises:
        InputError: one does not; with the nearest name that does.
    """
    for column in wanted:
        if column not in known:
            raise InputError(
                f"data_loader.params.{param}: no column `{column}` in {where}", hint=did_you_mean(column, known)
            )


def slices(table: pa.Table, batch_size: int) -> Iterator[pa.Table]:
    """Yield the table in pieces of at most `batch_size` rows; none of an empty one."""
    for start in range(0, table.num_rows, batch_size):
        yield table.slice(start, batch_size)
