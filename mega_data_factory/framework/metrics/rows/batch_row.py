"""The row of one batch in one operator, made at a fraction of the cost of a row that other batches are added to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from mega_data_factory.framework.metrics.rows.histogram import LatencyHistogram
from mega_data_factory.framework.metrics.rows.operator import OperatorMetrics
from mega_data_factory.framework.metrics.rows.operator_state import (
    UnitCounts,
    packed,
    unpacked,
    with_counts,
    with_numbers,
    with_units,
)
from mega_data_factory.framework.metrics.rows.reasons import bounded


class BatchValues(NamedTuple):
    """What the row of one batch has for itself; the rest it shares with the other operators of the stage.

    Attributes:
        operator_name: Name of the operator instance.
        operator_index: Its place in the stage.
        seconds: How long it was busy with the batch.
        cpu_seconds: Seconds of CPU that it used.
        input_records: Records offered.
        output_records: Records passed on.
        error_count: Records that raised and were set aside.
        unmatched_records: Of the output, records that did not match the operator's condition.
        units: Bytes and tokens, in and out, and records changed.
        reasons: Records rejected, by reason; 0 if there are none.
        custom: What the operator reported; 0 if nothing.
    """

    operator_name: str
    operator_index: int
    seconds: float
    cpu_seconds: float
    input_records: int
    output_records: int
    error_count: int
    unmatched_records: int
    units: UnitCounts
    reasons: Mapping[str, int] | Literal[0]
    custom: Mapping[str, Any] | Literal[0]


def batch_row(
    run_id: str, stage_name: str, stage_index: int, worker_id: str, timestamp: datetime, values: BatchValues
) -> OperatorMetrics:
    """Return the row of a batch.

    It has no histogram and no extremes: all its records took the mean, from which both follow when rows are merged.

    Args:
        run_id: The run.
        stage_name: The stage.
        stage_index: Its place in the plan.
        worker_id: The worker.
        timestamp: When the batch left the stage, naive UTC.
        values: What is of this operator alone.
    """
    row = object.__new__(OperatorMetrics)
    row.run_id = run_id
    row.stage_name = stage_name
    row.stage_index = stage_index
    row.worker_id = worker_id
    row.timestamp = timestamp
    (
        row.operator_name,
        row.operator_index,
        row.total_time,
        row.cpu_time,
        row.input_records,
        row.output_records,
        row.error_count,
        row.unmatched_records,
        row._units,
        reasons,
        custom,
    ) = values
    row.batches = 1
    row.created_records = 0
    row.latency_histogram = LatencyHistogram()
    row._given = row._min_latency = row._max_latency = None
    if reasons:
        row._rejected_records = sum(reasons.values())
        row._rejected_reasons = packed(bounded(reasons))
    else:
        row._rejected_records = 0
        row._rejected_reasons = ()
    row._custom_metrics = packed(custom) if custom else ()
    return row


def values_of(row: OperatorMetrics) -> BatchValues:
    """Return the values of which `batch_row` made a row."""
    return BatchValues(
        row.operator_name,
        row.operator_index,
        row.total_time,
        row.cpu_time,
        row.input_records,
        row.output_records,
        row.error_count,
        row.unmatched_records,
        row._units,
        unpacked(row._rejected_reasons) or 0,
        unpacked(row._custom_metrics) or 0,
    )


def complete(row: OperatorMetrics) -> None:
    """Give a row of one batch the histogram and the extremes that it came without; leave any other row alone."""
    if is_batch_row(row):
        row.prepare_to_merge()


def include(row: OperatorMetrics, other: OperatorMetrics) -> None:
    """Add a row to another in place, as `row.include(other)` does; the row of one batch at a third of the cost.

    Args:
        row: What is added to.
        other: What is added.
    """
    has_extremes = other._min_latency is not None or other._max_latency is not None
    is_plain = other.batches == 1 and not has_extremes and other._given is None
    if not is_plain or other.created_records or other._rejected_records is None or other.latency_histogram:
        row.include(other)
        return
    if row._given or row._min_latency is None or not row.latency_histogram:
        row.prepare_to_merge()
    if came := other.input_records:
        latency = other.total_time / came
        row.latency_histogram.add(latency, came)
        if row._min_latency is None or latency < row._min_latency:
            row._min_latency = latency
        if row._max_latency is None or latency > row._max_latency:
            row._max_latency = latency
    rejected = row._rejected_records
    row._rejected_records = (row.rejected_records if rejected is None else rejected) + other._rejected_records
    row.input_records += came
    row.output_records += other.output_records
    row.error_count += other.error_count
    row.unmatched_records += other.unmatched_records
    row._units = with_units(row._units, other._units)
    row.total_time += other.total_time
    row.cpu_time += other.cpu_time
    row.batches += 1
    if other.timestamp > row.timestamp:
        row.timestamp = other.timestamp
    if other._rejected_reasons:
        row._rejected_reasons = with_counts(row._rejected_reasons, other._rejected_reasons)
    if other._custom_metrics:
        row._custom_metrics = with_numbers(row._custom_metrics, unpacked(other._custom_metrics))


def is_batch_row(row: OperatorMetrics) -> bool:
    """Return whether a row is as `batch_row` makes them: all that is not among its arguments follows from them."""
    return (
        row.batches == 1
        and not row.latency_histogram
        and not row._given
        and row._min_latency is None
        and row._max_latency is None
        and not row.created_records
        and row._rejected_records == sum(row._rejected_reasons[1::2])
    )
