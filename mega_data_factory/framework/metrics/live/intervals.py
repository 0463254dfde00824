"""Interval samples of a run: the rows of committed batches, added up per interval."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from mega_data_factory.framework.metrics.rows.interval import SampleMetrics
from mega_data_factory.framework.metrics.rows.operator import OperatorMetrics

_EPOCH = datetime(1970, 1, 1)

_FOLD_AT = 1024
"""Rows that wait at most before they are added up, also when no samples are taken."""


class IntervalSampler:
    """Adds up the rows of committed batches in intervals until they are taken.

    One thread may add while another takes; `add` never blocks.

    Args:
        run_id: the run.
        interval: seconds; intervals start at multiples of it since 1970, so those of all runs are the same.
    """

    def __init__(self, run_id: str, interval: float) -> None:
        self.run_id = run_id
        self.interval = interval
        self._length = timedelta(seconds=interval)
        self._pending: deque[OperatorMetrics] = deque()
        self._folding = threading.Lock()
        self._samples: dict[tuple[str, str, str, datetime], SampleMetrics] = {}

    def add_rows(self, rows: Iterable[OperatorMetrics]) -> None:
        """Enter rows in the interval of their own timestamp: when the work was done, not when it was committed.

        The rows are kept as they are for a while and must not change afterwards.
        """
        self._pending.extend(rows)
        if len(self._pending) >= _FOLD_AT and self._folding.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._folding.release()

    def take_samples(self) -> list[SampleMetrics]:
        """Return the samples of everything added since the last call, by place in the plan, worker and time."""
        with self._folding:
            self._fold()
            samples, self._samples = self._samples, {}
        return sorted(samples.values(), key=lambda s: (s.stage_index, s.operator_index, s.worker_id, s.timestamp))

    def _fold(self) -> None:
        moment = start = datetime.min
        for _ in range(len(self._pending)):  # not "while": another thread may add faster than this takes
            row = self._pending.popleft()
            if row.timestamp is not moment:  # the operators of a stage share it
                moment, start = row.timestamp, self.start_of(row.timestamp)
            key = row.stage_name, row.operator_name, row.worker_id, start
            sample = self._samples.get(key)
            if sample is None:
                sample = self._samples[key] = self._empty(row, start)
            sample.include(row)

    def start_of(self, moment: datetime) -> datetime:
        """Start of the interval that a moment (naive UTC) falls into."""
        return _EPOCH + (moment - _EPOCH) // self._length * self._length

    def _empty(self, row: OperatorMetrics, start: datetime) -> SampleMetrics:
        return SampleMetrics(
            self.run_id,
            row.stage_name,
            row.operator_name,
            row.worker_id,
            start,
            self.interval,
            stage_index=row.stage_index,
            operator_index=row.operator_index,
        )
