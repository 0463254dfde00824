"""Runs that never ran: rows of any shape, written by the package's own writer, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.framework.metrics import (
    LatencyHistogram,
    MetricsReader,
    MetricsWriter,
    OperatorMetrics,
    RunMetrics,
    StageMetrics,
)
from mega_data_factory.framework.metrics.nodes.models import NodeMetrics
from mega_data_factory.framework.metrics.rows.interval import SampleMetrics

START = datetime(2026, 1, 24, 12, 0)
INTERVAL = 5.0


@dataclass(frozen=True)
class Op:
    """An operator of a made run: seconds a record, the shares that reasons take, custom metrics of each worker.

    `created` is how many records it makes beside each that comes in.
    """

    name: str
    cost: float = 0.001
    reasons: dict[str, float] = field(default_factory=dict)
    errors: float = 0.0
    custom: dict[str, float] = field(default_factory=dict)
    created: float = 0.0


@dataclass(frozen=True)
class Pool:
    """A stage of a made run. `slow` multiplies the cost of its last worker, whose part of the work `share` is."""

    name: str
    operators: Sequence[Op]
    workers: int = 2
    slow: float = 1.0
    share: float | None = None


def make_run(path: Path, pools: Sequence[Pool], run_id: str = "run_made", **options: Any) -> str:
    """Write a run; see `_Maker` for the options. Returns the run id."""
    _Maker(pools, run_id, **options).write(path)
    return run_id


def recorded(path: Path, pools: Sequence[Pool], run_id: str = "run_made", **options: Any) -> Recording:
    """Write a run and read it back."""
    return Recording.read(MetricsReader(path), make_run(path, pools, run_id, **options))


class _Maker:
    """What becomes of records that flow evenly through the stages for some intervals.

    Options: records, intervals, noise (of the cost, by interval), seed, start, samples, nodes (CPU percent of each),
    cores (of each node), own (percent of the CPU that the run used on each node), config, and columns of the run's row.
    """

    def __init__(
        self,
        pools: Sequence[Pool],
        run_id: str,
        *,
        records: int = 10_000,
        intervals: int = 20,
        noise: float = 0.05,
        seed: int = 0,
        start: datetime = START,
        samples: bool = True,
        nodes: Sequence[float] = (),
        cores: float | None = None,
        own: float | None = None,
        config: dict[str, Any] | None = None,
        **run: Any,
    ) -> None:
        self.pools, self.run_id, self.records, self.intervals = pools, run_id, records, intervals
        self.noise, self.start, self.with_samples, self.nodes = noise, start, samples, nodes
        self.cores, self.own = cores, own
        self.draw = np.random.default_rng(seed)
        self.config = made_config(pools) if config is None else config
        self.run = run
        self.operators: list[OperatorMetrics] = []
        self.samples: list[SampleMetrics] = []

    def write(self, path: Path) -> None:
        left = self.records
        for stage_index, pool in enumerate(self.pools):
            for index, operator in enumerate(pool.operators):
                left = self._operator(pool, stage_index, operator, index, left)
        writer = MetricsWriter(path, replace=True)
        if self.with_samples:
            writer.write_samples(self.samples, self.run_id)
        if self.nodes:
            writer.write_nodes(self._nodes(), self.run_id)
        stages = [StageMetrics.from_operators(self.operators, pool.name, self.run_id) for pool in self.pools]
        writer.write_all(self._row(left), stages, self.operators)

    def _operator(self, pool: Pool, stage_index: int, operator: Op, index: int, records: int) -> int:
        passed = 0
        for worker, offered in enumerate(self._shares(pool, records)):
            last = worker == pool.workers - 1
            row = self._row_of(pool, stage_index, operator, index, worker, offered, pool.slow if last else 1.0)
            self.operators.append(row)
            passed += row.output_records
        return passed

    def _shares(self, pool: Pool, records: int) -> list[int]:
        last = round(records * (1 / pool.workers if pool.share is None else pool.share))
        others = pool.workers - 1
        return [*((records - last) // others + (at < (records - last) % others) for at in range(others)), last]

    def _row_of(
        self, pool: Pool, stage_index: int, operator: Op, index: int, worker: int, offered: int, times: float
    ) -> OperatorMetrics:
        reasons = {reason: round(offered * share) for reason, share in operator.reasons.items()}
        reasons = {reason: number for reason, number in reasons.items() if number}
        errors = round(offered * operator.errors)
        costs = operator.cost * times * np.exp(self.draw.normal(0, self.noise, self.intervals))
        counts = np.full(self.intervals, offered // self.intervals)
        counts[: offered % self.intervals] += 1
        histogram = LatencyHistogram()
        for cost, count in zip(costs, counts, strict=True):
            histogram.add(float(cost), int(count))
        place: dict[str, Any] = {"stage_index": stage_index, "operator_index": index}
        names: dict[str, Any] = {
            "stage_name": pool.name,
            "operator_name": operator.name,
            "worker_id": f"{pool.name}-{worker}",
        }
        created = round(offered * operator.created)
        output = offered + created - sum(reasons.values()) - errors
        busy = float((costs * counts).sum())
        if self.with_samples:
            self._sample(names, place, costs, counts, output / offered if offered else 0.0)
        return OperatorMetrics(
            run_id=self.run_id,
            **names,
            **place,
            input_records=offered,
            output_records=output,
            rejected_records=sum(reasons.values()),
            rejected_reasons=reasons,
            custom_metrics=operator.custom,
            error_count=errors,
            created_records=created,
            total_time=busy,
            batches=self.intervals,
            latency_histogram=histogram,
        )

    def _sample(
        self, names: dict[str, Any], place: dict[str, Any], costs: np.ndarray, counts: np.ndarray, share: float
    ) -> None:
        for at, (cost, count) in enumerate(zip(costs, counts, strict=True)):
            self.samples.append(
                SampleMetrics(
                    run_id=self.run_id,
                    **names,
                    **place,
                    timestamp=self.start + timedelta(seconds=INTERVAL * at),
                    interval=INTERVAL,
                    input_records=int(count),
                    output_records=round(int(count) * share),
                    busy_time=float(cost * count),
                    batches=1,
                )
            )

    def _nodes(self) -> list[NodeMetrics]:
        return [
            NodeMetrics(
                run_id=self.run_id,
                node_id=f"node-{number}",
                timestamp=self.start + timedelta(seconds=INTERVAL * at + 1),
                cpu_usage=load,
                cpu_count=self.cores,
                run_cpu_usage=self.own,
                memory_usage=40.0,
                disk_usage=30.0,
                hostname=f"host-{number}",
            )
            for number, load in enumerate(self.nodes)
            for at in range(self.intervals)
        ]

    def _row(self, output: int) -> RunMetrics:
        seconds = INTERVAL * self.intervals
        values: dict[str, Any] = {
            "run_id": self.run_id,
            "pipeline": "made",
            "engine": "local",
            "mdf_version": "0.1.0",
            "status": "completed",
            "start_time": self.start,
            "end_time": self.start + timedelta(seconds=seconds),
            "duration": seconds,
            "num_stages": len(self.pools),
            "total_input_records": self.records,
            "total_output_records": output,
            "planned_records": self.records,
            "committed_records": output,
            "processed_records": self.records,
            "rejected_records": sum(row.rejected_records for row in self.operators),
            "created_records": sum(row.created_records for row in self.operators),
            "total_errors": sum(row.error_count for row in self.operators),
            "balanced": True,
            "batches": self.intervals * sum(pool.workers for pool in self.pools[:1]),
            "output_files": 1,
            "output_bytes": 123_456,
            "loader_seconds": 0.1,
            "writer_seconds": 0.1,
            "instrumentation_seconds": 0.01,
            "config": self.config,
        }
        return RunMetrics(**values | self.run)


def made_config(pools: Sequence[Pool]) -> dict[str, Any]:
    """The configuration that such a run would have had."""
    return {
        "name": "made",
        "data_loader": {"type": "jsonl_loader", "params": {"path": "in"}},
        "stages": [
            {
                "name": pool.name,
                "worker": {"num_replicas": pool.workers},
                "operators": [{"name": operator.name} for operator in pool.operators],
            }
            for pool in pools
        ],
        "data_writer": {"type": "parquet_writer", "params": {"output_path": "out"}},
    }
