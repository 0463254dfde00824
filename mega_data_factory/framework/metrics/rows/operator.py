"""The row of an operator: one operator instance of one stage on one worker in one run."""

# ruff: noqa: RUF009 - a `Derived` default is a descriptor, which is what it is called for
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from mega_data_factory.clock import naive, utc_now
from mega_data_factory.framework.metrics.rows.fields import Derived, least, most, per_second, percent
from mega_data_factory.framework.metrics.rows.histogram import LatencyHistogram, bounded_quantile
from mega_data_factory.framework.metrics.rows.operator_state import (
    Measured,
    OperatorState,
    Packed,
    Unit,
    with_counts,
    with_numbers,
    with_reasons,
    with_units,
)


def _quantile(row: OperatorMetrics, q: float) -> float | None:
    return bounded_quantile(row.weighed_histogram(), q, row.min_latency, row.max_latency)


Flow: TypeAlias = tuple[int | None, int | None]
"""What came in and what went out, of one unit; None for what was not counted."""

NOT_COUNTED: Flow = (None, None)

_UNCOMMITTED = ("uncommitted_input_records", "uncommitted_output_records", "uncommitted_time")


@dataclass
class OperatorMetrics(OperatorState):
    """One operator instance of one stage on one worker in one run.

    Only the four names are required. A derived value (rate, mean, percentile) that is given is kept for this row; one
    that is not given follows from the state. Merging (`+`, `merged`, `observe`) recomputes everything derived: a row
    that was made by hand with means only then counts with all its weight at its `avg_latency`.

    Attributes:
        run_id: the run.
        stage_name: the stage.
        operator_name: the operator instance, distinct within the stage.
        worker_id: the worker.
        timestamp: when last measured, naive UTC.
        input_records: records offered.
        output_records: records passed on.
        pass_rate: 100 · output / input, percent, over 100 where records are created; None when nothing came in.
        total_time: seconds busy.
        avg_latency: total_time / input_records, seconds per record.
        min_latency: least seconds per record of any batch.
        max_latency: most seconds per record of any batch.
        p50_latency: median of seconds per record, weighted by records; relative error ≤ 0.6 %.
        p95_latency, p99_latency: 95th and 99th percentile, likewise.
        throughput: input_records / total_time, records per second busy.
        error_count: records that raised and were set aside.
        custom_metrics: what the operator reported; numbers add, of other values the later wins.
        stage_index, operator_index: place of the stage in the plan, of the operator in the stage.
        rejected_records: records rejected; what is missing in the output when not given.
        batches: batches measured; 0 for a row made by hand.
        rejected_reasons: records rejected, by reason.
        latency_histogram: seconds per record, weighted by records.
        unmatched_records: of the output, records that did not match the operator's condition and passed it untouched.
        created_records: records made beside those that came in, by an operator that gives more than it gets.
        uncommitted_input_records, uncommitted_output_records, uncommitted_time: records offered, records passed on and
            seconds busy of batches that have passed the stage and are in no file yet; in no other number.
        input_bytes: Bytes of the records offered, if measured.
        cpu_time: Seconds of CPU that the operator used; 0 if that was not measured.
        input_text_bytes, output_text_bytes: bytes of text in the records offered, and in those passed on; None where
            that was not counted.
        input_tokens, output_tokens: tokens in the same; None if they were not counted.
        changed_records: of the output, records whose values the operator changed; None if that was not counted.
    """

    __slots__ = ()  # they are in the base: a factory in place of a default leaves them visible

    run_id: str
    stage_name: str
    operator_name: str
    worker_id: str
    timestamp: datetime = field(default_factory=utc_now)
    input_records: int = field(default_factory=int)
    output_records: int = field(default_factory=int)
    pass_rate: Derived[float | None] = Derived(lambda row: percent(row.output_records, row.input_records))
    total_time: float = field(default_factory=float)
    avg_latency: Derived[float | None] = Derived(
        lambda row: row.total_time / row.input_records if row.input_records else None
    )
    min_latency: Measured[float | None] = Measured(lambda row: row.avg_latency)
    max_latency: Measured[float | None] = Measured(lambda row: row.avg_latency)
    p50_latency: Derived[float | None] = Derived(lambda row: _quantile(row, 0.50))
    p95_latency: Derived[float | None] = Derived(lambda row: _quantile(row, 0.95))
    p99_latency: Derived[float | None] = Derived(lambda row: _quantile(row, 0.99))
    throughput: Derived[float | None] = Derived(lambda row: per_second(row.input_records, row.total_time))
    error_count: int = field(default_factory=int)
    custom_metrics: Packed[Any] = Packed()
    stage_index: int = field(default_factory=int)
    operator_index: int = field(default_factory=int)
    rejected_records: Measured[int] = Measured(
        lambda row: max(0, row.input_records + row.created_records - row.output_records - row.error_count)
    )
    batches: int = field(default_factory=int)
    rejected_reasons: Packed[int] = Packed()
    latency_histogram: LatencyHistogram = field(default_factory=LatencyHistogram)
    unmatched_records: int = field(default_factory=int)
    uncommitted_input_records: Derived[int] = Derived(lambda _: 0)  # most rows have none, and pay nothing for them
    uncommitted_output_records: Derived[int] = Derived(lambda _: 0)
    uncommitted_time: Derived[float] = Derived(lambda _: 0.0)
    input_bytes: Unit[int] = Unit(0, 0)
    created_records: int = field(default_factory=int)
    cpu_time: float = field(default_factory=float)
    input_text_bytes: Unit[int | None] = Unit(1, None)
    output_text_bytes: Unit[int | None] = Unit(2, None)
    input_tokens: Unit[int | None] = Unit(3, None)
    output_tokens: Unit[int | None] = Unit(4, None)
    changed_records: Unit[int | None] = Unit(5, None)

    def __post_init__(self) -> None:
        self.timestamp = naive(self.timestamp)

    @property
    def unbalanced_records(self) -> int:
        """Records not accounted for: input + created - output - rejected - errors; 0 when this row balances."""
        came = self.input_records + self.created_records
        return came - self.output_records - self.rejected_records - self.error_count

    def weighed_histogram(self) -> LatencyHistogram:
        """Return the histogram; for a row made by hand without one, all its records at `avg_latency`."""
        if self.latency_histogram or not self.input_records:
            return self.latency_histogram
        histogram = LatencyHistogram()
        histogram.add(self.avg_latency or 0.0, self.input_records)
        return histogram

    def observe(
        self,
        seconds: float,
        input_records: int,
        output_records: int,
        error_count: int = 0,
        *,
        rejected_records: int | None = None,
        reasons: Mapping[str, int] | None = None,
        custom: Mapping[str, Any] | None = None,
        unmatched_records: int = 0,
        input_bytes: int = 0,
        created_records: int = 0,
        cpu_seconds: float = 0.0,
        text_bytes: Flow = NOT_COUNTED,
        tokens: Flow = NOT_COUNTED,
        changed_records: int | None = None,
    ) -> None:
        """Count one batch; each of its records took `seconds / input_records`.

        Args:
            seconds: how long the operator was busy with the batch.
            input_records: records offered.
            output_records: records passed on.
            error_count: records that raised and were set aside.
            rejected_records: records rejected; by default the sum of `reasons`, or what is missing without them.
            reasons: records rejected, by reason.
            custom: what the operator reported.
            unmatched_records: of the output, records that passed untouched since they did not match a condition.
            input_bytes: Bytes of the records offered; 0 if that was not measured.
            created_records: records made beside those that came in.
            cpu_seconds: Seconds of CPU that were used; 0 if that was not measured.
            text_bytes: bytes of text in the records offered and in those passed on; None for each not counted.
            tokens: tokens, likewise.
            changed_records: of the output, records whose values were changed; None if that was not counted.
        """
        if rejected_records is None:
            missing = input_records + created_records - output_records - error_count
            rejected_records = max(0, missing) if reasons is None else sum(reasons.values())
        self.prepare_to_merge()
        self.rejected_records = self.rejected_records + rejected_records
        self.input_records += input_records
        self.output_records += output_records
        self.error_count += error_count
        self.unmatched_records += unmatched_records
        if created_records:
            self.created_records += created_records
        if input_bytes or text_bytes is not NOT_COUNTED or tokens is not NOT_COUNTED or changed_records is not None:
            self._units = with_units(self._units, (input_bytes, *text_bytes, *tokens, changed_records))
        self.total_time += seconds
        self.cpu_time += cpu_seconds
        self.batches += 1
        if input_records:
            latency = seconds / input_records
            self._widen(latency, latency)
            self.latency_histogram.add(latency, input_records)
        if reasons:
            self._rejected_reasons = with_reasons(self._rejected_reasons, reasons)
        if custom:
            self._custom_metrics = with_numbers(self._custom_metrics, custom)

    def include(self, other: OperatorMetrics) -> None:
        """Add the state of another row to this one, in place, of any worker; `+` checks the key."""
        extremes = other.min_latency, other.max_latency
        self.prepare_to_merge()
        if other.latency_histogram:
            self.latency_histogram.include(other.latency_histogram)
        elif other.input_records:
            self.latency_histogram.add(other.avg_latency or 0.0, other.input_records)
        self._widen(*extremes)
        self.rejected_records = self.rejected_records + other.rejected_records
        self.input_records += other.input_records
        self.output_records += other.output_records
        self.error_count += other.error_count
        self.unmatched_records += other.unmatched_records
        if other.created_records:
            self.created_records += other.created_records
        self._units = with_units(self._units, other._units)
        self.total_time += other.total_time
        self.cpu_time += other.cpu_time
        self.batches += other.batches
        for name in _UNCOMMITTED if other._given else ():
            if waiting := getattr(other, name):
                setattr(self, name, getattr(self, name) + waiting)
        self.timestamp = max(self.timestamp, other.timestamp)
        if other._rejected_reasons:
            self._rejected_reasons = with_counts(self._rejected_reasons, other._rejected_reasons)
        if other._custom_metrics:
            self._custom_metrics = with_numbers(self._custom_metrics, other.custom_metrics)

    def prepare_to_merge(self) -> None:
        """Turn what was given by hand into state, then forget it."""
        if self.input_records:
            if not self.latency_histogram:
                self.latency_histogram = self.weighed_histogram()
            self._min_latency, self._max_latency = self.min_latency, self.max_latency
        if self._given:
            self._given = {name: value for name, value in self._given.items() if name in _UNCOMMITTED} or None

    def _widen(self, lower: float | None, upper: float | None) -> None:
        self._min_latency = least(self._min_latency, lower)
        self._max_latency = most(self._max_latency, upper)

    def __add__(self, other: OperatorMetrics) -> OperatorMetrics:
        if not isinstance(other, OperatorMetrics):
            return NotImplemented
        if self.key != other.key:
            raise ValueError(f"rows of {self.key} and {other.key} are not of one thing; `merged` merges over workers")
        result = self.copy()
        result.include(other)
        return result

    def __radd__(self, other: int) -> OperatorMetrics:
        if other == 0:  # the start value of `sum`
            return self.copy()
        return NotImplemented

    @classmethod
    def merged(cls, rows: Iterable[OperatorMetrics], worker_id: str = "*") -> OperatorMetrics:
        """Return one operator over all its workers, as one row.

        Args:
            rows: rows of one operator of one run.
            worker_id: what the result has in place of the workers' names.

        Raises:
            ValueError: there are no rows, or they are not all of one operator of one run.
        """
        if not (rows := list(rows)):
            raise ValueError("there are no rows to merge")
        first, *others = rows
        result = first.copy()
        result.worker_id = worker_id
        for row in others:
            if row.key[:3] != first.key[:3]:
                raise ValueError(f"rows of {first.key[:3]} and {row.key[:3]} are not of one operator of one run")
            result.include(row)
        return result

    def copy(self) -> OperatorMetrics:
        """Return an equal row that shares nothing with this one; what was given stays given."""
        result = object.__new__(type(self))
        result._take_over(self)
        return result

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> OperatorMetrics:
        """Return a row from a dict of columns, such as `MetricsWriter.read_operator_metrics` gives.

        Raises:
            TypeError: a key is not a column, or a name that is required is missing.
        """
        values = dict(values)
        for column in ("unmatched_records", "created_records"):
            values[column] = values.get(column) or 0  # null in files of an earlier version
        values["cpu_time"] = values.get("cpu_time") or 0.0
        for column in ("custom_metrics", "rejected_reasons"):
            values[column] = dict(values.get(column) or {})
        histogram = values.get("latency_histogram")
        if not isinstance(histogram, LatencyHistogram):
            values["latency_histogram"] = LatencyHistogram(
                {entry["bucket"]: entry["count"] for entry in histogram or ()}
            )
        return cls(**values)
