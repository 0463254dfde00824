"""Read a metrics folder. A view needs nothing else of this package."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mega_data_factory.errors import InputError, MetricsError, did_you_mean
from mega_data_factory.framework.metrics import schema
from mega_data_factory.storage import Location, exists, join, list_dir, open_input

_log = logging.getLogger("mega_data_factory.metrics")


def file_of(kind: str, run_id: str) -> str:
    """Where a table of a run is, below the metrics folder.

    Args:
        kind: `runs`, `stages` or `operators`.
        run_id: the run.
    """
    name = run_id if kind == "runs" else f"{kind}_{run_id.removeprefix('run_')}"
    return f"{kind}/{name}.parquet"


class MetricsReader:
    """Reads the metrics that `MetricsWriter` wrote. A folder that does not exist yet holds no runs.

    A file that is damaged, or is none of ours, is skipped with one warning that names it.

    Args:
        path: the metrics folder, local or an fsspec URI.
    """

    def __init__(self, path: Location) -> None:
        self.path = path
        self._warned: set[str] = set()

    def runs(self) -> pa.Table:
        """All runs, the oldest first."""
        table = self._table("runs", schema.RUNS, None)
        return table.sort_by([("start_time", "ascending"), ("run_id", "ascending")])

    def stages(self, run_id: str | None = None) -> pa.Table:
        """Stage rows of one run, or of all."""
        return self._table("stages", schema.STAGES, run_id)

    def operators(self, run_id: str | None = None) -> pa.Table:
        """Operator rows of one run, or of all."""
        return self._table("operators", schema.OPERATORS, run_id)

    def list_runs(self) -> list[str]:
        """The ids of all runs, the oldest first."""
        ids: list[str] = self.runs().column("run_id").to_pylist()
        return ids

    def run(self, run_id: str) -> dict[str, Any]:
        """The row of one run.

        Args:
            run_id: its id, the beginning of it where only one run has that, or `latest`.

        Raises:
            MetricsError: there is no such run, or several.
        """
        runs = {row["run_id"]: row for row in schema.to_rows(self.runs())}
        if not runs:
            raise MetricsError(f"there are no runs in {self.path}")
        if run_id == "latest":
            return runs[next(reversed(runs))]
        matches = [run_id] if run_id in runs else [known for known in runs if known.startswith(run_id)]
        if len(matches) == 1:
            return runs[matches[0]]
        if matches:
            raise MetricsError(f"{len(matches)} runs begin with {run_id}", hint=f"such as {', '.join(matches[:3])}")
        raise MetricsError(f"there is no run {run_id} in {self.path}", hint=did_you_mean(run_id, runs))

    def rows(self, kind: str, run_id: str) -> list[dict[str, Any]]:
        """Rows of one run as dicts, with the JSON columns parsed; none for a run that is not there.

        Args:
            kind: `runs`, `stages` or `operators`.
            run_id: the whole id.
        """
        return schema.to_rows(self._table(kind, schema.TABLES[kind], run_id))

    def _table(self, kind: str, columns: pa.Schema, run_id: str | None) -> pa.Table:
        tables = [table for path in self._files(kind, run_id) if (table := self._read(path, columns)) is not None]
        table = pa.concat_tables(tables) if tables else columns.empty_table()
        if run_id is not None:
            table = table.filter(pc.field("run_id") == run_id)
        return table

    def _files(self, kind: str, run_id: str | None) -> Iterator[str]:
        if run_id is not None:
            path = join(self.path, file_of(kind, run_id))
            return iter([path] if exists(path) else [])
        folder = join(self.path, kind)
        names = sorted(list_dir(folder)) if exists(folder) else []
        return (join(folder, name) for name in names if name.endswith(".parquet") and not name.startswith("."))

    def _read(self, path: str, columns: pa.Schema) -> pa.Table | None:
        """The known columns of one file, in the order and types of the schema; null where the file has none."""
        try:
            with open_input(path) as file:
                table = pq.read_table(file)
            if schema.VERSION_KEY not in (table.schema.metadata or {}):
                raise ValueError("it has no schema version")
            present = set(table.column_names)
            data = [
                table.column(field.name).cast(field.type) if field.name in present else pa.nulls(len(table), field.type)
                for field in columns
            ]
            return pa.table(data, schema=columns)
        except (InputError, pa.ArrowException, OSError, ValueError) as error:
            if path not in self._warned:
                self._warned.add(path)
                _log.warning("skipped %s, which is no metrics file: %s", path, error)
            return None
