"""Runs a pipeline: hands the plan to an engine, reads its stream of commit records, writes the metrics."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mega_data_factory import storage
from mega_data_factory.errors import ConfigError, MdfError
from mega_data_factory.framework.batch import StagedBatch
from mega_data_factory.framework.books import Books
from mega_data_factory.framework.config import ExecutorConfig, PipelineConfig, check_config
from mega_data_factory.framework.contracts import Loader
from mega_data_factory.framework.engines.ray_environment import prepare_ray
from mega_data_factory.framework.engines.run import Engine, Event, RunSettings, SplitsListed
from mega_data_factory.framework.metrics import MetricsCollector, MetricsWriter, OperatorMetrics
from mega_data_factory.framework.metrics.collector import RunTotals
from mega_data_factory.framework.metrics.models import books_difference
from mega_data_factory.framework.output import OutputFolder, write_exclusions
from mega_data_factory.framework.plan import Plan, make_plan
from mega_data_factory.framework.progress import ErrorPolicy, Progress, Tally
from mega_data_factory.framework.reading import planned_splits
from mega_data_factory.framework.resources import check_fit, this_machine
from mega_data_factory.framework.samples import SampleBook
from mega_data_factory.framework.stage import StageSettings

__all__ = ["Executor", "Progress"]

log = logging.getLogger("mega_data_factory")


class Executor:
    """Runs one pipeline once.

    Args:
        config: a checked configuration, a mapping, or the path of a YAML file.
        run_id: name of the run; made up when not given.
        loader: a `RayDatasetLoader` over a dataset made in Python, instead of the one that `data_loader` describes.

    Attributes:
        run_id: name of the run.
        plan: what runs.
        metrics_collector: the metrics of the run, also while it runs.
        books: the account of the run.

    Raises:
        MdfError: the configuration is wrong, or the pools do not fit this machine.
    """

    def __init__(
        self,
        config: PipelineConfig | Mapping[str, Any] | str | Path,
        *,
        run_id: str | None = None,
        loader: Loader | None = None,
    ) -> None:
        self.plan: Plan = make_plan(check_config(config))
        settings = self.plan.executor
        if settings.engine == "local" or not _has_cluster(settings):
            check_fit(self.plan, this_machine())
        reads_ray = self.plan.loader.name == "ray_dataset_loader"
        if settings.engine != "ray" and (reads_ray or loader is not None):
            raise ConfigError("data_loader: a Ray dataset can only be read with executor.engine: ray")
        try:
            self.metrics_collector = MetricsCollector(run_id)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        self.run_id = self.metrics_collector.run_id
        self.books = Books()
        self._loader = loader
        self._tally = Tally()
        self._started = self._made_room = self._finished = False
        self._output = OutputFolder.of(self.plan, self.run_id)
        self._errors = ErrorPolicy(settings, self._output.errors_path)
        samples = settings.rejected_samples
        self._samples = SampleBook(samples.samples_per_reason)
        self._stage_settings = StageSettings(
            run_id=self.run_id,
            on_error=settings.on_error,
            measure=settings.metrics.enabled,
            custom_metrics=settings.metrics.collect_custom_metrics,
            samples_per_reason=samples.samples_per_reason if samples.enabled else 0,
        )

    def execute(self) -> Generator[Progress, None, None]:
        """Run the pipeline; yields progress whenever something happened.

        A caller that stops iterating ends the run: what has passed the last stage is committed, the rest is not, and
        the metrics are written with the status `interrupted`.

        Raises:
            MdfError: what ended the run; its metrics are written nevertheless, with the status `failed`.
            RuntimeError: this executor has run already.
        """
        if self._started:
            raise RuntimeError(f"{self.run_id} has run already; make another Executor for another run")
        self._started = True
        self._output.check(self.plan.writer_options.if_exists)  # a run that is refused leaves no trace
        if self.plan.executor.metrics.enabled:
            yield from self._execute_with_metrics()
        else:
            yield from self._execute_impl()

    def write_metrics(self) -> None:
        """Write the metrics of the run as Parquet. Called at the end unless `write_on_completion` is false."""
        path = self.plan.executor.metrics.output_path
        log.info("Writing metrics to Parquet...")
        MetricsWriter(path).write_all(
            run_metrics=self.metrics_collector.get_run_metrics(),
            stage_metrics=self.metrics_collector.get_stage_metrics(),
            operator_metrics=self.metrics_collector.get_operator_metrics(),
        )
        log.info("Metrics written to: %s", path)

    # ── the run ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _execute_with_metrics(self) -> Iterator[Progress]:
        try:
            with self.metrics_collector.track_run() as totals, ExitStack() as stages:
                for stage in self.plan.stages:  # stages overlap: each works as long as the run does
                    stages.enter_context(self.metrics_collector.track_stage(stage.name))
                try:
                    yield from self._execute_impl()
                finally:
                    log.info("Collecting metrics from workers...")
                    self._close_books(totals)
        except BaseException:
            try:
                self._write_when_wanted()
            except MdfError as error:  # the error that ended the run is the one to report
                log.warning("the metrics could not be written: %s", error)
            raise
        self._write_when_wanted()

    def _write_when_wanted(self) -> None:
        if self.plan.executor.metrics.write_on_completion:
            self.write_metrics()

    def _execute_impl(self) -> Iterator[Progress]:
        started = time.monotonic()
        loader = self._loader or self.plan.loader.build()
        engine = self._engine(loader)
        splits = planned_splits(loader, self.plan.executor.batch_size, self.plan.executor.max_samples)
        events = engine.run(splits)
        try:
            for event in events:
                if isinstance(event, StagedBatch):
                    self._make_room()
                self._take(event)
                yield self._progress(started)
                self._errors.check_limit(self._tally, final=False)
            self._make_room()
            self._errors.check_limit(self._tally, final=True)
            self._finished = True
        except BaseException:
            events.close()
            self._salvage(engine)
            raise
        finally:
            engine.close()
            self._finish_output()

    def _engine(self, loader: Loader) -> Engine:
        settings = RunSettings(self._stage_settings, self._output)
        if self.plan.executor.engine == "ray":
            prepare_ray(self.plan.executor.ray_address)
            from mega_data_factory.framework.engines.ray import RayEngine

            return RayEngine(self.plan, settings, loader)
        from mega_data_factory.framework.engines.local import LocalEngine

        return LocalEngine(self.plan, settings)

    def _make_room(self) -> None:
        """Remove the output of earlier runs where that is wanted: not before this run has something to put there."""
        if not self._made_room and self.plan.writer_options.if_exists == "overwrite":
            self._output.clear()
        self._made_room = True

    def _take(self, event: Event) -> None:
        if isinstance(event, SplitsListed):
            self.books.splits = event.count
        elif isinstance(event, StagedBatch):
            self._tally.add(event)
            self._errors.check_batch(event)
        elif self.books.commit(event):
            for row in event.batch.metrics:
                self.metrics_collector.add_operator_metrics(row)
            self._samples.add(event.batch.exclusions)

    def _progress(self, started: float) -> Progress:
        return Progress(
            records_read=self._tally.read,
            records_passed=self._tally.passed,
            records_written=self.books.written,
            batches_committed=self.books.batches,
            records_rejected=self._tally.rejected,
            record_errors=self._tally.errors,
            dead_lettered=self._tally.dead,
            elapsed=time.monotonic() - started,
        )

    def _salvage(self, engine: Engine) -> None:
        try:
            for record in engine.salvage():
                self._take(record)
        except MdfError as error:  # the error that ended the run is the one to report
            log.warning("what had passed the last stage could not be written: %s", error)

    def _finish_output(self) -> None:
        self._output.tidy(self.books.output_files)
        samples = self._samples.samples()
        if samples:
            folder = self.plan.executor.rejected_samples.output_path
            write_exclusions(storage.join(folder, f"{self.run_id}.jsonl"), samples)

    # ── the books ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _close_books(self, totals: RunTotals) -> None:
        self._note_idle_operators()
        books = self.books
        operators = self.metrics_collector.get_operator_metrics()
        differences = books.differences(operators, finished=self._finished)
        totals.set(
            pipeline=self.plan.config.name,
            engine=self.plan.executor.engine,
            config=self.plan.config.as_written(),
            total_input_records=books.read,
            total_output_records=books.written,
            planned_records=books.planned,
            committed_records=books.committed,
            dead_lettered_records=books.dead_lettered,
            loader_errors=books.loader_errors,
            batches=books.batches,
            retried_batches=books.retried_batches,
            output_files=len(books.output_files),
            output_bytes=books.output_bytes,
            loader_seconds=books.loader_seconds,
            writer_seconds=books.writer_seconds,
            books_closed=not differences if self._finished or differences else None,
            books_difference=books_difference(operators, books.committed, books.written),
        )
        for difference in differences:
            log.warning("the books do not close: %s", difference)

    def _note_idle_operators(self) -> None:
        """Give every operator that no batch has reached a row of zeros: nothing came in is a finding, not a gap."""
        seen = {(row.stage_name, row.operator_name) for row in self.metrics_collector.get_operator_metrics()}
        for stage in self.plan.stages:
            for operator in stage.operators:
                if (stage.name, operator.name) not in seen:
                    self.metrics_collector.add_operator_metrics(
                        OperatorMetrics(
                            run_id=self.run_id,
                            stage_name=stage.name,
                            operator_name=operator.name,
                            worker_id=f"{stage.name}-0",
                            stage_index=stage.index,
                            operator_index=operator.index,
                        )
                    )


def _has_cluster(settings: ExecutorConfig) -> bool:
    """Whether the run will use a Ray cluster that is there already, so that this machine's size says nothing."""
    ray = sys.modules.get("ray")
    return settings.ray_address is not None or (ray is not None and ray.is_initialized())
