"""SQL over a metrics folder: DuckDB with a view per table, every run once, and a macro for percentiles."""

# ruff: noqa: S608 - the names of views are ours
from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from mega_data_factory import extras
from mega_data_factory.errors import MetricsQueryError
from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.store.files.decoding import (
    NotAMetricsFile,
    gathered,
    open_compacted_file,
    owners,
    read_compacted_file,
)
from mega_data_factory.framework.metrics.store.files.listing import list_table
from mega_data_factory.framework.metrics.store.reading.percentiles import PERCENTILES_MACRO
from mega_data_factory.framework.metrics.store.reading.status import with_deaths
from mega_data_factory.framework.metrics.store.reading.stored_tables import StoredTables

if TYPE_CHECKING:
    import duckdb

_LOCKED = (
    "SET enable_external_access = false",
    "SET python_enable_replacements = false",
    "SET lock_configuration = true",
)
"""A query sees the views and nothing else: no files, no network, no variables of the process."""

_READING = frozenset({"SELECT", "EXPLAIN", "MULTI"})
"""DuckDB's types of statements that only read; PIVOT becomes `MULTI`."""


class _Damaged(Exception):
    """A compacted file turned out to be damaged while it was read: the query is asked again without it."""


def query(tables: StoredTables, sql: str, now: Callable[[], datetime]) -> pa.Table:
    """Answer a query over the views `runs`, `stages`, `operators`, `samples` …: one for every table of the schema.

    Only the tables that the query names are read, and of compacted runs only the columns that it needs. Damaged files
    are skipped with one warning each, as by `StoredTables.read`.

    Args:
        tables: the metrics folder.
        sql: one query; see `PERCENTILES_MACRO` for percentiles.
        now: naive UTC, to tell running from aborted runs.

    Raises:
        MissingPackageError: DuckDB is not installed.
        MetricsQueryError: DuckDB refuses the query, or it would change something.
        MetricsError: as `StoredTables.read`.
    """
    extras.require("sql", "SQL over metrics")
    damaged: set[str] = set()
    while True:
        try:
            return tables.consistently(lambda: _answer(tables, sql, now(), damaged))
        except _Damaged:
            continue


def _answer(tables: StoredTables, sql: str, now: datetime, damaged: set[str]) -> pa.Table:
    import duckdb

    words = {word.lower() for word in re.findall(r"\w+", sql)}
    files: dict[str, str] = {}
    with duckdb.connect() as connection:
        for kind in schema.TABLES:
            if kind in words:
                files |= _add_view(connection, tables, kind, now, damaged)
            else:
                connection.register(kind, schema.TABLES[kind].empty_table())
        connection.execute(PERCENTILES_MACRO)
        for setting in _LOCKED:
            connection.execute(setting)
        try:
            _check_it_reads(connection, sql)
            result = connection.sql(sql).to_arrow_table()
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            _check_files(tables, files, damaged)
            raise MetricsQueryError(f"the query cannot be answered: {error}") from error
    return result


def _check_files(tables: StoredTables, files: Mapping[str, str], damaged: set[str]) -> None:
    """Look whether files are why a query failed.

    Args:
        tables: the metrics folder.
        files: path → table of the compacted files that were read.
        damaged: takes those that are damaged.

    Raises:
        FileVanished: one is missing.
        _Damaged: one is damaged.
    """
    before = len(damaged)
    for path, kind in files.items():
        try:
            read_compacted_file(path, kind)
        except NotAMetricsFile as error:
            tables.skipped.note(path, error)
            damaged.add(path)
    if len(damaged) > before:
        raise _Damaged


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
    connection: duckdb.DuckDBPyConnection, tables: StoredTables, kind: str, now: datetime, damaged: Collection[str]
) -> dict[str, str]:
    """Make the view of one table; return path → table of the compacted files behind it."""
    if kind == "runs":
        connection.register(kind, with_deaths(tables.read(kind), now))
        return {}
    known = tables.units.names()
    files = list_table(tables.path, kind)
    found = list(tables.single_runs.read(kind, tables.single_runs.paths(kind, files)))
    taken = {run for _, table in found for run in owners(table)}
    connection.register(f"_{kind}_0", gathered((table for _, table in found), kind))
    parts = [f'SELECT * FROM "_{kind}_0"']
    read: dict[str, str] = {}
    for number, source in enumerate(tables.units.sources(kind, files, tables.units.all(known), taken), 1):
        if source.path in damaged:
            continue
        try:
            rows = open_compacted_file(source.path, kind)
        except NotAMetricsFile as error:
            tables.skipped.note(source.path, error)
            continue
        read[source.path] = kind
        connection.register(f"_{kind}_{number}", rows)
        condition = ""
        if not source.complete:
            connection.register(f"_{kind}_{number}_runs", pa.table({"run_id": sorted(source.served)}))
            condition = f' WHERE run_id IN (FROM "_{kind}_{number}_runs")'
        parts.append(f'SELECT * FROM "_{kind}_{number}"{condition}')
    connection.execute(f'CREATE VIEW "{kind}" AS {" UNION ALL ".join(parts)}')
    return read
