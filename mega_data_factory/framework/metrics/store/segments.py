"""The samples of a run that goes on: written as segments, folded into fewer, in the end into one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from mega_data_factory.errors import MetricsError
from mega_data_factory.framework.metrics.schema import SAMPLES, to_table
from mega_data_factory.framework.metrics.store.encoding import WriteTables, write_tables
from mega_data_factory.framework.metrics.store.layout import Segment, file_of, sample_files
from mega_data_factory.storage import Location, join, list_dir, open_input, remove

FOLD_AT = 64
"""So many segments of one size become one. Every sample is then rewritten log64(segments) times: 3 in a week of 5 s."""

_ROWS_AT_ONCE = 200_000
"""About so many rows are in memory while files are folded, however long the run was."""

_ORDER = [(name, "ascending") for name in ("stage_index", "operator_index", "worker_id", "timestamp")]


class SampleLog:
    """Writes the samples of one run.

    What is there of an earlier attempt at the same run counts until the first `append`, which replaces it: whoever
    continues a run hands in all samples of it anew.

    Args:
        path: the metrics folder.
        run_id: the run.
        write: writes one file, whole or not at all.

    Raises:
        MdfError: the folder cannot be listed.
    """

    def __init__(self, path: Location, run_id: str, write: WriteTables = write_tables) -> None:
        self._path = path
        self._run_id = run_id
        self._write = write
        self._segments: list[Segment] = []
        self._unwritten: list[object] = []
        # Of an earlier attempt the finished file goes first: only then do the segments count, and of these the new one.
        earlier = [name for name in list_dir(join(path, "samples")) if _is_of(name, run_id)]
        self._garbage = sorted(earlier, key=lambda name: Segment.parse(name) is not None)
        self._earlier_last = max((parsed[1].last for name in earlier if (parsed := Segment.parse(name))), default=0)
        self._replaces = bool(earlier)

    def append(self, samples: Iterable[object]) -> None:
        """Write samples as the next segment; those that could not be written before go with them.

        Raises:
            MdfError: they cannot be written; they are kept for the next call.
        """
        self._unwritten += samples
        if self._unwritten or self._replaces:
            segment = self._next()
            self._write(self._path_of(segment), [self._table(self._unwritten)])
            self._segments.append(segment)
            self._unwritten = []
            self._replaces = False
        self._sweep()
        self._fold_full()

    def finish(self) -> None:
        """Fold everything into the one file of a run that has ended.

        Raises:
            MdfError: a file cannot be read or written; what there is still holds every sample once.
        """
        self.append(())
        if self._segments:
            self._write(join(self._path, file_of("samples", self._run_id)), self._folded(self._segments))
            folded, self._segments = self._segments, []
            self._forget(folded)

    def _next(self) -> Segment:
        """The first segment spans all numbers of an earlier attempt, so that it stands for all of its segments."""
        if not self._segments:
            return Segment(0, self._earlier_last)
        number = self._segments[-1].last + 1
        return Segment(number, number)

    def _fold_full(self) -> None:
        """Fold the newest segments as long as there are enough of one size."""
        while len(newest := self._segments[-FOLD_AT:]) == FOLD_AT and len({s.count for s in newest}) == 1:
            folded = Segment(newest[0].first, newest[-1].last)
            self._write(self._path_of(folded), self._folded(newest))
            self._segments[-FOLD_AT:] = [folded]
            self._forget(newest)

    def _folded(self, segments: Sequence[Segment]) -> Iterator[pa.Table]:
        """What segments hold, in few tables, each ordered by place and time."""
        gathered: list[pa.Table] = []
        for segment in segments:
            gathered.append(self._read(segment))
            if sum(table.num_rows for table in gathered) >= _ROWS_AT_ONCE or segment is segments[-1]:
                merged = pa.concat_tables(gathered).sort_by(_ORDER)
                yield merged.replace_schema_metadata(self._table(()).schema.metadata)
                gathered = []

    def _forget(self, segments: Iterable[Segment]) -> None:
        self._garbage += [segment.file_of(self._run_id).rpartition("/")[2] for segment in segments]
        self._sweep()

    def _sweep(self) -> None:
        """Remove the files that others stand for; those that cannot be removed now are tried again."""
        living = {segment.file_of(self._run_id).rpartition("/")[2] for segment in self._segments}
        while self._garbage:
            if self._garbage[0] not in living:
                remove(join(self._path, "samples", self._garbage[0]))
            del self._garbage[0]

    def _table(self, samples: Iterable[object]) -> pa.Table:
        return to_table(samples, SAMPLES, self._run_id)

    def _read(self, segment: Segment) -> pa.Table:
        path = self._path_of(segment)
        try:
            with open_input(path) as file:
                return pq.read_table(file).cast(SAMPLES)
        except pa.ArrowException as error:
            raise MetricsError(f"cannot fold {path}: {error}") from error

    def _path_of(self, segment: Segment) -> str:
        return join(self._path, segment.file_of(self._run_id))


def _is_of(name: str, run_id: str) -> bool:
    """Whether a file holds samples of the run, or of a part of it."""
    return run_id.removeprefix("run_") in sample_files([name])
