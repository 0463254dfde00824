"""Names of the files of a run, below the metrics folder, and which of them hold its rows.

`{table}/*.parquet` holds every run once. A file that replaces others is written as *pending* first, under its own name
in `.pending/{table}`; then the others go, and then it moves to `{table}`. So a plain glob never counts a row twice. It
misses rows only between the first removal and the move. Readers of this package count pending files too, and miss
nothing.

While a run is in progress, its samples and nodes are written as segments: whole small files, numbered from 0 without a
gap. Segments are folded into fewer: `samples_X.000000-000063.parquet` stands for the 64 that its name spans. In the end
all are folded into `samples_X.parquet`. Names alone decide which of them count, so a fold that is killed half-way
changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PENDING = ".pending"
"""Folder below the metrics folder with files that are about to replace others, and files that are being written."""

SEGMENTED = frozenset({"samples", "nodes"})
"""Tables that are written as segments during a run."""

UNIT_FILE = re.compile(r"(?P<stem>compacted_.+_[0-9a-f]{16})\.parquet")
"""Names of the files of compacted units."""

_SEGMENT = re.compile(r"(?P<kind>samples|nodes)_(?P<run>.+)\.(?P<first>\d{6,})(-(?P<last>\d{6,}))?\.parquet")

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def check_run_id(run_id: str) -> None:
    """Refuse an id that cannot be part of the names of files, or makes them look like those of another run.

    Raises:
        ValueError: says what an id may be.
    """
    if not _SAFE_NAME.fullmatch(run_id):
        raise ValueError(
            f"run id {run_id!r} cannot be the name of a file: it may have up to 200 letters, digits, '.', '_' and "
            f"'-', and starts with a letter or digit"
        )
    if UNIT_FILE.fullmatch(f"{run_id}.parquet"):
        raise ValueError(f"run id {run_id!r} looks like the name of a compacted file; choose another")
    if Segment.parse(f"samples_{run_id}.parquet"):
        raise ValueError(f"run id {run_id!r} cannot end in '.' and six digits, as the names of segments do")


def file_of(kind: str, run_id: str) -> str:
    """Return the path of a table of a run.

    Args:
        kind: a table of the schema.
        run_id: the run.
    """
    name = run_id if kind == "runs" else f"{kind}_{run_id.removeprefix('run_')}"
    return f"{kind}/{name}.parquet"


@dataclass(frozen=True, order=True)
class Segment:
    """One file of a segmented table of a run that is not folded to the end.

    Attributes:
        first: number of the first segment that it stands for.
        last: number of the last one, itself included.
    """

    first: int
    last: int

    @property
    def count(self) -> int:
        """Number of segments that it stands for."""
        return self.last - self.first + 1

    def file_of(self, kind: str, run_id: str) -> str:
        """Return its path below the metrics folder."""
        span = f"{self.first:06d}" if self.first == self.last else f"{self.first:06d}-{self.last:06d}"
        return f"{file_of(kind, run_id).removesuffix('.parquet')}.{span}.parquet"

    @classmethod
    def parse(cls, name: str) -> tuple[str, Segment] | None:
        """Return the run (without a leading `run_`) and the segment of a file name; None for other names."""
        match = _SEGMENT.fullmatch(name)
        if match is None:
            return None
        first = int(match["first"])
        return match["run"], cls(first, int(match["last"] or first))


@dataclass(frozen=True)
class RunFiles:
    """Names of the files of one run in the folder of one table, as one listing showed them.

    Attributes:
        names: names of the files to read: every row is in exactly one of them.
        superseded: names of files whose rows another file holds; what a fold has yet to remove.
        whole: False when a segment is missing: the listing was made during a fold and has to be repeated.
    """

    names: tuple[str, ...]
    superseded: tuple[str, ...] = ()
    whole: bool = True

    @property
    def all(self) -> tuple[str, ...]:
        """Names of both kinds."""
        return self.names + self.superseded


def segment_files(kind: str, names: Iterable[str]) -> dict[str, RunFiles]:
    """Return the files that hold the rows of every run, by run id without a leading `run_`.

    Args:
        kind: a segmented table.
        names: what its folder holds; other names are left out.
    """
    prefix = f"{kind}_"
    finished: dict[str, str] = {}
    segments: dict[str, list[tuple[Segment, str]]] = {}
    for name in names:
        if not name.startswith(prefix):
            continue
        if parsed := Segment.parse(name):
            segments.setdefault(parsed[0], []).append((parsed[1], name))
        elif name.endswith(".parquet"):
            finished[name.removeprefix(prefix).removesuffix(".parquet")] = name
    found = {run: _newest(parts) for run, parts in segments.items() if run not in finished}
    for run, name in finished.items():
        found[run] = RunFiles((name,), tuple(part for _, part in segments.get(run, ())))
    return found


def _newest(parts: Sequence[tuple[Segment, str]]) -> RunFiles:
    """Return the segments that count: the widest of those that overlap; of equally wide there is one."""
    chosen: list[str] = []
    superseded: list[str] = []
    following = 0
    whole = True
    for segment, name in sorted(parts, key=lambda part: (part[0].first, -part[0].last)):
        if segment.last < following:
            superseded.append(name)
            continue
        whole &= segment.first == following
        chosen.append(name)
        following = segment.last + 1
    return RunFiles(tuple(chosen), tuple(superseded), whole)
