"""Write the metrics of a run in progress on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime

import pyarrow as pa

from mega_data_factory.backoff import Backoff
from mega_data_factory.clock import utc_now
from mega_data_factory.errors import MdfError, MetricsError
from mega_data_factory.framework.metrics.collector import MetricsCollector, Snapshot
from mega_data_factory.framework.metrics.details.totals import DetailTotals
from mega_data_factory.framework.metrics.live.intervals import IntervalSampler
from mega_data_factory.framework.metrics.nodes import NodeBuffer
from mega_data_factory.framework.metrics.store.segments import SegmentLog
from mega_data_factory.framework.metrics.writer import MetricsWriter
from mega_data_factory.redaction import in_words, without_credentials
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.metrics")

_LAST_ATTEMPTS = 5
_FIRST_PAUSE = 0.2
"""Seconds between the first two attempts at the last write; each later pause is twice as long."""

_FLUSHES_PER_DETAILS = 10
"""Details are written with every tenth flush, and with the last: they are larger than all the rest of a run."""

_LONGEST_PAUSE = 15.0
"""Seconds between two attempts during a run while its store fails, where the interval is not longer itself."""


class MetricsFlusher:
    """Writes a run at once, then every `interval` seconds, and once more when it has ended.

    Each time the new samples, and those of the nodes, are written as a segment, and the tables of operators, stages and
    run are written over, the run last: what its row says, the others say too. When the run is killed the files of the
    last time stay.

    A store that is slow or fails holds nothing up: the next attempt comes later, with all that was to be written.

    Args:
        collector: the metrics of the run.
        samples: the samples of the run; only the flusher takes from it.
        writer: writes the files.
        nodes: samples of the nodes of the run; only the flusher takes from it.
        details: details of the run; written when they have changed, but not with every flush.
        interval: seconds from one flush to the next.
        patience: seconds that `finish` waits at most.
        now: the time of day, naive UTC.

    Attributes:
        failures: flushes that failed.
    """

    def __init__(
        self,
        collector: MetricsCollector,
        samples: IntervalSampler,
        writer: MetricsWriter,
        nodes: NodeBuffer | None = None,
        *,
        details: DetailTotals | None = None,
        interval: float,
        patience: float = 30.0,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.failures = 0
        self._collector = collector
        self._samples = samples
        self._nodes = nodes
        self._details = details or DetailTotals()
        self._details_written = 0
        self._flushes_since_details = 0
        self._writer = writer
        self._patience = patience
        self._now = now
        self._sample_log: SegmentLog | None = None
        self._node_log: SegmentLog | None = None
        self._written: tuple[datetime, Snapshot] | None = None
        self._backoff = Backoff(interval, _LONGEST_PAUSE)
        self._loading_seconds = 0.0
        self._error: Exception | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"metrics-of-{collector.run_id}", daemon=True)

    def start(self) -> None:
        """Begin. What the run did before it was resumed is in the collector and the samples by now."""
        self._thread.start()

    def finish(self) -> MdfError | None:
        """Write for the last time, after the run has ended; the thread has ended then, or is abandoned.

        Returns:
            What went wrong, when the metrics of the end could not be written.
        """
        self._ending.set()
        if self._thread.ident is not None:  # a run that failed before it began has written nothing
            self._thread.join(self._patience)
        where = without_credentials(str(self._writer.output_path))
        if self._thread.is_alive():
            return MetricsError(f"the metrics could not be written to {where} within {self._patience:g} s")
        if self._error is None:
            return None
        hint = self._error.hint if isinstance(self._error, MdfError) else None
        return MetricsError(f"the metrics could not be written to {where}: {in_words(self._error)}", hint=hint)

    def _run(self) -> None:
        pa.array([None])  # Arrow loads pandas with its first conversion: that is start-up, not the cost of measuring
        self._loading_seconds = time.thread_time()
        while not self._ending.is_set():
            started = time.monotonic()
            self._attempt(self._flush)
            self._ending.wait(max(0.0, started + self._backoff.pause - time.monotonic()))
        final = Backoff(_FIRST_PAUSE)
        for attempt in range(_LAST_ATTEMPTS):
            if attempt:
                time.sleep(final.pause)
                final.failed()
            if self._attempt(self._flush_last):
                break

    def _attempt(self, flush: Callable[[], None]) -> bool:
        try:
            flush()
        except Exception as error:  # noqa: BLE001 - a failing store must not fail the run
            self.failures += 1
            self._error = error
            if not self._backoff.is_failing:
                _log.warning("the metrics cannot be written now, it is tried again: %s", in_words(error))
            self._backoff.failed()
            return False
        if self._backoff.is_failing:
            _log.info("the metrics are written again")
        self._backoff.succeeded()
        self._error = None
        return True

    def _flush(self, *, last: bool = False) -> None:
        sampling = 0.0 if self._nodes is None else self._nodes.seconds
        self._collector.writing_seconds = time.thread_time() - self._loading_seconds + sampling
        snapshot = self._collector.snapshot()
        if snapshot is None:
            return
        if self._sample_log is None:
            self._writer.check_owner(self._collector.run_id)
            self._sample_log = self._writer.sample_log(self._collector.run_id)
        self._sample_log.append(self._samples.take_samples())
        self._write_nodes()
        self._write_details(last=last)
        self._write(snapshot)

    def _write_nodes(self) -> None:
        if self._nodes is None:
            return
        if self._node_log is None:
            self._node_log = self._writer.node_log(self._collector.run_id)
        self._node_log.append(self._nodes.take_samples())

    def _write_details(self, *, last: bool) -> None:
        """Write the details over, if they have changed and it is their turn.

        Args:
            last: whether it is the last time.
        """
        self._flushes_since_details += 1
        changes = self._details.changes
        if changes == self._details_written or not (last or self._flushes_since_details >= _FLUSHES_PER_DETAILS):
            return
        self._writer.write_detail_totals(self._details, self._collector.run_id, self._now())
        self._details_written, self._flushes_since_details = changes, 0

    def _write(self, snapshot: Snapshot) -> None:
        run, last, now = snapshot.run, self._written, self._now()
        run.heartbeat = now
        run.flush_failures = self.failures
        if last is not None and (last[1].stages, last[1].operators) == (snapshot.stages, snapshot.operators):
            moment = last[0]
            self._writer.write_snapshot(run, moment)
        else:
            moment = now
            self._writer.write_snapshot(run, moment, snapshot.stages, snapshot.operators)
        self._written = moment, snapshot

    def _flush_last(self) -> None:
        """Write the final files first, then fold: a run is complete even if the fold fails."""
        self._flush(last=True)
        for log in (self._sample_log, self._node_log):
            if log is not None:
                log.finish()
