"""Files of compacted units: which units there are, which of their rows count, and their tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.errors import MetricsError
from mega_data_factory.framework.metrics.store.files.decoding import (
    FileVanished,
    NotAMetricsFile,
    read_compacted_file,
)
from mega_data_factory.framework.metrics.store.files.listing import TableFiles, find_unit, list_table
from mega_data_factory.framework.metrics.store.files.units import INDEX_COLUMNS, Unit, serving
from mega_data_factory.framework.metrics.store.reading.skipped_files import SkippedFiles
from mega_data_factory.storage import Location


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


class CompactedUnits:
    """Reads the compacted units of one metrics folder, and keeps their index. Threads may share it.

    Args:
        path: the metrics folder.
        skipped: where files are noted that are no metrics files.
    """

    def __init__(self, path: Location, skipped: SkippedFiles) -> None:
        self._path = path
        self._skipped = skipped
        self._units: dict[str, Unit] = {}

    def names(self) -> frozenset[str]:
        """Return the names of the units that exist."""
        return frozenset(list_table(self._path, "runs").units)

    def all(self, known: Collection[str] = ()) -> list[Unit]:
        """Return all units, by name.

        Args:
            known: names of units that existed before the files that they replace were listed.

        Raises:
            FileVanished: one of these does not exist any more, or one went while it was read.
        """
        places = list_table(self._path, "runs").units
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
                self._skipped.note(path, error)
                return None
        return unit

    def sources(
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
        if find_unit(self._path, kind, unit) is not None or find_unit(self._path, "runs", unit) is None:
            raise FileVanished(unit)

    def read(
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
            columns, only: as for `StoredTables.read`.
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
            self._skipped.note(source.path, error)
            return None
