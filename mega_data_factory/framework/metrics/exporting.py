"""Hand the metrics of a run to other systems while it goes on: one protocol, and a thread for each exporter.

What an exporter does to itself (fail, hang, refuse) it does to nobody else: not to the run, not to another exporter.
"""

from __future__ import annotations

import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mega_data_factory.framework.metrics.fields import utc_now
from mega_data_factory.framework.metrics.logs import logger
from mega_data_factory.framework.metrics.models import OperatorMetrics, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics.redaction import in_words

if TYPE_CHECKING:
    from mega_data_factory.framework.metrics.nodes import NodeMetrics

_log = logger("mega_data_factory.metrics")

_LONGEST_PAUSE = 60.0
"""Seconds between two attempts of an exporter that fails, where its interval is not longer itself."""

_FIRST_PAUSE = 0.2
"""Seconds between the first two attempts at the end of the run; each later pause is twice as long."""


_ENDED = "ended, after failures"
"""Said of an exporter whose last attempts failed and that could be closed: a target that was never there can be too."""


@dataclass(frozen=True)
class ExportHealth:
    """How one exporter fares.

    Attributes:
        exporter: its name.
        failures: exports that failed so far.
        last_success: when one last succeeded, naive UTC; None before the first.
    """

    exporter: str
    failures: int = 0
    last_success: datetime | None = None


@dataclass(frozen=True)
class Flight:
    """What a run has on its way and not yet in its books.

    Attributes:
        records: records that have passed all stages, or were rejected on the way, and are not in a finished file yet.
        backlogs: batches that wait for a stage or that its workers hold, by stage; empty where that is not known.
    """

    records: int = 0
    backlogs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ExportSnapshot:
    """A run at one moment; every exporter gets the same. Nobody changes it, nor the rows in it.

    Attributes:
        run: the run; `heartbeat` is the moment.
        stages: the stages, in plan order.
        operators: a row for each operator and worker, with its histogram; also operators that no batch has reached.
        nodes: the newest row of every node; empty where nodes are not measured.
        exports: how the exporters fare.
        flight: what is on its way.
        begins: start of the first committed batch of every operator, by `(stage, operator)`, naive UTC.
        metrics_path: folder or URI that the metrics of the run are written to; None where they are not written.
    """

    run: RunMetrics
    stages: Sequence[StageMetrics]
    operators: Sequence[OperatorMetrics]
    nodes: Sequence[NodeMetrics] = ()
    exports: Sequence[ExportHealth] = ()
    flight: Flight = field(default_factory=Flight)
    begins: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    metrics_path: str | None = None

    @cached_property
    def merged_operators(self) -> tuple[OperatorMetrics, ...]:
        """A row for each operator over all its workers, in plan order."""
        groups: dict[tuple[int, int, str, str], list[OperatorMetrics]] = {}
        for row in self.operators:
            place = row.stage_index, row.operator_index, row.stage_name, row.operator_name
            groups.setdefault(place, []).append(row)
        return tuple(OperatorMetrics.merged(groups[place]) for place in sorted(groups))


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
        """Take the metrics as they are now. Whatever is raised is a failure: reported, counted, tried again later."""

    @abstractmethod
    def close(self, snapshot: ExportSnapshot) -> None:
        """Take the metrics of the end, and give back what is held.

        Called once after the run has ended; again where it raised and there is time left.
        """


class _Driver:
    """Runs one exporter on a daemon thread.

    Args:
        name: of the exporter.
        exporter: what is driven.
        source: gives the snapshot of now; the argument asks for one that is not older than the call.
    """

    def __init__(self, name: str, exporter: Exporter, source: Callable[[bool], ExportSnapshot]) -> None:
        self.health = ExportHealth(name)
        self.seconds = 0.0
        self._name = name
        self._exporter = exporter
        self._source = source
        self._streak = 0
        self._ending = threading.Event()
        self._deadline = float("inf")
        self._thread = threading.Thread(target=self._go, name=f"export-to-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._deadline = time.monotonic() + self._exporter.patience
        self._ending.set()

    def finish(self) -> None:
        """Wait for the end, not beyond the deadline."""
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        if self._thread.is_alive():
            self._note_failure()
            _log.warning("%s: did not end within %g s and is given up", self._name, self._exporter.patience)

    def _go(self) -> None:
        while not self._ending.is_set():
            started = time.monotonic()
            self._attempt(lambda: self._exporter.export(self._source(False)))
            self._ending.wait(max(0.0, started + self._pause() - time.monotonic()))
        pause = _FIRST_PAUSE
        while not self._attempt(lambda: self._exporter.close(self._source(True)), _ENDED):
            if time.monotonic() + pause >= self._deadline:
                _log.warning("%s: the metrics of the end did not get there", self._name)
                break
            time.sleep(pause)
            pause *= 2

    def _pause(self) -> float:
        """Seconds to the next export; after failures twice as long each time."""
        interval = self._exporter.interval
        return min(interval * 2.0**self._streak, max(interval, _LONGEST_PAUSE))

    def _attempt(self, call: Callable[[], None], good_news: str = "metrics are exported again") -> bool:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with an exporter, the run goes on
            self._note_failure()
            if not self._streak:
                _log.warning("%s: metrics cannot be exported now, it is tried again: %s", self._name, in_words(error))
            self._streak = min(self._streak + 1, 16)
            return False
        finally:
            self.seconds = time.thread_time()
        if self._streak:
            _log.info("%s: %s", self._name, good_news)
        self._streak = 0
        self.health = ExportHealth(self._name, self.health.failures, utc_now())
        return True

    def _note_failure(self) -> None:
        self.health = ExportHealth(self._name, self.health.failures + 1, self.health.last_success)


class Exports:
    """All exporters of a run, each on a thread of its own.

    Exporters that ask within `max_age` seconds of each other share a snapshot, so that another exporter costs the
    run next to nothing.

    Args:
        exporters: by name.
        source: gives the snapshot of now, with what the exporters' health is; called on any of the threads.
        max_age: seconds.
    """

    def __init__(
        self,
        exporters: Mapping[str, Exporter],
        source: Callable[[Sequence[ExportHealth]], ExportSnapshot],
        *,
        max_age: float = 0.5,
    ) -> None:
        self._drivers = [_Driver(name, exporter, self._snapshot) for name, exporter in exporters.items()]
        self._source = source
        self._max_age = max_age
        self._taking = threading.Lock()
        self._taken: tuple[float, ExportSnapshot] | None = None
        self._started = False

    def start(self) -> None:
        """Begin."""
        self._started = True
        for driver in self._drivers:
            driver.start()

    def end(self) -> None:
        """Say that the run has ended: every exporter takes the metrics of the end, at the same time."""
        for driver in self._drivers:
            driver.end()

    def finish(self) -> None:
        """Wait until all have ended, each at most its `patience` since `end`; who has not by then is given up."""
        for driver in self._drivers if self._started else ():
            driver.finish()

    def health(self) -> tuple[ExportHealth, ...]:
        """How every exporter fares, in their order."""
        return tuple(driver.health for driver in self._drivers)

    @property
    def failures(self) -> int:
        """Exports that failed so far, over all exporters."""
        return sum(health.failures for health in self.health())

    @property
    def seconds(self) -> float:
        """CPU seconds of the exporters' threads so far."""
        return sum(driver.seconds for driver in self._drivers)

    def _snapshot(self, fresh: bool) -> ExportSnapshot:
        asked = time.monotonic()
        with self._taking:
            oldest = asked if fresh else asked - self._max_age
            if self._taken is None or self._taken[0] < oldest:
                taken = time.monotonic()
                self._taken = taken, self._source(self.health())
            return self._taken[1]


_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
"""What HTTP lets names and values of headers be (RFC 9110, 5.6.2 and 5.5)."""


def http_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers that metrics are sent with.

    Raises:
        ValueError: HTTP has no such header. Says which, and not its value, which may be a key.
    """
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a header; write one such as x-api-key")
        if value.endswith(("\r", "\n")):
            raise ValueError(f"the value of {name} ends in a line break; take it away, also from a variable it is from")
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"the value of {name} holds a character that no header can hold")
    return dict(headers)


def http_url(url: str) -> str:
    """An address that metrics are sent to, without a slash at its end.

    Raises:
        ValueError: it is not of the form `http://host:port` or `https://host`.
    """
    parts = urlsplit(url)
    try:
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment
        _ = parts.port  # which raises where it is no number
    except ValueError:
        wrong = True
    if wrong or any(character.isspace() for character in url):
        raise ValueError("this is no address; write http://host:port or https://host")
    return url.rstrip("/")
