"""Collect metrics where the work happens."""

from __future__ import annotations

import functools
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mega_data_factory.framework.metrics.fields import utc_now
from mega_data_factory.framework.metrics.models import OperatorMetrics, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics.redaction import without_credentials
from mega_data_factory.framework.metrics.store.layout import check_run_id
from mega_data_factory.framework.metrics.tracker import BatchEntry, OperatorTracker, RunTotals
from mega_data_factory.framework.metrics.uncommitted import UncommittedLedger

_FOLD_AT = 128
"""So many measurements wait at most before they are merged, whether anybody reads them or not."""


def new_run_id(now: datetime | None = None) -> str:
    """A new name for a run: `run_{YYYYmmdd_HHMMSS}_{8 hex}`, in UTC."""
    return f"run_{now or utc_now():%Y%m%d_%H%M%S}_{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True)
class Snapshot:
    """A run on all three levels at one moment."""

    run: RunMetrics
    stages: list[StageMetrics]
    operators: list[OperatorMetrics]


class MetricsCollector:
    """Collects the metrics of one run, or of one worker's part in it.

    Any number of threads may track at once. Tracking takes no lock: it appends to a queue, and the queue is merged
    when somebody reads, or when it has grown long.

    Args:
        run_id: name of the run; `run_{YYYYmmdd_HHMMSS}_{8 hex}` when not given.
        clock: monotonic seconds.
        now: the time of day, naive UTC.

    Raises:
        ValueError: the run id cannot be the name of a file.
    """

    def __init__(
        self,
        run_id: str | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.run_id = new_run_id(now()) if run_id is None else run_id
        check_run_id(self.run_id)
        self._clock = clock
        self._now = now
        self._pending: deque[OperatorTracker | OperatorMetrics | BatchEntry] = deque()
        self._folding = threading.Lock()
        self._rows: dict[tuple[str, ...], dict[str, OperatorMetrics]] = {}  # (stage, operator) → worker → row
        self._uncommitted = UncommittedLedger()
        self._stages: dict[str, datetime] = {}
        self.writing_seconds = 0.0
        self.exporting_seconds = 0.0
        self._totals: RunTotals | None = None
        self._started: tuple[datetime, float] | None = None
        self._ended: tuple[datetime, float] | None = None
        self._status = "running"
        self._error: str | None = None

    # ── tracking ──────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def track_run(self, began: datetime | None = None, seconds: float = 0.0) -> Iterator[RunTotals]:
        """Time the run. An exception makes it `failed`, an interruption (Ctrl-C, a closed generator) `interrupted`.

        Args:
            began: when a run that is continued was started first, naive UTC.
            seconds: how long it had been at work before; the duration goes on from there.

        Raises:
            RuntimeError: the run is being tracked already.
        """
        if self._started is not None and self._ended is None:
            raise RuntimeError(f"{self.run_id} is being tracked already")
        self._totals = RunTotals(self.run_id)
        self._status, self._error, self._ended = "running", None, None
        self._started = began or self._now(), self._clock() - seconds
        try:
            yield self._totals
            self._status = "completed"
        except Exception as error:
            self._status, self._error = "failed", without_credentials(f"{type(error).__name__}: {error}")
            raise
        except GeneratorExit:
            self._status, self._error = "interrupted", "the caller stopped"
            raise
        except BaseException as error:
            self._status, self._error = "interrupted", type(error).__name__
            raise
        finally:
            self._ended = self._now(), self._clock()

    @contextmanager
    def track_stage(self, stage_name: str) -> Iterator[str]:
        """Note that a stage exists, in the order of the first calls, and when it was last at work."""
        self._stages.setdefault(stage_name, self._now())
        try:
            yield stage_name
        finally:
            self._stages[stage_name] = self._now()

    def track_operator(
        self,
        operator_name: str,
        stage_name: str,
        worker_id: str,
        *,
        stage_index: int = 0,
        operator_index: int = 0,
    ) -> OperatorTracker:
        """Time one batch in one operator; say what became of its records with `OperatorTracker.records`.

        An exception counts all records of the batch as errors (one, when their number is not known yet), and goes on.

        Args:
            operator_name: the operator instance, distinct within the stage.
            stage_name: the stage.
            worker_id: the worker.
            stage_index: place of the stage in the plan.
            operator_index: place of the operator in the stage.
        """
        if len(self._pending) >= _FOLD_AT:
            self._fold(wait=False)
        key = self.run_id, stage_name, operator_name, worker_id
        return OperatorTracker(key, (stage_index, operator_index), self._pending, self._clock)

    def add_operator_metrics(self, metrics: OperatorMetrics) -> None:
        """Add a row to this run; it is merged with what there is of the same stage, operator and worker."""
        if len(self._pending) >= _FOLD_AT:
            self._fold(wait=False)
        self._pending.append(metrics.copy())

    def enter_batch(self, entry: BatchEntry) -> None:
        """Add what a batch measured and set the totals that go with it: a snapshot has both or neither.

        The rows stay the caller's, who must not change them any more. Totals are set while the run is tracked only.
        """
        if len(self._pending) >= _FOLD_AT:
            self._fold(wait=False)
        self._pending.append(entry)

    def _fold(self, *, wait: bool = True) -> None:
        """Merge the waiting items into the rows. Readers wait for each other; tracking threads never wait."""
        if not self._folding.acquire(blocking=wait):
            return
        try:
            self._merge_pending()
        finally:
            self._folding.release()

    def _merge_pending(self) -> None:
        """Merge the waiting items; the caller holds the lock."""
        touched = []
        for _ in range(len(self._pending)):  # not "while": others may add faster than this takes
            item = self._pending.popleft()
            if isinstance(item, OperatorMetrics):
                self._merge_row(item)
            elif isinstance(item, BatchEntry):
                for row in item.rows:
                    self._merge_row(row)
                self._uncommitted.enter(item.passed)
                self._uncommitted.settle(item.settled)
                if self._totals is not None:
                    self._totals.set(**item.totals)
            else:
                _, *operator, worker = item.key
                rows = self._rows.setdefault(tuple(operator), {})
                if worker not in rows:
                    rows[worker] = item.to_row()
                item.count_into(rows[worker])
                touched.append(rows[worker])
        if touched:
            now = self._now()
            for row in touched:
                row.timestamp = now

    def _merge_row(self, row: OperatorMetrics) -> None:
        _, *operator, worker = row.key
        rows = self._rows.setdefault(tuple(operator), {})
        if worker in rows:
            rows[worker].include(row)
        else:
            rows[worker] = row.copy()
            rows[worker].run_id = self.run_id

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def get_operator_metrics(self) -> list[OperatorMetrics]:
        """A copy of every row: operators in the order of their first measurement, and so the workers of each."""
        with self._folding:
            self._merge_pending()
            return self._copied_rows()

    def _copied_rows(self) -> list[OperatorMetrics]:
        committed = (row.copy() for workers in self._rows.values() for row in workers.values())
        return list(self._uncommitted.put_into(committed, self.run_id))

    def drain_operator_metrics(self) -> list[OperatorMetrics]:
        """The rows since the last call, which are forgotten here: they travel on with the batch that they measure."""
        with self._folding:
            self._merge_pending()
            rows, self._rows = self._rows, {}
        return [row for workers in rows.values() for row in workers.values()]

    def get_stage_metrics(self) -> list[StageMetrics]:
        """The stages that were tracked, in that order, then those known from operators, in plan order."""
        return self._stage_rows(self.get_operator_metrics())

    def _stage_rows(self, rows: list[OperatorMetrics]) -> list[StageMetrics]:
        untracked = sorted(rows, key=lambda row: row.stage_index)
        tracked = self._stages.copy()  # another thread may track one meanwhile
        names = dict.fromkeys([*tracked, *(row.stage_name for row in untracked)])
        stages = [StageMetrics.from_operators(rows, name, self.run_id) for name in names]
        for stage in stages:
            stage.timestamp = tracked.get(stage.stage_name, stage.timestamp)
        return stages

    def get_run_metrics(self) -> RunMetrics | None:
        """The run: None before it started, `running` with the duration so far while it runs."""
        return None if (snapshot := self.snapshot()) is None else snapshot.run

    def snapshot(self) -> Snapshot | None:
        """All three levels at one moment, which agree with each other; None before the run started.

        Any thread may ask for it while others track.
        """
        if self._started is None or self._totals is None:
            return None
        with self._folding:
            self._merge_pending()
            rows, totals = self._copied_rows(), self._totals.values.copy()
        stages = self._stage_rows(rows)
        return Snapshot(self._run_row(rows, stages, self._started, totals), stages, rows)

    def _run_row(
        self,
        rows: list[OperatorMetrics],
        stages: list[StageMetrics],
        started: tuple[datetime, float],
        set_values: Mapping[str, Any],
    ) -> RunMetrics:
        _, ended = self._ended or (None, self._clock())
        run = RunMetrics(
            run_id=self.run_id,
            start_time=started[0],
            end_time=None if self._ended is None else self._ended[0],
            duration=ended - started[1],
            num_stages=len(stages),
            total_input_records=stages[0].input_records if stages else 0,
            total_output_records=stages[-1].output_records if stages else 0,
            total_errors=sum(stage.error_count for stage in stages)
            + set_values.get("loader_errors", 0)
            + set_values.get("writer_errors", 0),
            rejected_records=sum(stage.rejected_records for stage in stages),
            status=self._status,
            error=self._error,
            instrumentation_seconds=sum(row.batches for row in rows) * cost_per_call()
            + self.writing_seconds
            + self.exporting_seconds,
        )
        for name, value in set_values.items():
            setattr(run, name, value)
        return run


@functools.cache
def cost_per_call() -> float:
    """Seconds that measuring one batch in one operator takes here: tracking, draining, travelling and merging.

    Measured once, in about 2 ms, when it is first asked for: the best of several rounds on a collector of its own.
    Multiplied by the number of measurements it is what a run's instrumentation cost.
    """
    rounds = []
    for _ in range(4):
        worker, driver = MetricsCollector("run_calibration"), MetricsCollector("run_calibration")
        started = time.perf_counter()
        for _ in range(20):
            with worker.track_operator("operator", "stage", "worker") as tracker:
                tracker.records(input=100, output=90, reasons={"reason": 10})
            for row in worker.drain_operator_metrics():
                driver.add_operator_metrics(OperatorMetrics.from_wire(row.to_wire()))
        driver.get_operator_metrics()
        rounds.append((time.perf_counter() - started) / 20)
    return min(rounds)
