"""Meters of a stage: what it sees of its records beside counting them, as details that travel in the batch."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mega_data_factory.framework.metrics.details.detail import Detail, add_up
from mega_data_factory.framework.plan import OperatorPlan
from mega_data_factory.framework.slice_columns import SliceColumn
from mega_data_factory.framework.worker.applying import Outcome
from mega_data_factory.framework.worker.score_meter import ScoreMeter
from mega_data_factory.framework.worker.slice_meter import SliceMeter

if TYPE_CHECKING:
    from mega_data_factory.framework.worker.stage import StageSettings


class Meter(Protocol):
    """Summarises what an operator made of some records."""

    def measure(self, stage: str, operator: OperatorPlan, outcomes: Sequence[Outcome]) -> Iterable[Detail]:
        """Return details of one batch in one operator.

        Args:
            stage: Name of the stage.
            operator: The operator.
            outcomes: What it made of the batch: one outcome, or several where it raised or has a time limit.
        """
        ...


def build_meters(settings: StageSettings) -> tuple[Meter, ...]:
    """Return the meters that the settings ask for; none where nothing is measured."""
    if not settings.measure:
        return ()
    meters: list[Meter] = [ScoreMeter()] if settings.score_histograms else []
    if columns := [SliceColumn(text) for text in settings.slice_by]:
        meters.append(SliceMeter(columns, settings.unit_columns, settings.slices_shown))
    return tuple(meters)


@dataclass
class Readings:
    """Details of one batch in one stage, and the time that measuring them took.

    Attributes:
        meters: Of the stage.
        seconds: Time that they took.
    """

    meters: tuple[Meter, ...]
    seconds: float = 0.0
    _details: list[Detail] = field(default_factory=list)

    def take(self, stage: str, operator: OperatorPlan, outcomes: Sequence[Outcome]) -> None:
        """Let every meter measure an operator; without meters nothing happens."""
        if not self.meters:
            return
        started = time.perf_counter()
        for meter in self.meters:
            self._details += meter.measure(stage, operator, outcomes)
        self.seconds += time.perf_counter() - started

    def added_to(self, earlier: tuple[Detail, ...]) -> tuple[Detail, ...]:
        """Return the details of earlier stages with these added."""
        return add_up([*earlier, *self._details]) if self._details else earlier
