"""Read a metrics folder. A view needs nothing else of this package."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.clock import utc_now
from mega_data_factory.errors import MetricsQueryError, did_you_mean
from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.levels import Levels
from mega_data_factory.framework.metrics.run_ids import match_run
from mega_data_factory.framework.metrics.store.reading.conditions import between, both
from mega_data_factory.framework.metrics.store.reading.status import STATUS_COLUMNS, with_deaths
from mega_data_factory.framework.metrics.store.reading.stored_tables import StoredTables
from mega_data_factory.storage import Location

_ATTEMPTS = 20
_PAUSE = 0.005
"""Seconds between attempts at reading the levels of one moment, growing: 1 s in all."""

_LISTED = ("run_id", "start_time", "pipeline", *STATUS_COLUMNS)


class MetricsReader:
    """Reads the metrics that `MetricsWriter` wrote, also while they are being written, compacted or pruned.

    Every run is seen once. A folder that does not exist yet holds no runs. A file that is damaged, or is none of ours,
    is skipped with one warning that names it. Columns that an older file lacks are null.

    Every method raises `MetricsError` where a newer version of this package wrote a file, and `InputError` where the
    folder cannot be listed.

    Args:
        path: the metrics folder, local or an fsspec URI.
        now: naive UTC, to tell running runs from aborted ones.
    """

    def __init__(self, path: Location, *, now: Callable[[], datetime] = utc_now) -> None:
        self.path = path
        self._now = now
        self._tables = StoredTables(path)

    def runs(
        self,
        *,
        status: str | Collection[str] | None = None,
        pipeline: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        columns: Collection[str] | None = None,
    ) -> pa.Table:
        """Return all runs, the oldest first. A running run without a heartbeat has the status `aborted`.

        Args:
            status: only runs of this status, or of these.
            pipeline: only runs of the pipeline of this name.
            since: only runs that started then or later; UTC if there is no time zone.
            until: only runs that started before.
            columns: only these, and those that tell which run it is and in which state; a list needs no configurations.
        """
        needed = None if columns is None else sorted({*columns, *_LISTED})
        only = between("start_time", since, until)
        return self._chosen(self._tables.read("runs", columns=needed, only=only), status, pipeline)

    def newest_runs(self, most: int) -> tuple[pa.Table, int]:
        """Return what `runs` does, but only the last by name of those that are not compacted: a first look.

        Ids begin with the time unless the user chose them. What was read is not read again by `runs`.

        Args:
            most: files of single runs to read at most.

        Returns:
            The runs, the oldest first, and how many that are not compacted were left out.
        """
        rows, left = self._tables.newest_runs(most)
        return self._chosen(rows, None, None), left

    def list_runs(
        self,
        *,
        status: str | Collection[str] | None = None,
        pipeline: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> list[str]:
        """Return the ids of all runs, the oldest first.

        Args:
            status, pipeline, since, until: as for `runs`.
            newest_first: the other way round.
            limit: rows to return at most, the first of the order.
        """
        only = between("start_time", since, until)
        found = self._chosen(self._tables.read("runs", columns=_LISTED, only=only), status, pipeline)
        ids: list[str] = found.column("run_id").to_pylist()
        return (ids[::-1] if newest_first else ids)[:limit]

    def stages(
        self,
        run_id: str | None = None,
        *,
        stage: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> pa.Table:
        """Return the stage rows of one run, or of all; by time, of one stage where wanted."""
        return self._level("stages", run_id, {"stage_name": stage}, since, until)

    def operators(
        self,
        run_id: str | None = None,
        *,
        stage: str | None = None,
        operator: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> pa.Table:
        """Return operator rows of one run, or of all; by time, of one stage or operator where wanted."""
        return self._level("operators", run_id, {"stage_name": stage, "operator_name": operator}, since, until)

    def samples(
        self,
        run_id: str | None = None,
        *,
        stage: str | None = None,
        operator: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        columns: Collection[str] | None = None,
    ) -> pa.Table:
        """Return interval samples of one run, or of all; several rows of one place and interval add.

        Args:
            run_id, stage, operator, since, until: which of them; all by default.
            columns: only these, and those that say where and when; histograms are most of what a long run takes.
        """
        return self._level("samples", run_id, {"stage_name": stage, "operator_name": operator}, since, until, columns)

    def nodes(
        self,
        run_id: str | None = None,
        *,
        node: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> pa.Table:
        """Return samples of the nodes of one run, or of all, by time; optionally of one node."""
        return self._level("nodes", run_id, {"node_id": node}, since, until).sort_by(
            [("timestamp", "ascending"), ("node_id", "ascending")]
        )

    def details(self, table: str, run_id: str | None = None) -> pa.Table:
        """Return the rows of a table of details, of one run or of all; none for runs without details.

        Args:
            table: one of `schema.DETAILS`.
            run_id: the whole id; all runs by default.

        Raises:
            ValueError: there is no such table.
        """
        if table not in schema.DETAILS:
            raise ValueError(f"{table!r} is not a table of details; those are {', '.join(schema.DETAILS)}")
        return self._tables.read(table, run_id)

    def run(self, run_id: str) -> dict[str, Any]:
        """Return the row of one run, with `config` parsed.

        Args:
            run_id: its id, the beginning of it where only one run has that, or `latest`.

        Raises:
            MetricsQueryError: there is no such run, or several.
        """
        if run_id != "latest" and (rows := self.rows("runs", run_id)):
            return rows[0]
        found = self.resolve(run_id)
        if not (rows := self.rows("runs", found)):
            raise MetricsQueryError(f"the run {found} was removed while it was looked up in {self.path}")
        return rows[0]

    def levels(self, run_id: str) -> Levels:
        """Return all three levels of one run, of one moment, also while it is in progress.

        Args:
            run_id: as for `run`.

        Raises:
            MetricsQueryError: there is no such run, or several.
        """
        found = self.run(run_id)["run_id"]
        for attempt in range(_ATTEMPTS):
            tables, agree = self._tables.levels(found)
            rows = schema.to_rows(with_deaths(tables["runs"], self._now()))
            if not rows:
                raise MetricsQueryError(f"the run {found} was removed while it was read in {self.path}")
            if agree or rows[0]["status"] != "running":  # a driver killed between two files: they stay as they are
                break
            time.sleep(_PAUSE * (attempt + 1))
        return Levels(rows[0], tables["stages"], tables["operators"])

    def resolve(self, run_id: str) -> str:
        """Return the whole id that `run_id` stands for: as for `run`, which also says what it raises."""
        known = self.list_runs()
        if not known:
            raise MetricsQueryError(f"there are no runs in {self.path}", hint="`mdf run --config FILE` writes metrics")
        if (found := match_run(run_id, known, MetricsQueryError)) is not None:
            return found
        raise MetricsQueryError(f"there is no run {run_id} in {self.path}", hint=did_you_mean(run_id, known))

    def rows(self, kind: str, run_id: str) -> list[dict[str, Any]]:
        """Return rows of one run as dicts, with the JSON columns parsed; none for a run that is not there.

        Args:
            kind: a table of the schema.
            run_id: the whole id.
        """
        table = self._tables.read(kind, run_id)
        return schema.to_rows(with_deaths(table, self._now()) if kind == "runs" else table)

    def sql(self, query: str) -> pa.Table:
        """Answer a query, which only reads: DuckDB, over a view for every table of the schema.

        A query sees these views and nothing else: no files, no network. The table macro `latency_percentiles(source,
        grouping)` gives percentiles over any grouping.

        Raises:
            MissingPackageError: DuckDB is not installed.
            MetricsQueryError: the query is not valid, or would change something.
        """
        from mega_data_factory.framework.metrics.store.reading.sql import query as answer

        return answer(self._tables, query, self._now)

    def _chosen(self, runs: pa.Table, status: str | Collection[str] | None, pipeline: str | None) -> pa.Table:
        runs = with_deaths(runs, self._now()).sort_by([("start_time", "ascending"), ("run_id", "ascending")])
        if status is not None:
            wanted = [status] if isinstance(status, str) else sorted(status)
            runs = runs.filter(pc.field("status").isin(wanted))
        return runs if pipeline is None else runs.filter(pc.field("pipeline") == pipeline)

    def _level(
        self,
        kind: str,
        run_id: str | None,
        equal: dict[str, str | None],
        since: datetime | None,
        until: datetime | None,
        columns: Collection[str] | None = None,
    ) -> pa.Table:
        only = between("timestamp", since, until)
        for column, value in equal.items():
            if value is not None:
                only = both(only, pc.field(column) == value)
        needed = None if columns is None else sorted({*columns, "timestamp", *equal})
        return self._tables.read(kind, run_id, columns=needed, only=only)
