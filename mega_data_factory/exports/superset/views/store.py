"""The tables of a metrics folder as plain SQL views of DuckDB: every run exactly once, in every state of the folder.

They say in SQL what `framework.metrics.store` says in Python, for programs that can only send SQL:

- A run has files of its own, or is in compacted units, or both while a compaction is in progress: its own files count,
  and of units the one that knows it latest.
- Files that are pending count as those in their place do.
- Of the segments of a run that is in progress, or was killed, those count that no wider one stands for.
- A running run whose heartbeat is too old is `aborted`.

DuckDB lists the folders of a query one after the other, from the first common table expression to the last, and reads
each of them once: names, rows, names again. When a file went between the two lists of names, or a unit came, the query
fails; so it does when a listed file was removed before it is opened. Repeating the query answers it.
"""

# ruff: noqa: S608 - SQL is what this module makes; all that goes into it is quoted
from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa

from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.store.files.layout import PENDING, SEGMENTED
from mega_data_factory.framework.metrics.store.files.units import LEGACY_FOLDER
from mega_data_factory.framework.metrics.store.reading.status import LEAST_SILENCE, MISSED_BEATS

PLACEHOLDER = ".schema.parquet"
"""A file without rows among the pending files of every table: DuckDB refuses a pattern that matches no file. Readers of
the store pass over names that begin with a dot."""


def placeholder_columns(kind: str) -> pa.Schema:
    """Return the columns of the placeholder of a table: those of today, and what older files call some of them."""
    table = schema.TABLES[kind]
    earlier = schema.EARLIER_NAMES.get(kind, {})
    return pa.schema(
        [pa.field(field.name, field.type) for field in table]
        + [pa.field(old, table.field(new).type) for new, old in earlier.items()]
    )


_SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.timestamp("us"): "TIMESTAMP",
}


def _sql_type(kind: pa.DataType) -> str:
    """Return the type of DuckDB that holds a column."""
    if pa.types.is_list(kind):
        return f"{_sql_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        return f"STRUCT({', '.join(f'{field.name} {_sql_type(field.type)}' for field in kind)})"
    return _SQL_TYPES[kind]


def placeholder_of(kind: str) -> str:
    """Return where the placeholder of a table is, below the metrics folder."""
    return f"{PENDING}/{kind}/{PLACEHOLDER}"


def store_views(root: str) -> Iterator[str]:
    """Yield statements that make a view for every table of the schema.

    Args:
        root: the metrics folder, an absolute local path. It must hold the placeholder of every table.
    """
    yield "CREATE SCHEMA store"
    yield f"CREATE VIEW store.unit_index AS {_unit_index(root)}"
    for kind in schema.TABLES:
        yield f"CREATE VIEW {kind} AS {_runs(root) if kind == 'runs' else _level(root, kind)}"


def quoted(text: str) -> str:
    """Return a text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _columns(kind: str, *, cast: bool = False) -> str:
    names = [f'"{name}"' for name in schema.TABLES[kind].names]
    if not cast:
        return ", ".join(names)
    types = [_sql_type(field.type) for field in schema.TABLES[kind]]
    earlier = schema.EARLIER_NAMES.get(kind, {})
    values = [
        f'coalesce("{field}", "{earlier[field]}")' if field in earlier else f'"{field}"'
        for field in schema.TABLES[kind].names
    ]
    return ", ".join(f"{value}::{kind} AS {name}" for value, kind, name in zip(values, types, names, strict=True))


def _glob(root: str, kind: str) -> str:
    """Return the files of a table, pending ones and those of earlier versions too, as a pattern.

    In the part before `**` every letter means only itself.
    """
    plain = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in root)
    return quoted(f"{plain}/**/{kind}/*.parquet")


def _names(root: str, kind: str) -> str:
    """Return the files of a table as a query: `file`, its `name` below the metrics folder, `own` or `unit`."""
    return _classified(root, kind, f"SELECT file FROM glob({_glob(root, kind)})", "file", "file")


def _rows(root: str, kind: str) -> str:
    """Return a query for all rows of a table, with `filename`, `own` and `unit`; missing columns are null."""
    files = f"read_parquet({_glob(root, kind)}, union_by_name = true, filename = true, hive_partitioning = false)"
    return _classified(
        root,
        kind,
        f"SELECT * FROM {files} WHERE run_id IS NOT NULL",
        "filename",
        f"{_columns(kind, cast=True)}, filename",
    )


def _classified(root: str, kind: str, source: str, file: str, columns: str) -> str:
    """Return rows of a query that has the name of a file of the store in a column, with what the name says.

    `own`: for a file of a single run, its name. `unit`: for a file of a unit, the name of the unit.
    """
    name = f"substr({file}, {len(root) + 2})"
    own = rf"regexp_extract({name}, '^({re.escape(PENDING)}/)?{kind}/([^/.][^/]*)\.parquet$', 2)"
    unit = rf"regexp_extract({name}, '^({re.escape(PENDING)}/)?{kind}/(compacted_[^/]+_[0-9a-f]{{16}})\.parquet$', 2)"
    legacy = rf"regexp_extract({name}, '^{LEGACY_FOLDER}/{kind}/([^/.][^/]*_[0-9a-f]{{16}})\.parquet$', 1)"
    return f"""
        SELECT * FROM (
            SELECT {columns}, CASE WHEN {unit} = '' THEN nullif({own}, '') END AS own,
                coalesce(nullif({unit}, ''), nullif({legacy}, '')) AS unit,
                starts_with({name}, '{kind}/') AS in_place
            FROM ({source})
        ) WHERE own IS NOT NULL OR unit IS NOT NULL
    """


_STEADY = """
    SELECT CASE WHEN
        EXISTS (SELECT file FROM before WHERE in_place EXCEPT SELECT file FROM after)
        OR EXISTS (SELECT file FROM after WHERE in_place AND unit IS NOT NULL EXCEPT SELECT file FROM before)
    THEN error('the metrics were compacted while they were read: ask again') ELSE true END AS steady
"""
"""Fails where a run may have been missed, because its rows moved to another file between two listings."""

_SEEN = "coalesce(greatest(end_time, heartbeat, start_time), TIMESTAMP '-infinity')"


def _unit_index(root: str) -> str:
    """Return which unit knows which run, and until when: `run_id`, `unit`, `seen`. A unit exists when it is here."""
    return f"""
        WITH found AS ({_rows(root, "runs")})
        SELECT run_id, unit, max({_SEEN}) AS seen FROM found WHERE unit IS NOT NULL GROUP BY ALL
    """


def _runs(root: str) -> str:
    silence = f"greatest({MISSED_BEATS} * coalesce(flush_interval, 0), {LEAST_SILENCE})"
    return f"""
        WITH before AS MATERIALIZED ({_names(root, "runs")}),
        found AS ({_rows(root, "runs")}),
        after AS MATERIALIZED ({_names(root, "runs")}),
        steadiness AS ({_STEADY}),
        newest AS (
            SELECT {_columns("runs")} FROM found WHERE own IS NULL OR own = run_id
            QUALIFY row_number() OVER (PARTITION BY run_id ORDER BY own IS NOT NULL DESC, {_SEEN} DESC, unit DESC) = 1
        )
        SELECT newest.* REPLACE (
            CASE WHEN status = 'running' AND heartbeat < make_timestamp(epoch_us(now())) - to_seconds({silence})
            THEN 'aborted' ELSE status END AS status
        )
        FROM newest, steadiness WHERE steady
    """


def _level(root: str, kind: str) -> str:
    """Return the rows of a table other than `runs`."""
    whose = rf"regexp_extract(own, '^{kind}_(.+?)(\.\d{{6,}}(-\d{{6,}})?)?$', 1)"
    source = "found SEMI JOIN counted USING (filename)" if kind in SEGMENTED else "found"
    return f"""
        WITH before AS MATERIALIZED ({_names(root, kind)}),
        found AS ({_rows(root, kind)}),
        after AS MATERIALIZED ({_names(root, kind)}),
        steadiness AS ({_STEADY}),
        {_counted(kind)}
        single AS (
            SELECT {_columns(kind)} FROM {source} WHERE {whose} = {_stem("run_id")}
        ), indexed AS (
            SELECT run_id, unit, seen FROM store.unit_index
        ), serving AS (
            SELECT run_id, max_by(unit, (seen IS NOT NULL, seen, unit)) AS unit
            FROM (SELECT DISTINCT run_id, unit FROM found WHERE unit IS NOT NULL) LEFT JOIN indexed USING (run_id, unit)
            GROUP BY run_id
        ), taken AS (
            SELECT DISTINCT {_stem("run_id")} AS stem FROM single
            UNION
            SELECT {whose} FROM after WHERE own IS NOT NULL
        ), every AS (
            SELECT {_columns(kind)} FROM single
            UNION ALL
            SELECT {_columns(kind)} FROM found
            SEMI JOIN serving ON found.run_id = serving.run_id AND found.unit = serving.unit
            SEMI JOIN indexed ON found.run_id = indexed.run_id
            ANTI JOIN taken ON {_stem("found.run_id")} = taken.stem
        )
        SELECT {_columns(kind)} FROM every, steadiness WHERE steady
    """


def _stem(run_id: str) -> str:
    """Return the part of a run's id that is in the names of its files."""
    return f"regexp_replace({run_id}, '^run_', '')"


def _counted(kind: str) -> str:
    """Return the files whose rows count: the finished one of a run, else of its segments those that no wider one spans.

    Their names are listed before their rows: a file that holds no row still supersedes others.
    """
    if kind not in SEGMENTED:
        return ""
    segment = rf"'^{kind}_(.+)\.(\d{{6,}})(-(\d{{6,}}))?$'"
    return f"""
        named AS (
            SELECT file AS filename, regexp_extract(own, {segment}, 2) AS number,
                regexp_extract(own, {segment}, 4) AS until,
                coalesce(
                    nullif(regexp_extract(own, {segment}, 1), ''), regexp_extract(own, '^{kind}_(.+)$', 1)
                ) AS stem
            FROM (
                SELECT file, own, in_place FROM before WHERE own IS NOT NULL
                UNION SELECT filename, own, in_place FROM found WHERE own IS NOT NULL
            )
            QUALIFY row_number() OVER (PARTITION BY own ORDER BY in_place) = 1
        ), numbered AS (
            SELECT filename, stem, number = '' AS finished,
                try_cast(number AS BIGINT) AS first, try_cast(coalesce(nullif(until, ''), number) AS BIGINT) AS last
            FROM named
        ), counted AS (
            SELECT filename FROM numbered WHERE stem <> ''
            QUALIFY finished OR NOT bool_or(finished) OVER (PARTITION BY stem) AND coalesce(last > max(last) OVER (
                PARTITION BY stem ORDER BY first, last DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ), true)
        ),
    """
