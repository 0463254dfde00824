"""Speed of the metrics store: 10,000 runs of 9 operators on 4 workers, before and after compaction.

Everything is measured in one process and one go; ratios compare like with like. `--runs N` makes a smaller store.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, OperatorMetrics, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics.upkeep.compaction import compact

STAGES, OPERATORS, WORKERS, BATCHES = 3, 3, 4, 20
START = datetime(2026, 1, 1)

DIFFERENT_RUNS = 300
"""Runs with numbers of their own; more than a row group holds, so that compression does not find them again."""

SLOW_OPERATORS = """
SELECT operator_name, AVG(throughput) AS avg_throughput, AVG(p95_latency * 1000) AS p95_latency_ms
FROM operators GROUP BY operator_name ORDER BY avg_throughput ASC LIMIT 10
"""
PASS_RATE_TREND = """
SELECT DATE_TRUNC('hour', timestamp) AS hour, AVG(pass_rate) AS avg_pass_rate
FROM stages WHERE stage_name = 'stage_1' GROUP BY hour ORDER BY hour DESC
"""


def operator_rows(chance: random.Random) -> list[OperatorMetrics]:
    """Return the rows of a run, with latencies of their own."""
    rows = []
    for stage in range(STAGES):
        for operator in range(OPERATORS):
            for worker in range(WORKERS):
                row = OperatorMetrics(
                    "run", f"stage_{stage}", f"operator_{stage}_{operator}", f"stage_{stage}-{worker}"
                )
                row.stage_index, row.operator_index = stage, operator
                for _ in range(BATCHES):
                    row.observe(chance.lognormvariate(-4, 0.3), 1000, chance.randint(800, 1000))
                rows.append(row)
    return rows


def make_store(folder: Path, runs: int) -> float:
    """Write the runs; gives the median of the seconds that the files of one run take."""
    writer, seconds = MetricsWriter(folder), []
    chance = random.Random(0)
    kinds = [operator_rows(chance) for _ in range(min(runs, DIFFERENT_RUNS))]
    levels = [[StageMetrics.from_operators(rows, f"stage_{stage}") for stage in range(STAGES)] for rows in kinds]
    for number in range(runs):
        moment = START + timedelta(minutes=10 * number)
        run_id = f"run_{moment:%Y%m%d_%H%M%S}_{number:08x}"
        operators, stages = kinds[number % len(kinds)], levels[number % len(kinds)]
        levels_of_run: tuple[OperatorMetrics | StageMetrics, ...] = (*operators, *stages)
        for row in levels_of_run:
            row.run_id, row.timestamp = run_id, moment
        run = RunMetrics(run_id, moment, moment + timedelta(minutes=5), status="completed", config={"name": "bench"})
        started = time.perf_counter()
        writer.write_all(run, stages, operators)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def newest(reader: MetricsReader) -> None:
    run_id = reader.list_runs()[-1]
    assert reader.run(run_id)["status"] == "completed"
    assert reader.stages(run_id).num_rows == STAGES
    assert reader.operators(run_id).num_rows == STAGES * OPERATORS * WORKERS


def best(work: Callable[[], object], times: int = 5) -> float:
    """Return the median seconds of some rounds of a piece of work that is warm."""
    work()
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def once(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def with_pandas(folder: Path) -> None:
    import pandas as pd  # here: `many_runs` measures memory without it

    for kind in ("runs", "stages", "operators"):
        for file in (folder / kind).glob("*.parquet"):
            pd.read_parquet(file)


def main(runs: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write = make_store(folder, runs)
        pandas = once(lambda: with_pandas(folder))
        before = once(lambda: newest(MetricsReader(folder)))
        size = sum(file.stat().st_size for file in folder.rglob("*.parquet"))
        folding = once(lambda: compact(folder))
        after_size = sum(file.stat().st_size for file in folder.rglob("*.parquet"))
        reader = MetricsReader(folder)
        cold = once(lambda: newest(reader))
        warm = best(lambda: newest(reader))
        slow = best(lambda: reader.sql(SLOW_OPERATORS))
        trend = best(lambda: reader.sql(PASS_RATE_TREND))
        everywhere = best(
            lambda: reader.sql("FROM latency_percentiles('operators', {operator: operator_name, stage: stage_name})"), 1
        )
    print(f"| {runs} runs, {STAGES * OPERATORS} operators x {WORKERS} workers | measured | target |")
    print("|---|---|---|")
    print(f"| write the files of one run, median | {1e3 * write:.1f} ms | 30 ms |")
    print(f"| list_runs + newest run's three levels, compacted, warm | {1e3 * warm:.0f} ms | 150 ms |")
    print(f"| the same, first time | {1e3 * cold:.0f} ms | |")
    print(f"| the same, not compacted, first time | {before:.2f} s | |")
    print(f"| pandas.read_parquet over every file | {pandas:.1f} s = {pandas / warm:.0f}x | 20x |")
    print(f"| query: slow operators | {1e3 * slow:.0f} ms | 500 ms |")
    print(f"| query: pass rate by hour | {1e3 * trend:.0f} ms | 500 ms |")
    print(f"| query: percentiles of every operator | {1e3 * everywhere:.0f} ms | |")
    print(f"| compact | {folding:.1f} s, {size / 1e6:.0f} MB -> {after_size / 1e6:.1f} MB | |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    main(parser.parse_args().runs)
