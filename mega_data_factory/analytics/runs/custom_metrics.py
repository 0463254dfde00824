"""Custom metrics of the operators of a run, over all workers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mega_data_factory.analytics.runs.totals import OperatorTotals, StageTotals


@dataclass(frozen=True)
class CustomMetric:
    """One metric that an operator reported itself, such as the characters that it removed.

    Attributes:
        stage, operator: The operator.
        name: Name of the metric.
        total: Sum over all workers; None if it is not a finite number.
        per_record: The sum divided by the records that came in; None if there is no sum or no record.
        text: The value of the last worker if it is not a number; empty otherwise.
    """

    stage: str
    operator: str
    name: str
    total: float | None
    per_record: float | None
    text: str = ""


def custom_metrics(stages: Iterable[StageTotals]) -> list[CustomMetric]:
    """Return the custom metrics in the order of the plan, then by name."""
    return [metric for stage in stages for operator in stage.operators for metric in custom_metrics_of(operator)]


def custom_metrics_of(operator: OperatorTotals) -> Iterator[CustomMetric]:
    """Yield the custom metrics of one operator by name."""
    for name, value in sorted(operator.custom.items()):
        if _is_number(value):
            per_record = value / operator.input if operator.input else None
            yield CustomMetric(operator.stage, operator.name, name, value, per_record)
        else:
            yield CustomMetric(operator.stage, operator.name, name, None, None, str(value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
