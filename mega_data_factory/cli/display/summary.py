"""Summary of a run as one value; the terminal and the JSON output are two views of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mega_data_factory import storage
from mega_data_factory.analytics.findings import Finding
from mega_data_factory.analytics.runs.recording import planned_workers
from mega_data_factory.analytics.runs.totals import OperatorTotals, StageTotals
from mega_data_factory.formats import count
from mega_data_factory.framework.metrics.models import OperatorMetrics, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics.rows.rollup import balance_equation, over_workers
from mega_data_factory.framework.metrics.schema import OPERATORS, RUNS, STAGES
from mega_data_factory.redaction import without_credentials

if TYPE_CHECKING:
    from mega_data_factory.framework.plan import Plan

# columns of the metrics files that an answer on the command line leaves out
_LEFT_OUT = {"config", "stage_index", "operator_index", "latency_histogram", "balanced", "unbalanced_records"}

# how a run that did not come to its end is spoken of
_OPEN = {
    "failed": "failed after",
    "interrupted": "was interrupted after",
    "aborted": "was killed after",
    "running": "is in progress; so far",
}


@dataclass(frozen=True)
class RunReport:
    """A finished run, or as much of it as there was.

    Attributes:
        run: the run row.
        stages: the stage rows, in plan order.
        operators: one row for each operator instance over all its workers, in plan order.
        differences: where the books do not agree, in words.
        paths: where to look: `output`, `metrics`, `rejected_samples`, `rejects`, `errors`, `dead_letters`, `report`;
            only what is there.
        findings: what stands out in it, the most pressing first.
    """

    run: RunMetrics
    stages: tuple[StageMetrics, ...]
    operators: tuple[OperatorMetrics, ...]
    differences: tuple[str, ...]
    paths: Mapping[str, str]
    findings: tuple[Finding, ...] = ()

    @classmethod
    def from_plan(
        cls,
        plan: Plan,
        run: RunMetrics,
        stages: Sequence[StageMetrics],
        operators: Sequence[OperatorMetrics],
        differences: Sequence[str] = (),
    ) -> RunReport:
        """Gather a run that has just ended."""
        paths = {name: without_credentials(path) for name, path in _paths(plan, run).items()}
        return cls.from_rows(run, stages, operators, differences, paths)

    @classmethod
    def from_rows(
        cls,
        run: RunMetrics,
        stages: Iterable[StageMetrics],
        operators: Iterable[OperatorMetrics],
        differences: Sequence[str],
        paths: Mapping[str, str],
    ) -> RunReport:
        """Gather rows: workers merged, everything in the order of the plan, and equals in the order of the rows."""
        return cls(
            run=run,
            stages=tuple(sorted(stages, key=lambda stage: stage.stage_index)),
            operators=tuple(over_workers(operators)),
            differences=tuple(differences),
            paths=paths,
        )

    @cached_property
    def totals(self) -> tuple[StageTotals, ...]:
        """Stages with their operators over all workers, in plan order; without those that were timed as a whole."""
        pools = planned_workers(self.run.config)
        return tuple(
            StageTotals(
                name=stage.stage_name,
                index=stage.stage_index,
                operators=tuple(OperatorTotals.from_row(row) for row in operators),
                workers=(),
                pool=pools.get(stage.stage_name) or stage.num_workers,
                num_workers=stage.num_workers,
            )
            for stage in self.stages
            if (operators := self.operators_of(stage.stage_name))
        )

    @property
    def tracked_stages(self) -> list[StageMetrics]:
        """Stages that were timed as a whole, without operators."""
        return [stage for stage in self.stages if not self.operators_of(stage.stage_name)]

    @property
    def balanced(self) -> bool | None:
        """Whether every record is accounted for; None when the run did not get so far as to tell."""
        return False if self.differences else self.run.balanced

    def books(self) -> str:
        """Return the accounting check in words."""
        run = self.run
        if run.config is not None and "observed" in run.config and run.balanced:
            return f"the books balance: every step: {balance_equation(run.created_records)}"
        if run.committed_records is None and not self.differences:
            return "records were not counted against a plan"
        if run.status in _OPEN and not self.balanced:
            committed = "1 record was" if run.committed_records == 1 else f"{count(run.committed_records)} records were"
            return f"records not reconciled yet: the run {_OPEN[run.status]} {committed} committed"
        processed = (
            run.committed_records if run.processed_records is None else run.processed_records
        )  # before version 4
        if run.planned_records is None or processed is None:
            return "records were not counted against a plan"
        parts = [f"processed {count(processed)}", f"dead-lettered {count(run.dead_lettered_records)}"]
        if run.loader_errors:
            parts.append(f"unreadable {count(run.loader_errors)}")
        accounted = f"planned {count(run.planned_records)} = {' + '.join(parts)}"
        if self.balanced:
            return f"the books balance: {accounted}; every operator: {balance_equation(run.created_records)}"
        known = "; ".join(self.differences) or f"{count(run.unbalanced_records)} records are not accounted for"
        if self.run.balanced is None and not self.differences:
            return f"the books were not checked: {accounted}"
        return f"the books do NOT balance: {known}"

    def busy_shares(self) -> list[tuple[str, float]]:
        """Return the time spent on `reading`, `writing` and every operator, as shares of all busy seconds.

        An operator is named with its stage where another stage has one of its name.
        """
        names = Counter(row.operator_name for row in self.operators)
        spent = [("reading", self.run.loader_seconds), ("writing", self.run.writer_seconds)]
        for row in self.operators:
            name = row.operator_name
            spent.append((name if names[name] == 1 else f"{row.stage_name}/{name}", row.total_time))
        total = sum(seconds for _, seconds in spent)
        return sorted(((name, s / total) for name, s in spent if s), key=lambda item: -item[1]) if total else []

    def operators_of(self, stage: str) -> list[OperatorMetrics]:
        """Return the operators of a stage, in order."""
        return [row for row in self.operators if row.stage_name == stage]

    def as_json(self) -> dict[str, Any]:
        """Return the answer of `mdf run --json`: `run`, `stages` with their `operators`, `books`, `paths`, `findings`.

        Rows have the names and units of the metrics files; the operators' rows are over all workers.
        """
        return {
            "run": _row(self.run, RUNS),
            "stages": [
                _row(stage, STAGES)
                | {"operators": [_row(row, OPERATORS) for row in self.operators_of(stage.stage_name)]}
                for stage in self.stages
            ],
            "books": {"balanced": self.balanced, "text": self.books(), "differences": list(self.differences)},
            "paths": dict(self.paths),
            "findings": [finding.as_dict() for finding in self.findings],
        }


def _row(row: RunMetrics | StageMetrics | OperatorMetrics, schema: pa.Schema) -> dict[str, Any]:
    return {name: getattr(row, name) for name in schema.names if name not in _LEFT_OUT}


def _output(plan: Plan, run: RunMetrics) -> str:
    """Return the output folder as it is configured, or the one in which the output of a stopped run waits."""
    configured = plan.writer_options.output_path
    noted = (run.paths or {}).get("output", configured)
    return configured if noted == without_credentials(plan.paths()["output"]) else noted


def _paths(plan: Plan, run: RunMetrics) -> dict[str, str]:
    executor = plan.executor
    output = plan.writer_options.output_path
    paths = {"output": _output(plan, run)} if run.output_files else {}
    if executor.metrics.enabled and executor.metrics.write_on_completion:
        paths["metrics"] = executor.metrics.output_path
    if executor.rejected_samples.enabled and run.rejected_records:
        paths["rejected_samples"] = storage.join(executor.rejected_samples.output_path, f"{run.run_id}.jsonl")
    if executor.rejected_samples.keeps_all and run.rejected_records:
        paths["rejects"] = storage.join(executor.rejected_samples.output_path, run.run_id)
    if run.total_errors:
        paths["errors"] = executor.errors_path or storage.join(output, "_errors")
    if run.dead_lettered_records:
        paths["dead_letters"] = executor.dead_letter_path or storage.join(output, "_dead_letter")
    return paths
