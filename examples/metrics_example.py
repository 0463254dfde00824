"""The metrics of a run, without a pipeline: collect them, write and read them, merge them over workers.

    python examples/metrics_example.py          # the workers of the third example are plain objects
    python examples/metrics_example.py --ray    # ... are Ray actors

Everything is written to a temporary folder.
"""

from __future__ import annotations

import argparse
import tempfile
from typing import Any

from mega_data_factory.framework.metrics import (
    MetricsAggregator,
    MetricsCollector,
    MetricsWriter,
    OperatorMetrics,
)

TEXTS = ["far too short", "a text that is long enough to be kept", "tiny", "another text that may well stay in"] * 500


class Worker:
    """Keeps long texts, and knows what it did."""

    def __init__(self, run_id: str, worker_id: str) -> None:
        self.worker_id = worker_id
        self.collector = MetricsCollector(run_id)

    def keep_long(self, texts: list[str]) -> list[str]:
        """Return the texts of at least 20 characters."""
        with self.collector.track_operator("text_length_filter", "filtering", self.worker_id) as op:
            kept = [text for text in texts if len(text) >= 20]
            op.records(input=len(texts), output=len(kept), reasons={"too_short": len(texts) - len(kept)})
        return kept

    def get_operator_metrics(self) -> list[OperatorMetrics]:
        """Return the rows of this worker: `MetricsAggregator` calls this."""
        return self.collector.get_operator_metrics()


def collect() -> MetricsCollector:
    """Time a run, a stage and an operator with context managers (example 1)."""
    collector = MetricsCollector()
    with collector.track_run() as run, collector.track_stage("filtering"):
        for start in range(0, len(TEXTS), 100):
            batch = TEXTS[start : start + 100]
            with collector.track_operator("text_length_filter", "filtering", "worker_0") as op:
                kept = [text for text in batch if len(text) >= 20]
                op.records(input=len(batch), output=len(kept), reasons={"too_short": len(batch) - len(kept)})
        run.set(pipeline="example", config={"min_length": 20})
    result = collector.get_run_metrics()
    assert result is not None
    print(f"run       {result.run_id} {result.status} in {1000 * result.duration:.2f} ms")
    print(f"records   {result.total_input_records} in, {result.total_output_records} out, {result.overall_pass_rate} %")
    for row in collector.get_operator_metrics():
        print(f"operator  {row.operator_name}: {row.batches} batches, rejected {row.rejected_reasons}")
        print(f"          p50 {_micro(row.p50_latency)}, p99 {_micro(row.p99_latency)} per record")
    return collector


def write_and_read(collector: MetricsCollector, folder: str) -> None:
    """Write three Parquet files, and read them back (example 2)."""
    writer = MetricsWriter(folder)
    writer.write_all(
        run_metrics=collector.get_run_metrics(),
        stage_metrics=collector.get_stage_metrics(),
        operator_metrics=collector.get_operator_metrics(),
    )
    for run_id in writer.list_runs():
        run = writer.read_run_metrics(run_id)
        assert run is not None
        print(f"run       {run_id}: config {run['config']}")
        for stage in writer.read_stage_metrics(run_id):
            print(f"stage     {stage['stage_name']}: {stage['avg_throughput']:,.0f} records/s per worker")
        for row in writer.read_operator_metrics(run_id):
            print(f"operator  {row['operator_name']} on {row['worker_id']}: pass rate {row['pass_rate']} %")


def aggregate(use_ray: bool) -> None:
    """Ask two workers at the same time, and merge their answers (example 3)."""
    run_id = MetricsCollector().run_id
    workers: list[Any]
    if use_ray:
        import ray

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        actor = ray.remote(num_cpus=0.5)(Worker)
        workers = [actor.remote(run_id, f"worker_{i}") for i in range(2)]
        ray.get([worker.keep_long.remote(TEXTS[i::2]) for i, worker in enumerate(workers)])
    else:
        workers = [Worker(run_id, f"worker_{i}") for i in range(2)]
        for i, worker in enumerate(workers):
            worker.keep_long(TEXTS[i::2])
    aggregator = MetricsAggregator(run_id)
    rows = aggregator.collect_from_workers(workers, timeout=30.0)
    stage = aggregator.aggregate_to_stage_metrics(rows, "filtering")
    total = OperatorMetrics.merged(rows)
    print(f"workers   {', '.join(row.worker_id for row in rows)}; unreachable: {aggregator.unreachable or 'none'}")
    print(f"stage     {stage.num_workers} workers, {stage.input_records} in, {stage.output_records} out")
    print(f"operator  p99 over all workers {_micro(total.p99_latency)} per record")


def _micro(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{1e6 * seconds:.3f} µs"


def main() -> None:
    """Run the three examples."""
    parser = argparse.ArgumentParser(description="three examples of the metrics module")
    parser.add_argument("--ray", action="store_true", help="use Ray actors as the workers of the third example")
    use_ray = parser.parse_args().ray
    print("--- 1. collect ---")
    collector = collect()
    print("--- 2. write and read Parquet ---")
    with tempfile.TemporaryDirectory() as folder:
        write_and_read(collector, folder)
    print(f"--- 3. merge over workers ({'Ray actors' if use_ray else 'plain objects'}) ---")
    aggregate(use_ray)


if __name__ == "__main__":
    main()
