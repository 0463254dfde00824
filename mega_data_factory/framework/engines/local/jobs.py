"""Jobs of the workers of the local engine: what a plan asks of each, as the first message to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mega_data_factory.framework.commit.output import OutputFolder
from mega_data_factory.framework.engines.local.messages import ReadJob, StageJob, StageValues, WriteJob
from mega_data_factory.framework.plan import OperatorPlan, Plan, StagePlan, When
from mega_data_factory.framework.registry import Component
from mega_data_factory.framework.worker.stage import StageSettings

_PACKAGE = "mega_data_factory."
"""Only modules of this package are imported where workers are forked, never a user's."""


def shared_modules(plan: Plan) -> list[str]:
    """Return the modules of the built-in components of a plan, which all its workers can share.

    Args:
        plan: what runs.
    """
    operators = [operator.component for stage in plan.stages for operator in stage.operators]
    return _ours(component.target.partition(":")[0] for component in (plan.loader, plan.writer, *operators))


def preloads(plan: Plan) -> list[str]:
    """Return the functions whose results the workers of all stages can share; see `Operator.preload`.

    Args:
        plan: what runs.
    """
    operators = [operator.component.load() for stage in plan.stages for operator in stage.operators]
    return _ours(getattr(operator, "preload", "") for operator in operators)  # a user's may be anything


def _ours(names: Iterable[object]) -> list[str]:
    """Return the names that lie in this package, each once."""
    return list(dict.fromkeys(name for name in names if isinstance(name, str) and name.startswith(_PACKAGE)))


def read_job(plan: Plan, spool: Path) -> ReadJob:
    """Return the job of every reader.

    Args:
        plan: what runs.
        spool: folder of tables between workers.
    """
    return {
        "role": "read",
        "name": f"data_loader `{plan.loader.name}`",
        "loader": asdict(plan.loader),
        "batch_size": plan.executor.batch_size,
        "spool": str(spool),
    }


def stage_job(
    plan: Plan, stage: StagePlan, settings: StageSettings, slot: int, claims: Sequence[str], spool: Path
) -> StageJob:
    """Return the job of one worker of a stage.

    Args:
        plan: what runs.
        stage: the stage.
        settings: of the run.
        slot: number of the worker in its pool.
        claims: addresses of the deduplication shards.
        spool: folder of tables between workers.
    """
    return {
        "role": "stage",
        "name": f"stage `{stage.name}`",
        "stage": {"name": stage.name, "index": stage.index, "operators": [asdict(op) for op in stage.operators]},
        "worker_id": f"{stage.name}-{slot}",
        "settings": asdict(settings),
        "claims": claims,
        "spool": str(spool),
        "max_attempts": plan.executor.max_attempts,
        "cpu": stage.resources.cpu,
    }


def write_job(plan: Plan, output: OutputFolder) -> WriteJob:
    """Return the job of the writer.

    Args:
        plan: what runs.
        output: where files go.
    """
    return {
        "role": "write",
        "name": f"data_writer `{plan.writer.name}`",
        "writer": asdict(plan.writer),
        "output": asdict(output),
    }


def stage_plan(values: StageValues) -> StagePlan:
    """Return the stage of a stage job."""
    return StagePlan(values["name"], values["index"], tuple(map(_operator_plan, values["operators"])), 1, 1)


def _operator_plan(values: Mapping[str, Any]) -> OperatorPlan:
    when = values["when"]
    return OperatorPlan(
        values["name"],
        values["index"],
        Component(**values["component"]),
        None if when is None else When(**when),
        values["record_timeout"],
    )
