"""Compacted units: many runs in one file per table.

A unit exists when its file of the table `runs` does, pending or in its place: that one is written last and replaces its
sources first. Units never change; a name stands for one content. A run may be in several units, or in a unit and in
files of its own, while a compaction is in progress or after one was killed. Its own files count before units, and of
units the one with its latest state.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from mega_data_factory.framework.metrics.store.files.layout import UNIT_FILE

LEGACY_FOLDER = "compacted"
"""Folder below the metrics folder with the units of earlier versions, a folder per table."""

_LEGACY_NAME = re.compile(r"(?P<stem>[^.].*_[0-9a-f]{16})\.parquet")

INDEX_COLUMNS = ("run_id", "start_time", "end_time", "heartbeat")
"""Columns that are kept in memory for every compacted run."""

_LONGEST_ID_IN_NAME = 80
"""Letters of a run id in the name of a unit: two ids of full length would not fit a file name."""


def unit_name(first: str, last: str, digest: str) -> str:
    """Return the name of a unit, without ending; see `layout.UNIT_FILE`.

    Args:
        first: id of its first run.
        last: id of its last run.
        digest: 16 hexadecimal digits that the content determines.
    """
    return f"compacted_{first[:_LONGEST_ID_IN_NAME]}_{last[:_LONGEST_ID_IN_NAME]}_{digest}"


def unit_of(file_name: str) -> str | None:
    """Return the unit whose file has this name in the folder of a table; None for other names."""
    match = UNIT_FILE.fullmatch(file_name)
    return match["stem"] if match else None


def legacy_unit_of(file_name: str) -> str | None:
    """Return the unit whose file has this name in a folder of `LEGACY_FOLDER`; None for other names."""
    match = _LEGACY_NAME.fullmatch(file_name)
    return match["stem"] if match else None


def is_legacy(unit: str | None) -> bool:
    """Return whether a unit is in the folder of earlier versions, which a plain glob does not read."""
    return unit is not None and unit_of(f"{unit}.parquet") is None


def last_activity(end: datetime | None, heartbeat: datetime | None, start: datetime | None) -> datetime:
    """Return when a run was last active, naive UTC."""
    return max((moment for moment in (end, heartbeat, start) if moment is not None), default=datetime.min)


@dataclass(frozen=True)
class Unit:
    """Facts about a unit that need no reading of its tables.

    Attributes:
        name: its name.
        runs: run id → when the unit's state of that run was last heard of.
        starts: run id → when it started.
    """

    name: str
    runs: Mapping[str, datetime]
    starts: Mapping[str, datetime]

    @classmethod
    def from_index(cls, name: str, index: pa.Table) -> Unit:
        """Return the unit of which `INDEX_COLUMNS` are given."""
        rows = index.to_pylist()
        seen = {row["run_id"]: last_activity(row["end_time"], row["heartbeat"], row["start_time"]) for row in rows}
        return cls(name, seen, {row["run_id"]: row["start_time"] or seen[row["run_id"]] for row in rows})


def serving(units: Sequence[Unit]) -> dict[str, set[str]]:
    """Return the runs of each unit, by the unit's name: every run once, from the unit with its latest rows."""
    best: dict[str, tuple[datetime, str]] = {}
    for unit in units:
        for run_id, seen in unit.runs.items():
            best[run_id] = max(best.get(run_id, (datetime.min, "")), (seen, unit.name))
    served: dict[str, set[str]] = {unit.name: set() for unit in units}
    for run_id, (_, name) in best.items():
        served[name].add(run_id)
    return served
