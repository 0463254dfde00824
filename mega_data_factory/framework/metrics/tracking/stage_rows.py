"""Stage rows of one collector: from blocks that were timed, from operators, and as callers gave them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from mega_data_factory.framework.metrics.models import OperatorMetrics, StageMetrics
from mega_data_factory.framework.metrics.tracking.stage_tracker import StageTimes


class StageRows:
    """Stages of one run.

    Args:
        run_id: the run; rows of others are made its own.
        clock: monotonic seconds.
        now: the time of day, naive UTC.
    """

    def __init__(self, run_id: str, clock: Callable[[], float], now: Callable[[], datetime]) -> None:
        self._run_id = run_id
        self._clock = clock
        self._now = now
        self._times: dict[str, StageTimes] = {}
        self._added: dict[str, StageMetrics] = {}

    def times(self, name: str) -> StageTimes:
        """Return the time and records of a stage, which exists from now on."""
        return self._times.get(name) or self._times.setdefault(name, StageTimes(self._clock, self._now))

    def add(self, stage: StageMetrics) -> None:
        """Keep a copy of a row that stands for its stage; of several of a stage the last counts."""
        self._added[stage.stage_name] = replace(stage, run_id=self._run_id)

    def rows(self, operators: Iterable[OperatorMetrics]) -> list[StageMetrics]:
        """Return the stages that were tracked, in that order, then rows that were added, then those of operators only.

        Args:
            operators: the operator rows of the run.
        """
        operators = list(operators)
        untracked = sorted(operators, key=lambda row: row.stage_index)
        tracked, added = self._times.copy(), self._added.copy()  # another thread may track one meanwhile
        names = dict.fromkeys([*tracked, *added, *(row.stage_name for row in untracked)])
        return [
            replace(added[name]) if name in added else self._measured(operators, name, tracked.get(name))
            for name in names
        ]

    def _measured(self, operators: list[OperatorMetrics], name: str, times: StageTimes | None) -> StageMetrics:
        stage = StageMetrics.from_operators(operators, name, self._run_id)
        if times is not None:
            times.complete(stage)
        return stage
