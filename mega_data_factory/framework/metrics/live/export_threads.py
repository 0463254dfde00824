"""Threads that drive the exporters of a run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from mega_data_factory.backoff import Backoff
from mega_data_factory.clock import utc_now
from mega_data_factory.redaction import in_words

if TYPE_CHECKING:
    pass
from mega_data_factory.framework.metrics.live.exporting import Exporter, ExportHealth, ExportSnapshot, _log

_LONGEST_PAUSE = 60.0
"""Seconds between two attempts of an exporter that fails, where its interval is not longer itself."""


_FIRST_PAUSE = 0.2
"""Seconds between the first two attempts at the end of the run; each later pause is twice as long."""


_ENDED = "ended, after failures"
"""Said of an exporter whose last attempts failed and that could be closed: a target that was never there can be too."""


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
        self._backoff = Backoff(exporter.interval, _LONGEST_PAUSE)
        self._ending = threading.Event()
        self._deadline = float("inf")
        self._thread = threading.Thread(target=self._run, name=f"export-to-{name}", daemon=True)

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
            _log.warning("%s: did not stop within %g s, abandoned", self._name, self._exporter.patience)

    def _run(self) -> None:
        while not self._ending.is_set():
            started = time.monotonic()
            self._attempt(lambda: self._exporter.export(self._source(False)))
            self._ending.wait(max(0.0, started + self._backoff.pause - time.monotonic()))
        final = Backoff(_FIRST_PAUSE)
        while not self._attempt(lambda: self._exporter.close(self._source(True)), _ENDED):
            if time.monotonic() + final.pause >= self._deadline:
                _log.warning("%s: final metrics were not delivered", self._name)
                break
            time.sleep(final.pause)
            final.failed()

    def _attempt(self, call: Callable[[], None], good_news: str = "metrics are exported again") -> bool:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - a failing exporter must not fail the run
            self._note_failure()
            if not self._backoff.is_failing:
                _log.warning("%s: metrics cannot be exported now, will retry: %s", self._name, in_words(error))
            self._backoff.failed()
            return False
        finally:
            self.seconds = time.thread_time()
        if self._backoff.is_failing:
            _log.info("%s: %s", self._name, good_news)
        self._backoff.succeeded()
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
        """Wait until all have stopped, at most `patience` after `end`; exporters still running are abandoned."""
        for driver in self._drivers if self._started else ():
            driver.finish()

    def health(self) -> tuple[ExportHealth, ...]:
        """Return the health of every exporter, in their order."""
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
