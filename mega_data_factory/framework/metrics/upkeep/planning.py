"""Plan of a compaction: which runs go into which unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.store.files.run_files import file_sizes, names_of_runs
from mega_data_factory.framework.metrics.store.files.units import is_legacy, last_activity, serving
from mega_data_factory.framework.metrics.store.reading.status import with_aborted
from mega_data_factory.framework.metrics.store.reading.stored_tables import StoredTables
from mega_data_factory.framework.metrics.upkeep.unit_files import unit_sizes

UNIT_BYTES = 64 << 20
"""Bytes of small files that go into one unit, about; it bounds the memory that compaction takes."""

_PLANNED_BY = ("run_id", "start_time", "end_time", "status", "heartbeat", "flush_interval")


@dataclass(frozen=True)
class Member:
    """A run that goes into a unit; `unit` is the smaller one it comes from, None when it has files of its own."""

    start: datetime
    run_id: str
    unit: str | None = None
    size: int = 0


def plan(store: StoredTables, now: datetime, min_age: timedelta, unit_runs: int) -> tuple[list[Member], list[Member]]:
    """Return the runs with files of their own that are to be compacted, and those of units that are to be merged."""
    fresh = store.consistently(lambda: _old_runs(store, now, min_age))
    merged = store.consistently(lambda: _small_units(store, unit_runs))
    if not fresh and len({member.unit for member in merged}) < 2 and not any(is_legacy(m.unit) for m in merged):
        merged = []
    own = {member.run_id for member in fresh}
    return fresh, [member for member in merged if member.run_id not in own]


def in_order(fresh: Sequence[Member], merged: Sequence[Member]) -> list[Member]:
    """Return the runs of both kinds by their start."""
    return sorted([*fresh, *merged], key=lambda member: (member.start, member.run_id))


def _old_runs(store: StoredTables, now: datetime, min_age: timedelta) -> list[Member]:
    """Return the runs with files of their own that are over, and were last heard of before `min_age`."""
    runs = store.runs_with_files(_PLANNED_BY)
    names = {kind: file_sizes(store.path, kind).own for kind in schema.TABLES}
    found = []
    for row in with_aborted(runs, now).to_pylist():
        seen = last_activity(row["end_time"], row["heartbeat"], row["start_time"])
        if row["status"] != "running" and seen <= now - min_age:
            found.append(Member(row["start_time"] or seen, row["run_id"]))
    sizes = dict.fromkeys((member.run_id for member in found), 0)
    for kind, files in names.items():
        for run_id, own in names_of_runs(kind, sizes, files).items():
            sizes[run_id] += sum(files[name] for name in own.all)
    return [Member(member.start, member.run_id, None, sizes[member.run_id]) for member in found]


def _small_units(store: StoredTables, unit_runs: int) -> list[Member]:
    """Return the runs of units that are not half full, of those that share a run, and of those of earlier versions."""
    units = store.units.all()
    sizes = unit_sizes(store.path) if units else {}
    served = serving(units)
    members = []
    for unit in units:
        size = sizes.get(unit.name, 0)
        small = 2 * len(unit.runs) < unit_runs and 2 * size < UNIT_BYTES
        if small or is_legacy(unit.name) or len(served[unit.name]) < len(unit.runs):
            share = size // len(unit.runs)
            members += [Member(unit.starts[run_id], run_id, unit.name, share) for run_id in served[unit.name]]
    return members


def groups_of(members: Sequence[Member], most: int) -> Iterator[list[Member]]:
    """Yield runs that go into one unit each: at most `most`, of about `UNIT_BYTES`."""
    group: list[Member] = []
    size = 0
    for member in members:
        if group and (len(group) >= most or size + member.size > UNIT_BYTES):
            yield group
            group, size = [], 0
        group.append(member)
        size += member.size
    if group:
        yield group


def batches_of(groups: Sequence[list[Member]]) -> Iterator[list[list[Member]]]:
    """Put groups together that share a unit: a unit can be removed only after all of them are written."""
    last = {member.unit: number for number, group in enumerate(groups) for member in group if member.unit is not None}
    batch: list[list[Member]] = []
    until = 0
    for number, group in enumerate(groups):
        batch.append(group)
        until = max([until, *(last[member.unit] for member in group if member.unit is not None)])
        if number >= until:
            yield batch
            batch = []
