"""Operator rows of one collector, merged from a queue by operator and worker, or by batch."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

from mega_data_factory.framework.metrics.models import OperatorMetrics
from mega_data_factory.framework.metrics.rows.batch_row import complete, include
from mega_data_factory.framework.metrics.tracking.entries import AddedRow, BatchEntry, BatchId
from mega_data_factory.framework.metrics.tracking.run_totals import RunTotals
from mega_data_factory.framework.metrics.tracking.tracker import OperatorTracker
from mega_data_factory.framework.metrics.tracking.uncommitted import UncommittedLedger

_FOLD_AT = 128
"""Measurements that wait at most before they are merged, whether they are read or not."""


Measurement: TypeAlias = OperatorTracker | AddedRow | BatchEntry


class OperatorRows:
    """Operator rows of one run.

    Measurements are appended to `pending` without a lock. They are merged when rows are read, or when there are many.
    Those of a batch with an id are kept apart, for a later attempt at the batch replaces them.

    Args:
        run_id: the run; rows of others are made its own.
        now: the time of day, naive UTC.

    Attributes:
        pending: measurements that wait to be merged.
        totals: take the totals of batches as these are merged; None before the run is tracked.
    """

    def __init__(self, run_id: str, now: Callable[[], datetime]) -> None:
        self.pending: deque[Measurement] = deque()
        self.totals: RunTotals | None = None
        self._run_id = run_id
        self._uncommitted = UncommittedLedger()
        self._now = now
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str], dict[str, OperatorMetrics]] = {}  # (stage, operator) → worker → row
        self._batches: dict[tuple[str, str], dict[BatchId, OperatorMetrics]] = {}  # (stage, operator) → batch → row

    def make_room(self) -> None:
        """Merge what waits if there is much of it; return at once where another thread is merging."""
        if len(self.pending) >= _FOLD_AT and self._lock.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._lock.release()

    def copies(self) -> list[OperatorMetrics]:
        """Return a copy of every row: operators in the order of their first measurement, and so the workers of each."""
        return self.copies_and_totals()[0]

    def copies_and_totals(self) -> tuple[list[OperatorMetrics], dict[str, Any]]:
        """Return a copy of every row, and of the totals of the run at the same moment."""
        with self._lock:
            self._fold()
            committed = (row.copy() for workers in self._merged().values() for row in workers.values())
            rows = list(self._uncommitted.put_into(committed, self._run_id))
            return rows, {} if self.totals is None else self.totals.values.copy()

    def drain(self) -> list[OperatorMetrics]:
        """Return the rows, and forget them."""
        with self._lock:
            self._fold()
            rows = self._merged()
            self._rows, self._batches = {}, {}
        return [row for workers in rows.values() for row in workers.values()]

    def _fold(self) -> None:
        touched = []
        for _ in range(len(self.pending)):  # not "while": others may add faster than this takes
            item = self.pending.popleft()
            if isinstance(item, OperatorTracker):
                touched.append(self._count(item))
            elif isinstance(item, AddedRow):
                self._add(item.row, item.batch_id)
            else:
                for row in item.rows:
                    self._add(row)
                self._uncommitted.enter(item.passed)
                self._uncommitted.settle(item.settled)
                if self.totals is not None:
                    self.totals.values.update(item.totals)
        if touched:
            now = self._now()
            for row in touched:
                row.timestamp = now

    def _add(self, row: OperatorMetrics, batch_id: BatchId | None = None) -> None:
        operator = row.stage_name, row.operator_name
        rows = self._rows.setdefault(operator, {})  # also for a batch: operators come in the order of first measurement
        if batch_id is not None:
            self._batches.setdefault(operator, {})[batch_id] = self._own(row)
        elif row.worker_id in rows:
            include(rows[row.worker_id], row)
        else:
            rows[row.worker_id] = self._own(row)

    def _own(self, row: OperatorMetrics) -> OperatorMetrics:
        """Return a copy of the row as one of this run."""
        copy = row.copy()
        copy.run_id = self._run_id
        complete(copy)
        return copy

    def _count(self, tracked: OperatorTracker) -> OperatorMetrics:
        _, stage, name, worker = tracked.key
        rows = self._rows.setdefault((stage, name), {})
        if tracked.batch_id is not None:
            row = self._batches.setdefault((stage, name), {})[tracked.batch_id] = tracked.to_row()
        else:
            row = rows.get(worker) or rows.setdefault(worker, tracked.to_row())
        tracked.count_into(row)
        return row

    def _merged(self) -> dict[tuple[str, str], dict[str, OperatorMetrics]]:
        """Return the rows by operator and worker, batches included."""
        if not self._batches:
            return self._rows
        merged = {operator: {w: row.copy() for w, row in rows.items()} for operator, rows in self._rows.items()}
        for operator, batches in self._batches.items():
            workers = merged[operator]
            for row in batches.values():
                if row.worker_id in workers:
                    workers[row.worker_id].include(row)
                else:
                    workers[row.worker_id] = row.copy()
        return merged
