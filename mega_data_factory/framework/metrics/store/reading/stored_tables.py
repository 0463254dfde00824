"""The tables of a metrics folder, every run exactly once, also during writes, folds, compaction and pruning.

A unit exists before the files that it replaces are removed: a run is in its own files, in a unit, or in both, and then
its own files count. The names of units are listed first, then the files of a table, then the index of the units.
When a unit was removed meanwhile (it was merged, or runs were taken out of it), or when a file to be read is
missing (it was folded, compacted or pruned), everything is listed again.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.errors import MetricsError
from mega_data_factory.framework.metrics.schema import LEVELS, MOMENT_KEY
from mega_data_factory.framework.metrics.store.files.decoding import FileVanished, gathered, owners
from mega_data_factory.framework.metrics.store.files.layout import SEGMENTED, file_of
from mega_data_factory.framework.metrics.store.files.listing import TableFiles, list_table
from mega_data_factory.framework.metrics.store.files.row_cache import RowCache
from mega_data_factory.framework.metrics.store.reading.cache import CachedRows
from mega_data_factory.framework.metrics.store.reading.compacted_units import CompactedUnits
from mega_data_factory.framework.metrics.store.reading.single_runs import SingleRunFiles
from mega_data_factory.framework.metrics.store.reading.skipped_files import SkippedFiles
from mega_data_factory.storage import Location, join

_ATTEMPTS = 20
_PAUSE = 0.01
"""Seconds between attempts, growing: 2 s in all."""

T = TypeVar("T")


class StoredTables:
    """Reads the tables of one metrics folder. Threads may share it.

    Args:
        path: the metrics folder, local or an fsspec URI.

    Attributes:
        skipped: files that were passed over.
        single_runs: files of single runs.
        units: compacted units.
    """

    def __init__(self, path: Location) -> None:
        self.path = path
        self.skipped = SkippedFiles()
        self.single_runs = SingleRunFiles(path, self.skipped)
        self.units = CompactedUnits(path, self.skipped)
        self._runs = CachedRows("runs", self.single_runs.read, RowCache(path))

    def read(
        self,
        kind: str,
        run_id: str | None = None,
        *,
        columns: Sequence[str] | None = None,
        only: pc.Expression | None = None,
    ) -> pa.Table:
        """Return rows of one table, in no particular order.

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
        """Return rows of the three levels of one run, by table, and whether they are of one moment.

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
        """Read a table of one run: of its own file with the file's metadata, if there is one."""
        for _, table in self.single_runs.read(kind, [join(self.path, file_of(kind, run_id))], missing_ok=True):
            if run_id in owners(table):
                mine = table.filter(pc.field("run_id") == run_id)
                return gathered([mine], kind).replace_schema_metadata(table.schema.metadata)
        return self._read_once(kind, run_id, None, pc.field("run_id") == run_id)

    def newest_runs(self, most: int) -> tuple[pa.Table, int]:
        """Return rows of `runs` from the last files of single runs, by name, and how many files are left out.

        What was read is kept for `read`, so that the list of very many runs can be had little by little.

        Raises:
            MetricsError, InputError: as `read`.
        """

        def attempt() -> tuple[pa.Table, int]:
            files = list_table(self.path, "runs", stamps=True)
            rows, _, left = self._runs.read(_own_stamps(files), most=most)
            return rows, left

        return self.consistently(attempt)

    def runs_with_files(self, columns: Sequence[str]) -> pa.Table:
        """Return rows of `runs` from files of single runs alone.

        Args:
            columns: only these.

        Raises:
            FileVanished: a file was removed meanwhile.
        """
        stamps = _own_stamps(list_table(self.path, "runs", stamps=True))
        others = [path for path in list_table(self.path, "runs").own.values() if path not in stamps]
        more = [table for _, table in self.single_runs.read("runs", others, columns)]  # links to nothing are named
        return gathered([self._runs.read(stamps, columns)[0], *more], "runs", columns)

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
            alone = dict(self.single_runs.read(kind, [join(self.path, file_of(kind, run_id))], names, missing_ok=True))
            if any(run_id in owners(table) for table in alone.values()):
                return gathered(
                    [table if only is None else table.filter(only) for table in alone.values()], kind, names
                )
        known = self.units.names()
        files = list_table(self.path, kind, stamps=kind == "runs")
        if kind == "runs" and run_id is None:
            own = [self._runs.read(_own_stamps(files), names)[:2]]
        else:
            found = self.single_runs.read(kind, self.single_runs.paths(kind, files, run_id), names)
            own = [(table, owners(table)) for _, table in found]
        taken = set().union(*(runs for _, runs in own))
        parts = [table if only is None else table.filter(only) for table, _ in own]
        for source in self.units.sources(kind, files, self.units.all(known), taken, run_id):
            condition = only
            if not source.complete and run_id is None:
                rest = pc.field("run_id").isin(sorted(source.served))
                condition = rest if only is None else rest & only
            table = self.units.read(source, kind, names, condition)
            if table is not None:
                parts.append(table)
        return gathered(parts, kind, names)


def _own_stamps(files: TableFiles) -> dict[str, str]:
    """Return location → stamp of the files of single runs."""
    return {path: files.stamps[path] for path in files.own.values()}
