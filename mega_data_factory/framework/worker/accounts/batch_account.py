"""Account of one batch in a stage: a row for every operator, with its counts, units and seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence

from mega_data_factory.clock import utc_now
from mega_data_factory.framework.metrics.models import OperatorMetrics
from mega_data_factory.framework.metrics.rows.batch_row import batch_row
from mega_data_factory.framework.plan import OperatorPlan, StagePlan
from mega_data_factory.framework.units import Units
from mega_data_factory.framework.worker.applying import Outcome


class BatchAccount:
    """Times the operators of a stage on one batch, and counts what they make of its records.

    CPU seconds are those of the whole process: an operator may use threads of a library, and a worker runs nothing
    beside its stage.

    Args:
        run_id: The run.
        stage: The stage.
        worker_id: Name of the worker.
    """

    def __init__(self, run_id: str, stage: StagePlan, worker_id: str) -> None:
        self._run_id = run_id
        self._stage = stage
        self._worker_id = worker_id
        self._rows: list[OperatorMetrics] = []
        self._started = self._cpu_started = 0.0
        self._seconds = self._cpu_seconds = 0.0

    def start(self) -> None:
        """Note that an operator starts."""
        self._started = time.perf_counter()
        self._cpu_started = time.process_time()

    def stop(self) -> None:
        """Note that it has stopped."""
        self._seconds = time.perf_counter() - self._started
        self._cpu_seconds = time.process_time() - self._cpu_started

    def enter(
        self,
        operator: OperatorPlan,
        outcomes: Sequence[Outcome],
        offered: Units,
        passed: Units,
        offered_bytes: int,
        changed: int | None = None,
    ) -> None:
        """Enter what the operator that has stopped made of the batch.

        Args:
            operator: The operator.
            outcomes: What it made of the records.
            offered: Units of the records offered.
            passed: Units of those passed on.
            offered_bytes: Bytes in memory of those offered; 0 if that was not measured.
            changed: Records whose values it changed; None if it is no refiner.
        """
        row = batch_row(
            (self._run_id, self._stage.name, operator.name, self._worker_id),
            (self._stage.index, operator.index),
            seconds=self._seconds,
            cpu_seconds=self._cpu_seconds,
            input_records=sum([o.offered.num_rows for o in outcomes]),
            output_records=sum([o.passed.num_rows for o in outcomes]),
            error_count=sum([o.error is not None for o in outcomes]),
            reasons=_reasons(outcomes),
            custom=_reported(outcomes),
            unmatched_records=sum([o.unmatched for o in outcomes]),
            units=(offered_bytes, offered.text_bytes, passed.text_bytes, offered.tokens, passed.tokens, changed),
        )
        self._rows.append(row)

    def rows(self) -> tuple[OperatorMetrics, ...]:
        """Return the rows of all operators, stamped with this moment: the batch leaves the stage."""
        now = utc_now()
        for row in self._rows:
            row.timestamp = now
        return tuple(self._rows)


def _reasons(outcomes: Sequence[Outcome]) -> dict[str, int]:
    reasons: dict[str, int] = {}
    for outcome in outcomes:
        if outcome.reason is not None:
            names, counts = outcome.reason.value_counts().flatten()
            for name, count in zip(names.to_pylist(), counts.to_pylist(), strict=True):
                if name is not None:
                    reasons[name] = reasons.get(name, 0) + count
    return reasons


def _reported(outcomes: Sequence[Outcome]) -> dict[str, float]:
    reported: dict[str, float] = {}
    for outcome in outcomes:
        for metric, value in outcome.reported.items():
            reported[metric] = reported.get(metric, 0) + value
    return reported
