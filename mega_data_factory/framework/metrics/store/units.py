"""Compacted units: many runs in one file per table.

The file of a unit lies beside those of single runs, `operators/compacted_NAME.parquet`, so that whoever reads
`operators/*.parquet` has every run once. It is written in `compacted/operators/NAME.parquet` first, and takes its place
when all tables of the unit are whole, right before the files that it stands for are removed.

A unit exists when its file of the table `runs` does, in either place: that one is written last and removed first. Units
never change; a name stands for one content. A run may be in several units, or in a unit and in files of its own, during
a compaction or after one was killed. Its own files count before units, and of units the one with its latest state.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

FOLDER = "compacted"
"""Folder in which units are written."""

_PREFIX = "compacted_"
_STAGED = re.compile(r"(?P<name>[^.].*_[0-9a-f]{16})\.parquet")
_PLACED = re.compile(rf"{_PREFIX}(?P<name>.+_[0-9a-f]{{16}})\.parquet")

INDEX_COLUMNS = ("run_id", "start_time", "end_time", "heartbeat")
"""What is kept in memory of every compacted run."""

_LONGEST_ID_IN_NAME = 80
"""Letters of a run id in the name of a unit: two ids of full length would not fit a file name."""


def unit_name(first: str, last: str, digest: str) -> str:
    """The name of a unit, without ending.

    Args:
        first: id of its first run.
        last: id of its last run.
        digest: 16 hexadecimal digits that the content determines.
    """
    return f"{first[:_LONGEST_ID_IN_NAME]}_{last[:_LONGEST_ID_IN_NAME]}_{digest}"


def staged_file(kind: str, name: str) -> str:
    """Return where a table of a unit is written, below the metrics folder."""
    return f"{FOLDER}/{kind}/{name}.parquet"


def placed_file(kind: str, name: str) -> str:
    """Return where a table of a unit is for good, below the metrics folder."""
    return f"{kind}/{_PREFIX}{name}.parquet"


def staged_unit(file_name: str) -> str | None:
    """Return the unit whose file has this name where units are written; None for other names."""
    match = _STAGED.fullmatch(file_name)
    return match["name"] if match else None


def placed_unit(file_name: str) -> str | None:
    """Return the unit whose file has this name beside those of single runs; None for other names."""
    match = _PLACED.fullmatch(file_name)
    return match["name"] if match else None


def sign_of_life(end: datetime | None, heartbeat: datetime | None, start: datetime | None) -> datetime:
    """When a run was last heard of, naive UTC."""
    return max((moment for moment in (end, heartbeat, start) if moment is not None), default=datetime.min)


@dataclass(frozen=True)
class Unit:
    """What is known of a unit without reading its tables.

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
        """The unit of which `INDEX_COLUMNS` are given."""
        rows = index.to_pylist()
        seen = {row["run_id"]: sign_of_life(row["end_time"], row["heartbeat"], row["start_time"]) for row in rows}
        return cls(name, seen, {row["run_id"]: row["start_time"] or seen[row["run_id"]] for row in rows})


def serving(units: Sequence[Unit]) -> dict[str, set[str]]:
    """Which unit serves which runs, by the unit's name: every run once, from the unit that knows it latest."""
    best: dict[str, tuple[datetime, str]] = {}
    for unit in units:
        for run_id, seen in unit.runs.items():
            best[run_id] = max(best.get(run_id, (datetime.min, "")), (seen, unit.name))
    served: dict[str, set[str]] = {unit.name: set() for unit in units}
    for run_id, (_, name) in best.items():
        served[name].add(run_id)
    return served
