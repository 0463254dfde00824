"""An aggregator of metrics as a Ray actor, for drivers that do not wait for their workers.

`DistributedMetricsAggregator` is a Ray actor class: start one with `.remote(run_id)`. Ray is loaded when the name is
first asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

from mega_data_factory import extras
from mega_data_factory.framework.metrics.aggregator import MetricsAggregator
from mega_data_factory.framework.metrics.models import OperatorMetrics, StageMetrics


class GatheringAggregator:
    """Collects operator rows of the workers of a run, and keeps them.

    Args:
        run_id: the run.
    """

    def __init__(self, run_id: str) -> None:
        self._aggregator = MetricsAggregator(run_id)
        self._rows: dict[tuple[str, str, str, str], OperatorMetrics] = {}

    def collect_from_workers(self, workers: Sequence[Any], timeout: float = 10.0) -> list[OperatorMetrics]:
        """Ask workers, as `MetricsAggregator.collect_from_workers` does, and keep their rows.

        Workers answer with totals: the later answer of a worker replaces the one before.
        """
        rows = self._aggregator.collect_from_workers(workers, timeout)
        self._rows.update((row.key, row) for row in rows)
        return rows

    def aggregate_to_stage_metrics(
        self, operator_metrics: Iterable[OperatorMetrics] | str | None = None, stage_name: str | None = None
    ) -> StageMetrics:
        """Sum up operator rows to a stage, as `MetricsAggregator.aggregate_to_stage_metrics` does.

        Args:
            operator_metrics: the rows; all that were collected when left out.
            stage_name: the stage; it may also be the only argument.

        Raises:
            TypeError: no stage is named.
        """
        if isinstance(operator_metrics, str):
            operator_metrics, stage_name = None, operator_metrics
        if stage_name is None:
            raise TypeError("name the stage: aggregate_to_stage_metrics(operator_metrics, stage_name)")
        rows = self.get_all_metrics() if operator_metrics is None else operator_metrics
        return self._aggregator.aggregate_to_stage_metrics(rows, stage_name)

    def get_all_metrics(self) -> list[OperatorMetrics]:
        """Return the rows of all workers that were asked, in the order in which they first answered."""
        return list(self._rows.values())

    def clear(self) -> None:
        """Forget all rows."""
        self._rows.clear()


@functools.cache
def _actor_class() -> Any:
    extras.require("ray", "DistributedMetricsAggregator")
    import ray

    return ray.remote(num_cpus=0)(GatheringAggregator)


def __getattr__(name: str) -> Any:
    if name != "DistributedMetricsAggregator":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _actor_class()
