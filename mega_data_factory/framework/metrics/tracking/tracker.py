"""The tracker of an operator: what the `with` block of a collector gives, to report what became of its records."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from mega_data_factory.framework.metrics.models import OperatorMetrics
from mega_data_factory.framework.metrics.rows.operator import NOT_COUNTED, Flow
from mega_data_factory.framework.metrics.tracking.accounts import check_sum, rejected_by_reason, whole
from mega_data_factory.framework.metrics.tracking.assignable import AssignableCounts
from mega_data_factory.framework.metrics.tracking.entries import BatchId
from mega_data_factory.framework.metrics.tracking.in_process import InProcess


class OperatorTracker(AssignableCounts, InProcess):
    """One batch in one operator; what `MetricsCollector.track_operator` gives.

    Report with `records`, or set `input_records`, `output_records`, `error_count` and `custom_metrics`. Leaving the
    block appends the tracker to a queue, which is all that happens in the hot path.
    """

    __slots__ = (
        "_bytes",
        "_changed",
        "_clock",
        "_cpu_clock",
        "_cpu_started",
        "_place",
        "_started",
        "_text_bytes",
        "_tokens",
        "batch_id",
        "cpu_seconds",
        "seconds",
    )

    def __init__(
        self,
        key: tuple[str, str, str, str],
        place: tuple[int, int],
        queue: deque[Any],
        clock: Callable[[], float],
        batch_id: BatchId | None = None,
        cpu_clock: Callable[[], float] | None = None,
    ) -> None:
        self.key = key
        self.batch_id = batch_id
        self.seconds = self.cpu_seconds = 0.0
        self._place = place
        self._queue = queue
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._input: int | None = None
        self._output = self._errors = self._unmatched = self._bytes = self._created = 0
        self._text_bytes = self._tokens = NOT_COUNTED
        self._changed: int | None = None
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
        input_bytes: int = 0,
        created: int = 0,
        text_bytes: Flow = NOT_COUNTED,
        tokens: Flow = NOT_COUNTED,
        changed: int | None = None,
    ) -> None:
        """Report what became of the records; of several calls the last counts.

        Counts are whole numbers, and `output + rejected + errors` is at most `input + created`.

        Args:
            input: records offered.
            output: records passed on, created ones included; by default all that were neither rejected nor set aside.
            errors: records that raised and were set aside.
            rejected: records rejected; by default the sum of `reasons`, or what is missing in the output without them.
            reasons: records rejected, by reason.
            custom: numbers to report; they add up over batches.
            unmatched: of the output, records that passed untouched since they did not match a condition.
            input_bytes: Bytes of the records offered; 0 if that is not known.
            created: records made beside those that came in, as by chunking: of 1 that became 3, 2.
            text_bytes: bytes of text in the records offered and in those passed on; None for each not counted.
            tokens: tokens, likewise.
            changed: of the output, records whose values were changed; None if that is not known.

        Raises:
            ValueError: a number cannot be right; what was reported before stays.
        """
        input, errors = whole("input", input), whole("errors", errors)
        created = whole("created", created) if created else 0
        if rejected is not None:
            rejected = whole("rejected", rejected)
        if reasons is not None:
            reasons, rejected = rejected_by_reason(reasons, rejected)
        if output is not None:
            output = whole("output", output)
        check_sum(input, output or 0, rejected or 0, errors, created)
        if output is None:
            output = input + created - errors - (rejected or 0)
        if whole("unmatched", unmatched) > output:
            raise ValueError(f"unmatched {unmatched} records are more than the output of {output}")
        if changed is not None and whole("changed", changed) > output:
            raise ValueError(f"changed {changed} records are more than the output of {output}")
        self._input = input
        self._output = output
        self._errors = errors
        self._rejected = rejected
        self._reasons = reasons
        self._custom = custom
        self._unmatched = unmatched
        self._bytes = input_bytes
        self._text_bytes = text_bytes
        self._tokens = tokens
        self._changed = changed
        self._created = created

    def __enter__(self) -> OperatorTracker:
        self._started = self._clock()
        if self._cpu_clock is not None:
            self._cpu_started = self._cpu_clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.seconds = self._clock() - self._started
        if self._cpu_clock is not None:
            self.cpu_seconds = self._cpu_clock() - self._cpu_started
        if isinstance(error, Exception):  # an interruption is not an error of a record
            lost = 1 if self._input is None else self._input
            self.records(lost, 0, lost, rejected=0, custom=self._custom)
        self._queue.append(self)

    def to_row(self) -> OperatorMetrics:
        """Return an empty row of the operator that was tracked."""
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
            input_bytes=self._bytes,
            created_records=self._created,
            cpu_seconds=self.cpu_seconds,
            text_bytes=self._text_bytes,
            tokens=self._tokens,
            changed_records=self._changed,
        )
