"""The tables of a metrics folder, every run exactly once, also during writes, folds, compaction and pruning.

A unit exists before the files that it replaces are removed: a run is in its own files, in a unit, or in both, and then
its own files count. The names of units are listed first, then the files of a table, then the index of the units.
When a unit was removed meanwhile (it was merged, or runs were taken out of it), or when a file to be read is
missing (it was folded, compacted or pruned), everything is listed again.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.errors import MetricsError
from mega_data_factory.framework.metrics.schema import LEVELS, MOMENT_KEY
from mega_data_factory.framework.metrics.store.files.decoding import (
    FileVanished,
    NotAMetricsFile,
    gathered,
    owners,
    read_compacted_file,
    read_run_file,
)
from mega_data_factory.framework.metrics.store.files.layout import SEGMENTED, file_of, segment_files
from mega_data_factory.framework.metrics.store.files.listing import TableFiles, find_unit, list_table
from mega_data_factory.framework.metrics.store.files.units import INDEX_COLUMNS, Unit, serving
from mega_data_factory.framework.metrics.store.reading.cache import CachedRows
from mega_data_factory.framework.metrics.store.reading.gaps import Gaps
from mega_data_factory.redaction.loggers import logger
from mega_data_factory.storage import Location, is_local, join

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


class DamagedUnit(MetricsError):
    """A file of a unit that is about to be replaced cannot be read.

    Attributes:
        reason: why.
    """

    def __init__(self, path: str, reason: NotAMetricsFile) -> None:
        super().__init__(f"cannot read {path}: {reason}", hint="nothing was removed")
        self.reason = reason


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
        self._runs = CachedRows("runs", self.read_run_files)

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

    def levels(self, run_id: str) -> tuple[dict[str, pa.Table], bool]:
        """Rows of the three levels of one run, by table, and whether they are of one moment.

        A run in progress writes one file after the other: between two of them they are of two moments.

        Args:
            run_id: the run.

        Raises:
            MetricsError, InputError: as `read`.
        """
        found = {kind: self.consistently(functools.partial(self._level, kind, run_id)) for kind in LEVELS}
        moments = {table.schema.metadata.get(MOMENT_KEY) for table in found.values()}
        return found, len(moments) == 1

    def _level(self, kind: str, run_id: str) -> pa.Table:
        """Read a table of one run: of its own file with the file's metadata, where there is one."""
        for _, table in self.read_run_files(kind, [join(self.path, file_of(kind, run_id))], missing_ok=True):
            if run_id in owners(table):
                mine = table.filter(pc.field("run_id") == run_id)
                return gathered([mine], kind).replace_schema_metadata(table.schema.metadata)
        return self._read_once(kind, run_id, None, pc.field("run_id") == run_id)

    def newest_runs(self, most: int) -> tuple[pa.Table, int]:
        """Rows of the table `runs` that the last files of single runs by name hold, and how many files are left out.

        What was read is kept for `read`, so that the list of very many runs can be had little by little.

        Raises:
            MetricsError, InputError: as `read`.
        """

        def attempt() -> tuple[pa.Table, int]:
            files = list_table(self.path, "runs", stamps=True)
            rows, _, left = self._runs.read(_own_stamps(files), most=most)
            return rows, left

        return self.consistently(attempt)

    def consistently(self, attempt: Callable[[], T]) -> T:
        """Return the result of `attempt`, which is repeated when a file that it listed is missing.

        Raises:
            MetricsError: that happened too often.
        """
        for number in range(_ATTEMPTS):
            try:
                return attempt()
            except FileVanished:
                time.sleep(_PAUSE * number)
        raise MetricsError(f"{self.path} changes faster than it can be read", hint="try again")

    def _read_once(
        self, kind: str, run_id: str | None, columns: Iterable[str] | None, only: pc.Expression | None
    ) -> pa.Table:
        names = None if columns is None else list(columns)
        if run_id is not None and kind not in SEGMENTED:  # most runs have a file of their own
            alone = dict(self.read_run_files(kind, [join(self.path, file_of(kind, run_id))], names, missing_ok=True))
            if any(run_id in owners(table) for table in alone.values()):
                return gathered(
                    [table if only is None else table.filter(only) for table in alone.values()], kind, names
                )
        known = self.unit_names()
        files = list_table(self.path, kind, stamps=kind == "runs")
        if kind == "runs" and run_id is None:
            own = [self._runs.read(_own_stamps(files), names)[:2]]
        else:
            found = self.read_run_files(kind, self.own_files(kind, files, run_id), names)
            own = [(table, owners(table)) for _, table in found]
        taken = set().union(*(runs for _, runs in own))
        parts = [table if only is None else table.filter(only) for table, _ in own]
        for source in self.unit_sources(kind, files, self.units(known), taken, run_id):
            condition = only
            if not source.complete and run_id is None:
                rest = pc.field("run_id").isin(sorted(source.served))
                condition = rest if only is None else rest & only
            table = self.read_unit(source, kind, names, condition)
            if table is not None:
                parts.append(table)
        return gathered(parts, kind, names)

    # ── files of single runs ──────────────────────────────────────────────────────────────────────────────────────

    def own_files(self, kind: str, files: TableFiles, run_id: str | None = None) -> list[str]:
        """Return the files of single runs that hold rows of a table, as locations.

        Args:
            kind: the table.
            files: its files.
            run_id: only this run.

        Raises:
            FileVanished: segments were being folded while they were listed.
        """
        if kind in SEGMENTED:
            return [files.own[name] for name in self._segment_names(kind, files, run_id)]
        if run_id is not None:
            name = file_of(kind, run_id).rpartition("/")[2]
            return [files.own[name]] if name in files.own else []
        return list(files.own.values())

    def _segment_names(self, kind: str, files: TableFiles, run_id: str | None) -> list[str]:
        found = segment_files(kind, files.own)
        if run_id is not None:
            stem = run_id.removeprefix("run_")
            found = {stem: found[stem]} if stem in found else {}
        self.gaps.check(join(self.path, kind), found.values())
        return sorted(name for run in found.values() for name in run.names)

    def read_run_files(
        self, kind: str, paths: Sequence[str], columns: Sequence[str] | None = None, *, missing_ok: bool = False
    ) -> Iterator[tuple[str, pa.Table]]:
        """Path and table of every file that is one of ours.

        Args:
            kind: the table.
            paths: the files.
            columns: only these; all by default.
            missing_ok: leave out files that are not there.

        Raises:
            FileVanished: one is missing.
            MetricsError: one is of a newer version.
        """

        def read(path: str) -> tuple[str, pa.Table | None]:
            try:
                table = read_run_file(path, kind, columns)
                _check_name(path, kind, owners(table))
                return path, table
            except NotAMetricsFile as error:
                self.skip(path, error)
                return path, None
            except FileVanished:
                if missing_ok:
                    return path, None
                raise

        if is_local(self.path) or len(paths) < 2:
            found: Iterator[tuple[str, pa.Table | None]] = map(read, paths)
        else:
            with ThreadPoolExecutor(_READERS) as pool:
                found = iter(list(pool.map(read, paths)))
        return ((path, table) for path, table in found if table is not None)

    # ── compacted units ───────────────────────────────────────────────────────────────────────────────────────────

    def unit_names(self) -> frozenset[str]:
        """Return the names of the units that exist."""
        return frozenset(list_table(self.path, "runs").units)

    def units(self, known: Collection[str] = ()) -> list[Unit]:
        """All units, by name.

        Args:
            known: names of units that existed before the files that they replace were listed.

        Raises:
            FileVanished: one of these does not exist any more, or one went while it was read.
        """
        places = list_table(self.path, "runs").units
        if gone := set(known) - places.keys():
            raise FileVanished(min(gone))
        found = {name: unit for name, place in places.items() if (unit := self._unit(name, place[0])) is not None}
        self._units = {name: unit for name, unit in self._units.items() if name in found}
        return list(found.values())

    def _unit(self, name: str, path: str) -> Unit | None:
        unit = self._units.get(name)  # another thread may forget it at any moment
        if unit is None:
            try:
                unit = self._units[name] = Unit.from_index(name, read_compacted_file(path, "runs", INDEX_COLUMNS))
            except NotAMetricsFile as error:
                self.skip(path, error)
                return None
        return unit

    def unit_sources(
        self, kind: str, files: TableFiles, units: Sequence[Unit], taken: set[str], run_id: str | None = None
    ) -> Iterator[Source]:
        """Yield the files of units that hold what counts.

        Args:
            kind: the table.
            files: its files.
            units: all units.
            taken: runs that have files of their own.
            run_id: only this run.

        Raises:
            FileVanished: one of them is not among the files.
        """
        served = serving(units)
        for unit in units:
            mine = served[unit.name] - taken
            if run_id is not None:
                mine &= {run_id}
            places = files.units.get(unit.name)
            if mine and places:
                yield Source(places[0], unit, frozenset(mine), len(mine) == len(unit.runs))
            elif mine:
                self._check_it_lacks(kind, unit.name)

    def _check_it_lacks(self, kind: str, unit: str) -> None:
        """Refuse a listing without a table of a unit, unless the unit was made before there was such a table.

        Raises:
            FileVanished: the listing is to be made again.
        """
        if find_unit(self.path, kind, unit) is not None or find_unit(self.path, "runs", unit) is None:
            raise FileVanished(unit)

    def read_unit(
        self,
        source: Source,
        kind: str,
        columns: Sequence[str] | None = None,
        only: pc.Expression | None = None,
        *,
        strict: bool = False,
    ) -> pa.Table | None:
        """Return the rows of a unit that pass the condition; None when its file is damaged.

        Args:
            source: the file.
            kind: its table.
            columns, only: as for `read`.
            strict: raise an error for a file that cannot be read, because the unit is removed afterwards.

        Raises:
            FileVanished: the unit is missing.
            DamagedUnit: it cannot be read, and `strict`.
            MetricsError: a newer version of this package wrote it.
        """
        assert source.unit is not None
        try:
            return read_compacted_file(source.path, kind, columns, only)
        except NotAMetricsFile as error:
            if strict:
                raise DamagedUnit(source.path, error) from error
            self.skip(source.path, error)
            return None

    def skip(self, path: str, error: Exception) -> None:
        """Warn of a file that is passed over, once."""
        if path not in self._warned:
            self._warned.add(path)
            _log.warning("skipped %s, which is no metrics file: %s", path, error)


def _check_name(path: str, kind: str, runs: set[str]) -> None:
    """Refuse a file that has another name than the files of its run: a copy of one would count twice.

    Raises:
        NotAMetricsFile: says which run it is of.
    """
    name = path.rpartition("/")[2]
    for run_id in runs:
        if kind in SEGMENTED:
            right = run_id.removeprefix("run_") in segment_files(kind, [name])
        else:
            right = name == file_of(kind, run_id).rpartition("/")[2]
        if not right:
            raise NotAMetricsFile(f"it is of the run {run_id}, whose files have other names")


def _own_stamps(files: TableFiles) -> dict[str, str]:
    """Return location → stamp of the files of single runs."""
    return {path: files.stamps[path] for path in files.own.values()}
