"""Filters and order of the list of runs, as its controls and its address hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import and_, or_
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.compute as pc

STATUSES = ("running", "completed", "failed", "interrupted", "aborted")
PERIODS = {"": "any time", "1h": "last hour", "24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days"}
_HOURS = {"1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24}

COLUMNS = {
    "run_id": "run",
    "pipeline": "pipeline",
    "status": "status",
    "start_time": "started (UTC)",
    "duration": "duration",
    "total_input_records": "read",
    "total_output_records": "written",
    "overall_pass_rate": "pass",
    "avg_throughput": "throughput",
    "total_errors": "errors",
    "balanced": "books",
}
"""Columns of the table, by which it can be sorted, and their headings."""


@dataclass(frozen=True)
class RunQuery:
    """Filters and order of the list of runs; the address holds all of it.

    Attributes:
        text: Part of the id, the pipeline, the host or the error.
        pipeline: Name of a pipeline; empty for all.
        status: Statuses; empty for all.
        period: A key of `PERIODS`.
        sort: A column.
        ascending: Whether the smallest comes first.
        page: Page of the table, from 1.
    """

    text: str = ""
    pipeline: str = ""
    status: tuple[str, ...] = ()
    period: str = ""
    sort: str = "start_time"
    ascending: bool = False
    page: int = 1

    @classmethod
    def from_query(cls, query: Mapping[str, list[str]]) -> RunQuery:
        """Return the choice of a query; values that are not valid are ignored."""
        first = {key: values[0] for key, values in query.items()}
        page = first.get("page", "1")
        return cls(
            text=first.get("q", ""),
            pipeline=first.get("pipeline", ""),
            status=tuple(status for status in query.get("status", []) if status in STATUSES),
            period=first["period"] if first.get("period") in PERIODS else "",
            sort=first["sort"] if first.get("sort") in COLUMNS else "start_time",
            ascending=first.get("order") == "up",
            page=max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1,
        )

    def with_filters(self, text: str, pipeline: str, status: tuple[str, ...], period: str) -> RunQuery:
        """Return the query with these filters: on its first page, unless they are the same."""
        if (text, pipeline, status, period) == (self.text, self.pipeline, self.status, self.period):
            return self
        return RunQuery(text, pipeline, status, period, self.sort, self.ascending)

    def address(self) -> str:
        """Return the query of the address: `?status=failed&sort=duration`, or nothing."""
        pairs = [("q", self.text), ("pipeline", self.pipeline), *(("status", status) for status in self.status)]
        pairs += [("period", self.period), ("sort", self.sort if self.sort != "start_time" else "")]
        pairs += [("order", "up" if self.ascending else ""), ("page", str(self.page) if self.page > 1 else "")]
        kept = [(key, value) for key, value in pairs if value]
        return f"?{urlencode(kept)}" if kept else ""

    def chosen(self, runs: pa.Table, now: datetime) -> pa.Table:
        """Return the chosen runs, in order.

        Args:
            runs: Rows of the table `runs`.
            now: Current time, naive UTC.
        """
        conditions = list(self._conditions(now))
        found = runs.filter(reduce(and_, conditions)) if conditions else runs
        order = "ascending" if self.ascending else "descending"
        return found.sort_by([(self.sort, order), ("start_time", "descending"), ("run_id", "descending")])

    def _conditions(self, now: datetime) -> Sequence[pc.Expression]:
        found = []
        if self.text:
            places = [pc.field(name) for name in ("run_id", "pipeline", "hostname", "error")]
            matches = [
                pc.match_substring(pc.coalesce(place, pc.scalar("")), self.text, ignore_case=True) for place in places
            ]
            found.append(reduce(or_, matches))
        if self.pipeline:
            found.append(pc.field("pipeline") == self.pipeline)
        if self.status:
            found.append(pc.field("status").isin(self.status))
        if self.period:
            found.append(pc.field("start_time") >= now - timedelta(hours=_HOURS[self.period]))
        return found
