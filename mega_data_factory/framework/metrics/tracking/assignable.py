"""Counts of a tracked batch as attributes, for code that sets them one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mega_data_factory.framework.metrics.tracking.accounts import whole
from mega_data_factory.framework.metrics.tracking.operator_stats import OperatorStats, StatsQueue
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.metrics")

_WARNED: set[tuple[str, str, str, str]] = set()
"""Run, stage, operator and attribute that a warning was given for."""

_MOST_WARNED = 1024


class AssignableCounts:
    """The counts of `OperatorTracker` as attributes that can be set: an alternative to its `records`.

    Records that are neither output nor errors are rejected; where more leave than came in, the rest was created. A
    value that cannot be right never raises inside the caller's block: it is ignored, with one warning.
    """

    __slots__ = (
        "_created",
        "_custom",
        "_errors",
        "_input",
        "_output",
        "_queue",
        "_reasons",
        "_rejected",
        "_unmatched",
        "key",
    )

    key: tuple[str, str, str, str]
    _created: int
    _custom: Mapping[str, Any] | None
    _errors: int
    _input: int | None
    _output: int
    _queue: Any
    _reasons: Mapping[str, int] | None
    _rejected: int | None
    _unmatched: int

    @property
    def operator_name(self) -> str:
        """The operator instance."""
        return self.key[2]

    @property
    def stage_name(self) -> str:
        """The stage."""
        return self.key[1]

    @property
    def worker_id(self) -> str:
        """The worker."""
        return self.key[3]

    @property
    def input_records(self) -> int:
        """Records offered."""
        return self._input or 0

    @input_records.setter
    def input_records(self, count: int) -> None:
        self._input = self._checked("input_records", count, self._input or 0)
        self._balance()

    @property
    def output_records(self) -> int:
        """Records passed on."""
        return self._output

    @output_records.setter
    def output_records(self, count: int) -> None:
        self._output = self._checked("output_records", count, self._output)
        self._balance()

    @property
    def error_count(self) -> int:
        """Records that raised and were set aside."""
        return self._errors

    @error_count.setter
    def error_count(self, count: int) -> None:
        self._errors = self._checked("error_count", count, self._errors)
        self._balance()

    @property
    def custom_metrics(self) -> dict[str, Any]:
        """What the operator reported besides; entries may be set in it. Numbers add up over batches."""
        if not isinstance(self._custom, dict):
            self._custom = dict(self._custom or {})
        return self._custom

    @custom_metrics.setter
    def custom_metrics(self, values: Mapping[str, Any] | None) -> None:
        if isinstance(values, Mapping | None):
            self._custom = {str(name): value for name, value in (values or {}).items()}
        else:
            self._warn("custom_metrics", f"custom_metrics must be a mapping, not {values!r}")

    def add_custom_metric(self, name: str, value: Any) -> None:
        """Set one custom metric of this batch."""
        self.custom_metrics[str(name)] = value

    def update_from_stats(self, stats: Mapping[str, Any]) -> None:
        """Take the counts, seconds and latencies of this batch from the statistics that an operator keeps.

        Args:
            stats: Values by the names of columns: counts, `total_time`, latencies in seconds per record,
                `custom_metrics`. Rates are left out, for they follow; numbers of other names become custom metrics.
                Seconds that are given count in place of the time of the block.
        """
        known = OperatorStats.parse(stats, self._warn)
        for name, value in known.counts.items():
            setattr(self, name, value)
        if known.custom:
            self.custom_metrics.update(known.custom)
        queue = self._queue.queue if isinstance(self._queue, StatsQueue) else self._queue
        self._queue = StatsQueue(queue, known)

    def _balance(self) -> None:
        self._rejected = self._reasons = None  # what is missing in the output was rejected
        self._created = max(0, self._output + self._errors - (self._input or 0))
        self._unmatched = min(self._unmatched, self._output)

    def _checked(self, name: str, count: object, before: int) -> int:
        if isinstance(count, float) and count.is_integer():
            count = int(count)
        try:
            return whole(name, count)
        except ValueError as error:
            self._warn(name, f"{error}; it stays {before}")
            return before

    def _warn(self, name: str, problem: str) -> None:
        """Log what is wrong with a value; of one attribute of one operator in a run, the first time only."""
        place = (*self.key[:3], name)
        if place in _WARNED:
            return
        if len(_WARNED) >= _MOST_WARNED:
            _WARNED.clear()
        _WARNED.add(place)
        _log.warning("%s in %s: %s", self.operator_name, self.stage_name, problem)
