"""Details of a run, added up over its batches."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime

from mega_data_factory.framework.metrics.details.detail import Detail
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.metrics")


class DetailTotals:
    """Adds up details by table and key. Any thread may add and read.

    Where a table has the most keys that its details allow, further keys are left out, and the log says so.

    Attributes:
        changes: Number of calls that have changed the totals; a writer compares it to the number of its last write.
    """

    def __init__(self) -> None:
        self.changes = 0
        self._lock = threading.Lock()
        self._sums: dict[str, dict[tuple[str, ...], Detail]] = {}
        self._full: set[str] = set()  # tables with the most keys, which the log has named

    def add(self, details: Iterable[Detail]) -> None:
        """Add details, which stay as they are."""
        details = tuple(details)
        if details:
            with self._lock:
                self._add(details)

    def replace(self, details: Iterable[Detail]) -> None:
        """Make the sum of these details the totals, in the place of all that was added before.

        A table that had rows stays one of `tables`: its rows may have to be overwritten by none.
        """
        with self._lock:
            self._sums = {table: {} for table in self._sums}
            self._add(tuple(details))

    def _add(self, details: Iterable[Detail]) -> None:
        self.changes += 1
        for detail in details:
            sums = self._sums.setdefault(detail.table, {})
            if detail.key in sums:
                sums[detail.key].add(detail)
            elif detail.most_keys is None or len(sums) < detail.most_keys:
                sums[detail.key] = detail.copy()
            elif detail.table not in self._full:
                self._full.add(detail.table)
                _log.warning(
                    "the table %s has %d rows, further ones are left out: the first is %s",
                    detail.table,
                    len(sums),
                    " ".join(detail.key),
                )

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables that details were added to."""
        with self._lock:
            return tuple(self._sums)

    def details(self) -> tuple[Detail, ...]:
        """Return the sums, which share nothing with these totals."""
        with self._lock:
            return tuple(detail.copy() for sums in self._sums.values() for detail in sums.values())

    def keys_with_rows(self, table: str) -> list[tuple[str, ...]]:
        """Return the keys of the details of a table that have rows."""
        with self._lock:
            return [key for key, detail in self._sums.get(table, {}).items() if detail.has_rows]

    def rows(self, table: str, run_id: str, timestamp: datetime) -> list[Mapping[str, object]]:
        """Return the rows of a table, ordered by key.

        Args:
            table: The table.
            run_id: The run.
            timestamp: When the rows are written, naive UTC.
        """
        with self._lock:
            sums = self._sums.get(table, {})
            return [row for key in sorted(sums) for row in sums[key].rows(run_id, timestamp)]
