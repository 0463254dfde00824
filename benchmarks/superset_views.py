"""How long Superset's charts wait for the views: a thousand runs in files of their own, and compacted.

`python benchmarks/superset_views.py [RUNS]`. The median of five queries each, wall and CPU seconds.
"""

import statistics
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb

from mega_data_factory.clock import utc_now
from mega_data_factory.exports.superset import write_views
from mega_data_factory.framework.metrics import MetricsWriter, OperatorMetrics, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics.rows.interval import SampleMetrics
from mega_data_factory.framework.metrics.upkeep.compaction import compact

OPERATORS, WORKERS = 5, 2

QUERIES = {
    "runs": "SELECT count(*) FROM runs",
    "throughput over time": "SELECT run_start, stage_name, sum(input_records) / sum(total_time) "
    "FROM stage_history GROUP BY ALL",
    "p99 by operator": "SELECT operator_name, latency_percentile(latency_histogram, 0.99) "
    "FROM operator_history GROUP BY ALL",
    "p99 of one run": "SELECT operator_name, latency_percentile(latency_histogram, 0.99) "
    "FROM operator_history WHERE run_id = 'run_000007' GROUP BY ALL",
}


def write(folder: Path, runs: int) -> None:
    writer = MetricsWriter(folder)
    start = utc_now() - timedelta(days=30)
    rows = []
    for index in range(OPERATORS):
        row = OperatorMetrics("", "clean", f"operator_{index}", "", operator_index=index)
        for batch in range(60):
            row.observe(0.1 * 1.03**batch, 100, 90)
        rows.append(row)
    for number in range(runs):
        run_id, moment = f"run_{number:06d}", start + timedelta(minutes=number)
        operators = [
            replace(row, run_id=run_id, worker_id=f"clean-{worker}", timestamp=moment)
            for row in rows
            for worker in range(WORKERS)
        ]
        writer.write_samples([SampleMetrics(run_id, "clean", "operator_0", "clean-0", moment, 5.0, 100)], run_id)
        stage = StageMetrics(run_id, "clean", moment, input_records=6000, total_time=9.0)
        writer.write_all(RunMetrics(run_id, moment, moment, pipeline="web"), [stage], operators)


def measured(file: Path, state: str) -> None:
    for name, query in QUERIES.items():
        walls, cpus = [], []
        for _ in range(5):
            wall, cpu = time.perf_counter(), time.process_time()
            with duckdb.connect(str(file), read_only=True) as connection:
                connection.execute(query).fetchall()
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
        print(f"{state:<14}{name:<24}{statistics.median(walls):>8.3f} s {statistics.median(cpus):>8.3f} s CPU")


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), runs)
        file = write_views(folder, Path(folder, "metrics.duckdb"))
        print(f"{runs:,} runs, {runs * OPERATORS * WORKERS:,} operator rows, DuckDB {duckdb.__version__}")
        measured(file, "own files")
        compact(folder)
        measured(file, "compacted")


if __name__ == "__main__":
    main()
