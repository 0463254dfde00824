"""A comparison as plain values, for scripts."""

from __future__ import annotations

from typing import Any

from mega_data_factory.analytics.comparison.decomposition import Part
from mega_data_factory.analytics.comparison.differences import Comparison, OperatorDifference
from mega_data_factory.analytics.comparison.pass_rates import PointsDifference
from mega_data_factory.analytics.series.ratio import Ratio

_RUN = (
    "run_id",
    "pipeline",
    "status",
    "start_time",
    "duration",
    "total_input_records",
    "total_output_records",
    "total_errors",
    "dead_lettered_records",
    "balanced",
)


def comparison_json(found: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON values: what `mdf runs compare --json` prints.

    Returns:
        `{baseline: [run], run, same_source, same_configuration, kept, errors, throughput, cost, parts,
        sliced_parts, stages, operators, nodes, surroundings, changes}`. Points are percentage points; a
        ratio is after / before; intervals are 95 % ones, null if they are not known, or where a difference is exact.
    """
    return {
        "baseline": [{name: side.run.get(name) for name in _RUN} for side in found.baseline],
        "run": {name: found.after.run.get(name) for name in _RUN},
        "same_source": found.same_source,
        "same_configuration": found.same_configuration,
        "kept": _points(found.kept),
        "errors": _points(found.errors),
        "throughput": _ratio(found.throughput) | {"verdict": found.speed},
        "cost": _ratio(found.cost) | {"verdict": found.cost_speed, "seconds_of": found.cost_measure},
        "parts": [_part(part) for part in found.parts],
        "sliced_parts": [_part(part) for part in found.sliced_parts],
        "stages": [
            {
                "stage": stage.name,
                "cost": _ratio(stage.cost) | {"verdict": stage.speed, "seconds_of": stage.measure},
                "passed": _points(stage.passed),
                "rejected": {"before": stage.rejected[0], "after": stage.rejected[1]},
                "errors": {"before": stage.errors[0], "after": stage.errors[1]},
            }
            for stage in found.stages
        ],
        "operators": [_operator(operator) for operator in found.operators],
        "nodes": [
            {"node": node.name, "before": _fields(node.before), "after": _fields(node.after)} for node in found.nodes
        ],
        "surroundings": {side.name: {"before": side.before, "after": side.after} for side in found.surroundings},
        "changes": [
            {"key": change.key, "before": change.before, "after": change.after, "matters": change.matters}
            for change in found.changes
        ],
    }


def _operator(found: OperatorDifference) -> dict[str, Any]:
    sides = {"before": found.before, "after": found.after}
    return {
        "stage": found.operator.stage,
        "operator": found.operator.name,
        **{
            name: side
            and {
                "input_records": side.input,
                "output_records": side.output,
                "rejected_records": side.rejected,
                "error_count": side.errors,
                "created_records": side.created,
                "busy_seconds": side.busy,
                "cpu_seconds": side.cpu,
            }
            for name, side in sides.items()
        },
        "cost": _ratio(found.cost)
        | {"verdict": found.speed, "seconds_of": found.measure, "corrected": found.corrected},
        "passed": _points(found.passed) | {"changed": found.pass_changed},
        "reasons": [
            {
                "kind": reason.kind,
                "reason": reason.reason,
                "records": {"before": reason.before, "after": reason.after},
                "share": _points(reason.share),
            }
            for reason in found.reasons
        ],
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "stage": part.stage,
        "operator": part.operator,
        "kind": part.kind,
        "reason": part.reason,
        "slice": dict(part.slice),
        "points": part.points,
        "records": {"before": part.before, "after": part.after},
        "input_records": {"before": part.came_before, "after": part.came_after},
    }


def _points(found: PointsDifference) -> dict[str, Any]:
    return {**_fields(found), "is_real": found.is_real}


def _ratio(ratio: Ratio | None) -> dict[str, Any]:
    return (
        {"ratio": None, "low": None, "high": None}
        if ratio is None
        else {
            "ratio": ratio.value,
            "low": ratio.low,
            "high": ratio.high,
        }
    )


def _fields(value: Any) -> dict[str, Any]:
    return {} if value is None else dict(vars(value))
