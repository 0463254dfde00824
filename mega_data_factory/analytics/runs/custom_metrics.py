"""Custom metrics of the operators of a run, over all workers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class CustomMetric:
    """One metric that an operator reported itself, such as the characters that it removed.

    Attributes:
        stage, operator: The operator.
        name: Name of the metric.
        total: Sum over all workers; None where a worker reported something that is not a finite number.
        per_record: The sum divided by the records that came in; None where there is no sum or no record.
        text: The value of the last worker if it is not a number; empty otherwise.
    """

    stage: str
    operator: str
    name: str
    total: float | None
    per_record: float | None
    text: str = ""


def custom_metrics(operators: pa.Table) -> list[CustomMetric]:
    """Return the custom metrics in the order of the plan, then by name.

    Args:
        operators: Rows of the table `operators` of one run, one for each worker.
    """
    names = ["stage_index", "operator_index", "stage_name", "operator_name", "input_records", "custom_metrics"]
    groups: dict[tuple[int, int, str, str], list[Mapping[str, Any]]] = {}
    for row in operators.select(names).to_pylist():
        key = (row["stage_index"], row["operator_index"], row["stage_name"], row["operator_name"])
        groups.setdefault(key, []).append(row)
    return [metric for key in sorted(groups) for metric in _of_operator(key[2], key[3], groups[key])]


def _of_operator(stage: str, operator: str, rows: list[Mapping[str, Any]]) -> Iterator[CustomMetric]:
    reported: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in json.loads(row["custom_metrics"] or "{}").items():
            reported.setdefault(name, []).append(value)
    records = sum(row["input_records"] or 0 for row in rows)
    for name, values in sorted(reported.items()):
        if all(_is_number(value) for value in values):
            total = math.fsum(values)
            yield CustomMetric(stage, operator, name, total, total / records if records else None)
        else:
            yield CustomMetric(stage, operator, name, None, None, str(values[-1]))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
