"""Compact the small files of old runs into units: one larger file per table, zstd, sorted by start of the run.

A unit is written whole, as pending files, that of the table `runs` last. Then, table by table, the files that it stands
for go, unless they were written over since, and its own moves into their place. A plain glob of a table never counts a
run twice; it misses the runs of a unit between the first removal and the move, 0.03 to 0.1 ms a file on a local disk.
Killed at any moment, readers of this package see every run once, and the next compaction finishes the work.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.clock import utc_now
from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.store.files.decoding import gathered, owners
from mega_data_factory.framework.metrics.store.files.layout import SEGMENTED
from mega_data_factory.framework.metrics.store.files.listing import list_table
from mega_data_factory.framework.metrics.store.files.row_cache import RowCache
from mega_data_factory.framework.metrics.store.files.run_files import (
    FileState,
    names_of_runs,
    remove_segments,
    remove_unchanged,
    state_of,
    states_of,
)
from mega_data_factory.framework.metrics.store.reading.stored_tables import StoredTables
from mega_data_factory.framework.metrics.upkeep.lock import upkeep_lock
from mega_data_factory.framework.metrics.upkeep.planning import Member, batches_of, groups_of, in_order, plan
from mega_data_factory.framework.metrics.upkeep.recovery import finish_interrupted
from mega_data_factory.framework.metrics.upkeep.set_aside import read_or_set_aside
from mega_data_factory.framework.metrics.upkeep.shrinking import shrink_units
from mega_data_factory.framework.metrics.upkeep.unit_files import (
    discard_unit,
    remove_leftovers,
    swap,
    write_unit,
)
from mega_data_factory.storage import Location, join

UNIT_RUNS = 1000
"""Runs in a unit at most."""

MIN_AGE = timedelta(hours=1)
"""Runs with a more recent heartbeat are left alone: they may be viewed or resumed."""

_Sources: TypeAlias = dict[str, dict[str, list[FileState]]]
"""Small files by table and run."""

_FILES_AT_ONCE = 64
"""Small files whose tables are put together at once: a table of a few rows takes ten times the memory of its rows."""


@dataclass(frozen=True)
class Compaction:
    """Result of a compaction, or its plan.

    Attributes:
        runs: runs whose own files went into units.
        units: units written.
        files_removed: small files that went, and files of units that are in larger ones now.
    """

    runs: int
    units: int
    files_removed: int


def compact(
    path: Location,
    *,
    min_age: timedelta = MIN_AGE,
    unit_runs: int = UNIT_RUNS,
    now: Callable[[], datetime] = utc_now,
    dry_run: bool = False,
) -> Compaction:
    """Compact the files of runs that are over into units, and small units into larger ones.

    Readers and writers may run at the same time. Other compactions and prunes wait (not in an object store).

    Args:
        path: the metrics folder, local or an fsspec URI.
        min_age: leave runs alone that were active since.
        unit_runs: runs in a unit at most.
        now: naive UTC.
        dry_run: change nothing.

    Raises:
        MetricsError: a newer version of this package wrote a file.
        OutputError: a file cannot be written or removed; readers still see everything.
    """
    store = StoredTables(path)
    if dry_run:
        fresh, merged = plan(store, now(), min_age, unit_runs)
        return Compaction(len(fresh), len(list(groups_of(in_order(fresh, merged), unit_runs))), 0)
    with upkeep_lock(path):
        finish_interrupted(store)
        fresh, merged = plan(store, now(), min_age, unit_runs)
        removed = units = 0
        for batch in batches_of(list(groups_of(in_order(fresh, merged), unit_runs))):
            written, gone = _replace(store, batch)
            units, removed = units + written, removed + gone
        remove_leftovers(path)
        RowCache(path).trim()
    return Compaction(len(fresh), units, removed)


@dataclass
class _Written:
    """A unit that is written and not yet in its place.

    Attributes:
        name: its name.
        sources: the files of single runs that it stands for, by table and run.
        rows: the rows of its segmented tables.
    """

    name: str
    sources: _Sources
    rows: dict[str, pa.Table]


def _replace(store: StoredTables, batch: Sequence[list[Member]]) -> tuple[int, int]:
    """Put units in the place of the files and smaller units that they replace.

    Returns:
        How many units were written, and how many files went.
    """
    written = [unit for group in batch if (unit := _write_unchanged(store, group)) is not None]
    kept: set[str] = set()

    def remove_own(kind: str) -> int:
        return sum(_remove_sources(store.path, kind, unit, kept) for unit in written)

    old = {member.unit for group in batch for member in group if member.unit is not None}
    removed = swap(store.path, new=[unit.name for unit in written], old=old, remove_own=remove_own)
    if kept:  # written over at the last moment: their own files count
        shrink_units(store, kept)
    return len(written), removed


def _write_unchanged(store: StoredTables, group: Sequence[Member]) -> _Written | None:
    """Write the unit of some runs, without those that are written over meanwhile; None when none is left."""
    while group:
        unit = _write_group(store, group)
        changed = {
            run_id
            for runs in unit.sources.values()
            for run_id, states in runs.items()
            if list(states_of(state.path for state in states)) != states
        }
        if not changed:
            return unit
        discard_unit(store.path, unit.name)
        group = [member for member in group if member.run_id not in changed]
    return None


def _write_group(store: StoredTables, group: Sequence[Member]) -> _Written:
    def attempt() -> tuple[dict[str, pa.Table], _Sources]:
        parts = {kind: _part(store, kind, group) for kind in schema.TABLES}
        return {kind: parts[kind][0] for kind in parts}, {kind: parts[kind][1] for kind in parts}

    tables, sources = store.consistently(attempt)
    return _Written(write_unit(store.path, tables), sources, {kind: tables[kind] for kind in SEGMENTED})


def _remove_sources(path: Location, kind: str, unit: _Written, kept: set[str]) -> int:
    """Remove the files of single runs in a table whose rows are in a unit; add runs whose files changed to `kept`."""
    removed = 0
    for run_id, states in unit.sources[kind].items():
        if kind in SEGMENTED:
            rows = unit.rows[kind]
            mine = rows.filter(pc.field("run_id") == run_id) if len(states) > 1 else rows.slice(0, 0)
            gone = remove_segments(path, kind, run_id, states, mine)
        else:
            gone = remove_unchanged(states)
        if gone < len(states):
            kept.add(run_id)
        removed += gone
    return removed


def _part(store: StoredTables, kind: str, group: Sequence[Member]) -> tuple[pa.Table, dict[str, list[FileState]]]:
    """Return the rows of some runs in one table, in the order of the group, and the small files they come from."""
    known = store.units.names()
    files = list_table(store.path, kind)
    own = names_of_runs(kind, [member.run_id for member in group if member.unit is None], files.own)
    store.single_runs.gaps.check(join(store.path, kind), own.values())
    states = {run_id: [state_of(files.own[name]) for name in mine.all] for run_id, mine in own.items()}
    tables: list[pa.Table] = []
    taken: set[str] = set()
    if kind == "runs":
        tables.append(_cached_rows(store.path, states))
        taken.update(tables[0]["run_id"].to_pylist())
    for some in _slices((run_id for run_id in own if run_id not in taken), _FILES_AT_ONCE):
        found = dict(store.single_runs.read(kind, [files.own[name] for run_id in some for name in own[run_id].names]))
        whole: list[pa.Table] = []
        for run_id in some:
            parts = [found.get(files.own[name]) for name in own[run_id].names]
            if all(table is not None and owners(table) <= {run_id} for table in parts):  # else it stays what it is
                whole += parts
                taken.add(run_id)
        tables.append(gathered(whole, kind).combine_chunks())
    others = {member.run_id for member in group} - taken
    for source in store.units.sources(kind, files, store.units.all(known), taken):
        if wanted := sorted(source.served & others):
            table = read_or_set_aside(store, source, kind, pc.field("run_id").isin(wanted))
            tables += [] if table is None else [table]
    rows = gathered(tables, kind)
    place = pc.index_in(rows["run_id"], pa.array([member.run_id for member in group], pa.string())).combine_chunks()
    if pc.any(pc.less(place[1:], place[:-1])).as_py():  # units are merged, or some rows were cached
        rows = rows.take(pc.sort_indices(place))
    return rows, {run_id: states[run_id] for run_id in sorted(taken)}


def _cached_rows(path: Location, states: Mapping[str, Sequence[FileState]]) -> pa.Table:
    """Return the rows of `runs` that need no file to be opened; those of files that changed are left out."""
    return RowCache(path).rows({state.path: state.stamp for files in states.values() for state in files})[1]


def _slices(names: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(names)
    while some := list(itertools.islice(rest, size)):
        yield some
