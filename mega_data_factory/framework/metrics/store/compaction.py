"""Fold the small files of old runs into units: one larger file per table, zstd, sorted by start of the run.

No lock is taken. A unit is written whole, its file of the table `runs` last; only then are the files removed that it
stands for, and only those that nobody has written over since. Killed at any moment, readers of ours see every run once,
and the next compaction finishes the work.

Who reads the bare folder (`operators/*.parquet`) sees every run once before and after. In between, table by table, the
file of the unit takes its place and the small files are removed right after: for these milliseconds runs are there
twice, or, where units are merged, not at all. No file system can exchange many names at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.fields import utc_now
from mega_data_factory.framework.metrics.store.decoding import gathered, owners
from mega_data_factory.framework.metrics.store.files import (
    FileState,
    file_sizes,
    names_of_runs,
    remove_segments,
    remove_unchanged,
    state_of,
)
from mega_data_factory.framework.metrics.store.layout import SEGMENTED
from mega_data_factory.framework.metrics.store.status import with_aborted
from mega_data_factory.framework.metrics.store.tables import StoredTables
from mega_data_factory.framework.metrics.store.unit_files import (
    place,
    place_all,
    remove_leftovers,
    remove_table,
    unit_sizes,
    write_unit,
)
from mega_data_factory.framework.metrics.store.units import sign_of_life
from mega_data_factory.storage import Location, join

UNIT_RUNS = 1000
"""Runs in a unit at most."""

UNIT_BYTES = 64 << 20
"""Bytes of small files that go into one unit, about; it bounds the memory that compaction takes."""

MIN_AGE = timedelta(hours=1)
"""Runs that gave a sign of life since are left alone: somebody may look at them, or go on with them."""

_Sources: TypeAlias = dict[str, dict[str, list[FileState]]]
"""Small files by table and run."""

_Written: TypeAlias = tuple[str, _Sources, dict[str, pa.Table]]
"""A unit that was written: its name, the small files that it stands for, the rows of its segmented tables."""

_PLANNED_BY = ("run_id", "start_time", "end_time", "status", "heartbeat", "flush_interval")


@dataclass(frozen=True)
class Compaction:
    """What a compaction did, or would do.

    Attributes:
        runs: runs whose own files went into units.
        units: units written.
        files_removed: small files that went, and files of units that are in larger ones now.
    """

    runs: int
    units: int
    files_removed: int


@dataclass(frozen=True)
class _Member:
    """A run that goes into a unit; `unit` is the smaller one it comes from, None when it has files of its own."""

    start: datetime
    run_id: str
    unit: str | None = None
    size: int = 0


def compact(
    path: Location,
    *,
    min_age: timedelta = MIN_AGE,
    unit_runs: int = UNIT_RUNS,
    now: Callable[[], datetime] = utc_now,
    dry_run: bool = False,
) -> Compaction:
    """Fold the files of runs that are over into units, and small units into larger ones.

    Any number of readers and writers may be at work, and other compactions too.

    Args:
        path: the metrics folder, local or an fsspec URI.
        min_age: leave runs alone that gave a sign of life since.
        unit_runs: runs in a unit at most.
        now: naive UTC.
        dry_run: change nothing.

    Raises:
        MetricsError: a newer version of this package wrote a file.
        OutputError: a file cannot be written or removed; readers still see everything.
    """
    store = StoredTables(path)
    fresh = store.consistently(lambda: _old_runs(store, now(), min_age))
    merged = store.consistently(lambda: _small_units(store, unit_runs))
    if not fresh and len({member.unit for member in merged}) < 2:
        merged = []
    own = {member.run_id for member in fresh}
    members = sorted([*fresh, *(member for member in merged if member.run_id not in own)], key=_by_start)
    groups = list(_groups(members, unit_runs))
    if dry_run:
        return Compaction(len(fresh), len(groups), 0)
    removed = 0
    written: list[_Written] = []
    for group in groups:
        written.append(_write_group(store, group))
        if not merged:  # nothing but small files to replace: at once, so that no more is held than one group
            removed += _put_in_place(path, written[-1:], ())
    if merged:
        names = {name for name, _, _ in written}
        replaced = {member.unit for member in merged if member.unit is not None} - names
        removed += _put_in_place(path, written, sorted(replaced))
    place_all(path)
    remove_leftovers(path)
    return Compaction(len(fresh), len(groups), removed)


def _by_start(member: _Member) -> tuple[datetime, str]:
    return member.start, member.run_id


def _old_runs(store: StoredTables, now: datetime, min_age: timedelta) -> list[_Member]:
    """The runs with files of their own that are over, and were last heard of before `min_age`."""
    paths = store.small_files("runs")
    runs = gathered((table for _, table in store.read_smalls("runs", paths, _PLANNED_BY)), "runs", _PLANNED_BY)
    names = {kind: file_sizes(store.path, kind) for kind in schema.TABLES}
    found = []
    for row in with_aborted(runs, now).to_pylist():
        seen = sign_of_life(row["end_time"], row["heartbeat"], row["start_time"])
        if row["status"] != "running" and seen <= now - min_age:
            found.append(_Member(row["start_time"] or seen, row["run_id"]))
    sizes = dict.fromkeys((member.run_id for member in found), 0)
    for kind, files in names.items():
        for run_id, own in names_of_runs(kind, sizes, files).items():
            sizes[run_id] += sum(files[name] for name in own.all)
    return [_Member(member.start, member.run_id, None, sizes[member.run_id]) for member in found]


def _small_units(store: StoredTables, unit_runs: int) -> list[_Member]:
    """The runs of units that are not half full."""
    units = store.units()
    sizes = unit_sizes(store.path) if units else {}
    members = []
    for unit in units:
        size = sizes.get(unit.name, 0)
        if 2 * len(unit.runs) < unit_runs and 2 * size < UNIT_BYTES:
            share = size // len(unit.runs)
            members += [_Member(start, run_id, unit.name, share) for run_id, start in unit.starts.items()]
    return members


def _groups(members: Sequence[_Member], most: int) -> Iterator[list[_Member]]:
    group: list[_Member] = []
    size = 0
    for member in members:
        if group and (len(group) >= most or size + member.size > UNIT_BYTES):
            yield group
            group, size = [], 0
        group.append(member)
        size += member.size
    if group:
        yield group


def _write_group(store: StoredTables, group: Sequence[_Member]) -> _Written:
    """Write the unit of some runs.

    Returns:
        Its name, the small files that it stands for, and the rows of its segmented tables.
    """

    def attempt() -> tuple[dict[str, pa.Table], _Sources]:
        parts = {kind: _part(store, kind, group) for kind in schema.TABLES}
        return {kind: parts[kind][0] for kind in parts}, {kind: parts[kind][1] for kind in parts}

    tables, sources = store.consistently(attempt)
    return write_unit(store.path, tables), sources, {kind: tables[kind] for kind in SEGMENTED}


def _put_in_place(path: Location, written: Sequence[_Written], replaced: Sequence[str]) -> int:
    """Put units where readers of the bare folder see them, and remove what they stand for, table by table.

    Where units are replaced the table of the runs goes first, so that nobody takes an old unit for one that is whole;
    files of single runs lose theirs last, because the row of a run says that it has files.

    Returns:
        How many files were removed.
    """
    removed = 0
    for kind in sorted(schema.TABLES, key=lambda kind: (kind == "runs") != bool(replaced)):
        for name, _, _ in written:
            place(path, kind, name)
        for name in replaced:
            remove_table(path, kind, name)
        removed += len(replaced)
        if kind != "runs":
            removed += sum(_remove_sources(path, kind, sources.get(kind, {}), rows) for _, sources, rows in written)
    return removed + sum(_remove_sources(path, "runs", sources.get("runs", {}), rows) for _, sources, rows in written)


def _remove_sources(path: Location, kind: str, states_of: dict[str, list[FileState]], rows: dict[str, pa.Table]) -> int:
    """Remove small files of a table whose rows are in a unit."""
    removed = 0
    for run_id, states in states_of.items():
        if kind in SEGMENTED:
            mine = rows[kind].filter(pc.field("run_id") == run_id) if len(states) > 1 else rows[kind].slice(0, 0)
            removed += remove_segments(path, kind, run_id, states, mine)
        else:
            removed += remove_unchanged(states)
    return removed


def _part(store: StoredTables, kind: str, group: Sequence[_Member]) -> tuple[pa.Table, dict[str, list[FileState]]]:
    """The rows of some runs in one table, by run in the order of the group; and the small files they come from."""
    own = names_of_runs(kind, {member.run_id for member in group if member.unit is None}, store.names(kind))
    folder = join(store.path, kind)
    store.gaps.check(folder, own.values())
    states = {run_id: [state_of(f"{folder}/{name}") for name in files.all] for run_id, files in own.items()}
    tables, taken = [], set()
    found = dict(store.read_smalls(kind, [f"{folder}/{name}" for files in own.values() for name in files.names]))
    for run_id, files in own.items():
        mine = [found.get(f"{folder}/{name}") for name in files.names]
        if all(table is not None and owners(table) <= {run_id} for table in mine):  # else it stays what it is
            tables += mine
            taken.add(run_id)
    others = {member.run_id for member in group} - taken
    for source in store.unit_sources(kind, store.units(), taken):
        if wanted := sorted(source.served & others):
            table = store.read_unit(source, kind, only=pc.field("run_id").isin(wanted), strict=True)
            tables += [] if table is None else [table]
    rows = gathered(tables, kind)
    place = pc.index_in(rows["run_id"], pa.array([member.run_id for member in group], pa.string()))
    return rows.take(pc.sort_indices(place)), {run_id: states[run_id] for run_id in sorted(taken)}
