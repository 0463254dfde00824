"""Recording of a run as one value: the input of all findings and charts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.analytics.output_columns import ColumnSummary, column_statistics
from mega_data_factory.analytics.runs.adding_up import stages_of
from mega_data_factory.analytics.runs.slices import SliceTotals, slices_of
from mega_data_factory.analytics.runs.totals import OperatorTotals, StageTotals
from mega_data_factory.framework.metrics.levels import Levels
from mega_data_factory.framework.metrics.reader import MetricsReader
from mega_data_factory.framework.metrics.schema import OPERATORS, SAMPLES, SCORES, SLICES, STAGES

SAMPLED = ("input_records", "output_records", "rejected_records", "error_count", "busy_time", "batches", "cpu_time")
"""Columns of samples that add."""

_PLACE = ("stage_name", "operator_name", "timestamp")
_SAMPLE_COLUMNS = (*_PLACE, "interval", "stage_index", "operator_index", *SAMPLED)


@dataclass(frozen=True)
class Recording:
    """One run.

    Attributes:
        run: its row, `config` parsed.
        operators: operator rows, one for each worker.
        samples: interval samples, added up over workers: `_SAMPLE_COLUMNS`, by time.
        nodes: rows of the nodes; empty if they were not sampled.
        stage_rows: rows of the table `stages`.
        slice_rows: rows of the table `slices`.
        output_columns: statistics of the columns of the output; empty if they were not measured.
        scores: rows of the table `scores`.
    """

    run: Mapping[str, Any]
    operators: pa.Table = field(default_factory=OPERATORS.empty_table)
    samples: pa.Table = field(default_factory=lambda: SAMPLES.empty_table().select(_SAMPLE_COLUMNS))
    nodes: pa.Table = field(default_factory=lambda: pa.table({}))
    stage_rows: pa.Table = field(default_factory=STAGES.empty_table)
    slice_rows: pa.Table = field(default_factory=SLICES.empty_table)
    output_columns: tuple[ColumnSummary, ...] = ()
    scores: pa.Table = field(default_factory=SCORES.empty_table)

    @classmethod
    def read(cls, reader: MetricsReader, run: str) -> Recording:
        """Read a run.

        Args:
            reader: the metrics.
            run: id, unique beginning of one, or `latest`.

        Raises:
            MetricsError: there is no such run, or several.
        """
        return cls.of_levels(reader, reader.levels(run))

    @classmethod
    def of_levels(cls, reader: MetricsReader, levels: Levels) -> Recording:
        """Add the samples of a run and of its nodes to its levels."""
        run_id = levels.run["run_id"]
        samples = reader.samples(run_id, columns=_SAMPLE_COLUMNS)
        return cls(
            levels.run,
            levels.operators,
            over_workers(samples),
            reader.nodes(run_id),
            levels.stages,
            reader.details("slices", run_id),
            tuple(column_statistics(reader, run_id)),
            reader.details("scores", run_id),
        )

    @property
    def run_id(self) -> str:
        """The run."""
        return str(self.run["run_id"])

    @cached_property
    def stages(self) -> tuple[StageTotals, ...]:
        """Stages with their operators, over all workers, in plan order."""
        return stages_of(self.operators, planned_workers(self.run.get("config")))

    @cached_property
    def operator_totals(self) -> tuple[OperatorTotals, ...]:
        """Operators of all stages, over all workers, in plan order."""
        return tuple(operator for stage in self.stages for operator in stage.operators)

    @cached_property
    def slices(self) -> tuple[SliceTotals, ...]:
        """Slices of its records, in plan order; empty if it was not sliced."""
        return slices_of(self.slice_rows, [stage.name for stage in self.stages])

    @cached_property
    def tracked_stages(self) -> tuple[Mapping[str, Any], ...]:
        """Rows of the stages that were tracked as a whole, without an operator, in plan order."""
        with_operators = {stage.name for stage in self.stages}
        rows = [row for row in self.stage_rows.to_pylist() if row["stage_name"] not in with_operators]
        return tuple(sorted(rows, key=lambda row: -1 if row["stage_index"] is None else row["stage_index"]))

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration; empty if none was stored."""
        return self.run.get("config") or {}

    @property
    def is_pipeline(self) -> bool:
        """Whether `mdf` ran it, so that advice about its configuration helps; else a script measured its own work."""
        return not self.is_observed and bool(
            self.run.get("engine") or self.config.get("data_loader") or self.config.get("stages")
        )

    @property
    def is_observed(self) -> bool:
        """Whether another engine ran it, and `mdf.observe` counted."""
        return "observed" in self.config

    @property
    def seconds(self) -> float:
        """Duration; of a run without an end, until its last heartbeat; 0 if unknown."""
        return run_seconds(self.run) or 0.0

    @property
    def working_seconds(self) -> float:
        """The part of `seconds` from the first interval in which a batch was done to the last: start-up left out."""
        if not len(self.samples):
            return self.seconds
        begin, end = self.span
        return min(self.seconds, (end - begin).total_seconds()) or self.seconds

    @property
    def span(self) -> tuple[datetime, datetime]:
        """From the first interval to the end of the last, within the run; start and end of the run without samples."""
        start: datetime = self.run["start_time"]
        end: datetime = self.run.get("end_time") or self.run.get("heartbeat") or start
        if not len(self.samples):
            return start, end
        times = self.samples["timestamp"].to_pylist()
        last = times[-1] + interval_of(self.samples)
        return max(start, times[0]), min(end, last) if end > times[-1] else last


def run_seconds(run: Mapping[str, Any]) -> float | None:
    """Return the duration of a run; of one without an end, until its last heartbeat; None if unknown."""
    if run.get("end_time") is None and run.get("heartbeat") is not None and run.get("start_time") is not None:
        return max(0.0, float((run["heartbeat"] - run["start_time"]).total_seconds()))
    return None if run.get("duration") is None else float(run["duration"])


def interval_of(samples: pa.Table) -> timedelta:
    """Return the length of the intervals: the longest, if a run was resumed with another setting."""
    return timedelta(seconds=pc.max(samples["interval"]).as_py() or 0.0)


def over_workers(samples: pa.Table) -> pa.Table:
    """Return samples added up over workers: one row for each operator instance and interval, by time."""
    keys = [*_PLACE, "interval", "stage_index", "operator_index"]
    cpu = samples.column_names.index("cpu_time")
    samples = samples.set_column(cpu, "cpu_time", pc.fill_null(samples["cpu_time"], 0.0))  # not in older files
    added = samples.group_by(keys, use_threads=False).aggregate([(name, "sum") for name in SAMPLED])
    added = added.rename_columns([name.removesuffix("_sum") for name in added.column_names])
    return added.select(_SAMPLE_COLUMNS).sort_by(
        [("timestamp", "ascending"), ("stage_index", "ascending"), ("operator_index", "ascending")]
    )


def planned_workers(config: Mapping[str, Any] | None) -> dict[str, int]:
    """Return stage → size of its pool, for pools of a fixed size; elastic pools are known by the workers seen."""
    sizes: dict[str, int] = {}
    for stage in (config or {}).get("stages") or ():
        worker = stage.get("worker") or {}
        if not {"min_replicas", "max_replicas"} & worker.keys():
            sizes[str(stage.get("name"))] = _whole(worker.get("num_replicas"), 1)
    return sizes


def _whole(value: object, otherwise: int) -> int:
    """Return a number of workers; a variable that was not filled in (`${N}`) says nothing."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else otherwise
