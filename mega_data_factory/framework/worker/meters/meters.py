"""Meters of a stage: what it sees of its records beside counting them, as details that travel in the batch."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from mega_data_factory.framework.metrics.details.detail import Detail, add_up
from mega_data_factory.framework.plan import OperatorPlan
from mega_data_factory.framework.slice_columns import SliceColumn
from mega_data_factory.framework.worker.applying import Outcome
from mega_data_factory.framework.worker.meters.score_meter import ScoreMeter
from mega_data_factory.framework.worker.meters.slice_meter import SliceMeter
from mega_data_factory.redaction.loggers import logger

if TYPE_CHECKING:
    from mega_data_factory.framework.worker.stage import StageSettings


_log = logger("mega_data_factory.metrics")

_failed: set[tuple[str, str, str]] = set()
"""Meters of this process that have failed, with stage and operator: each is logged once."""


class Meter(Protocol):
    """Summarises what the operators of a stage make of a batch."""

    def start(self) -> None:
        """Forget what was measured: a batch comes to the stage."""
        ...

    def measure(self, stage: str, operator: OperatorPlan, outcomes: Sequence[Outcome]) -> None:
        """Measure the batch in one operator.

        Args:
            stage: Name of the stage.
            operator: The operator.
            outcomes: What it made of the batch: one outcome, or several where it raised or has a time limit.
        """
        ...

    def details(self) -> Iterable[Detail]:
        """Return what was measured since the start: the batch leaves the stage."""
        ...


def build_meters(settings: StageSettings) -> tuple[Meter, ...]:
    """Return the meters that the settings ask for; none if nothing is measured."""
    if not settings.measure:
        return ()
    meters: list[Meter] = [ScoreMeter()] if settings.score_histograms else []
    if columns := [SliceColumn(text) for text in settings.slice_by]:
        meters.append(SliceMeter(columns, settings.unit_columns, settings.slices_shown))
    return tuple(meters)


class Readings:
    """Readings of all meters of a stage for one batch, and the time that measuring took.

    A meter that raises takes no part in the rest of the stage, and what it has measured of the batch is left out: no
    batch is lost for its measurement.

    Args:
        meters: Of the stage.
        stage: Name of the stage.

    Attributes:
        seconds: Time that the meters took.
    """

    def __init__(self, meters: Sequence[Meter], stage: str) -> None:
        self.seconds = 0.0
        self._meters = list(meters)
        self._stage = stage
        for meter in meters:
            meter.start()

    def take(self, operator: OperatorPlan, outcomes: Sequence[Outcome]) -> None:
        """Let every meter measure an operator; without meters nothing happens."""
        if not self._meters:
            return
        started = time.perf_counter()
        for meter in tuple(self._meters):
            try:
                meter.measure(self._stage, operator, outcomes)
            except Exception as error:  # noqa: BLE001 - whatever a meter meets, the records are what counts
                self._meters.remove(meter)
                _log_failure(meter, self._stage, operator.name, error)
        self.seconds += time.perf_counter() - started

    def added_to(self, earlier: tuple[Detail, ...]) -> tuple[Detail, ...]:
        """Return the details of earlier stages with these added."""
        if not self._meters:
            return earlier
        started = time.perf_counter()
        measured: list[Detail] = []
        for meter in self._meters:
            try:
                measured += tuple(meter.details())
            except Exception as error:  # noqa: BLE001 - as above
                _log_failure(meter, self._stage, "", error)
        found = add_up([*earlier, *measured]) if measured else earlier
        self.seconds += time.perf_counter() - started
        return found


def _log_failure(meter: Meter, stage: str, operator: str, error: Exception) -> None:
    """Log that a meter has failed, once for each operator.

    Args:
        meter: The meter.
        stage: Name of the stage.
        operator: Name of the operator; empty if it has failed behind the last one.
        error: What it raised.
    """
    name = type(meter).__name__
    if (name, stage, operator) not in _failed:
        _failed.add((name, stage, operator))
        _log.warning(
            "%s: %s cannot measure these records, and leaves out such batches: %s: %s",
            f"stage `{stage}`, operator `{operator}`" if operator else f"stage `{stage}`",
            name,
            type(error).__name__,
            error,
        )
