"""Finish what a process left that was killed while it compacted, pruned, or took a run out of a unit."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.metrics.store.files.decoding import gathered, owners
from mega_data_factory.framework.metrics.store.files.layout import SEGMENTED, Segment, file_of, segment_files
from mega_data_factory.framework.metrics.store.files.listing import TableFiles, list_table, pending_path
from mega_data_factory.framework.metrics.store.files.run_files import (
    names_of_runs,
    publish,
    remove_segments,
    remove_unchanged,
    states_of,
)
from mega_data_factory.framework.metrics.store.files.units import Unit
from mega_data_factory.framework.metrics.store.reading.compacted_units import Source
from mega_data_factory.framework.metrics.store.reading.stored_tables import StoredTables
from mega_data_factory.framework.metrics.upkeep.unit_files import SWAPPING_ORDER, discard_unit, swap
from mega_data_factory.storage import exists, join, remove


def finish_interrupted(store: StoredTables) -> None:
    """Bring a metrics folder into a state in which a plain glob of every table sees every run once.

    Readers of this package see every run once before, after and meanwhile.

    Args:
        store: the metrics folder; hold its `upkeep_lock`.

    Raises:
        MetricsError: a newer version of this package wrote a file.
        OutputError: a file cannot be moved or removed.
    """
    units = {unit.name: unit for unit in store.consistently(store.units.all)}
    unpublished = _pending_units(list_table(store.path, "runs"), units)
    if unpublished and _has_all(store, unpublished, units):  # no replaced file was removed yet: start again
        for name in unpublished:
            discard_unit(store.path, name)
            del units[name]
        unpublished = []
    _finish_units(store, units, unpublished)
    for kind in SWAPPING_ORDER:
        _finish_runs(store, kind, units)


def _pending_units(files: TableFiles, units: Mapping[str, Unit]) -> list[str]:
    return [name for name in units if f"{name}.parquet" in files.pending]


def _has_all(store: StoredTables, unpublished: Sequence[str], units: Mapping[str, Unit]) -> bool:
    """Return whether every run of some units is elsewhere too: in a file of its own, or in another unit."""
    elsewhere = {run_id for name, unit in units.items() if name not in unpublished for run_id in unit.runs}
    elsewhere.update(*map(owners, _own_rows(store, "runs").values()))
    return all(elsewhere.issuperset(units[name].runs) for name in unpublished)


def _finish_units(store: StoredTables, units: Mapping[str, Unit], unpublished: Sequence[str]) -> None:
    """Put units that exist in their place, table by table, and remove the files that they replace."""
    covered = {run_id for name in unpublished for run_id in units[name].runs}
    old = [name for name, unit in units.items() if name not in unpublished and unit.runs.keys() <= covered]
    existing = store.units.names()  # damaged ones too
    changed: set[str] = set()  # runs that were written again since: their own files count
    for kind in SWAPPING_ORDER:
        files = list_table(store.path, kind)
        left = files.units.keys() - existing
        swap(store.path, old=[name for name in left if f"{name}.parquet" not in files.pending], kinds=[kind])
        if pending := _pending_units(files, units):
            swap(
                store.path,
                new=pending,
                old=old,
                remove_own=functools.partial(_remove_equal, store, [units[name] for name in pending], changed),
                kinds=[kind],
            )


def _remove_equal(store: StoredTables, units: Sequence[Unit], changed: set[str], kind: str) -> int:
    """Remove the files of single runs whose rows units hold; the table `runs` tells which were written again."""
    files = list_table(store.path, kind)
    removed = 0
    for unit in units:
        own = names_of_runs(kind, set(unit.runs) - changed, files.own)
        source = Source(files.units[unit.name][0], unit, frozenset(own), complete=False)
        table = store.units.read(source, kind, only=pc.field("run_id").isin(sorted(own))) if own else None
        if table is None:
            continue
        rows = gathered([table], kind)
        for run_id, mine in own.items():
            parts = dict(store.single_runs.read(kind, [files.own[name] for name in mine.names]))
            theirs = rows.filter(pc.field("run_id") == run_id)
            if _same(gathered(parts.values(), kind), theirs):
                states = list(states_of(files.own[name] for name in mine.all))
                segmented = kind in SEGMENTED
                removed += (
                    remove_segments(store.path, kind, run_id, states, theirs) if segmented else remove_unchanged(states)
                )
            elif kind == "runs":
                changed.add(run_id)
    return removed


def _same(left: pa.Table, right: pa.Table) -> bool:
    return sorted(map(repr, left.to_pylist())) == sorted(map(repr, right.to_pylist()))


def _finish_runs(store: StoredTables, kind: str, units: Mapping[str, Unit]) -> None:
    """Publish pending files of runs that were taken out of a unit, or discard them where that did not begin."""
    compacted = {run_id for unit in units.values() for run_id in unit.runs}
    files = list_table(store.path, kind)
    whole = [name for name in files.pending & files.own.keys() if Segment.parse(name) is None]
    for name, table in _own_rows(store, kind, whole).items():
        if {file_of(kind, run_id) for run_id in owners(table)} != {f"{kind}/{name}"}:
            continue  # none of ours
        if exists(join(store.path, kind, name)) or owners(table) & compacted:
            remove(pending_path(store.path, kind, name))
        elif not _has_segments(kind, name, files):  # else a fold is in progress, or was killed: names alone tell
            publish(store.path, kind, name)


def _has_segments(kind: str, name: str, files: TableFiles) -> bool:
    if kind not in SEGMENTED:
        return False
    stem = name.removeprefix(f"{kind}_").removesuffix(".parquet")
    found = segment_files(kind, files.own).get(stem)
    return found is not None and bool(found.superseded)


def _own_rows(store: StoredTables, kind: str, names: Collection[str] | None = None) -> dict[str, pa.Table]:
    """Return file name → the column `run_id` of files of single runs; of all of them by default."""

    def attempt() -> dict[str, pa.Table]:
        own = list_table(store.path, kind).own
        paths = {own[name]: name for name in own if names is None or name in names}
        return {paths[path]: table for path, table in store.single_runs.read(kind, list(paths), ["run_id"])}

    return store.consistently(attempt)
