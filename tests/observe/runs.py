"""What the metrics folder says of an observed run, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mega_data_factory.analytics.runs.rejects import read_rejects
from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, OperatorMetrics


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


def rejected_records(folder: Path, run_id: str) -> list[tuple[Any, ...]]:
    """Return the rows of the reject ledger of a run, sorted: id, stage, operator, reason, slice, score."""
    names = ("record_id", "stage", "operator", "reason", "slice", "score")
    return sorted((tuple(row[n] for n in names) for row in read_rejects(folder, run_id).to_pylist()), key=str)


def slices_of(folder: Path, run_id: str) -> list[tuple[Any, ...]]:
    """Return the slices of a run, sorted: operator, value, records in and out, reasons."""
    names = ("operator_name", "slice_value", "input_records", "output_records", "rejected_reasons")
    rows = MetricsReader(folder).details("slices", run_id).to_pylist()
    return sorted((tuple(row[n] for n in names) for row in rows), key=str)
