"""Trackers of stages: when a stage ran, how long, and what became of its records."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from mega_data_factory.framework.metrics.models import StageMetrics
from mega_data_factory.framework.metrics.rows.fields import per_second
from mega_data_factory.framework.metrics.tracking.accounts import check_sum, whole
from mega_data_factory.framework.metrics.tracking.in_process import InProcess


@dataclass(frozen=True)
class _Account:
    """Records of a stage, as the caller reported them."""

    input: int = 0
    output: int = 0
    rejected: int = 0
    errors: int = 0
    created: int = 0

    def __add__(self, other: _Account) -> _Account:
        return _Account(
            self.input + other.input,
            self.output + other.output,
            self.rejected + other.rejected,
            self.errors + other.errors,
            self.created + other.created,
        )


@dataclass
class _Worker:
    """One thread that tracks a stage.

    Attributes:
        seconds: time with at least one block open, of the blocks that have all been left.
        open: blocks that are open.
        since: when the first of them was entered, by the clock of the collector.
        account: records that were reported.
    """

    seconds: float = 0.0
    open: int = 0
    since: float = 0.0
    account: _Account = field(default_factory=_Account)

    def busy(self, clock: float) -> float:
        """Return seconds until now."""
        return self.seconds + (clock - self.since if self.open else 0.0)


class StageTimes:
    """Time and records of one stage, by thread; one thread is one worker.

    Args:
        clock: monotonic seconds.
        now: the time of day, naive UTC.
    """

    def __init__(self, clock: Callable[[], float], now: Callable[[], datetime]) -> None:
        self._clock = clock
        self._now = now
        self._workers: dict[int, _Worker] = {}
        self._lock = threading.Lock()
        self._last = now()

    def enter(self) -> None:
        """Note that a thread has entered a block."""
        with self._lock:
            worker = self._workers.setdefault(threading.get_ident(), _Worker())
            if not worker.open:
                worker.since = self._clock()
            worker.open += 1

    def leave(self, thread: int, account: _Account) -> None:
        """Note that a block was left.

        Args:
            thread: the thread that entered it.
            account: the records of the block.
        """
        with self._lock:
            worker = self._workers[thread]
            worker.open -= 1
            if not worker.open:
                worker.seconds += self._clock() - worker.since
            worker.account += account
            self._last = self._now()

    def complete(self, stage: StageMetrics) -> None:
        """Fill in what the operators of a stage did not measure: time, workers and throughput, and records.

        Args:
            stage: the sum of its operators; without workers where it has none.
        """
        with self._lock:
            now = self._clock()
            workers = [replace(worker, seconds=worker.busy(now), open=0) for worker in self._workers.values()]
            last = self._last
        if workers or not stage.num_workers:
            stage.timestamp = last
        busy = sum(worker.seconds for worker in workers)
        if stage.total_time or not busy:
            return
        rates = [per_second(worker.account.input, worker.seconds) for worker in workers]
        if stage.num_workers:  # its operators counted records and measured no time
            rates = [per_second(stage.input_records, busy)]
        else:
            account = sum((worker.account for worker in workers), _Account())
            stage.num_workers = len(workers)
            stage.input_records, stage.output_records = account.input, account.output
            stage.rejected_records, stage.error_count = account.rejected, account.errors
            stage.created_records = account.created
        known = [rate for rate in rates if rate is not None]
        stage.total_time = max(worker.seconds for worker in workers)
        stage.avg_throughput = sum(known) / len(known) if known else None
        stage.min_throughput, stage.max_throughput = min(known, default=None), max(known, default=None)


class StageTracker(InProcess):
    """One block of work in a stage; what `MetricsCollector.track_stage` gives.

    As text it is the name of the stage.

    Attributes:
        stage_name: the stage.
        custom_metrics: what the block noted; for the block itself, for stages have no such column.
    """

    __slots__ = ("_account", "_thread", "_times", "custom_metrics", "stage_name")

    def __init__(self, stage_name: str, times: StageTimes) -> None:
        self.stage_name = stage_name
        self.custom_metrics: dict[str, Any] = {}
        self._times = times
        self._account = _Account()
        self._thread = 0

    def records(
        self,
        input: int,
        output: int | None = None,
        errors: int = 0,
        *,
        rejected: int | None = None,
        created: int = 0,
    ) -> None:
        """Report what became of the records of this block; of several calls the last counts, and blocks add up.

        It is for stages without operators: where operators report records, theirs are the stage's.

        Args:
            input: records offered.
            output: records passed on, created ones included; by default all that were neither rejected nor set aside.
            errors: records that raised and were set aside.
            rejected: records rejected; by default what is missing in the output.
            created: records made beside those that came in.

        Raises:
            ValueError: a number is not a whole one of at least 0, or more records leave the stage than came in and were
                created.
        """
        input, errors, created = whole("input", input), whole("errors", errors), whole("created", created)
        if output is None:
            rejected = 0 if rejected is None else whole("rejected", rejected)
            check_sum(input, 0, rejected, errors, created)
            output = input + created - rejected - errors
        else:
            output = whole("output", output)
            missing = max(0, input + created - output - errors)
            rejected = missing if rejected is None else whole("rejected", rejected)
            check_sum(input, output, rejected, errors, created)
        self._account = _Account(input, output, rejected, errors, created)

    def add_custom_metric(self, name: str, value: Any) -> None:
        """Note a number of the block in `custom_metrics`."""
        self.custom_metrics[name] = value

    def __str__(self) -> str:
        return self.stage_name

    def __enter__(self) -> StageTracker:
        self._thread = threading.get_ident()
        self._times.enter()
        return self

    def __exit__(self, *_: object) -> None:
        self._times.leave(self._thread, self._account)
