"""What the `with` blocks of a collector give: to say what became of the records, and what is known of the run."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any

from mega_data_factory.errors import did_you_mean
from mega_data_factory.framework.metrics.models import OperatorMetrics, RunMetrics

_RUN_COLUMNS = frozenset(column.name for column in fields(RunMetrics)) - {"run_id"}


@dataclass(frozen=True)
class BatchEntry:
    """What one batch changes, entered on all levels at once.

    Attributes:
        rows: what its operators measured, where it is committed.
        totals: columns of the run row, as they are with it.
        passed: what its operators measured, where it has passed all stages and is in no file yet.
        settled: what was entered as `passed` before and is so no more.
    """

    rows: Sequence[OperatorMetrics]
    totals: Mapping[str, Any]
    passed: Sequence[OperatorMetrics] = ()
    settled: Sequence[OperatorMetrics] = ()


class OperatorTracker:
    """One batch in one operator; what `MetricsCollector.track_operator` gives.

    Leaving the block appends the tracker to a queue, which is all that happens in the hot path.
    """

    __slots__ = (
        "_clock",
        "_custom",
        "_errors",
        "_input",
        "_output",
        "_place",
        "_queue",
        "_reasons",
        "_rejected",
        "_started",
        "_unmatched",
        "key",
        "seconds",
    )

    def __init__(
        self,
        key: tuple[str, str, str, str],
        place: tuple[int, int],
        queue: deque[OperatorTracker | OperatorMetrics | BatchEntry],
        clock: Callable[[], float],
    ) -> None:
        self.key = key
        self.seconds = 0.0
        self._place = place
        self._queue = queue
        self._clock = clock
        self._input: int | None = None
        self._output = self._errors = self._unmatched = 0
        self._rejected: int | None = None
        self._reasons: Mapping[str, int] | None = None
        self._custom: Mapping[str, Any] | None = None

    def records(
        self,
        input: int,
        output: int | None = None,
        errors: int = 0,
        *,
        rejected: int | None = None,
        reasons: Mapping[str, int] | None = None,
        custom: Mapping[str, Any] | None = None,
        unmatched: int = 0,
    ) -> None:
        """Say what became of the records; of several calls the last counts.

        Args:
            input: records offered.
            output: records passed on; by default all that were neither rejected nor set aside.
            errors: records that raised and were set aside.
            rejected: records rejected; by default the sum of `reasons`, or what is missing in the output without them.
            reasons: records rejected, by reason.
            custom: numbers to report; they add up over batches.
            unmatched: of the output, records that passed untouched since they did not match a condition.
        """
        if rejected is None and reasons is not None:
            rejected = sum(reasons.values())
        self._input = input
        self._output = input - errors - (rejected or 0) if output is None else output
        self._errors = errors
        self._rejected = rejected
        self._reasons = reasons
        self._custom = custom
        self._unmatched = unmatched

    def __enter__(self) -> OperatorTracker:
        self._started = self._clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.seconds = self._clock() - self._started
        if isinstance(error, Exception):  # an interruption is nobody's error
            lost = 1 if self._input is None else self._input
            self.records(lost, 0, lost, rejected=0, custom=self._custom)
        self._queue.append(self)

    def to_row(self) -> OperatorMetrics:
        """An empty row of the operator that was tracked."""
        stage_index, operator_index = self._place
        return OperatorMetrics(*self.key, stage_index=stage_index, operator_index=operator_index)

    def count_into(self, row: OperatorMetrics) -> None:
        """Add what was tracked to the row of its operator."""
        row.observe(
            self.seconds,
            self._input or 0,
            self._output,
            self._errors,
            rejected_records=self._rejected,
            reasons=self._reasons,
            custom=self._custom,
            unmatched_records=self._unmatched,
        )


class RunTotals:
    """What the run knows of itself and its operators do not; what `MetricsCollector.track_run` gives.

    Any column of `RunMetrics` may be set. Totals that are not set follow from the stages.

    Attributes:
        run_id: the run.
        values: what was set.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.values: dict[str, Any] = {}

    def set(self, **values: Any) -> None:
        """Set columns of the run row.

        Raises:
            TypeError: one is not a column of `RunMetrics`.
        """
        for name in values:
            if name not in _RUN_COLUMNS:
                raise TypeError(f"{name!r} is not a column of RunMetrics; {did_you_mean(name, _RUN_COLUMNS)}")
        self.values.update(values)

    def add(self, **amounts: float) -> None:
        """Add to columns of the run row, which count from 0.

        Raises:
            TypeError: one is not a column of `RunMetrics`.
        """
        self.set(**{name: self.values.get(name, 0) + amount for name, amount in amounts.items()})
