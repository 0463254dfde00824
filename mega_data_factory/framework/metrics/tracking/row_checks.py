"""Checks of rows that callers make by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import NoneType
from typing import Any

from mega_data_factory.framework.metrics.models import OperatorMetrics, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics.rows.fields import columns
from mega_data_factory.framework.metrics.tracking.accounts import amount, check_sum, rejected_by_reason, whole

_COUNTS = ("input_records", "output_records", "error_count", "batches", "unmatched_records", "created_records")
_UNITS = ("input_text_bytes", "output_text_bytes", "input_tokens", "output_tokens", "changed_records")


_PLAIN = {int, NoneType}


def check_row(row: OperatorMetrics) -> None:
    """Refuse a row whose numbers cannot be right.

    Raises:
        ValueError: names the row and the numbers.
    """
    if _is_measured(row):
        return
    try:
        _check_operator(row)
    except ValueError as error:
        raise ValueError(f"{row.operator_name} in {row.stage_name} on {row.worker_id}: {error}") from None


def _is_measured(row: OperatorMetrics) -> bool:
    """Return whether the row is as a tracker makes them: a driver takes one for each batch and operator."""
    rejected, by_reason = row._rejected_records, row._rejected_reasons[1::2]
    return (
        type(row.input_records) is type(row.output_records) is type(row.error_count) is type(rejected) is int
        and row.output_records >= 0
        and row.error_count >= 0
        and rejected >= 0
        and type(row.unmatched_records) is int
        and 0 <= row.unmatched_records <= row.output_records
        and type(row.created_records) is int
        and row.created_records >= 0
        and row.output_records + rejected + row.error_count <= row.input_records + row.created_records
        and type(row.batches) is int
        and row.batches >= 0
        and type(row.total_time) is float
        and 0.0 <= row.total_time < math.inf
        and not row._given
        and {type(getattr(row, name)) for name in _UNITS} <= _PLAIN
        and {*map(type, by_reason)} <= {int}
        and min(by_reason, default=0) >= 0
        and sum(by_reason) <= rejected
    )


def _check_operator(row: OperatorMetrics) -> None:
    for name in _COUNTS:
        setattr(row, name, whole(name, getattr(row, name)))
    for name in _UNITS:
        if (value := getattr(row, name)) is not None:
            setattr(row, name, whole(name, value))
    amount("total_time", row.total_time)
    rejected = row._rejected_records
    if rejected is not None:
        row.rejected_records = rejected = whole("rejected_records", rejected)
    check_sum(row.input_records, row.output_records, rejected or 0, row.error_count, row.created_records)
    if row.unmatched_records > row.output_records:
        raise ValueError(f"unmatched {row.unmatched_records} records are more than the output of {row.output_records}")
    if row._rejected_reasons:
        rejected_by_reason(row.rejected_reasons, row.rejected_records)
    if row._given:
        _check_given(row._given)


def check_columns(row: StageMetrics | RunMetrics) -> None:
    """Refuse a row in which a number is negative, not finite, or not whole where it counts something.

    Raises:
        ValueError: names the row and the number.
    """
    try:
        _check_columns(row)
    except ValueError as error:
        name = f"stage {row.stage_name}" if isinstance(row, StageMetrics) else row.run_id
        raise ValueError(f"{name}: {error}") from None


def _check_columns(row: StageMetrics | RunMetrics) -> None:
    given: Mapping[str, Any] = getattr(row, "_given", None) or {}
    _check_given(given)
    for column in columns(row):
        kind = str(column.type)
        if kind.startswith(("int", "float")) and (value := getattr(row, column.name)) is not None:
            (whole if kind.startswith("int") else amount)(column.name, value)


def _check_given(given: Mapping[str, Any]) -> None:
    """Check derived values that were given in place of what follows from the others."""
    for name, value in given.items():
        amount(name, value)
