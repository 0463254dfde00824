"""Keep a metrics folder within limits: remove runs that are too old, too many or too large."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mega_data_factory.clock import utc_now
from mega_data_factory.errors import MetricsError
from mega_data_factory.formats import parse_age, parse_size
from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.store.files.beside import (
    ACCOUNTS,
    abandoned_accounts,
    remove_accounts,
    remove_set_aside,
    set_aside_files,
)
from mega_data_factory.framework.metrics.store.files.layout import SEGMENTED
from mega_data_factory.framework.metrics.store.files.listing import list_table
from mega_data_factory.framework.metrics.store.files.row_cache import RowCache
from mega_data_factory.framework.metrics.store.files.run_files import (
    FileState,
    file_sizes,
    is_of_run,
    names_of_runs,
    remove_segments,
    remove_unchanged,
    states_of,
)
from mega_data_factory.framework.metrics.store.files.units import Unit, last_activity
from mega_data_factory.framework.metrics.store.reading.status import with_aborted
from mega_data_factory.framework.metrics.store.reading.stored_tables import StoredTables
from mega_data_factory.framework.metrics.upkeep.lock import upkeep_lock
from mega_data_factory.framework.metrics.upkeep.recovery import finish_interrupted
from mega_data_factory.framework.metrics.upkeep.shrinking import shrink_units
from mega_data_factory.framework.metrics.upkeep.unit_files import unit_sizes
from mega_data_factory.storage import Location, is_local, join, local_path


@dataclass(frozen=True)
class Retention:
    """Limits of a metrics folder; None means no limit.

    Attributes:
        max_age: runs that were heard of since.
        max_runs: number of newest runs to keep; running ones count.
        max_bytes: the newest runs whose files are so large together; running ones count.
    """

    max_age: timedelta | None = None
    max_runs: int | None = None
    max_bytes: int | None = None

    @classmethod
    def parse(cls, max_age: str | None, max_runs: int | None, max_bytes: int | str | None) -> Retention:
        """Return limits as people write them, such as `90d` and `2GB`.

        Raises:
            ValueError: one is not an age or a size.
        """
        age = None if max_age is None else parse_age(max_age)
        return cls(age, max_runs, None if max_bytes is None else parse_size(str(max_bytes)))

    @property
    def limits(self) -> bool:
        """Whether there is any limit."""
        return (self.max_age, self.max_runs, self.max_bytes) != (None, None, None)


@dataclass(frozen=True)
class Pruned:
    """Runs that were removed, or would be.

    Attributes:
        runs: ids of the runs, the newest first.
        bytes: size of their files; of compacted runs their share, an estimate.
        kept: how many runs are left.
    """

    runs: tuple[str, ...]
    bytes: int
    kept: int


def prune(
    path: Location, retention: Retention, *, now: Callable[[], datetime] = utc_now, dry_run: bool = False
) -> Pruned:
    """Remove the runs that the limits leave no room for: never a running one, never a file that is not ours.

    With an observed run go the records that it has set aside, and the accounts of its workers. Accounts that a driver
    left behind that was killed go too, when none was written for a day.

    A run goes from the listings last, so a prune that was killed is finished by the next.

    Args:
        path: the metrics folder, local or an fsspec URI.
        retention: what to keep.
        now: naive UTC.
        dry_run: remove nothing.

    Raises:
        MetricsError: a limit is negative, or a newer version of this package wrote a file.
        OutputError: a file cannot be removed.
    """
    if min(retention.max_runs or 0, retention.max_bytes or 0) < 0:
        raise MetricsError("a limit of retention is negative", hint="leave it out to keep everything")
    store = StoredTables(path)
    with contextlib.nullcontext() if dry_run else upkeep_lock(path):
        return _prune(store, retention, now, dry_run=dry_run)


def _prune(store: StoredTables, retention: Retention, now: Callable[[], datetime], *, dry_run: bool) -> Pruned:
    path = store.path
    if not dry_run:
        finish_interrupted(store)
    sizes = {kind: file_sizes(path, kind).own for kind in schema.TABLES}
    units = store.consistently(store.units.all)
    newest_first = _newest_first(store, now())
    bytes_of = _bytes_of(path, [row["run_id"] for row in newest_first], sizes, units)
    expired = _expired(newest_first, bytes_of, retention, now())
    if expired and not dry_run:
        states = _small_states(path, expired)
        expired &= _expired(_newest_first(store, now()), bytes_of, retention, now())  # others may be resumed since
        remove_set_aside(path, expired)
        _remove_accounts(path, expired)
        _remove_small(path, expired, states)
        shrink_units(store, expired)
    if not dry_run:
        _remove_abandoned_accounts(path, newest_first, now())
        RowCache(path).trim()
    gone = tuple(row["run_id"] for row in newest_first if row["run_id"] in expired)
    return Pruned(gone, round(sum(bytes_of[run_id] for run_id in gone)), len(newest_first) - len(gone))


def _newest_first(store: StoredTables, now: datetime) -> list[dict[str, Any]]:
    columns = ["run_id", "start_time", "end_time", "status", "heartbeat", "flush_interval"]
    runs = with_aborted(store.read("runs", columns=columns), now)
    rows: list[dict[str, Any]] = runs.sort_by([("start_time", "descending"), ("run_id", "descending")]).to_pylist()
    return rows


def _bytes_of(
    path: Location, run_ids: list[str], sizes: dict[str, dict[str, int]], units: list[Unit]
) -> dict[str, float]:
    """Return bytes of every run: its own files, or its equal share of its unit, and what it has set aside."""
    found: dict[str, float] = dict.fromkeys(run_ids, 0.0)
    for kind, files in sizes.items():
        for run_id, own in names_of_runs(kind, run_ids, files).items():
            found[run_id] += sum(files[name] for name in own.all)
    for run_id, aside in set_aside_files(path).items():
        if run_id in found:
            found[run_id] += sum(file.size for file in aside)
    compacted = unit_sizes(path) if units else {}
    for unit in units:
        share = compacted.get(unit.name, 0) / len(unit.runs)
        for run_id in unit.runs:
            found[run_id] = found.get(run_id, 0.0) + share
    return found


def _expired(
    newest_first: list[dict[str, Any]], bytes_of: dict[str, float], retention: Retention, now: datetime
) -> set[str]:
    expired = set()
    total = 0.0
    for number, row in enumerate(newest_first, 1):
        total += bytes_of.get(row["run_id"], 0.0)
        seen = last_activity(row["end_time"], row["heartbeat"], row["start_time"])
        beyond = (
            (retention.max_age is not None and now - seen > retention.max_age)
            or (retention.max_runs is not None and number > retention.max_runs)
            or (retention.max_bytes is not None and total > retention.max_bytes)
        )
        if beyond and row["status"] != "running":
            expired.add(row["run_id"])
    return expired


def _remove_accounts(path: Location, expired: set[str]) -> None:
    if is_local(path):
        remove_accounts(local_path(join(path, ACCOUNTS)), expired)


def _remove_abandoned_accounts(path: Location, rows: list[dict[str, Any]], now: datetime) -> None:
    """Remove accounts that no driver will read: of runs that are over or unknown, and written more than a day ago."""
    if is_local(path):
        root = local_path(join(path, ACCOUNTS))
        running = {row["run_id"] for row in rows if row["status"] == "running"}
        remove_accounts(root, abandoned_accounts(root, now) - running)


def _small_states(path: Location, run_ids: set[str]) -> dict[str, dict[str, list[FileState]]]:
    """Return the files of single runs as they are now, by table and run."""
    tables = {kind: list_table(path, kind).own for kind in schema.TABLES}
    return {
        kind: {
            run_id: list(states_of(files[name] for name in own.all))
            for run_id, own in names_of_runs(kind, run_ids, files).items()
        }
        for kind, files in tables.items()
    }


def _remove_small(path: Location, expired: set[str], states: dict[str, dict[str, list[FileState]]]) -> None:
    """Remove files of single runs that are as they were before it was clear that the runs are over."""
    for kind in sorted(states, key=lambda kind: kind == "runs"):  # a run whose row is there can be pruned again
        for run_id in sorted(expired & states[kind].keys()):
            own = states[kind][run_id]
            if all(is_of_run(state.path, kind, run_id) for state in own):
                if kind in SEGMENTED:
                    remove_segments(path, kind, run_id, own, schema.TABLES[kind].empty_table())
                else:
                    remove_unchanged(own)
