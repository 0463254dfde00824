"""The tables of a metrics folder, every run exactly once, whoever writes, folds, compacts or prunes meanwhile.

Files of single runs are listed before compacted units, and a unit appears before the files that it stands for go: so
a run is in one of the two listings at least. Where it is in both, its own files count. A file that is gone when it is
to be read was folded, compacted or pruned: then everything is listed again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.errors import MetricsError
from mega_data_factory.framework.metrics.logs import logger
from mega_data_factory.framework.metrics.store.decoding import (
    NotOurs,
    Vanished,
    gathered,
    owners,
    read_large,
    read_small,
)
from mega_data_factory.framework.metrics.store.gaps import Gaps
from mega_data_factory.framework.metrics.store.layout import SEGMENTED, file_of, segment_files
from mega_data_factory.framework.metrics.store.remembering import RememberedFolder, is_ours
from mega_data_factory.framework.metrics.store.units import (
    FOLDER,
    INDEX_COLUMNS,
    Unit,
    placed_file,
    placed_unit,
    serving,
    staged_file,
    staged_unit,
)
from mega_data_factory.storage import Location, exists, is_local, join, list_dir

_log = logger("mega_data_factory.metrics")

_ATTEMPTS = 20
_PAUSE = 0.01
"""Seconds between attempts, growing: 2 s in all."""

_READERS = 16
"""Requests at once to a remote store."""

T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """One file to read, and which of its runs count.

    Attributes:
        path: the file.
        unit: the unit it belongs to; None for a file of one run.
        served: the runs of a unit that count.
        complete: whether these are all of its runs.
    """

    path: str
    unit: Unit | None = None
    served: frozenset[str] = frozenset()
    complete: bool = True


class StoredTables:
    """Reads the tables of one metrics folder. Threads may share it.

    Args:
        path: the metrics folder, local or an fsspec URI.
    """

    def __init__(self, path: Location) -> None:
        self.path = path
        self.gaps = Gaps()
        self._warned: set[str] = set()
        self._units: dict[str, Unit] = {}
        self._runs = RememberedFolder(join(path, "runs"), "runs", self.read_smalls)

    def read(
        self,
        kind: str,
        run_id: str | None = None,
        *,
        columns: Sequence[str] | None = None,
        only: pc.Expression | None = None,
    ) -> pa.Table:
        """Rows of one table, in no particular order.

        Args:
            kind: a table of the schema.
            run_id: only this run.
            columns: only these columns; all by default.
            only: condition on columns that files of every version have.

        Raises:
            MetricsError: a newer version of this package wrote one of the files, or the folder changes all the time.
            InputError: the folder cannot be listed.
        """
        needed = None if columns is None else {*columns, "run_id"}
        if run_id is not None:
            mine = pc.field("run_id") == run_id
            only = mine if only is None else mine & only
        return self.consistently(lambda: self._read_once(kind, run_id, needed, only))

    def newest_runs(self, most: int) -> tuple[pa.Table, int]:
        """Rows of the table `runs` that the last files of single runs by name hold, and how many files are left out.

        What was read is kept for `read`, so that the list of very many runs can be had little by little.

        Raises:
            MetricsError, InputError: as `read`.
        """
        rows, _, left = self.consistently(lambda: self._runs.read(most=most))
        return rows, left

    def consistently(self, attempt: Callable[[], T]) -> T:
        """The result of `attempt`, which is made again when a file that it listed is gone.

        Raises:
            MetricsError: that happened too often.
        """
        for number in range(_ATTEMPTS):
            try:
                return attempt()
            except Vanished:
                time.sleep(_PAUSE * number)
        raise MetricsError(f"{self.path} changes faster than it can be read", hint="try again")

    def _read_once(
        self, kind: str, run_id: str | None, columns: Iterable[str] | None, only: pc.Expression | None
    ) -> pa.Table:
        names = None if columns is None else list(columns)
        if kind == "runs" and run_id is None:  # files of single runs before the units: see above
            own = [self._runs.read(names)[:2]]
        else:
            own = self._list_and_read(kind, run_id, names)
        taken = set().union(*(runs for _, runs in own))
        parts = [table if only is None else table.filter(only) for table, _ in own]
        for source in self.unit_sources(kind, self.units(), taken, run_id):
            condition = only
            if not source.complete and run_id is None:
                rest = pc.field("run_id").isin(sorted(source.served))
                condition = rest if only is None else rest & only
            table = self.read_unit(source, kind, names, condition)
            if table is not None:
                parts.append(table)
        return gathered(parts, kind, names)

    def _list_and_read(
        self, kind: str, run_id: str | None, columns: Sequence[str] | None
    ) -> list[tuple[pa.Table, set[str]]]:
        """Tables of files of single runs, each with the runs that it is of."""
        paths = self.small_files(kind, run_id)
        return [(table, owners(table)) for _, table in self.read_smalls(kind, paths, columns)]

    # ── files of single runs ──────────────────────────────────────────────────────────────────────────────────────

    def small_files(self, kind: str, run_id: str | None = None) -> list[str]:
        """The files of single runs that hold rows of a table, as locations.

        Raises:
            Vanished: segments were being folded while they were listed.
            InputError: the folder cannot be listed.
        """
        if kind in SEGMENTED:
            return [join(self.path, kind, name) for name in self._segment_names(kind, run_id)]
        if run_id is not None:
            path = join(self.path, file_of(kind, run_id))
            return [path] if exists(path) else []
        return [join(self.path, kind, name) for name in self.names(kind)]

    def names(self, kind: str) -> list[str]:
        """The names of the files of single runs in the folder of a table, sorted."""
        # Segments twice: one listing may miss both a file that appears and those that go for it while it is made.
        names = {name for _ in range(2 if kind in SEGMENTED else 1) for name in list_dir(join(self.path, kind))}
        return sorted(name for name in names if is_ours(name))

    def _segment_names(self, kind: str, run_id: str | None) -> list[str]:
        folder = join(self.path, kind)
        files = segment_files(kind, self.names(kind))
        if run_id is not None:
            stem = run_id.removeprefix("run_")
            files = {stem: files[stem]} if stem in files else {}
        self.gaps.check(folder, files.values())
        return sorted(name for run in files.values() for name in run.names)

    def read_smalls(
        self, kind: str, paths: Sequence[str], columns: Sequence[str] | None = None
    ) -> Iterator[tuple[str, pa.Table]]:
        """Path and table of every file that is one of ours.

        Raises:
            Vanished: one is gone.
            MetricsError: one is of a newer version.
        """

        def read(path: str) -> tuple[str, pa.Table | None]:
            try:
                return path, read_small(path, kind, columns)
            except NotOurs as error:
                self._skip(path, error)
                return path, None

        if is_local(self.path) or len(paths) < 2:
            found: Iterator[tuple[str, pa.Table | None]] = map(read, paths)
        else:
            with ThreadPoolExecutor(_READERS) as pool:
                found = iter(list(pool.map(read, paths)))
        return ((path, table) for path, table in found if table is not None)

    # ── compacted units ───────────────────────────────────────────────────────────────────────────────────────────

    def units(self) -> list[Unit]:
        """All units, by name.

        Raises:
            Vanished: one went while it was read.
        """
        names = self._unit_names()
        while names and (again := self._unit_names()) != names:  # one may miss a unit and those that it replaces
            names = again
        known = {name: unit for name in sorted(names) if (unit := self._unit(name)) is not None}
        self._units = {name: unit for name, unit in self._units.items() if name in known}
        return list(known.values())

    def _unit_names(self) -> set[str]:
        """Return the names of all units: listed where they are written first, and then where they go from there."""
        staged = {staged_unit(file) for file in list_dir(join(self.path, FOLDER, "runs"))}
        placed = {placed_unit(file) for file in list_dir(join(self.path, "runs"))}
        return {name for name in staged | placed if name is not None}

    def _read_unit(
        self, kind: str, name: str, columns: Sequence[str] | None = None, only: pc.Expression | None = None
    ) -> pa.Table:
        """Read a table of a unit, in its place or where it was written; it may move meanwhile."""
        placed, staged = (join(self.path, file(kind, name)) for file in (placed_file, staged_file))
        for path in (placed, staged):
            try:
                return read_large(path, kind, columns, only)
            except Vanished:
                continue
        return read_large(placed, kind, columns, only)

    def unit_exists(self, name: str) -> bool:
        """Whether a unit is there."""
        return any(exists(join(self.path, file("runs", name))) for file in (placed_file, staged_file, placed_file))

    def _unit(self, name: str) -> Unit | None:
        unit = self._units.get(name)  # another thread may forget it at any moment
        if unit is None:
            try:
                unit = self._units[name] = Unit.from_index(name, self._read_unit("runs", name, INDEX_COLUMNS))
            except NotOurs as error:
                self._skip(join(self.path, placed_file("runs", name)), error)
                return None
        return unit

    def unit_sources(
        self, kind: str, units: Sequence[Unit], taken: set[str], run_id: str | None = None
    ) -> Iterator[Source]:
        """The files of units that hold what counts.

        Args:
            kind: the table.
            units: all units.
            taken: runs that have files of their own.
            run_id: only this run.
        """
        served = serving(units)
        for unit in units:
            mine = served[unit.name] - taken
            if run_id is not None:
                mine &= {run_id}
            if mine:
                placed, staged = (join(self.path, file(kind, unit.name)) for file in (placed_file, staged_file))
                path = placed if exists(placed) else staged
                yield Source(path, unit, frozenset(mine), len(mine) == len(unit.runs))

    def read_unit(
        self,
        source: Source,
        kind: str,
        columns: Sequence[str] | None = None,
        only: pc.Expression | None = None,
        *,
        strict: bool = False,
    ) -> pa.Table | None:
        """The rows of a unit that pass the condition; None when it was made before there was such a table.

        Args:
            source: the file.
            kind: its table.
            columns, only: as for `read`.
            strict: a file that cannot be read is an error: for who removes the unit afterwards.

        Raises:
            Vanished: the unit is gone.
            MetricsError: it cannot be read, and `strict`.
        """
        assert source.unit is not None
        try:
            return self._read_unit(kind, source.unit.name, columns, only)
        except Vanished:
            if not self.unit_exists(source.unit.name):
                raise
            return None
        except NotOurs as error:
            if strict:
                raise MetricsError(f"cannot read {source.path}: {error}", hint="nothing was removed") from error
            self._skip(source.path, error)
            return None

    def _skip(self, path: str, error: NotOurs) -> None:
        if path not in self._warned:
            self._warned.add(path)
            _log.warning("skipped %s, which is no metrics file: %s", path, error)
