"""Collect metrics where the work happens."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mega_data_factory.clock import utc_now
from mega_data_factory.framework.metrics.models import OperatorMetrics, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics.run_ids import new_run_id
from mega_data_factory.framework.metrics.store.files.layout import check_run_id
from mega_data_factory.framework.metrics.tracking.entries import AddedRow, BatchEntry, BatchId
from mega_data_factory.framework.metrics.tracking.in_process import InProcess
from mega_data_factory.framework.metrics.tracking.operator_rows import OperatorRows
from mega_data_factory.framework.metrics.tracking.own_cost import best_time, cost_per_entered_row
from mega_data_factory.framework.metrics.tracking.row_checks import check_columns, check_row
from mega_data_factory.framework.metrics.tracking.run_times import RunTimes
from mega_data_factory.framework.metrics.tracking.run_totals import RunTotals
from mega_data_factory.framework.metrics.tracking.stage_rows import StageRows
from mega_data_factory.framework.metrics.tracking.stage_tracker import StageTracker
from mega_data_factory.framework.metrics.tracking.tracker import OperatorTracker


@dataclass(frozen=True)
class Snapshot:
    """A run on all three levels at one moment."""

    run: RunMetrics
    stages: list[StageMetrics]
    operators: list[OperatorMetrics]


class MetricsCollector(InProcess):
    """Collects the metrics of one run, or of one worker's part in it.

    Any number of threads may track at once. Tracking an operator takes no lock: it appends to a queue, which is merged
    when rows are read, or when it has grown long. A collector stays in its process: pickling one is a TypeError that
    says what to send in its place.

    Args:
        run_id: name of the run; `run_{YYYYmmdd_HHMMSS}_{8 hex}` when not given.
        clock: monotonic seconds.
        now: the time of day, naive UTC.
        cpu_clock: Seconds of CPU used so far, of the thread (`time.thread_time`) or of a process that does nothing else
            (`time.process_time`); None measures none.

    Raises:
        ValueError: the run id cannot be the name of a file.
    """

    def __init__(
        self,
        run_id: str | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime] = utc_now,
        cpu_clock: Callable[[], float] | None = None,
    ) -> None:
        self.run_id = new_run_id(now()) if run_id is None else run_id
        check_run_id(self.run_id)
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._now = now
        self._operators = OperatorRows(self.run_id, now)
        self._stages = StageRows(self.run_id, clock, now)
        self._run = RunTimes(self.run_id, clock, now)
        self._entered_rows = 0
        self.writing_seconds = 0.0
        self.exporting_seconds = 0.0
        self.detail_seconds = 0.0

    # ── tracking ──────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def track_run(self, began: datetime | None = None, seconds: float = 0.0) -> Iterator[RunTotals]:
        """Time the run. An exception makes it `failed`, an interruption (Ctrl-C, a closed generator) `interrupted`.

        Args:
            began: when a run that is continued was started first, naive UTC.
            seconds: how long it had run before; they are added to the duration.

        Raises:
            RuntimeError: the run is tracked already, or was: one collector tracks one run once.
        """
        with self._run.track(began, seconds):
            totals = self._operators.totals = RunTotals(self.run_id, self)
            yield totals

    def track_stage(self, stage_name: str) -> StageTracker:
        """Time a block of work in a stage; stages come in the order of their first block.

        Where the operators of the stage measure time, theirs is the stage's. Where they do not, or there are none, the
        time of the blocks is: each thread is a worker, and its blocks add up. `StageTracker.records` reports what
        became of the records of a stage without operators.

        Args:
            stage_name: the stage.
        """
        return StageTracker(stage_name, self._stages.times(stage_name))

    def name_stages(self, names: Iterable[str]) -> None:
        """Note that stages exist, and their order, without timing them: only operators measure them.

        Args:
            names: stages, in order.
        """
        for name in names:
            self._stages.times(name)

    def track_operator(
        self,
        operator_name: str,
        stage_name: str,
        worker_id: str,
        *,
        stage_index: int = 0,
        operator_index: int = 0,
        batch_id: BatchId | None = None,
    ) -> OperatorTracker:
        """Time one batch in one operator; report what became of its records with `OperatorTracker.records`.

        An exception counts all records of the batch as errors (one, when their number is not known yet), and passes
        through.

        Args:
            operator_name: the operator instance, distinct within the stage.
            stage_name: the stage.
            worker_id: the worker.
            stage_index: place of the stage in the plan.
            operator_index: place of the operator in the stage.
            batch_id: the batch, where it may be tried again: see `add_operator_metrics`.

        Raises:
            ValueError: the batch id is neither text nor a whole number.
        """
        if batch_id is not None:
            _check_batch_id(batch_id)
        self._operators.make_room()
        key = self.run_id, stage_name, operator_name, worker_id
        place = stage_index, operator_index
        return OperatorTracker(key, place, self._operators.pending, self._clock, batch_id, self._cpu_clock)

    def add_operator_metrics(self, metrics: OperatorMetrics, *, batch_id: BatchId | None = None) -> None:
        """Add a row to this run; it is merged with what there is of the same stage, operator and worker.

        With a batch id the row is that of the batch in its operator: of several attempts at a batch, whichever worker
        made them, the last one counts. So a row must hold the whole batch, and a retry must report all operators again.
        A row is kept for every batch and operator, about 1 KB each, until `drain_operator_metrics`.

        Args:
            metrics: the row; a copy is taken.
            batch_id: the batch, the same for every attempt at it; without one every row adds.

        Raises:
            ValueError: a number of the row cannot be right, or the batch id is neither text nor a whole number.
        """
        if batch_id is not None:
            _check_batch_id(batch_id)
        row = metrics.copy()
        check_row(row)
        self._operators.make_room()
        self._operators.pending.append(AddedRow(row, batch_id))

    def add_stage_metrics(self, metrics: StageMetrics) -> None:
        """Add a row that stands for its stage in this run; of several of a stage the last counts.

        It takes the place of what the operators of the stage and its blocks measure.

        Args:
            metrics: the row; a copy is taken.

        Raises:
            ValueError: a number of the row cannot be right.
        """
        check_columns(metrics)
        self._stages.add(metrics)

    def set_config(self, config: Mapping[str, Any] | None) -> None:
        """Set the configuration that the run row has; a copy is taken.

        Args:
            config: a mapping; None for no configuration.

        Raises:
            ValueError: it is something else.
        """
        if config is not None and not isinstance(config, Mapping):
            raise ValueError(f"a configuration is a mapping such as {{'batch_size': 1000}}, not {config!r}")
        self._run.config = None if config is None else dict(config)

    def clear(self) -> None:
        """Forget all rows and stages, and a run that has ended; a run that is being tracked stays.

        Run id and configuration stay, so the collector can track again.
        """
        self._operators.drain()
        self._stages = StageRows(self.run_id, self._clock, self._now)
        self._entered_rows = 0
        if self._run.ended:
            self._operators.totals = None
            self._run = RunTimes(self.run_id, self._clock, self._now, self._run.config)
            self.writing_seconds = self.exporting_seconds = self.detail_seconds = 0.0

    def enter_batch(self, entry: BatchEntry) -> None:
        """Add what a batch measured and set the totals that go with it: a snapshot has both or neither.

        The rows stay the caller's, who must not change them any more. Totals are set while the run is tracked only.
        """
        self._operators.make_room()
        self._operators.pending.append(entry)
        self._entered_rows += len(entry.rows)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def get_operator_metrics(self) -> list[OperatorMetrics]:
        """Return a copy of every row: operators in the order of their first measurement, and so the workers of each."""
        return self._operators.copies()

    def drain_operator_metrics(self) -> list[OperatorMetrics]:
        """Return the rows since the last call and forget them: they travel on with the batch that they measure."""
        return self._operators.drain()

    def get_stage_metrics(self) -> list[StageMetrics]:
        """Return the stages that were tracked, in that order, then those known from operators, in plan order."""
        return self._stages.rows(self.get_operator_metrics())

    def get_run_metrics(self) -> RunMetrics | None:
        """Return the run: None before it started, `running` with the duration so far while it runs."""
        return None if (snapshot := self.snapshot()) is None else snapshot.run

    def snapshot(self) -> Snapshot | None:
        """Return all three levels at one moment, which agree with each other; None before the run started.

        Any thread may ask for it while others track.
        """
        if not self._run.started:
            return None
        rows, totals = self._operators.copies_and_totals()
        stages = self._stages.rows(rows)
        driver = self.writing_seconds + self.exporting_seconds + self.detail_seconds
        run = self._run.row(stages, totals, self._seconds_of_measuring(rows) + driver)
        return Snapshot(run, stages, rows)

    def _seconds_of_measuring(self, rows: list[OperatorMetrics]) -> float:
        """Return seconds that measuring took where the work was done, and merging the rows."""
        tracked = sum(row.batches for row in rows) - self._entered_rows
        return (tracked * cost_per_call() if tracked > 0 else 0.0) + self._entered_rows * cost_per_entered_row()


def _check_batch_id(batch_id: object) -> None:
    if isinstance(batch_id, bool) or not isinstance(batch_id, str | int):
        raise ValueError(f"batch_id must be text or a whole number, not {batch_id!r}")


@functools.cache
def cost_per_call() -> float:
    """Return seconds that measuring one batch in one operator takes here: tracking, draining, travelling and merging.

    Measured once, in about 2 ms, when it is first asked for: the best of several rounds on a collector of its own.
    Multiplied by the number of measurements it is what a run's instrumentation cost.
    """

    def measure_one() -> None:
        with worker.track_operator("operator", "stage", "worker") as tracker:
            tracker.records(input=100, output=90, reasons={"reason": 10})
        for row in worker.drain_operator_metrics():
            driver.add_operator_metrics(OperatorMetrics.from_wire(row.to_wire()))

    worker, driver = MetricsCollector("run_calibration"), MetricsCollector("run_calibration")
    return best_time(measure_one, driver.get_operator_metrics)
