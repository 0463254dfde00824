"""Ledgers that no run has written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from mega_data_factory.framework.metrics import MetricsWriter, RunMetrics
from mega_data_factory.rejects import SCHEMA, write_rejects


def rejected(number: int, **values: Any) -> dict[str, Any]:
    """A row: the record of this number, too short by as many letters."""
    row = {
        "run_id": "run_a",
        "batch": f"000000-{number // 10:05d}",
        "record_id": f"r{number:04d}",
        "stage": "clean",
        "operator": "length",
        "reason": "too_short",
        "score": 100.0 - number,
        "threshold": 100.0,
        "failed_rules": ["too_short"],
        "bytes": 100 - number,
    }
    return row | values


def write_ledger(folder: Path, *files: list[dict[str, Any]]) -> list[str]:
    """Write a file of rows each; returns their paths."""
    paths = [str(folder / f"part-00000{number}.parquet") for number in range(len(files))]
    for path, rows in zip(paths, files, strict=True):
        write_rejects(path, pa.Table.from_pylist(rows, SCHEMA))
    return paths


def write_run(folder: Path, *files: list[dict[str, Any]]) -> str:
    """Write the metrics of a run that kept these rows, in two files or more; returns the metrics folder."""
    write_ledger(folder / "rejected" / "run_a", *files)
    rows = sum(map(len, files))
    paths = {"rejects": str(folder / "rejected"), "output": str(folder / "output")}
    kept = {"executor": {"rejected_samples": {"keep": "all"}}}
    run = RunMetrics(
        "run_a", rejected_records=rows, paths=paths, committed_records=0, total_input_records=rows, config=kept
    )
    MetricsWriter(str(folder / "metrics")).write_run_metrics(run)
    return str(folder / "metrics")
