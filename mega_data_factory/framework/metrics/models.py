"""Metrics of a run on three levels: the run, its stages, the operators of a stage on a worker.

Counts, seconds and histogram buckets are state; rates, means and percentiles are derived from them when they are
read. State merges, so a thread, a worker, a node and a run are one rule, and `sum` is the aggregator.
"""

# ruff: noqa: RUF009 - a `Derived` default is a descriptor, which is what it is called for
from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mega_data_factory.clock import naive, utc_now
from mega_data_factory.framework.metrics.rows.fields import (
    Derived,
    as_columns,
    known_sum,
    parts,
    per_second,
    percent,
)
from mega_data_factory.framework.metrics.rows.operator import OperatorMetrics
from mega_data_factory.framework.metrics.rows.rollup import by_instance, unbalanced_records

__all__ = ["OperatorMetrics", "RunMetrics", "StageMetrics", "unbalanced_records"]


@dataclass
class StageMetrics:
    """One stage of one run, over all its workers.

    Only the two names are required; `from_operators` fills in the rest.

    Attributes:
        run_id: the run.
        stage_name: the stage.
        timestamp: when last measured, naive UTC.
        num_workers: distinct workers.
        input_records: input of the first operator, over all workers.
        output_records: output of the last operator, over all workers.
        pass_rate: 100 · output / input, percent; None when nothing came in.
        total_time: bottleneck time: busy seconds of the busiest worker.
        avg_throughput: mean over workers of records in ÷ busy seconds of that worker; None when none was busy.
        min_throughput: least over workers of the same.
        max_throughput: most over workers of the same.
        error_count: records that raised and were set aside, over all operators.
        stage_index: place of the stage in the plan.
        rejected_records: records rejected, over all operators.
        created_records: records made beside those that came in, over all operators.
        uncommitted_input_records, uncommitted_output_records: input of the first and output of the last operator by
            batches that have passed the stage and are in no file yet; in no other number.
        input_text_bytes, input_tokens: bytes of text and tokens that came in to the first operator; None if they
            were not counted.
        output_text_bytes, output_tokens: the same of what the last operator passed on.
        operator_metrics: the operator rows that it is the sum of, as far as they are known here; no column.
    """

    run_id: str
    stage_name: str
    timestamp: datetime = field(default_factory=utc_now)
    num_workers: int = 0
    input_records: int = 0
    output_records: int = 0
    pass_rate: Derived[float | None] = Derived(lambda row: percent(row.output_records, row.input_records))
    total_time: float = 0.0
    avg_throughput: float | None = None
    min_throughput: float | None = None
    max_throughput: float | None = None
    error_count: int = 0
    stage_index: int = 0
    rejected_records: int = 0
    uncommitted_input_records: int = 0
    uncommitted_output_records: int = 0
    created_records: int = 0
    input_text_bytes: int | None = None
    output_text_bytes: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    operator_metrics: list[OperatorMetrics] = parts()

    def __post_init__(self) -> None:
        self.timestamp = naive(self.timestamp)

    def to_dict(self) -> dict[str, Any]:
        """Return its columns as a dict."""
        return as_columns(self)

    @classmethod
    def from_operators(
        cls, rows: Iterable[OperatorMetrics], stage_name: str, run_id: str | None = None
    ) -> StageMetrics:
        """Sum up a stage.

        Operators are in plan order, as `rollup.by_instance` has them. Those without records, which measure time only,
        are neither the first nor the last.

        Args:
            rows: operator rows; those of other stages are left out.
            stage_name: the stage.
            run_id: the run; by default that of the first row, or empty when there is none.
        """
        operators = by_instance(row for row in rows if row.stage_name == stage_name)
        if not operators:
            return cls(run_id=run_id or "", stage_name=stage_name)
        rows = [row for group in operators for row in group]
        counting = [group for group in operators if any(row.input_records or row.output_records for row in group)]
        first, last = (counting[0], counting[-1]) if counting else (operators[0], operators[-1])
        busy: dict[str, float] = {}
        for row in rows:
            busy[row.worker_id] = busy.get(row.worker_id, 0.0) + row.total_time
        came = dict.fromkeys(busy, 0)
        for row in first:
            came[row.worker_id] += row.input_records
        rates = [rate for worker in busy if (rate := per_second(came[worker], busy[worker])) is not None]
        return cls(
            run_id=rows[0].run_id if run_id is None else run_id,
            stage_name=stage_name,
            timestamp=max(row.timestamp for row in rows),
            num_workers=len(busy),
            input_records=sum(row.input_records for row in first),
            output_records=sum(row.output_records for row in last),
            total_time=max(busy.values()),
            avg_throughput=sum(rates) / len(rates) if rates else None,
            min_throughput=min(rates, default=None),
            max_throughput=max(rates, default=None),
            error_count=sum(row.error_count for row in rows),
            stage_index=min(row.stage_index for row in rows),
            rejected_records=sum(row.rejected_records for row in rows),
            uncommitted_input_records=sum(row.uncommitted_input_records for row in operators[0]),
            uncommitted_output_records=sum(row.uncommitted_output_records for row in operators[-1]),
            created_records=sum(row.created_records for row in rows),
            input_text_bytes=_known_sum(row.input_text_bytes for row in first),
            output_text_bytes=_known_sum(row.output_text_bytes for row in last),
            input_tokens=_known_sum(row.input_tokens for row in first),
            output_tokens=_known_sum(row.output_tokens for row in last),
            operator_metrics=rows,
        )


def _known_sum(counts: Iterable[int | None]) -> int | None:
    return functools.reduce(known_sum, counts, None)


def _seconds_between(run: RunMetrics) -> float:
    return 0.0 if run.end_time is None else (run.end_time - run.start_time).total_seconds()


@dataclass
class RunMetrics:
    """One run.

    Only `run_id` is required. A derived value (`duration`, `overall_pass_rate`, `avg_throughput`) that is given is
    kept. Of the extension, None means "not known".

    Attributes:
        run_id: the run.
        start_time: when it started, naive UTC.
        end_time: when it ended, naive UTC; None while it runs.
        duration: seconds from start to end; end - start when not given, 0 when there is no end.
        num_stages: stages.
        total_input_records: records read by the loader.
        total_output_records: records committed by the writer.
        overall_pass_rate: 100 · out / in, percent; None when nothing came in.
        avg_throughput: records in ÷ duration, per second; None when nothing came in.
        total_errors: records that operators, the loader or the writer set aside.
        config: the configuration.
        status: `completed`, `failed`, `interrupted` or `running`.
        error: what made it fail.
        pipeline: name of the pipeline.
        engine: what moved the batches.
        mdf_version: version of this package.
        planned_records: records of the source; while it runs None if only reading tells.
        committed_records: records in output files that the writer has acknowledged.
        dead_lettered_records: records set aside because they took their worker down.
        rejected_records: records rejected, over all stages.
        loader_errors: records that could not be read.
        batches: batches committed.
        retried_batches: batches that took more than one attempt.
        output_files: files written.
        output_bytes: bytes written.
        loader_seconds: seconds busy reading, over all workers.
        writer_seconds: seconds busy writing, over all workers.
        instrumentation_seconds: seconds that measuring itself took, over all workers.
        balanced: whether every record is accounted for.
        unbalanced_records: records not accounted for.
        heartbeat: when the row was last written, naive UTC.
        flush_interval: seconds from one heartbeat to the next, while it runs.
        flush_failures: how often the metrics could not be written.
        hostname: machine of the driver.
        pid: process of the driver.
        export_failures: how often metrics could not be exported to other systems while it ran.
        writer_errors: records that the writer could not write.
        paths: where `output`, `errors`, `dead_letters` and `rejected_samples` go.
        processed_records: records of committed batches that went to operators; with those that were dead-lettered or
            could not be read they are all that was read.
        uncommitted_input_records: records read whose batches have passed all stages and are in no file yet; in no other
            number.
        uncommitted_output_records: of these, records that wait to be written.
        source_share: how much of the source has passed all stages, 0 to 1; None while that is not known.
        source_unit: what that is a share of: `records`, `bytes` or `splits`.
        startup_seconds: seconds from the start of the first worker's process until all workers were ready; None where
            the engine does not start them itself.
        created_records: records that operators made beside those that came in, over all stages.
        input_text_bytes, input_tokens: bytes of text and tokens that came in to the first stage; None if they were
            not counted.
        output_text_bytes, output_tokens: the same of what the last stage passed on.
        stage_metrics: the stage rows that it is the sum of, as far as they are known here; no column.
    """

    run_id: str
    start_time: datetime = field(default_factory=utc_now)
    end_time: datetime | None = None
    duration: Derived[float] = Derived(_seconds_between)
    num_stages: int = 0
    total_input_records: int = 0
    total_output_records: int = 0
    overall_pass_rate: Derived[float | None] = Derived(
        lambda row: percent(row.total_output_records, row.total_input_records)
    )
    avg_throughput: Derived[float | None] = Derived(lambda row: per_second(row.total_input_records, row.duration))
    total_errors: int = 0
    config: dict[str, Any] | None = None
    status: str = "completed"
    error: str | None = None
    pipeline: str | None = None
    engine: str | None = None
    mdf_version: str | None = None
    planned_records: int | None = None
    committed_records: int | None = None
    dead_lettered_records: int = 0
    rejected_records: int = 0
    loader_errors: int = 0
    batches: int = 0
    retried_batches: int = 0
    output_files: int = 0
    output_bytes: int = 0
    loader_seconds: float = 0.0
    writer_seconds: float = 0.0
    instrumentation_seconds: float = 0.0
    balanced: bool | None = None
    unbalanced_records: int | None = None
    heartbeat: datetime | None = None
    flush_interval: float | None = None
    flush_failures: int = 0
    hostname: str | None = None
    pid: int | None = None
    export_failures: int = 0
    writer_errors: int = 0
    paths: dict[str, str] | None = None
    processed_records: int | None = None
    uncommitted_input_records: int | None = None
    uncommitted_output_records: int | None = None
    source_share: float | None = None
    source_unit: str | None = None
    startup_seconds: float | None = None
    created_records: int = 0
    input_text_bytes: int | None = None
    output_text_bytes: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    stage_metrics: list[StageMetrics] = parts()

    def __post_init__(self) -> None:
        self.start_time = naive(self.start_time)
        self.end_time = None if self.end_time is None else naive(self.end_time)
        self.heartbeat = None if self.heartbeat is None else naive(self.heartbeat)

    def to_dict(self) -> dict[str, Any]:
        """Return its columns as a dict; `config` and `paths` are dicts in it."""
        return as_columns(self)
