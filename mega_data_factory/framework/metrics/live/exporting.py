"""Export of the metrics of a run in progress to other systems: one protocol, and a thread for each exporter.

An exporter that fails, hangs or refuses affects neither the run nor another exporter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from mega_data_factory.framework.metrics.details.totals import DetailTotals
from mega_data_factory.framework.metrics.models import OperatorMetrics, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics.rows.rollup import over_workers
from mega_data_factory.redaction.loggers import logger

if TYPE_CHECKING:
    from mega_data_factory.framework.metrics.nodes import NodeMetrics

_log = logger("mega_data_factory.metrics")


@dataclass(frozen=True)
class ExportHealth:
    """Health of one exporter.

    Attributes:
        exporter: its name.
        failures: exports that failed so far.
        last_success: when one last succeeded, naive UTC; None before the first.
    """

    exporter: str
    failures: int = 0
    last_success: datetime | None = None


@dataclass(frozen=True)
class InFlight:
    """Records and batches of a run that are in flight and not yet in its books.

    Attributes:
        records: records that have passed all stages, or were rejected on the way, and are not in a finished file yet.
        backlogs: batches that wait for a stage or that its workers hold, by stage; empty if that is not known.
    """

    records: int = 0
    backlogs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ExportSnapshot:
    """A run at one moment; every exporter gets the same. It is never changed, nor are the rows in it.

    Attributes:
        run: the run; `heartbeat` is the moment.
        stages: the stages, in plan order.
        operators: a row for each operator and worker, with its histogram; also operators that no batch has reached.
        nodes: the newest row of every node; empty if nodes are not measured.
        exports: how the exporters fare.
        in_flight: records in flight, and batches that wait for each stage.
        begins: start of the first committed batch of every operator, by `(stage, operator)`, naive UTC.
        details: details of the run, such as statistics of the output's columns; they still grow while it runs.
        metrics_path: folder or URI that the metrics of the run are written to; None if they are not written.
    """

    run: RunMetrics
    stages: Sequence[StageMetrics]
    operators: Sequence[OperatorMetrics]
    nodes: Sequence[NodeMetrics] = ()
    exports: Sequence[ExportHealth] = ()
    in_flight: InFlight = field(default_factory=InFlight)
    begins: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    details: DetailTotals = field(default_factory=DetailTotals)
    metrics_path: str | None = None

    @cached_property
    def merged_operators(self) -> tuple[OperatorMetrics, ...]:
        """A row for each operator over all its workers, in plan order."""
        return tuple(over_workers(self.operators))


class Exporter(ABC):
    """Takes the metrics of one run to one other system.

    The constructor's parameters are what a configuration gives; it must neither open nor connect, for a configuration
    is checked by calling it. All methods are called on one thread, which belongs to this exporter alone.

    Attributes:
        interval: seconds from one export to the next.
        patience: seconds that the end of a run waits at most for `close`.
    """

    interval: float = 5.0
    patience: float = 5.0

    @abstractmethod
    def export(self, snapshot: ExportSnapshot) -> None:
        """Export the metrics as they are now. Any exception is a failure: reported, counted, retried later."""

    @abstractmethod
    def close(self, snapshot: ExportSnapshot) -> None:
        """Export the final metrics and release all resources.

        Called once after the run has ended; again where it raised and there is time left.
        """
