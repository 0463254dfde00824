"""Writes the files of version 0 beside this script: the bare columns of the published layout, without metadata.

Kept as it was when they were written. It uses nothing of the package, for version 0 is from before it.
"""

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).parent / "version_0"
RUN, MOMENT = "run_20260124_123456", datetime(2026, 1, 24, 12, 34, 56)
TIME, COUNT, REAL, TEXT = pa.timestamp("us"), pa.int64(), pa.float64(), pa.string()

OPERATORS = [
    ("run_id", TEXT, RUN),
    ("stage_name", TEXT, "stage_0"),
    ("operator_name", TEXT, "length_filter"),
    ("worker_id", TEXT, "worker_0"),
    ("timestamp", TIME, MOMENT),
    ("input_records", COUNT, 1000),
    ("output_records", COUNT, 900),
    ("pass_rate", REAL, 90.0),
    ("total_time", REAL, 2.0),
    ("avg_latency", REAL, 0.002),
    ("min_latency", REAL, 0.001),
    ("max_latency", REAL, 0.009),
    ("p50_latency", REAL, 0.002),
    ("p95_latency", REAL, 0.004),
    ("p99_latency", REAL, 0.008),
    ("throughput", REAL, 500.0),
    ("error_count", COUNT, 0),
    ("custom_metrics", TEXT, '{"words": 12}'),
]
STAGES = [
    ("run_id", TEXT, RUN),
    ("stage_name", TEXT, "stage_0"),
    ("timestamp", TIME, MOMENT),
    ("num_workers", COUNT, 1),
    ("input_records", COUNT, 1000),
    ("output_records", COUNT, 900),
    ("pass_rate", REAL, 90.0),
    ("total_time", REAL, 2.0),
    ("avg_throughput", REAL, 500.0),
    ("min_throughput", REAL, 500.0),
    ("max_throughput", REAL, 500.0),
    ("error_count", COUNT, 0),
]
RUNS = [
    ("run_id", TEXT, RUN),
    ("start_time", TIME, MOMENT),
    ("end_time", TIME, datetime(2026, 1, 24, 12, 35)),
    ("duration", REAL, 4.0),
    ("num_stages", COUNT, 1),
    ("total_input_records", COUNT, 1000),
    ("total_output_records", COUNT, 900),
    ("overall_pass_rate", REAL, 90.0),
    ("avg_throughput", REAL, 250.0),
    ("total_errors", COUNT, 0),
    ("config", TEXT, '{"name": "old"}'),
]

for name, columns in (
    ("operators/operators_20260124_123456", OPERATORS),
    ("stages/stages_20260124_123456", STAGES),
    ("runs/run_20260124_123456", RUNS),
):
    path = FOLDER / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table([pa.array([value], kind) for _, kind, value in columns], [column for column, _, _ in columns])
    pq.write_table(table, path, compression="snappy")
