"""Statistics of operators as dicts of column names: those that an operator keeps, as a row, and those of rows."""

from __future__ import annotations

import json
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mega_data_factory.framework.metrics.models import OperatorMetrics, StageMetrics
from mega_data_factory.framework.metrics.rows.fields import per_second
from mega_data_factory.framework.metrics.rows.rollup import over_workers
from mega_data_factory.framework.metrics.tracking.accounts import amount, whole
from mega_data_factory.framework.metrics.tracking.entries import AddedRow, BatchId

_COUNTS = ("input_records", "output_records", "error_count")
_LATENCIES = ("min_latency", "max_latency", "p50_latency", "p95_latency", "p99_latency")
_FOLLOWING = frozenset({"pass_rate", "avg_latency", "throughput"})
"""Columns that follow from counts and seconds."""


STAGE_SUMMARY = "_stage_summary"
_STAGE_STATS = ("input_records", "output_records", "error_count", "pass_rate", "total_time")
_OPERATOR_STATS = (*_STAGE_STATS, "avg_latency", *_LATENCIES, "throughput")


@dataclass(frozen=True)
class OperatorStats:
    """What the statistics of an operator say.

    Attributes:
        counts: `input_records`, `output_records` and `error_count`, as far as they are there.
        seconds: Seconds busy; None if they are not there.
        latencies: Extremes and percentiles of seconds per record.
        custom: Everything else that is a number, and the custom metrics.
    """

    counts: Mapping[str, int]
    seconds: float | None
    latencies: Mapping[str, float]
    custom: Mapping[str, Any]

    @classmethod
    def parse(cls, stats: Mapping[str, Any], warn: Callable[[str, str], None]) -> OperatorStats:
        """Read statistics; a value that cannot be right is left out.

        Args:
            stats: Values by name.
            warn: Takes the name of each value that was left out, and what is wrong with it.
        """
        if not isinstance(stats, Mapping):
            warn("statistics", f"statistics must be a mapping, not {stats!r}")
            stats = {}
        counts: dict[str, int] = {}
        amounts: dict[str, float] = {}
        custom: dict[str, Any] = {}
        for name, value in stats.items():
            if name in _FOLLOWING:
                continue
            try:
                if name in _COUNTS:
                    is_whole = isinstance(value, float) and value.is_integer()
                    counts[name] = whole(name, int(value) if is_whole else value)
                elif name == "total_time" or name in _LATENCIES:
                    amounts[name] = float(amount(name, value))
                elif name == "custom_metrics":
                    custom.update(_custom(value))
                elif isinstance(value, numbers.Real) and not isinstance(value, bool):
                    custom[str(name)] = value
            except ValueError as error:
                warn(name, str(error))
        seconds = amounts.pop("total_time", None)
        return cls(counts, seconds, amounts if any(amounts.values()) else {}, custom)

    def to_row(self, key: tuple[str, str, str, str], operator_index: int) -> OperatorMetrics:
        """Return a row that has them.

        Args:
            key: run, stage, operator and worker.
            operator_index: place of the operator in the stage.
        """
        row = OperatorMetrics(*key, operator_index=operator_index, **self.counts)  # type: ignore[arg-type]
        row.created_records = max(0, row.output_records + row.error_count - row.input_records)
        row.custom_metrics = dict(self.custom)
        self.put_into(row)
        return row

    def put_into(self, row: OperatorMetrics) -> None:
        """Set the seconds and latencies of a row that holds one batch."""
        if self.seconds is not None:
            row.total_time = self.seconds
            row.latency_histogram = type(row.latency_histogram)()  # it has the time of the block
            row.min_latency = row.max_latency = None
        for name, value in self.latencies.items():
            setattr(row, name, value)


def stats_by_stage(rows: Iterable[OperatorMetrics]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the statistics of operators over their workers, by stage and operator, in plan order.

    Those of the whole stage are under `_stage_summary`; operators and stages without records are left out.
    """
    rows = list(rows)
    stages: dict[str, dict[str, dict[str, float]]] = {}
    for row in over_workers(rows):
        if row.input_records:
            stages.setdefault(row.stage_name, {})[row.operator_name] = _stats(row, _OPERATOR_STATS)
    for name, operators in stages.items():
        stage = StageMetrics.from_operators(rows, name)
        throughput = per_second(stage.input_records, stage.total_time) or 0.0
        operators[STAGE_SUMMARY] = {**_stats(stage, _STAGE_STATS), "throughput": throughput}
    return stages


def _stats(row: OperatorMetrics | StageMetrics, names: Sequence[str]) -> dict[str, float]:
    return {name: getattr(row, name) or 0 for name in names}


def _custom(value: Any) -> Mapping[str, Any]:
    """Return custom metrics, which may be JSON text."""
    found = json.loads(value) if isinstance(value, str) else value
    if not isinstance(found, Mapping | None):
        raise ValueError(f"custom_metrics must be a mapping, not {value!r}")
    return {str(name): one for name, one in (found or {}).items()}


class _Tracked(Protocol):
    """The tracker of a batch that has been left."""

    batch_id: BatchId | None

    def to_row(self) -> OperatorMetrics: ...

    def count_into(self, row: OperatorMetrics) -> None: ...


class StatsQueue:
    """The queue of a tracker whose batch has statistics: it queues a row that has them.

    Args:
        queue: Takes the row.
        stats: The statistics.
    """

    def __init__(self, queue: Any, stats: OperatorStats) -> None:
        self.queue = queue
        self._stats = stats

    def append(self, tracked: _Tracked) -> None:
        """Queue the row of a batch."""
        row = tracked.to_row()
        tracked.count_into(row)
        self._stats.put_into(row)
        self.queue.append(AddedRow(row, tracked.batch_id))
