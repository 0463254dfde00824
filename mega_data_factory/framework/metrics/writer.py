"""Write metrics as Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, TypeVar

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
from mega_data_factory.framework.metrics.upkeep.ownership import Ownership
from mega_data_factory.framework.metrics.upkeep.shrinking import claim_run
from mega_data_factory.storage import Location, is_local, join, local_path

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
        output_path: the metrics folder, local or an fsspec URI.
        replace: replace the tables of a run also where another writer wrote them.
        write: writes one file, whole or not at all.
        make_folders: make the folders of runs, stages and operators at once, where the folder is local; otherwise each
            is made for its first file.

    Attributes:
        output_path: the metrics folder: a `Path` where it is local, else the URI.
    """

    OPERATOR_SCHEMA: ClassVar[pa.Schema] = schema.OPERATORS
    STAGE_SCHEMA: ClassVar[pa.Schema] = schema.STAGES
    RUN_SCHEMA: ClassVar[pa.Schema] = schema.RUNS

    def __init__(
        self,
        output_path: Location,
        *,
        replace: bool = False,
        write: WriteTables = write_tables,
        make_folders: bool = True,
    ) -> None:
        self.output_path: Path | str = local_path(output_path) if is_local(output_path) else str(output_path)
        self._replaces = replace
        self._write_tables = write
        self._write_new = write_new_tables if write is write_tables else write
        self._reader = MetricsReader(output_path)
        self._tables = StoredTables(output_path)
        self._row_cache = RowCache(output_path)
        self._ownership = Ownership(self._tables, replaces=replace)
        if make_folders:
            self._make_folders()

    def __reduce__(self) -> tuple[Any, ...]:
        """Make a copy another writer, which replaces nothing that this one has written."""
        make = partial(MetricsWriter, replace=self._replaces, write=self._write_tables, make_folders=False)
        return make, (self.output_path,)

    @property
    def runs_path(self) -> Path | str:
        """The folder of the run rows."""
        return self._folder("runs")

    @property
    def stages_path(self) -> Path | str:
        """The folder of the stage rows."""
        return self._folder("stages")

    @property
    def operators_path(self) -> Path | str:
        """The folder of the operator rows."""
        return self._folder("operators")

    def _folder(self, table: str) -> Path | str:
        if isinstance(self.output_path, Path):
            return self.output_path / table
        return join(self.output_path, table)

    def _make_folders(self) -> None:
        for table in schema.LEVELS:
            if isinstance(folder := self._folder(table), Path):
                with suppress(OSError):  # the first write says what is wrong, and one may only want to read
                    folder.mkdir(parents=True, exist_ok=True)

    def write_operator_metrics(self, metrics: Iterable[OperatorMetrics], run_id: str) -> None:
        """Write the operator rows of a run.

        Args:
            metrics: The rows, all of one run.
            run_id: The run that they are written as.

        Raises:
            MetricsError: the rows are of several runs, the file was written by another writer, or its name belongs to
                another run (`x` and `run_x` share one).
            OutputError: the file cannot be written.
            ValueError: a number of a row cannot be right.
        """
        rows = [row.copy() for row in metrics]
        self._write("operators", _as_run(rows, run_id), run_id)

    def write_stage_metrics(self, metrics: Iterable[StageMetrics], run_id: str) -> None:
        """Write the stage rows of a run; takes and raises what `write_operator_metrics` does."""
        self._write("stages", _as_run([replace(row) for row in metrics], run_id), run_id)

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
            stages: the stage rows; None if those written before, of the same moment, are still right.
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
            self._ownership.check(join(self.output_path, file_of(kind, run_id)), run_id)

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
        table = schema.to_table(rows, schema.TABLES[kind], run_id, moment, self._ownership.writer_id)
        write = self._write_tables if self._ownership.check(path, run_id) else self._write_new
        try:
            write(path, [table])
        except FileExistsError:  # it was not there when it was looked for
            self._ownership.check(path, run_id)
            self._write_tables(path, [table])  # what is there is damaged
        self._ownership.note_written(path, run_id)
        if any(isinstance(row, RunMetrics) and row.status != "running" for row in rows):
            self._row_cache.add(run_id)


_Copy = TypeVar("_Copy", OperatorMetrics, StageMetrics)


def _as_run(rows: list[_Copy], run_id: str) -> list[_Copy]:
    """Make copies of rows, if they are all of one run, those of another."""
    if len({row.run_id for row in rows}) == 1:
        for row in rows:
            row.run_id = run_id
    return rows


def _run_of(row: Row) -> str:
    return str(row["run_id"]) if isinstance(row, Mapping) else row.run_id
