"""The row of one batch in one operator, made at a fraction of the cost of a row that other batches are added to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mega_data_factory.framework.metrics.rows.histogram import LatencyHistogram
from mega_data_factory.framework.metrics.rows.operator import OperatorMetrics
from mega_data_factory.framework.metrics.rows.operator_state import UnitCounts, packed
from mega_data_factory.framework.metrics.rows.reasons import bounded

_NOT_YET = datetime.min


def batch_row(
    key: tuple[str, str, str, str],
    place: tuple[int, int],
    *,
    seconds: float,
    cpu_seconds: float,
    input_records: int,
    output_records: int,
    error_count: int,
    reasons: Mapping[str, int],
    custom: Mapping[str, Any],
    unmatched_records: int,
    units: UnitCounts,
) -> OperatorMetrics:
    """Return the row of a batch; its timestamp is to be set.

    It has no histogram and no extremes: all its records took the mean, from which both follow when rows are merged.

    Args:
        key: Run, stage, operator, worker.
        place: Of the stage in the plan, of the operator in the stage.
        seconds: How long the operator was busy with the batch.
        cpu_seconds: Seconds of CPU that it used.
        input_records: Records offered.
        output_records: Records passed on.
        error_count: Records that raised and were set aside.
        reasons: Records rejected, by reason.
        custom: What the operator reported.
        unmatched_records: Of the output, records that did not match the operator's condition.
        units: Bytes and tokens, in and out, and records changed.
    """
    row = object.__new__(OperatorMetrics)
    row.run_id, row.stage_name, row.operator_name, row.worker_id = key
    row.stage_index, row.operator_index = place
    row.timestamp = _NOT_YET
    row.input_records = input_records
    row.output_records = output_records
    row.error_count = error_count
    row.total_time = seconds
    row.cpu_time = cpu_seconds
    row.batches = 1
    row.unmatched_records = unmatched_records
    row.created_records = 0
    row.latency_histogram = LatencyHistogram()
    row._units = units
    row._given = row._min_latency = row._max_latency = None
    row._rejected_records = sum(reasons.values())
    row._rejected_reasons = packed(bounded(reasons)) if reasons else ()
    row._custom_metrics = packed(custom) if custom else ()
    return row


def complete(row: OperatorMetrics) -> None:
    """Give a row of one batch the histogram and the extremes that it came without; leave any other row alone."""
    if is_batch_row(row):
        row.prepare_to_merge()


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
