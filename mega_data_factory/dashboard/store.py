"""Data of the pages, read from the metrics folder alone: an up-to-date list of runs and a cache of recent ones."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pyarrow as pa

from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.rejects import open_rejects
from mega_data_factory.dashboard.private_paths import reasons_without_paths
from mega_data_factory.errors import MdfError, MetricsError
from mega_data_factory.framework.metrics.reader import MetricsReader
from mega_data_factory.redaction.loggers import logger
from mega_data_factory.rejects import RejectLedger
from mega_data_factory.reports.document import Document
from mega_data_factory.storage import Location
from mega_data_factory.visualization import MetricsVisualizer
from mega_data_factory.visualization.stored_run import from_store

_log = logger("mega_data_factory.dashboard")

REFRESH_SECONDS = 1.0
"""Interval at which the list of runs is read; unchanged files are not read again."""

_LONGEST_RUN_ID = 200
"""Bytes of the id of a run."""

_FIRST_RUNS = 250
"""Runs that the first look reads, in a quarter of a second; from look to look twice as many, until it has all."""

_MORE_RUNS = 2000
"""Runs that a look adds at most, until all are read once."""

_PATIENCE = 2.0
"""Seconds that the end waits for a look that is under way."""

_RECENT = 48
"""So much is kept at hand, of about a third as many runs."""

T = TypeVar("T")


@dataclass(frozen=True)
class RunList:
    """All runs at one moment.

    Attributes:
        table: the rows of the table `runs` but the configuration, the oldest first.
        version: another number whenever the rows have changed.
        error: why the folder cannot be read now; the rows are then those of the last time.
        ready: whether it has been read at all.
        unread: runs that are still to be read, which are older than these.
    """

    table: pa.Table
    version: int = 0
    error: MdfError | None = None
    ready: bool = False
    unread: int = 0

    def followed_by(self, table: pa.Table, unread: int = 0) -> RunList:
        """Return the list after another look at the folder."""
        changed = not self.ready or self.error is not None or unread != self.unread or not table.equals(self.table)
        return RunList(table, self.version + changed, None, ready=True, unread=unread)


@dataclass(frozen=True)
class RejectCounts:
    """Rejected records of a run.

    Attributes:
        ledger: the records.
        counts: rows of `RejectLedger.counts`.
    """

    ledger: RejectLedger
    counts: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls, ledger: RejectLedger) -> RejectCounts:
        """Count the records of a ledger."""
        return cls(ledger, ledger.counts().to_pylist())


@dataclass
class _CacheEntry:
    """Something that was read of a run.

    Attributes:
        stamp: of the run when it was read; None before it was.
        value: what was read.
        reading: held while it is read.
    """

    stamp: tuple[Any, ...] | None = None
    value: Any = None
    reading: threading.Lock = field(default_factory=threading.Lock)


class RunStore:
    """The runs of a metrics folder, for many requests at once.

    A thread of its own looks at the folder; no request waits for it.

    Args:
        path: the metrics folder, local or an fsspec URI.
        refresh: seconds between two looks.
    """

    def __init__(self, path: Location, *, refresh: float = REFRESH_SECONDS) -> None:
        self.path = path
        self.reader = MetricsReader(path)
        self._refresh = refresh
        self._list = RunList(pa.table({}))
        self._recent: OrderedDict[tuple[str, str], _CacheEntry] = OrderedDict()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._read_once = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dashboard-runs", daemon=True)

    def start(self) -> RunStore:
        """Begin to look at the folder."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End the thread; one that hangs in a slow store dies with the process."""
        self._ending.set()
        self._thread.join(_PATIENCE)

    def runs(self, patience: float = 0.0) -> RunList:
        """Return all runs as they were a moment ago.

        Args:
            patience: seconds to wait for the first look at the folder.
        """
        self._read_once.wait(patience)
        return self._list

    def by_age(self, run_ids: Sequence[str]) -> list[str]:
        """Return runs in the order in which they started, the oldest first; unknown ones come last, as given."""
        table = self._list.table
        if not table.num_rows:
            return list(run_ids)
        started = dict(zip(table.column("run_id").to_pylist(), table.column("start_time").to_pylist(), strict=True))
        known = sorted((run for run in run_ids if started.get(run)), key=lambda run: started[run])
        return [*known, *(run for run in run_ids if not started.get(run))]

    def recording(self, run_id: str) -> Recording:
        """Return a run with everything that its pages show.

        Raises:
            MdfError: there is no such run, or it cannot be read.
        """
        return self._cached("recording", run_id, lambda: self._read(run_id))

    def _read(self, run_id: str) -> Recording:
        if len(run_id.encode(errors="replace")) > _LONGEST_RUN_ID:  # no file system has such a name
            raise MetricsError(f"there is no run {run_id[:60]}…")
        found = Recording.read(self.reader, run_id)
        return replace(found, operators=reasons_without_paths(found.operators))

    def past(self, run_id: str) -> EarlierRuns:
        """Return the runs of the same pipeline before it.

        Raises:
            MdfError: they cannot be read.
        """
        return self._cached("past", run_id, lambda: EarlierRuns.read(self.reader, self.recording(run_id)))

    def document(self, run_id: str) -> Document:
        """Return the content of its report.

        Raises:
            MdfError: there is no such run, or it cannot be read.
        """
        return self._cached(
            "document", run_id, lambda: Document.from_recording(self.recording(run_id), self.past(run_id))
        )

    def rejects(self, run_id: str) -> RejectCounts:
        """Return the ledger of its rejected records, with the counts of every rule.

        Raises:
            MdfError: there is no such run, it kept none, or they cannot be read.
        """
        return self._cached("rejects", run_id, lambda: RejectCounts.read(open_rejects(self.recording(run_id).run)))

    def visualizer(self, run_id: str) -> MetricsVisualizer:
        """Return the metrics of its nodes.

        Raises:
            MdfError: there is no such run, or its nodes were not sampled.
        """
        return self._cached("visualizer", run_id, lambda: from_store(self.reader, run_id))

    def stamp(self, run_id: str) -> tuple[Any, ...]:
        """Return a value that differs when a run has progressed, ended, or become aborted."""
        row = self._row(run_id)
        return () if row is None else (row["status"], row["heartbeat"], row["end_time"])

    def _row(self, run_id: str) -> dict[str, Any] | None:
        table = self._list.table
        if not table.num_rows:
            return None
        at = table.column("run_id").index(run_id).as_py()
        row: dict[str, Any] | None = None if at < 0 else table.slice(at, 1).to_pylist()[0]
        return row

    def _cached(self, what: str, run_id: str, read: Callable[[], T]) -> T:
        """Return the rows of a run, read again when it has changed; concurrent callers share one read."""
        stamp = self.stamp(run_id)
        key = (what, run_id)
        with self._lock:
            kept = self._recent.setdefault(key, _CacheEntry())
            self._recent.move_to_end(key)
            while len(self._recent) > _RECENT:
                self._recent.popitem(last=False)
        with kept.reading:
            if not stamp or kept.stamp != stamp:
                kept.value, kept.stamp = read(), stamp
            found: T = kept.value
        return found

    def _run(self) -> None:
        self._begin()
        while not self._ending.is_set():
            started = time.monotonic()
            self._look()
            self._read_once.set()
            spent = time.monotonic() - started
            self._ending.wait(max(self._refresh, 4 * spent))  # a slow store is not looked at all the time

    def _begin(self) -> None:
        """Read very many runs little by little, the newest first, so that there is something to see at once."""
        most, unread = _FIRST_RUNS, 1
        try:
            while unread and not self._ending.is_set():
                table, unread = self.reader.newest_runs(most)
                if unread:  # all of them, and those that are compacted, are the business of `_look`
                    self._list = self._list.followed_by(table.drop_columns("config"), unread)
                    self._pause()
                most += min(most, _MORE_RUNS)
        except Exception:  # noqa: BLE001 - `_look` meets the same, and says so
            return

    def _pause(self) -> None:
        """Let the first page be made from the first runs before reading the others takes half of the processor."""
        if not self._read_once.is_set():
            self._read_once.set()
            self._ending.wait(self._refresh)

    def _look(self) -> None:
        before = self._list
        try:
            self._list = before.followed_by(self.reader.runs().drop_columns("config"))
        except MdfError as error:
            if before.error is None or str(before.error) != str(error):
                _log.warning("%s cannot be read now: %s", self.path, error)
            self._list = replace(before, error=error, ready=True)
        except Exception as error:  # noqa: BLE001 - a failing store is read again
            if before.error is None:
                _log.warning("%s cannot be read now", self.path, exc_info=error)
            reason = MetricsError("the metrics cannot be read now", hint="the log of the dashboard says why")
            self._list = replace(before, error=reason, ready=True)
