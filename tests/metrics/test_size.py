"""Metrics are small: on disk and in memory, for a run of 3 stages, 3 operators and 8 workers."""

from __future__ import annotations

import gc
import json
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mega_data_factory.framework.metrics import IntervalSampler, MetricsCollector, MetricsWriter, OperatorMetrics

BATCHES = 40
OPERATORS = 3 * 3 * 8


def journeys() -> Iterator[str]:
    """What batches carry: a row for each operator and batch, over two minutes, with latencies as they are in life."""
    rng = random.Random(3)
    for stage in range(3):
        for operator in range(3):
            for worker in range(8):
                for batch in range(BATCHES):
                    at = datetime(2026, 1, 24) + timedelta(seconds=3 * batch + rng.random())
                    name = f"text_length_filter_{operator}"
                    row = OperatorMetrics("run_a", f"stage_{stage}", name, f"stage_{stage}-{worker}", at)
                    row.stage_index, row.operator_index = stage, operator
                    row.observe(rng.lognormvariate(-6, 0.3), 1000, 900, reasons={"too_short": 60, "too_long": 40})
                    yield json.dumps(row.to_wire())


@pytest.fixture(scope="module")
def wires() -> list[str]:
    return list(journeys())


def test_a_run_takes_less_than_100_kb(wires: Sequence[str], tmp_path: Path) -> None:
    """All four tables together; a row of an operator takes less than 1 KB."""
    collector, sampler = MetricsCollector("run_a"), IntervalSampler("run_a", 5.0)
    with collector.track_run() as run:
        run.set(config={"stages": [{"name": "a stage", "operators": [{"name": "filter"}] * 3}] * 3})
        for wire in wires:
            row = OperatorMetrics.from_wire(json.loads(wire))
            collector.add_operator_metrics(row)
            sampler.add_rows([row])
    writer = MetricsWriter(tmp_path)
    writer.write_all(collector.get_run_metrics(), collector.get_stage_metrics(), collector.get_operator_metrics())
    writer.write_samples(samples := sampler.take_samples(), "run_a")
    sizes = {path.parent.name: path.stat().st_size for path in tmp_path.rglob("*.parquet")}
    assert len(samples) > 1500
    assert sizes["operators"] < OPERATORS * 1024 / 3
    assert sum(sizes.values()) < 100_000, sizes


def bytes_per_row(wires: Sequence[str]) -> float:
    """Memory that a collector takes for each row, after all batches were merged into it."""
    MetricsCollector("run_a").add_operator_metrics(OperatorMetrics.from_wire(json.loads(wires[0])))
    collector = MetricsCollector("run_a")
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for wire in wires:
        collector.add_operator_metrics(OperatorMetrics.from_wire(json.loads(wire)))
    assert len(collector.get_operator_metrics()) == OPERATORS
    gc.collect()
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return used / OPERATORS


def test_a_row_in_memory() -> None:
    """About 1 KB with its histogram of some 33 buckets; in its own process, as memory depends on what ran before."""
    answer = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    assert 500 < float(answer.stdout) <= 1100


if __name__ == "__main__":
    print(bytes_per_row(list(journeys())))
