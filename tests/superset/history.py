"""A month of runs of two pipelines, the same every time: what the dashboard is tested on, and looks like."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from mega_data_factory.framework.metrics import (
    MetricsAggregator,
    MetricsWriter,
    OperatorMetrics,
    RunMetrics,
    StageMetrics,
)
from mega_data_factory.framework.metrics.nodes import NodeMetrics
from mega_data_factory.framework.metrics.rows.histogram import LatencyHistogram
from mega_data_factory.framework.metrics.rows.interval import SampleMetrics
from mega_data_factory.framework.metrics.schema import DETAILS, TABLES

START = datetime(2026, 10, 24, 1, 30)
INTERVAL = 5.0
STEPS = 24  # intervals of a run

# stage → operator → (milliseconds per record, share passed, reasons)
PIPELINE = {
    "clean": {
        "text_length_filter": (0.11, 0.93, ("too_short", "too_long")),
        "exact_deduplicator": (0.34, 0.97, ("duplicate",)),
        "unicode_repair_refiner": (0.62, 1.0, ()),
    },
    "judge": {
        "language_filter": (0.9, 0.86, ("low_language_score", "wrong_language")),
        "gopher_repetition_filter": (1.4, 0.74, ("duplicate_lines", "top_ngram")),
        "gopher_quality_filter": (0.5, 0.9, ("too_few_stop_words",)),
    },
    "embedding_stage": {
        "embedder": (4.2, 1.0, ()),
        "minhash_deduplicator": (1.1, 0.95, ("duplicate",)),
    },
}
WORKERS = {"clean": 2, "judge": 3, "embedding_stage": 4}


@dataclass
class Run:
    """The rows of one run."""

    run: RunMetrics
    stages: list[StageMetrics]
    operators: list[OperatorMetrics]
    samples: list[SampleMetrics]
    nodes: list[NodeMetrics]


def month(runs: int = 30) -> Iterator[Run]:
    """Runs of two pipelines, one of them failed, one with open books, one killed."""
    chance = random.Random(20261122)
    for number in range(runs):
        made = one_run(number, chance)
        if number == 3:
            made.run = replace(made.run, status="failed", error="OutputError: the disk is full")
        if number == 4:
            made.run = replace(made.run, balanced=False, unbalanced_records=3)
        if number == 6:  # its driver was killed: it says running, and its heart does not beat
            made.run = replace(made.run, status="running", end_time=None)
        yield made


def one_run(number: int, chance: random.Random, start: datetime | None = None) -> Run:
    start = start or START + timedelta(hours=23 * number, minutes=chance.randrange(40))
    run_id = f"run_{start:%Y%m%d_%H%M%S}_{number:08x}"
    pipeline = "web_text" if number % 3 else "code"
    planned = records = chance.randrange(3_000, 9_000)
    operators, stages = [], []
    for stage_index, (stage, steps) in enumerate(PIPELINE.items()):
        mine = []
        for operator_index, (operator, (cost, share, reasons)) in enumerate(steps.items()):
            passed = 0
            for worker in range(WORKERS[stage]):
                row = OperatorMetrics(
                    run_id,
                    stage,
                    operator,
                    f"{stage}-{worker}",
                    start + timedelta(seconds=STEPS * INTERVAL),
                    stage_index=stage_index,
                    operator_index=operator_index,
                )
                offered = records // WORKERS[stage] + (worker < records % WORKERS[stage])
                slower = cost * (1 + 0.02 * number) / 1000 * (1.35 if pipeline == "code" else 1)
                passed += _observe(row, offered, slower, share, reasons, chance)
                mine.append(row)
            records = passed
        operators += mine
        stages.append(MetricsAggregator(run_id).aggregate_to_stage_metrics(mine, stage))
    errors = sum(row.error_count for row in operators)
    seconds = STEPS * INTERVAL
    run = RunMetrics(
        run_id,
        start,
        start + timedelta(seconds=seconds),
        num_stages=len(PIPELINE),
        total_input_records=planned,
        total_output_records=records,
        total_errors=errors,
        pipeline=pipeline,
        engine="local",
        rejected_records=sum(row.rejected_records for row in operators),
        balanced=True,
        unbalanced_records=0,
        heartbeat=start + timedelta(seconds=seconds),
        flush_interval=5.0,
    )
    return Run(run, stages, operators, list(_samples(operators, start, chance)), list(_nodes(run_id, start, chance)))


def _observe(
    row: OperatorMetrics, offered: int, cost: float, share: float, reasons: tuple[str, ...], chance: random.Random
) -> int:
    passed = 0
    while offered:
        batch = min(offered, 250)
        offered -= batch
        good = batch if share == 1 else sum(chance.random() < share for _ in range(batch))
        bad = batch - good
        error = int(bad > 0 and chance.random() < 0.03)
        counts = dict.fromkeys(reasons, 0)
        for _ in range(bad - error):
            counts[reasons[min(int(chance.expovariate(1.5)), len(reasons) - 1)]] += 1
        seconds = batch * cost * chance.lognormvariate(0, 0.3) * (4 if chance.random() < 0.02 else 1)
        row.observe(seconds, batch, good, error, reasons={name: n for name, n in counts.items() if n})
        passed += good
    return passed


def _samples(operators: list[OperatorMetrics], start: datetime, chance: random.Random) -> Iterator[SampleMetrics]:
    """What operators did, spread over the intervals of the run; sums are those of the operators."""
    first = datetime.fromtimestamp(start.timestamp() // INTERVAL * INTERVAL)
    for row in operators:
        weights = [1 + 0.3 * chance.random() for _ in range(STEPS)]
        left = {"input_records": row.input_records, "output_records": row.output_records}
        for step, weight in enumerate(weights):
            rest = sum(weights[step:])
            took = {name: value if step == STEPS - 1 else int(value * weight / rest) for name, value in left.items()}
            left = {name: left[name] - took[name] for name in left}
            yield SampleMetrics(
                row.run_id,
                row.stage_name,
                row.operator_name,
                row.worker_id,
                first + timedelta(seconds=step * INTERVAL),
                INTERVAL,
                **took,
                rejected_records=took["input_records"] - took["output_records"],
                busy_time=row.total_time * weight / sum(weights),
                batches=1,
                latency_histogram=LatencyHistogram({-600 + 3 * step: took["input_records"]})
                if took["input_records"]
                else LatencyHistogram(),
                stage_index=row.stage_index,
                operator_index=row.operator_index,
            )


def _nodes(run_id: str, start: datetime, chance: random.Random) -> Iterator[NodeMetrics]:
    for node in ("node-a", "node-b"):
        cpu = 55.0 if node == "node-a" else 35.0
        for step in range(STEPS):
            cpu = min(99.0, max(5.0, cpu + chance.uniform(-8, 9)))
            yield NodeMetrics(
                run_id,
                node,
                start + timedelta(seconds=step * INTERVAL),
                cpu_usage=cpu,
                memory_usage=40 + step / 2 + chance.uniform(-1, 1),
                disk_usage=61.0,
                network_io=chance.uniform(1e6, 9e6),
                disk_io=chance.uniform(1e6, 5e7),
                iops=chance.uniform(10, 400),
                partition_count=chance.randrange(1, 5),
                status="degraded" if cpu > 90 else "active",
                hostname=node,
            )


def write(folder: Path, made: Run) -> None:
    """Write all tables of a run, the row of the run last."""
    writer = MetricsWriter(folder)
    writer.write_samples(made.samples, made.run.run_id)
    writer.write_nodes(made.nodes, made.run.run_id)
    counted = {"failed_records": 2, "failed_alone_records": 1, "input_records": 5, "rejected_records": 1, "nulls": 3}
    for table in DETAILS:
        names = {"run_id": made.run.run_id, "timestamp": made.run.start_time}
        columns = set(TABLES[table].names)
        values = {name: value for name, value in counted.items() if name in columns}
        writer.write_details(table, [names | values], made.run.run_id)
    writer.write_all(made.run, made.stages, made.operators)


def write_month(folder: Path, runs: int = 30) -> None:
    for made in month(runs):
        write(folder, made)
