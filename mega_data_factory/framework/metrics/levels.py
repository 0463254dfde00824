"""Run, stage and operator rows of one run, as tables and as objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.models import OperatorMetrics, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics.rows.fields import columns
from mega_data_factory.framework.metrics.rows.table_rollup import table_over_workers


@dataclass(frozen=True)
class Levels:
    """The three levels of one run.

    Attributes:
        run: its row, with `config` parsed.
        stages: its stage rows.
        operators: its operator rows, one for each worker.
    """

    run: dict[str, Any]
    stages: pa.Table
    operators: pa.Table

    def run_metrics(self) -> RunMetrics:
        """Return the row of the run; as in the other levels, what an older version lacks has its default."""
        return RunMetrics(**_known(self.run, RunMetrics))

    def stage_metrics(self) -> list[StageMetrics]:
        """Return the rows of the stages."""
        return [StageMetrics(**_known(row, StageMetrics)) for row in schema.to_rows(self.stages)]

    def operator_metrics(self) -> list[OperatorMetrics]:
        """Return the rows of the operators, one for each worker."""
        return [OperatorMetrics.from_dict(_known(row, OperatorMetrics)) for row in schema.to_rows(self.operators)]

    def operators_over_workers(self) -> list[OperatorMetrics]:
        """Return a row for each operator instance, added up over its workers and named `*`, in plan order."""
        return table_over_workers(self.operators)


def _known(row: Mapping[str, Any], kind: type[RunMetrics | StageMetrics | OperatorMetrics]) -> dict[str, Any]:
    """Return the values of a row for the fields of its class, without nulls."""
    names = {column.name for column in columns(kind)}
    return {name: value for name, value in row.items() if name in names and value is not None}
