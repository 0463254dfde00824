"""Recorder of the metrics of a run: fed with commits, written live, finished with the check of the books."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from mega_data_factory.clock import utc_now
from mega_data_factory.errors import MdfError
from mega_data_factory.framework.batch import Batch, CommitRecord, StagedBatch
from mega_data_factory.framework.driver.books import Books
from mega_data_factory.framework.driver.run_columns import RunColumns
from mega_data_factory.framework.driver.source_share import SourceShare
from mega_data_factory.framework.metrics import (
    IntervalSampler,
    MetricsCollector,
    MetricsFlusher,
    MetricsWriter,
    NodeBuffer,
    OperatorMetrics,
)
from mega_data_factory.framework.metrics.details.totals import DetailTotals
from mega_data_factory.framework.metrics.live.export_threads import Exports
from mega_data_factory.framework.metrics.live.exporting import ExportHealth, ExportSnapshot, InFlight
from mega_data_factory.framework.metrics.models import unbalanced_records
from mega_data_factory.framework.metrics.tracking.entries import BatchEntry
from mega_data_factory.framework.metrics.tracking.run_totals import RunTotals
from mega_data_factory.framework.metrics.upkeep.retention import prune
from mega_data_factory.framework.plan import Plan
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory")


class Recorder:
    """Records one run.

    Args:
        plan: what runs.
        collector: takes the metrics.
        books: the account of the run.

    Attributes:
        columns: columns of the run's row.
        failure: why the metrics of the end could not be written; None when they were.
        nodes: takes samples of the nodes under the run; None when they are not wanted.
        backlogs: batches that wait for each stage or that its workers hold, as far as the engine knows.
    """

    def __init__(self, plan: Plan, collector: MetricsCollector, books: Books) -> None:
        self.columns = RunColumns(plan, books)
        self.failure: MdfError | None = None
        self.nodes: NodeBuffer | None = None
        self.backlogs: Mapping[str, int] = {}
        self._began: datetime | None = None
        self._begins: dict[tuple[str, str], datetime] = {}
        self._seconds = 0.0
        self._plan = plan
        self._settings = plan.executor.metrics
        self._collector = collector
        self._books = books
        self._totals: RunTotals | None = None
        self._flusher: MetricsFlusher | None = None
        self._samples: IntervalSampler | None = None
        self._details = DetailTotals()
        self._detail_seconds = 0.0
        if self._settings.enabled and self._settings.write_on_completion:
            self._samples = IntervalSampler(collector.run_id, self._settings.flush_interval)
            writer = self._writer()
            interval = self._settings.flush_interval
            if self._settings.node_interval:
                self.nodes = NodeBuffer(collector.run_id, self._settings.node_interval)
            self._flusher = MetricsFlusher(
                collector, self._samples, writer, self.nodes, details=self._details, interval=interval
            )
        exporters = {name: component.build() for name, component in plan.exporters.items()}
        self._exports = Exports(exporters, self._snapshot_to_export)

    def note_pending_output(self, folder: str) -> None:
        """Note that data files wait in a folder until the run is complete: there they are, if it does not complete."""
        self.columns.pending_output = folder
        self._set(paths=self.columns.paths())

    def resume_from(self, began: datetime, seconds: float) -> None:
        """Continue the times of a run that is resumed; called before `recording` is entered.

        Args:
            began: when it was started first, naive UTC.
            seconds: how long it has run.
        """
        self._began, self._seconds = began, seconds

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Time the run and write its metrics: at the start, during the run, and at its end, however it ends.

        Batches that were committed before it is entered (of a run that is continued) are part of the first write.
        """
        try:
            with self._collector.track_run(self._began, self._seconds) as totals:
                self._collector.name_stages(stage.name for stage in self._plan.stages)  # their operators measure them
                self._totals = totals
                totals.set(**self.columns.known_at_start())
                self._enter()
                if self._flusher is not None:
                    self._flusher.start()
                self._exports.start()
                try:
                    yield
                finally:
                    _log.info("Collecting metrics from workers...")
                    self._check_books(totals)
        finally:
            self._exports.end()  # they take the metrics of the end while these are written
            if self._flusher is not None:
                self._finish(self._flusher)
                self._apply_retention()
            self._exports.finish()

    def note_startup(self, seconds: float) -> None:
        """Take how long it took until all workers were ready; of a resumed run, the last time."""
        self._set(startup_seconds=seconds)

    def note_stage_passed(self, batch: Batch, before: Sequence[OperatorMetrics]) -> None:
        """Take the metrics of a batch that has passed a stage which is not the last.

        Args:
            batch: the batch.
            before: its rows that were taken when it passed an earlier stage.
        """
        self._collector.enter_batch(BatchEntry((), {}, passed=batch.metrics, settled=before))

    def note_passed(
        self, staged: StagedBatch, share: SourceShare | None = None, before: Sequence[OperatorMetrics] = ()
    ) -> None:
        """Take the metrics of a batch that has passed all stages: they are kept apart until it is committed.

        Args:
            staged: the batch.
            share: how much of the source has passed all stages with it, if known.
            before: its rows that were taken when it passed an earlier stage.
        """
        self.columns.add_passed(staged, share)
        totals = self.columns.uncommitted()
        self._collector.enter_batch(BatchEntry((), totals, passed=staged.batch.metrics, settled=before))

    def commit(self, record: CommitRecord, before: Sequence[OperatorMetrics] = ()) -> None:
        """Take the metrics of a committed batch.

        Args:
            record: of the commit.
            before: its rows that were taken when it passed an earlier stage, if it was not seen to pass the last one.
        """
        batch = record.batch
        self._take_details(record)
        self._enter(batch.metrics, settled=(*self.columns.remove_passed(batch.id), *before))  # one of them is empty
        self._note_begins(batch.metrics)
        if self._samples is not None:
            self._samples.add_rows(batch.metrics)

    def _take_details(self, record: CommitRecord) -> None:
        """Add the details of a committed batch to the totals; what that and measuring them took is instrumentation."""
        started = time.perf_counter()
        self._details.add((*record.batch.details, *record.details))
        self._detail_seconds += time.perf_counter() - started + record.batch.meter_seconds
        self._collector.detail_seconds = self._detail_seconds

    def _note_begins(self, rows: Sequence[OperatorMetrics]) -> None:
        """Keep when the first batch of every operator began.

        The rows of a batch are stamped when its stage is done with it, so an operator began its own and all later
        operators' busy time before that.
        """
        busy: dict[str, float] = {}
        for row in reversed(rows):
            busy[row.stage_name] = busy.get(row.stage_name, 0.0) + row.total_time
            place, begin = (row.stage_name, row.operator_name), row.timestamp - timedelta(seconds=busy[row.stage_name])
            if begin < self._begins.get(place, datetime.max):
                self._begins[place] = begin

    def write(self) -> None:
        """Write the three levels as they are now.

        Raises:
            MdfError: they cannot be written.
        """
        _log.info("Writing metrics to Parquet...")
        if (snapshot := self._collector.snapshot()) is not None:
            writer = self._writer()
            writer.write_detail_totals(self._details, snapshot.run.run_id, utc_now())
            writer.write_all(snapshot.run, snapshot.stages, snapshot.operators)
        _log.info("Metrics written to: %s", self._settings.output_path)

    def _writer(self) -> MetricsWriter:
        """Return a writer that may replace what an earlier session of the run has written."""
        return MetricsWriter(self._settings.output_path, replace=True, make_folders=False)

    def _finish(self, flusher: MetricsFlusher) -> None:
        """Write the metrics of the end. If that fails the run is what it was: its output is there."""
        _log.info("Writing metrics to Parquet...")
        self.failure = flusher.finish()
        self._set(flush_failures=flusher.failures)  # for callers of the executor: the stored row has it
        if self.failure is None:
            _log.info("Metrics written to: %s", self._settings.output_path)
        else:
            _log.error("%s; what is there shows an earlier state of this run", self.failure)

    def _apply_retention(self) -> None:
        """Remove the runs that `metrics.retention` leaves no room for. If that fails, the next run does it."""
        limits = self._settings.retention.limits()
        if not limits.limits:
            return
        try:
            pruned = prune(self._settings.output_path, limits)
        except MdfError as error:
            _log.warning("metrics.retention could not be applied: %s", error)
            return
        if pruned.runs:
            _log.info("Removed the metrics of %d runs: metrics.retention", len(pruned.runs))

    # ── the run's row ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _set(self, **columns: Any) -> None:
        """Set columns of the run's row, if the run is being recorded."""
        if self._totals is not None:
            self._totals.set(**columns)

    def _enter(self, rows: Sequence[OperatorMetrics] = (), settled: Sequence[OperatorMetrics] = ()) -> None:
        """Enter rows of a committed batch with what is in the books then, and what exporting has cost so far."""
        self._collector.exporting_seconds = self._exports.seconds
        columns = {**self.columns.booked(), "export_failures": self._exports.failures}
        self._collector.enter_batch(BatchEntry(rows, columns, settled=settled))

    def _check_books(self, totals: RunTotals) -> None:
        """Set the columns of the end: where the output is, and whether the books balance."""
        self._note_idle_operators()
        totals.set(paths=self.columns.paths())
        self._enter()
        books = self._books
        operators = self._collector.get_operator_metrics()
        differences = books.differences(operators, finished=self.columns.finished)
        totals.set(
            balanced=not differences if self.columns.finished or differences else None,
            unbalanced_records=unbalanced_records(operators, books.processed, books.left_stages),
        )
        for difference in differences:
            _log.warning("the books do not balance: %s", difference)
        self._warn_of_missing_slices()

    def _warn_of_missing_slices(self) -> None:
        """Warn of what the records of a finished run could not be sliced by: no operator saw such a column."""
        if not (self.columns.finished and self._books.processed and self._settings.slice_by):
            return
        seen = {column for _, column in self._details.keys_with_rows("slices")}
        for column in self._settings.slice_by:
            if column not in seen:
                _log.warning("executor.metrics.slice_by: no operator was given records with the column of `%s`", column)

    def _note_idle_operators(self) -> None:
        """Give every operator that no batch has reached a row of zeros: nothing came in is a finding, not a gap."""
        for row in self._idle_operators(self._collector.get_operator_metrics()):
            self._collector.add_operator_metrics(row)

    def _idle_operators(self, rows: Sequence[OperatorMetrics]) -> Iterator[OperatorMetrics]:
        """Yield a row of zeros for every operator of the plan that has no row."""
        seen = {(row.stage_name, row.operator_name) for row in rows}
        for stage in self._plan.stages:
            for operator in stage.operators:
                if (stage.name, operator.name) not in seen:
                    yield OperatorMetrics(
                        run_id=self._collector.run_id,
                        stage_name=stage.name,
                        operator_name=operator.name,
                        worker_id=f"{stage.name}-0",
                        stage_index=stage.index,
                        operator_index=operator.index,
                    )

    def _snapshot_to_export(self, health: Sequence[ExportHealth]) -> ExportSnapshot:
        """Return the run as it is now, for exporters: counters that will grow are there from the start."""
        snapshot = self._collector.snapshot()
        assert snapshot is not None, "exporters work while a run is tracked, and after"
        run, operators = snapshot.run, [*snapshot.operators, *self._idle_operators(snapshot.operators)]
        run.heartbeat = utc_now()
        run.flush_failures = 0 if self._flusher is None else self._flusher.failures
        nodes = self.nodes.newest() if self.nodes else ()
        in_flight = InFlight(run.uncommitted_input_records or 0, self.backlogs)
        path = None if self._flusher is None else self._settings.output_path
        return ExportSnapshot(
            run,
            snapshot.stages,
            operators,
            nodes,
            health,
            in_flight,
            dict(self._begins),
            details=self._details,
            metrics_path=path,
        )
