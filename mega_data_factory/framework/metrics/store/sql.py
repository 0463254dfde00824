"""SQL over a metrics folder: DuckDB with a view per table, every run once, and a macro for percentiles."""

# ruff: noqa: S608 - the names of views are ours
from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds

from mega_data_factory.errors import MetricsQueryError
from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.store.decoding import Vanished, gathered, owners
from mega_data_factory.framework.metrics.store.percentiles import PERCENTILES_MACRO
from mega_data_factory.framework.metrics.store.status import with_deaths
from mega_data_factory.framework.metrics.store.tables import StoredTables
from mega_data_factory.storage import exists, file_system, is_local

if TYPE_CHECKING:
    import duckdb

_LOCKED = (
    "SET enable_external_access = false",
    "SET python_enable_replacements = false",
    "SET lock_configuration = true",
)
"""A query sees the views and nothing else: no files, no network, no variables of the process."""

_READING = frozenset({"SELECT", "EXPLAIN", "MULTI"})
"""What DuckDB calls statements that only read; `MULTI` is what PIVOT becomes."""


def query(tables: StoredTables, sql: str, now: Callable[[], datetime]) -> pa.Table:
    """Answer a query over the views `runs`, `stages`, `operators`, `samples`, `nodes`.

    Only the tables that the query names are read, and of compacted runs only the columns that it needs.

    Args:
        tables: the metrics folder.
        sql: one query; see `PERCENTILES_MACRO` for percentiles.
        now: naive UTC, to tell running from aborted runs.

    Raises:
        MetricsQueryError: DuckDB refuses the query, or it would change something.
        MetricsError: as `StoredTables.read`.
    """
    return tables.consistently(lambda: _answer(tables, sql, now()))


def _answer(tables: StoredTables, sql: str, now: datetime) -> pa.Table:
    import duckdb

    words = {word.lower() for word in re.findall(r"\w+", sql)}
    files: list[str] = []
    with duckdb.connect() as connection:
        for kind in schema.TABLES:
            _add_view(connection, tables, kind, now, files if kind in words else None)
        connection.execute(PERCENTILES_MACRO)
        for setting in _LOCKED:
            connection.execute(setting)
        try:
            _check_it_reads(connection, sql)
            result = connection.sql(sql).to_arrow_table()
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            if not all(exists(path) for path in files):
                raise Vanished(sql) from error
            raise MetricsQueryError(f"the query cannot be answered: {error}") from error
    return result


def _check_it_reads(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse what is not one query: an answer to `DROP VIEW` would look as if something had been dropped."""
    kinds = [statement.type.name for statement in connection.extract_statements(sql)]
    if len(kinds) != 1:
        raise MetricsQueryError(f"one query is answered at a time, and there are {len(kinds)}")
    if kinds[0] not in _READING:
        raise MetricsQueryError(
            f"metrics are only read, and this is {kinds[0]}", hint="begin with SELECT, WITH, FROM, DESCRIBE or PIVOT"
        )


def _add_view(
    connection: duckdb.DuckDBPyConnection, tables: StoredTables, kind: str, now: datetime, files: list[str] | None
) -> None:
    """A view of one table; an empty one where `files`, which takes the compacted files behind it, is None."""
    if files is None:
        connection.register(kind, schema.TABLES[kind].empty_table())
    elif kind == "runs":
        connection.register(kind, with_deaths(tables.read(kind), now))
    else:
        small = tables.small_files(kind)
        units = tables.units()
        found = list(tables.read_smalls(kind, small))
        taken = {run for _, table in found for run in owners(table)}
        connection.register(f"_{kind}_0", gathered((table for _, table in found), kind))
        parts = [f'SELECT * FROM "_{kind}_0"']
        for number, source in enumerate(tables.unit_sources(kind, units, taken), 1):
            if not exists(source.path):  # made before there was such a table, or gone: then the query is asked again
                tables.read_unit(source, kind)
                continue
            files.append(source.path)
            connection.register(f"_{kind}_{number}", _dataset(source.path, kind))
            condition = ""
            if not source.complete:
                connection.register(f"_{kind}_{number}_runs", pa.table({"run_id": sorted(source.served)}))
                condition = f' WHERE run_id IN (FROM "_{kind}_{number}_runs")'
            parts.append(f'SELECT * FROM "_{kind}_{number}"{condition}')
        connection.execute(f'CREATE VIEW "{kind}" AS {" UNION ALL ".join(parts)}')


def _dataset(path: str, kind: str) -> Any:
    """A compacted file whose columns are read when they are asked for; those that it lacks are null."""
    columns = schema.TABLES[kind].remove_metadata()
    plain = pa.schema([pa.field(field.name, field.type) for field in columns])
    if is_local(path):
        return ds.dataset(path, schema=plain, format="parquet", partitioning=None)
    fs, name = file_system(path)
    return ds.dataset(name, schema=plain, format="parquet", filesystem=fs, partitioning=None)
