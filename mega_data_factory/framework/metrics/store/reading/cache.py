"""The rows of many small files, each read once until it is written over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.metrics.store.files.decoding import gathered, owners
from mega_data_factory.framework.metrics.store.files.row_cache import LEAST_FILES, RowCache

Read = Callable[[str, Sequence[str], Sequence[str] | None], Iterable[tuple[str, pa.Table]]]
"""Path and table of every file of a table that is one of ours: of the table, its files, the columns."""

_FILE = "__file"
"""Column of the remembered rows that names the file they are from; no column of a metrics file begins so."""


class CachedFiles:
    """Rows of the files of single runs of one table.

    A list of ten thousand runs is ten thousand files; of these a handful changes from one look to the next. Threads may
    share it.

    Args:
        kind: the table.
        columns: the columns to keep, `run_id` among them; None for all.
        stored: rows that need no file to be opened.

    Attributes:
        columns: the same, sorted.
    """

    def __init__(self, kind: str, columns: frozenset[str] | None = None, stored: RowCache | None = None) -> None:
        self.columns = None if columns is None else sorted(columns)
        self._kind = kind
        self._stored = stored
        self._lock = threading.Lock()
        self._stamps: dict[str, str] = {}
        self._owners: dict[str, set[str]] = {}
        self._rows = self._empty()

    def covers(self, columns: Iterable[str] | None) -> bool:
        """Return whether these columns are among those that it keeps."""
        return self.columns is None or (columns is not None and set(self.columns).issuperset(columns))

    def read(
        self,
        stamps: Mapping[str, str],
        read: Callable[[list[str]], Iterable[tuple[str, pa.Table]]],
    ) -> tuple[pa.Table, set[str]]:
        """Return the rows of the files that are there now.

        Args:
            stamps: path of every file → what differs when it has been written over.
            read: path and table of the files that are given it; it may leave out those that are none of ours.

        Returns:
            The rows, and the runs that the files are of.
        """
        with self._lock:
            changed = [path for path, stamp in stamps.items() if self._stamps.get(path) != stamp]
            outdated = {path for path in self._stamps if path not in stamps} | set(changed)
            if outdated & self._stamps.keys():
                self._forget(outdated)
            if self._stored is not None and len(changed) >= LEAST_FILES:
                self._learn_stored(*self._stored.rows({path: stamps[path] for path in changed}, self.columns), stamps)
                changed = [path for path in changed if path not in self._stamps]
            self._learn(read(changed), stamps)
            for path in changed:
                self._stamps[path] = stamps[path]  # also of files that are none of ours: read them once
            return self._rows.drop_columns(_FILE), set().union(*self._owners.values())

    def _forget(self, paths: set[str]) -> None:
        gone = pc.is_in(self._rows.column(_FILE), pa.array(sorted(paths), pa.string()))
        self._rows = self._rows.filter(pc.invert(gone))
        for path in paths:
            self._stamps.pop(path, None)
            self._owners.pop(path, None)

    def _learn(self, found: Iterable[tuple[str, pa.Table]], stamps: Mapping[str, str]) -> None:
        """Keep what is read, also where reading stops in the middle: it is not read again then."""
        tables: list[pa.Table] = []
        sources: list[str] = []
        try:
            for path, table in found:
                tables.append(table)
                sources += [path] * len(table)
                self._owners[path] = owners(table)
                self._stamps[path] = stamps[path]
        finally:
            if tables:
                self._keep(gathered(tables, self._kind, self.columns), sources)

    def _learn_stored(self, paths: list[str], rows: pa.Table, stamps: Mapping[str, str]) -> None:
        """Keep rows of the row cache, one for each of the files."""
        self._owners.update((path, {run}) for path, run in zip(paths, rows["run_id"].to_pylist(), strict=True))
        self._stamps.update((path, stamps[path]) for path in paths)
        self._keep(gathered([rows], self._kind, self.columns), paths)

    def _keep(self, rows: pa.Table, sources: list[str]) -> None:
        rows = rows.append_column(_FILE, pa.array(sources, pa.string()))
        self._rows = pa.concat_tables([self._rows, rows]).combine_chunks()

    def _empty(self) -> pa.Table:
        return gathered([], self._kind, self.columns).append_column(_FILE, pa.array([], pa.string()))


class CachedRows:
    """The rows of the files of single runs of one table, each read once until it is written over.

    Args:
        kind: the table.
        read: reads some of them.
        stored: rows of the table that need no file to be opened.
    """

    def __init__(self, kind: str, read: Read, stored: RowCache | None = None) -> None:
        self._kind = kind
        self._read = read
        self._stored = stored
        self._remembered: list[CachedFiles] = []

    def read(
        self, stamps: Mapping[str, str], columns: Sequence[str] | None = None, most: int | None = None
    ) -> tuple[pa.Table, set[str], int]:
        """Return the current rows of the files.

        Args:
            stamps: path of every file, by name → what differs when it has been written over.
            columns: only these; all by default.
            most: files to read at most, the last ones by name.

        Returns:
            The rows, the runs that the files are of, and how many files were left out.
        """
        left = 0 if most is None else max(0, len(stamps) - most)
        files = self._of(columns)
        wanted = dict(list(stamps.items())[left:])
        rows, runs = files.read(wanted, lambda changed: self._read(self._kind, changed, files.columns))
        if columns is not None:
            rows = rows.select([name for name in rows.column_names if name in columns])
        return rows, runs, left

    def _of(self, columns: Sequence[str] | None) -> CachedFiles:
        for files in self._remembered:
            if files.covers(columns):
                return files
        wanted = None if columns is None else frozenset(columns)
        self._remembered.append(CachedFiles(self._kind, wanted, self._stored))
        return self._remembered[-1]
