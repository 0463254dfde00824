"""Write metrics as Parquet."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

import pyarrow as pa

from mega_data_factory.errors import MetricsError
from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.details.totals import DetailTotals
from mega_data_factory.framework.metrics.models import OperatorMetrics, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics.nodes.buffer import MOST_WAITING
from mega_data_factory.framework.metrics.nodes.models import NodeMetrics
from mega_data_factory.framework.metrics.reader import MetricsReader
from mega_data_factory.framework.metrics.rows.interval import SampleMetrics
from mega_data_factory.framework.metrics.store.files.encoding import WriteTables, write_new_tables, write_tables
from mega_data_factory.framework.metrics.store.files.layout import file_of
from mega_data_factory.framework.metrics.store.files.row_cache import RowCache
from mega_data_factory.framework.metrics.store.reading.stored_tables import StoredTables
from mega_data_factory.framework.metrics.store.segments import SegmentLog
from mega_data_factory.framework.metrics.tracking.row_checks import check_columns, check_row
from mega_data_factory.framework.metrics.upkeep.shrinking import claim_run
from mega_data_factory.storage import Location, exists, is_local, join, open_parquet

Row: TypeAlias = RunMetrics | StageMetrics | OperatorMetrics | SampleMetrics | NodeMetrics | Mapping[str, object]


class MetricsWriter:
    """Writes the tables of runs below one folder, and reads them back.

    ```
    runs/{run_id}.parquet   stages/stages_{X}.parquet   operators/operators_{X}.parquet   samples/samples_{X}.parquet
    nodes/nodes_{X}.parquet   scores/scores_{X}.parquet
    ```

    `X` is the run id without a leading `run_`. A file is whole or absent, so one may be written over while others read
    it. Writing a table of a run again replaces it; a table that another writer wrote is refused, for its rows would be
    lost. Workers of one run send their rows to one writer, or write runs of their own.

    Args:
        output_path: the metrics folder, local or an fsspec URI; it is made when the first file is written.
        replace: replace the tables of a run also where another writer wrote them.
        write: writes one file, whole or not at all.
    """

    def __init__(self, output_path: Location, *, replace: bool = False, write: WriteTables = write_tables) -> None:
        self.output_path = output_path
        self._replaces = replace
        self._write_tables = write
        self._write_new = write_new_tables if write is write_tables else write
        self._reader = MetricsReader(output_path)
        self._tables = StoredTables(output_path)
        self._row_cache = RowCache(output_path)
        self._name = uuid.uuid4().hex
        self._owned: dict[tuple[str, str], str] = {}  # (writer, path) → run
        self._claimed: set[str] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        """Make a copy another writer, which replaces nothing that this one has written."""
        return partial(MetricsWriter, replace=self._replaces, write=self._write_tables), (self.output_path,)

    def write_operator_metrics(self, metrics: Iterable[OperatorMetrics], run_id: str) -> None:
        """Write the operator rows of a run.

        Raises:
            MetricsError: a row is of another run, the file was written by another writer, or its name belongs to
                another run (`x` and `run_x` share one).
            OutputError: the file cannot be written.
            ValueError: a number of a row cannot be right.
        """
        self._write("operators", metrics, run_id)

    def write_stage_metrics(self, metrics: Iterable[StageMetrics], run_id: str) -> None:
        """Write the stage rows of a run; raises as `write_operator_metrics` does."""
        self._write("stages", metrics, run_id)

    def write_run_metrics(self, metrics: RunMetrics) -> None:
        """Write the row of a run; raises as `write_operator_metrics` does."""
        self._write("runs", [metrics], metrics.run_id)

    def write_snapshot(
        self,
        run: RunMetrics,
        moment: datetime,
        stages: Sequence[StageMetrics] | None = None,
        operators: Sequence[OperatorMetrics] | None = None,
    ) -> None:
        """Write a run in progress, the run row last; a reader sees by `moment` which rows belong together.

        Args:
            run: the run row.
            moment: of the snapshot.
            stages: the stage rows; None where those written before, of the same moment, are still right.
            operators: the operator rows; None likewise.

        Raises:
            MetricsError, OutputError: as `write_operator_metrics`.
        """
        for kind, rows in (("operators", operators), ("stages", stages), ("runs", [run])):
            if rows is not None:
                self._write(kind, rows, run.run_id, moment)

    def write_samples(self, samples: Iterable[SampleMetrics], run_id: str) -> None:
        """Write the interval samples of a run, all at once; raises as `write_operator_metrics` does."""
        self._write("samples", samples, run_id)

    def write_nodes(self, nodes: Iterable[NodeMetrics], run_id: str) -> None:
        """Write the samples of the nodes of a run, all at once; raises as `write_operator_metrics` does."""
        self._write("nodes", nodes, run_id)

    def write_details(self, table: str, rows: Iterable[Mapping[str, object]], run_id: str) -> None:
        """Write the rows of a table of details of a run, all at once; raises as `write_operator_metrics` does.

        Args:
            table: One of `schema.DETAILS`.
            rows: Values by column; a column that is absent is null.
            run_id: The run.
        """
        if table not in schema.DETAILS:
            raise ValueError(f"{table!r} is not a table of details; those are {', '.join(schema.DETAILS)}")
        self._write(table, rows, run_id)

    def write_detail_totals(self, totals: DetailTotals, run_id: str, timestamp: datetime) -> None:
        """Write all tables of details of a run, as they add up now; raises as `write_operator_metrics` does.

        Args:
            totals: The details.
            run_id: The run.
            timestamp: When the rows are written, naive UTC.
        """
        for table in totals.tables:
            self.write_details(table, totals.rows(table, run_id, timestamp), run_id)

    def write_all(
        self,
        run_metrics: RunMetrics | None = None,
        stage_metrics: Iterable[StageMetrics] | None = None,
        operator_metrics: Iterable[OperatorMetrics] | None = None,
    ) -> None:
        """Write the given rows, the run row last: a run that is listed is complete.

        Raises:
            MetricsError: it is not all of one run, or as `write_operator_metrics`.
            OutputError: a file cannot be written.
        """
        stages, operators = list(stage_metrics or ()), list(operator_metrics or ())
        rows: list[RunMetrics | StageMetrics | OperatorMetrics] = [*stages, *operators]
        if run_metrics is not None:
            rows.append(run_metrics)
        ids = {row.run_id for row in rows}
        if len(ids) > 1:
            raise MetricsError(
                f"the metrics are of several runs: {', '.join(sorted(ids))}", hint="write each by itself"
            )
        for run_id in ids:
            if operator_metrics is not None:
                self.write_operator_metrics(operators, run_id)
            if stage_metrics is not None:
                self.write_stage_metrics(stages, run_id)
            if run_metrics is not None:
                self.write_run_metrics(run_metrics)

    def sample_log(self, run_id: str) -> SegmentLog:
        """Return the writer of the samples of a run in progress, piece by piece.

        Raises:
            MdfError: the folder cannot be listed.
        """
        claim_run(self._tables, run_id)
        return SegmentLog(self.output_path, "samples", run_id, self._write_tables)

    def node_log(self, run_id: str) -> SegmentLog:
        """Return the writer of the nodes of a run in progress, piece by piece, after those of its earlier sessions.

        Raises:
            MdfError: the folder cannot be listed, or what is there of the run cannot be read.
        """
        claim_run(self._tables, run_id)
        earlier = self._reader.nodes(run_id)
        return SegmentLog(self.output_path, "nodes", run_id, self._write_tables, earlier, MOST_WAITING)

    def check_owner(self, run_id: str) -> None:
        """Refuse a run whose files would be those of another (`x` and `run_x` share some).

        Raises:
            MetricsError: another run has them.
        """
        for kind in schema.TABLES:
            self._check_owner(join(self.output_path, file_of(kind, run_id)), run_id)

    def read_operator_metrics(self, run_id: str) -> list[dict[str, Any]]:
        """Return the operator rows of a run; none when there is no such run.

        `custom_metrics` and `rejected_reasons` are dicts again, `latency_histogram` is a list of bucket and count.
        `OperatorMetrics.from_dict` makes rows of them.
        """
        return self._reader.rows("operators", run_id)

    def read_stage_metrics(self, run_id: str) -> list[dict[str, Any]]:
        """Return the stage rows of a run; none when there is no such run."""
        return self._reader.rows("stages", run_id)

    def read_run_metrics(self, run_id: str) -> dict[str, Any] | None:
        """Return the row of a run, or None; `config` is a dict again."""
        return next(iter(self._reader.rows("runs", run_id)), None)

    def list_runs(self) -> list[str]:
        """Return the ids of all runs, the oldest first."""
        return self._reader.list_runs()

    def _write(self, kind: str, rows: Iterable[Row], run_id: str, moment: datetime | None = None) -> None:
        rows = list(rows)
        if strangers := {_run_of(row) for row in rows} - {run_id}:
            raise MetricsError(f"{kind} of {', '.join(sorted(strangers))} cannot be written as those of {run_id}")
        for row in rows:
            if isinstance(row, OperatorMetrics):
                check_row(row)
            elif isinstance(row, StageMetrics | RunMetrics):
                check_columns(row)
        path = join(self.output_path, file_of(kind, run_id))
        table = schema.to_table(rows, schema.TABLES[kind], run_id, moment, self._id)
        write = self._write_tables if self._check_owner(path, run_id) else self._write_new
        try:
            write(path, [table])
        except FileExistsError:  # it was not there when it was looked for
            self._check_owner(path, run_id)
            self._write_tables(path, [table])  # what is there is damaged
        self._owned[self._id, path] = run_id
        if any(isinstance(row, RunMetrics) and row.status != "running" for row in rows):
            self._row_cache.add(run_id)

    @property
    def _id(self) -> str:
        """The name of this writer in this process: a process that is forked off is another writer."""
        return f"{self._name}-{os.getpid()}"

    def _check_owner(self, path: str, run_id: str) -> bool:
        """Refuse to write over the file of another run or writer; a file that was ours the last time still is.

        Returns:
            Whether a file that is there may be replaced.
        """
        ours = self._owned.get((self._id, path)) == run_id
        if ours:
            if not is_local(path) or exists(path):
                return True
            self._claimed.discard(run_id)  # it was compacted meanwhile, because it had not been active for long
        self._claim(run_id)
        if not exists(path):
            return ours or self._replaces
        owner, writer = _owner(path)
        if owner not in (None, run_id):
            raise MetricsError(f"{path} belongs to the run {owner}, not to {run_id}", hint="give the run another id")
        if owner is not None and writer != self._id and not (ours or self._replaces):
            raise MetricsError(
                f"{path} was written by another worker or process: its rows of {run_id} would be lost",
                hint="send the rows of all workers to one MetricsCollector (add_operator_metrics, MetricsAggregator) "
                "and write once, give each its own run id, or replace them with MetricsWriter(path, replace=True)",
            )
        self._owned[self._id, path] = run_id
        return True

    def _claim(self, run_id: str) -> None:
        """Give a run that is compacted its files back, once."""
        if run_id not in self._claimed:
            claim_run(self._tables, run_id)
            self._claimed.add(run_id)


def _run_of(row: Row) -> str:
    return str(row["run_id"]) if isinstance(row, Mapping) else row.run_id


def _owner(path: str) -> tuple[str | None, str | None]:
    """Return the run and the writer that a file belongs to; None for both of a damaged one, which may be replaced."""
    try:
        with open_parquet(path) as file:
            metadata = file.schema_arrow.metadata or {}
    except pa.ArrowException:
        return None, None
    writer = metadata.get(schema.WRITER_KEY)
    return metadata.get(schema.RUN_ID_KEY, b"(unknown)").decode(), None if writer is None else writer.decode()
