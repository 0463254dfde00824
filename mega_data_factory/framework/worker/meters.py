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
from mega_data_factory.redaction.loggers import logger

if TYPE_CHECKING:
    from mega_data_factory.framework.worker.stage import StageSettings


_log = logger("mega_data_factory.metrics")

_failed: set[tuple[str, str, str]] = set()
"""Meters of this process that have failed, with stage and operator: each is logged once."""


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

    A meter that raises takes no part in the rest of the stage, and what it has measured of the batch is left out: no
    batch is lost for its measurement.

    Attributes:
        meters: Of the stage.
        seconds: Time that they took.
    """

    meters: tuple[Meter, ...]
    seconds: float = 0.0
    _details: dict[int, list[Detail]] = field(default_factory=dict)
    _raised: set[int] = field(default_factory=set)

    def take(self, stage: str, operator: OperatorPlan, outcomes: Sequence[Outcome]) -> None:
        """Let every meter measure an operator; without meters nothing happens."""
        if not self.meters:
            return
        started = time.perf_counter()
        for place, meter in enumerate(self.meters):
            if place in self._raised:
                continue
            try:
                self._details.setdefault(place, []).extend(meter.measure(stage, operator, outcomes))
            except Exception as error:  # noqa: BLE001 - whatever a meter meets, the records are what counts
                self._raised.add(place)
                self._details.pop(place, None)
                _log_failure(meter, stage, operator.name, error)
        self.seconds += time.perf_counter() - started

    def added_to(self, earlier: tuple[Detail, ...]) -> tuple[Detail, ...]:
        """Return the details of earlier stages with these added."""
        measured = [detail for details in self._details.values() for detail in details]
        return add_up([*earlier, *measured]) if measured else earlier


def _log_failure(meter: Meter, stage: str, operator: str, error: Exception) -> None:
    """Log that a meter has failed, once for each operator."""
    name = type(meter).__name__
    if (name, stage, operator) not in _failed:
        _failed.add((name, stage, operator))
        _log.warning(
            "stage `%s`, operator `%s`: %s cannot measure these records, and leaves out such batches: %s: %s",
            stage,
            operator,
            name,
            type(error).__name__,
            error,
        )
