"""Metrics of one operator in one interval of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from mega_data_factory.framework.metrics.rows.histogram import LatencyHistogram
from mega_data_factory.framework.metrics.rows.operator import OperatorMetrics


@dataclass
class SampleMetrics:
    """Metrics of one operator instance on one worker in one interval; all of them add.

    Attributes:
        run_id: the run.
        stage_name: the stage.
        operator_name: the operator instance.
        worker_id: the worker.
        timestamp: start of the interval, naive UTC, a multiple of `interval` since 1970.
        interval: its length, seconds.
        input_records: records offered.
        output_records: records passed on.
        rejected_records: records rejected.
        error_count: records that raised and were set aside.
        busy_time: seconds busy, with batches that ended in the interval.
        batches: batches measured.
        latency_histogram: seconds per record, weighted by records.
        created_records: records made beside those that came in.
        cpu_time: Seconds of CPU used; 0 if that was not measured.
        stage_index, operator_index: place of the stage in the plan, of the operator in the stage.
    """

    run_id: str
    stage_name: str
    operator_name: str
    worker_id: str
    timestamp: datetime
    interval: float
    input_records: int = 0
    output_records: int = 0
    rejected_records: int = 0
    error_count: int = 0
    busy_time: float = 0.0
    batches: int = 0
    latency_histogram: LatencyHistogram = field(default_factory=LatencyHistogram)
    stage_index: int = 0
    operator_index: int = 0
    created_records: int = 0
    cpu_time: float = 0.0

    def include(self, row: OperatorMetrics) -> None:
        """Add what an operator row counts."""
        self.input_records += row.input_records
        self.output_records += row.output_records
        self.rejected_records += row.rejected_records
        self.error_count += row.error_count
        self.created_records += row.created_records
        self.busy_time += row.total_time
        self.cpu_time += row.cpu_time
        self.batches += row.batches
        if row.latency_histogram:
            self.latency_histogram.include(row.latency_histogram)
        elif row.input_records:
            self.latency_histogram.add(row.avg_latency or 0.0, row.input_records)
