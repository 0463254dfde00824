"""The earlier runs of a pipeline: what a run is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc

from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.framework.metrics.reader import MetricsReader

MOST_RUNS = 20
"""Earlier runs that define the usual range; older ones are ignored."""


@dataclass(frozen=True)
class EarlierRuns:
    """Earlier completed runs of the same pipeline.

    Attributes:
        runs: their rows, the newest first, without configurations.
        pass_rates: `(stage, operator)` → percent in each of them that has the operator.
        previous: the newest of them, whole; None if there is none.
    """

    runs: tuple[Mapping[str, Any], ...] = ()
    pass_rates: Mapping[tuple[str, str], list[float]] = field(default_factory=dict)
    previous: Recording | None = None

    @classmethod
    def read(cls, reader: MetricsReader, recording: Recording, *, limit: int = MOST_RUNS) -> EarlierRuns:
        """Read what came before a run.

        Args:
            reader: the metrics.
            recording: the run.
            limit: earlier runs to return at most.

        Raises:
            MetricsError: as the methods of the reader.
        """
        pipeline = recording.run.get("pipeline")
        if pipeline is None:
            return cls()
        table = reader.runs(pipeline=pipeline, status="completed", until=recording.run["start_time"])
        table = table.filter(pc.field("run_id") != recording.run_id).drop_columns(["config"])
        rows = table.slice(max(0, len(table) - limit)).to_pylist()[::-1]
        rates: dict[tuple[str, str], list[float]] = {}
        for row in rows:
            for key, rate in _pass_rates(reader, row["run_id"]).items():
                rates.setdefault(key, []).append(rate)
        return cls(tuple(rows), rates, Recording.read(reader, rows[0]["run_id"]) if rows else None)

    def values(self, column: str) -> list[float]:
        """Return the known values of a column of the earlier runs."""
        return [float(row[column]) for row in self.runs if row.get(column) is not None]


def _pass_rates(reader: MetricsReader, run_id: str) -> dict[tuple[str, str], float]:
    rows = reader.operators(run_id).select(["stage_name", "operator_name", "input_records", "output_records"])
    added = rows.group_by(["stage_name", "operator_name"]).aggregate(
        [("input_records", "sum"), ("output_records", "sum")]
    )
    return {
        (row["stage_name"], row["operator_name"]): 100 * row["output_records_sum"] / row["input_records_sum"]
        for row in added.to_pylist()
        if row["input_records_sum"]
    }
