"""Time what runs in a `with` block, and carry its counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from mega_data_factory.framework.metrics.models import OperatorMetrics


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
        "key",
        "seconds",
    )

    def __init__(
        self,
        key: tuple[str, str, str, str],
        place: tuple[int, int],
        queue: deque[OperatorTracker | OperatorMetrics],
        clock: Callable[[], float],
    ) -> None:
        self.key = key
        self.seconds = 0.0
        self._place = place
        self._queue = queue
        self._clock = clock
        self._input: int | None = None
        self._output = self._errors = 0
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
    ) -> None:
        """Say what became of the records; of several calls the last counts.

        Args:
            input: records offered.
            output: records passed on; by default all that were neither rejected nor set aside.
            errors: records that raised and were set aside.
            rejected: records rejected; by default the sum of `reasons`, or what is missing in the output without them.
            reasons: records rejected, by reason.
            custom: numbers to report; they add up over batches.
        """
        if rejected is None and reasons is not None:
            rejected = sum(reasons.values())
        self._input = input
        self._output = input - errors - (rejected or 0) if output is None else output
        self._errors = errors
        self._rejected = rejected
        self._reasons = reasons
        self._custom = custom

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
        )
