"""Names and values of MLflow's parameters and metrics for a run."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mega_data_factory.exports.cardinality import Bounds
from mega_data_factory.framework.metrics.live.exporting import ExportSnapshot
from mega_data_factory.framework.metrics.models import OperatorMetrics, RunMetrics, StageMetrics

_LONGEST_NAME = 250
_LONGEST_VALUE = 6000
"""Limits of MLflow for names of metrics and parameters, and for values of parameters, in characters."""

_NOT_ALLOWED = re.compile(r"[^\w\-. /:]", re.ASCII)
"""Characters that MLflow allows in no name."""


def metrics_of(snapshot: ExportSnapshot, bounds: Bounds) -> dict[str, float]:
    """Return the metrics of a snapshot by name: of the run, `stage/…`, `operator/{stage}/{operator}/…`.

    Values that are not known or not finite are left out.

    Args:
        snapshot: of the run.
        bounds: operators and reasons beyond these share the name `other`.
    """
    found = dict(_of_run(snapshot))
    for stage in snapshot.stages:
        place = f"stage/{stage.stage_name}"
        found |= {f"{place}/{name}": value for name, value in _of_stage(stage)}
    for row in bounds.operators(snapshot.merged_operators, by_worker=False):
        place = f"operator/{row.stage_name}/{row.operator_name}"
        found |= {f"{place}/{name}": value for name, value in _of_operator(row, bounds)}
    return {_name(name): float(value) for name, value in found.items() if value is not None and math.isfinite(value)}


def _of_run(snapshot: ExportSnapshot) -> Iterator[tuple[str, float | None]]:
    run = snapshot.run
    yield from _records(run, run.total_input_records, run.total_output_records, run.total_errors)
    yield "pass_rate", run.overall_pass_rate
    yield "throughput", run.avg_throughput
    yield "duration_seconds", run.duration
    yield "output_bytes", run.output_bytes
    yield "records_in_flight", snapshot.in_flight.records


def _of_stage(row: StageMetrics) -> Iterator[tuple[str, float | None]]:
    yield from _records(row, row.input_records, row.output_records, row.error_count)
    yield "bottleneck_seconds", row.total_time


def _of_operator(row: OperatorMetrics, bounds: Bounds) -> Iterator[tuple[str, float | None]]:
    yield from _records(row, row.input_records, row.output_records, row.error_count)
    yield "records_unmatched", row.unmatched_records
    yield "pass_rate", row.pass_rate
    yield "busy_seconds", row.total_time
    yield "latency_p50_seconds", row.p50_latency
    yield "latency_p99_seconds", row.p99_latency
    for reason, count in bounds.reasons(row).items():
        yield f"rejected/{reason}", count
    for name, value in row.custom_metrics.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield f"custom/{name}", value


def _records(
    row: RunMetrics | StageMetrics | OperatorMetrics, entered: int, left: int, errors: int
) -> Iterator[tuple[str, float | None]]:
    """Yield the counts of records that every level has; of created ones only if there are any."""
    yield "records_in", entered
    yield "records_out", left
    yield "records_rejected", row.rejected_records
    yield "records_created", row.created_records or None
    yield "errors", errors


def parameters_of(config: Mapping[str, Any] | None) -> dict[str, str]:
    """Return a configuration as flat parameters: `stages.clean.operators.text_length_filter.min_length` → `50`.

    Members of a list are named by their `name` where each has its own, else by their place.
    """
    return {_name(name): value[:_LONGEST_VALUE] for name, value in _flat("", config or {})}


def _flat(place: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        members = [(str(name), member) for name, member in value.items()]
    elif isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(m, Mapping) for m in value):
        members = _named(value)
    else:
        yield place, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        return
    for name, member in members:
        yield from _flat(f"{place}.{name}" if place else name, member)


def _named(members: Sequence[Any]) -> list[tuple[str, Any]]:
    """Return the members by their names, which then are no values of theirs, or else by their places."""
    names = [str(member.get("name", "")) if isinstance(member, Mapping) else "" for member in members]
    if "" in names or len(set(names)) < len(names):
        return [(str(number), member) for number, member in enumerate(members)]
    bare = ({key: value for key, value in member.items() if key != "name"} for member in members)
    return list(zip(names, bare, strict=True))


def _name(name: str) -> str:
    return _NOT_ALLOWED.sub("_", name)[:_LONGEST_NAME]
