"""Take runs out of units: runs that are pruned, and compacted runs that are written again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.store.files.decoding import gathered
from mega_data_factory.framework.metrics.store.files.encoding import write_tables
from mega_data_factory.framework.metrics.store.files.layout import file_of
from mega_data_factory.framework.metrics.store.files.listing import find_unit, list_table, pending_path
from mega_data_factory.framework.metrics.store.files.units import Unit
from mega_data_factory.framework.metrics.store.reading.compacted_units import Source
from mega_data_factory.framework.metrics.store.reading.stored_tables import StoredTables
from mega_data_factory.framework.metrics.upkeep.lock import upkeep_lock
from mega_data_factory.framework.metrics.upkeep.set_aside import read_or_set_aside
from mega_data_factory.framework.metrics.upkeep.unit_files import swap, write_unit


def shrink_units(store: StoredTables, runs: Collection[str], names: Mapping[str, Iterable[str]] | None = None) -> None:
    """Take runs out of all units, those included that compactions write meanwhile in an object store.

    Args:
        store: the metrics folder; hold its `upkeep_lock`.
        runs: the runs to take out.
        names: pending files of these runs by table, to publish as they go from units.
    """
    done: set[str] = set()
    while True:
        units = [unit for unit in store.consistently(store.units.all) if not unit.runs.keys().isdisjoint(runs)]
        if not (left := [unit for unit in units if unit.name not in done]):
            return
        for unit in left:
            _shrink(store, unit, runs, names)
            done.add(unit.name)


def _shrink(store: StoredTables, unit: Unit, runs: Collection[str], names: Mapping[str, Iterable[str]] | None) -> None:
    """Replace a unit by one without some runs, unless another process has replaced it."""
    rest = frozenset(unit.runs) - set(runs)
    new = []
    if rest:
        tables = {kind: _rest_of(store, kind, unit, rest) for kind in schema.TABLES}
        if any(table is None for table in tables.values()):
            return
        new = [write_unit(store.path, {kind: table for kind, table in tables.items() if table is not None})]
    swap(store.path, new=new, old=[unit.name], names=names)


def _rest_of(store: StoredTables, kind: str, unit: Unit, rest: frozenset[str]) -> pa.Table | None:
    """Return the rows of some runs of a unit; None when the unit does not exist any more.

    Raises:
        MetricsError: its file is damaged.
    """

    def attempt() -> pa.Table | None:
        if find_unit(store.path, "runs", unit.name) is None:
            return None
        place = find_unit(store.path, kind, unit.name)
        if place is None:  # made before there was such a table
            return schema.TABLES[kind].empty_table()
        only = pc.field("run_id").isin(sorted(rest))
        table = read_or_set_aside(store, Source(place, unit, rest, complete=False), kind, only)
        return gathered([] if table is None else [table], kind)

    return store.consistently(attempt)


def claim_run(store: StoredTables, run_id: str) -> None:
    """Make sure that a run is in no unit, before its files are written: a glob would see it twice.

    A run that is compacted gets files of its own again, with the rows of its unit.

    Args:
        store: the metrics folder.
        run_id: the run.

    Raises:
        MetricsError: a unit that holds it is damaged.
        OutputError: a file cannot be written, moved or removed.
    """
    if not any(run_id in unit.runs for unit in store.consistently(store.units.all)):
        return
    with upkeep_lock(store.path):
        if not any(run_id in unit.runs for unit in store.consistently(store.units.all)):
            return
        names: dict[str, list[str]] = {}
        for kind in schema.TABLES:
            name = file_of(kind, run_id).rpartition("/")[2]
            if name not in list_table(store.path, kind).own:
                metadata = schema.to_table((), schema.TABLES[kind], run_id).schema.metadata
                rows = store.read(kind, run_id).replace_schema_metadata(metadata)
                write_tables(pending_path(store.path, kind, name), [rows])
                names[kind] = [name]
        shrink_units(store, {run_id}, names)
