"""Account of one batch in a stage: a row for every operator, with its counts, units and seconds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from mega_data_factory.clock import utc_now
from mega_data_factory.framework.metrics.models import OperatorMetrics
from mega_data_factory.framework.metrics.rows.batch_row import BatchValues
from mega_data_factory.framework.metrics.rows.reasons import bounded
from mega_data_factory.framework.metrics.rows.travelling import TravellingRows, stage_text
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
        self._rows: list[BatchValues] = []
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
        self._rows.append(
            BatchValues(
                operator.name,
                operator.index,
                self._seconds,
                self._cpu_seconds,
                sum([o.offered.num_rows for o in outcomes]),
                sum([o.passed.num_rows for o in outcomes]),
                sum([o.error is not None for o in outcomes]),
                sum([o.unmatched for o in outcomes]),
                (offered_bytes, offered.text_bytes, passed.text_bytes, offered.tokens, passed.tokens, changed),
                bounded(_reasons(outcomes)) or 0,
                _reported(outcomes) or 0,
            )
        )

    def added_to(self, earlier: Sequence[OperatorMetrics]) -> Sequence[OperatorMetrics]:
        """Return rows with those of all operators behind them, stamped with this moment: the batch leaves the stage.

        Args:
            earlier: Rows of the stages that the batch has passed before.
        """
        if not self._rows:
            return earlier
        stage = self._stage
        text = stage_text(self._run_id, stage.name, stage.index, self._worker_id, utc_now(), self._rows)
        return TravellingRows.of(earlier).with_text(text)


def _reasons(outcomes: Sequence[Outcome]) -> Mapping[str, int]:
    found = [o.judgement.rejected_by_reason() for o in outcomes if o.judgement is not None]
    return found[0] if len(found) == 1 else dict(sum(map(Counter, found), Counter[str]()))


def _reported(outcomes: Sequence[Outcome]) -> Mapping[str, float]:
    if len(outcomes) == 1:
        return outcomes[0].reported
    reported: dict[str, float] = {}
    for outcome in outcomes:
        for metric, value in outcome.reported.items():
            reported[metric] = reported.get(metric, 0) + value
    return reported
