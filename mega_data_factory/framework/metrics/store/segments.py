"""Samples and nodes of a run in progress: segments, folded into fewer, in the end into one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from mega_data_factory.errors import MetricsError
from mega_data_factory.framework.metrics.schema import TABLES, to_table
from mega_data_factory.framework.metrics.store.files.encoding import WriteTables, write_tables
from mega_data_factory.framework.metrics.store.files.layout import Segment, file_of, segment_files
from mega_data_factory.framework.metrics.store.files.listing import list_table, pending_path
from mega_data_factory.framework.metrics.store.files.run_files import publish
from mega_data_factory.storage import Location, join, read_parquet, remove

FOLD_AT = 64
"""Segments of one size that become one. Every row is then rewritten log64(segments) times: 3 in a week of 5 s."""

_ROWS_AT_ONCE = 200_000
"""Rows in memory at most, approximately, while files are folded; independent of the length of the run."""

_ORDERS = {
    "samples": ("stage_index", "operator_index", "worker_id", "timestamp"),
    "nodes": ("node_id", "timestamp"),
}


class SegmentLog:
    """Writes one segmented table of one run.

    What is there of an earlier attempt at the same run counts until the first `append`, which replaces it: a
    process that resumes a run hands in all its samples again. Node rows of an earlier session are in this folder only:
    there they are handed in as `earlier`.

    Args:
        path: the metrics folder.
        kind: the table.
        run_id: the run.
        write: writes one file, whole or not at all.
        earlier: rows of an earlier session of the run, which stay.
        most_waiting: rows that wait at most while they cannot be written; then the oldest go. All of them when None.

    Raises:
        MdfError: the folder cannot be listed.
    """

    def __init__(
        self,
        path: Location,
        kind: str,
        run_id: str,
        write: WriteTables = write_tables,
        earlier: pa.Table | None = None,
        most_waiting: int | None = None,
    ) -> None:
        self._path = path
        self._kind = kind
        self._run_id = run_id
        self._write = write
        self._segments: list[Segment] = []
        self._most_waiting = most_waiting
        self._unwritten: list[object] = []
        self._earlier = [] if earlier is None or not len(earlier) else [self._marked(earlier)]
        # Of an earlier attempt the finished file goes first: only then do the segments count, and of these the new one.
        found = [name for name in list_table(path, kind).own if _is_of(name, kind, run_id)]
        self._garbage = [
            place
            for name in sorted(found, key=lambda name: Segment.parse(name) is not None)
            for place in (join(path, kind, name), pending_path(path, kind, name))
        ]
        self._unpublished: list[str] = []  # pending files that wait until those that they replace are removed
        self._earlier_last = max((parsed[1].last for name in found if (parsed := Segment.parse(name))), default=0)
        self._replaces = bool(found)

    def append(self, rows: Iterable[object]) -> None:
        """Write rows as the next segment; those that could not be written before go with them.

        Raises:
            MdfError: they cannot be written; they are kept for the next call, up to `most_waiting`.
        """
        self._unwritten += rows
        if self._most_waiting is not None:
            del self._unwritten[: -self._most_waiting]
        if self._unwritten or self._replaces:
            segment = self._next()
            tables = [*self._earlier, self._table(self._unwritten)]
            if self._replaces:
                self._write_pending(segment.file_of(self._kind, self._run_id), tables)
            else:
                self._write(self._path_of(segment), tables)
            self._segments.append(segment)
            self._unwritten = []
            self._earlier = []
            self._replaces = False
        self._sweep()
        self._fold_full()

    def finish(self) -> None:
        """Fold everything into the one file of a run that has ended.

        Raises:
            MdfError: a file cannot be read or written; what there is still holds every row once.
        """
        self.append(())
        if self._segments:
            self._write_pending(file_of(self._kind, self._run_id), self._folded(self._segments))
            folded, self._segments = self._segments, []
            self._forget(folded)

    def _next(self) -> Segment:
        """Return a first segment that spans all numbers of an earlier attempt and so replaces its segments."""
        if not self._segments:
            return Segment(0, self._earlier_last)
        number = self._segments[-1].last + 1
        return Segment(number, number)

    def _fold_full(self) -> None:
        """Fold the newest segments as long as there are enough of one size."""
        while len(newest := self._segments[-FOLD_AT:]) == FOLD_AT and len({s.count for s in newest}) == 1:
            folded = Segment(newest[0].first, newest[-1].last)
            self._write_pending(folded.file_of(self._kind, self._run_id), self._folded(newest))
            self._segments[-FOLD_AT:] = [folded]
            self._forget(newest)

    def _folded(self, segments: Sequence[Segment]) -> Iterator[pa.Table]:
        """Return the rows of segments in few tables, each ordered by place and time."""
        gathered: list[pa.Table] = []
        for segment in segments:
            gathered.append(self._read(segment))
            if sum(table.num_rows for table in gathered) >= _ROWS_AT_ONCE or segment is segments[-1]:
                merged = pa.concat_tables(gathered).sort_by([(name, "ascending") for name in _ORDERS[self._kind]])
                yield self._marked(merged)
                gathered = []

    def _write_pending(self, file: str, tables: Iterable[pa.Table]) -> None:
        """Write a file that replaces others, which go first: see `layout`."""
        name = file.rpartition("/")[2]
        self._write(pending_path(self._path, self._kind, name), tables)
        self._unpublished.append(name)

    def _forget(self, segments: Iterable[Segment]) -> None:
        self._garbage += [self._path_of(segment) for segment in segments]
        self._sweep()

    def _sweep(self) -> None:
        """Remove the files that others replace, then publish these; what fails now is tried again."""
        living = {self._path_of(segment) for segment in self._segments}
        living |= {pending_path(self._path, self._kind, name) for name in self._unpublished}
        while self._garbage:
            if self._garbage[0] not in living:
                remove(self._garbage[0])
            del self._garbage[0]
        while self._unpublished:
            publish(self._path, self._kind, self._unpublished[0])
            del self._unpublished[0]

    def _table(self, rows: Iterable[object]) -> pa.Table:
        return to_table(rows, TABLES[self._kind], self._run_id)

    def _marked(self, table: pa.Table) -> pa.Table:
        """Return the same rows, said to be of this run."""
        return table.replace_schema_metadata(self._table(()).schema.metadata)

    def _read(self, segment: Segment) -> pa.Table:
        path = self._path_of(segment)
        try:
            return read_parquet(path).cast(TABLES[self._kind])
        except pa.ArrowException as error:
            raise MetricsError(f"cannot fold {path}: {error}") from error

    def _path_of(self, segment: Segment) -> str:
        file = segment.file_of(self._kind, self._run_id)
        name = file.rpartition("/")[2]
        return pending_path(self._path, self._kind, name) if name in self._unpublished else join(self._path, file)


def _is_of(name: str, kind: str, run_id: str) -> bool:
    """Return whether a file holds rows of the run, or of a part of it."""
    return run_id.removeprefix("run_") in segment_files(kind, [name])
