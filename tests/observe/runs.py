"""What the metrics folder says of an observed run, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mega_data_factory.framework.metrics import MetricsWriter, OperatorMetrics


def rows_of(folder: Path, run_id: str) -> dict[str, OperatorMetrics]:
    """Return the rows of a run by operator, merged over workers."""
    rows: dict[str, list[OperatorMetrics]] = {}
    for values in MetricsWriter(folder).read_operator_metrics(run_id):
        row = OperatorMetrics.from_dict(values)
        rows.setdefault(row.operator_name, []).append(row)
    return {name: OperatorMetrics.merged(own) for name, own in rows.items()}


def run_row(folder: Path, run_id: str) -> dict[str, Any]:
    """Return the row of a run."""
    row = MetricsWriter(folder).read_run_metrics(run_id)
    assert row is not None
    return row


def flow(row: OperatorMetrics) -> tuple[int, int, int, int]:
    """Return input, output, rejected and errors."""
    return row.input_records, row.output_records, row.rejected_records, row.error_count
