"""Operator rows for tests of metrics."""

from __future__ import annotations

from typing import Any

from mega_data_factory.framework.metrics import OperatorMetrics


def row(
    operator: str = "filter",
    worker: str = "w0",
    records: int = 100,
    passed: int = 90,
    seconds: float = 1.0,
    **more: Any,
) -> OperatorMetrics:
    names: dict[str, Any] = {
        "run_id": "run_test",
        "stage_name": "stage_0",
        "operator_name": operator,
        "worker_id": worker,
    }
    return OperatorMetrics(**names | {"input_records": records, "output_records": passed, "total_time": seconds} | more)
