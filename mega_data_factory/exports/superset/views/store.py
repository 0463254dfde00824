"""The tables of a metrics folder as plain SQL views of DuckDB: every run exactly once, in every state of the folder.

They say in SQL what `framework.metrics.store` says in Python, for programs that can only send SQL:

- A run has files of its own, or is in compacted units, or both while a compaction goes on: its own files count, and of
  units the one that knows it latest.
- Of the segments of a run that goes on, or was killed, those count that no wider one stands for.
- A running run whose heartbeat is too old is `aborted`.

DuckDB lists the folders of a query one after the other, from the first common table expression to the last, and reads
each of them once. The order below is the one in which a run cannot be missed, or seen twice, while others write, fold,
compact or prune: units that are being written, names of segments, rows of own files and of placed units, the index of
units, names of own files. What can happen is that a file which was listed is gone when it is opened: then the query
fails, and asking again answers it.
"""

# ruff: noqa: S608 - SQL is what this module makes; all that goes into it is quoted
from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.store.layout import SEGMENTED
from mega_data_factory.framework.metrics.store.status import LEAST_SILENCE, MISSED_BEATS
from mega_data_factory.framework.metrics.store.units import FOLDER

PLACEHOLDER = ".schema.parque_"
"""A file without rows in every folder that a view reads: DuckDB refuses a pattern that matches no file. The pattern of
the views matches it; `*.parquet`, which is what everybody else asks for, does not."""

OLD_PLACEHOLDER = ".schema.parquet"
"""Its name in earlier versions, which DuckDB took for a file of metrics."""


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

_HISTOGRAM_TYPE = "STRUCT(bucket INTEGER, count BIGINT)[]"


def folders(kind: str) -> tuple[str, str]:
    """The folders of a table, below the metrics folder: files of single runs, and of units."""
    return kind, f"{FOLDER}/{kind}"


def store_views(root: str) -> Iterator[str]:
    """Statements that make a view for every table of the schema.

    Args:
        root: the metrics folder, an absolute local path. Every one of its `folders` must hold `PLACEHOLDER`.
    """
    yield "CREATE SCHEMA store"
    yield f"CREATE VIEW store.unit_index AS {_unit_index(root)}"
    for kind in schema.TABLES:
        yield f"CREATE VIEW {kind} AS {_runs(root) if kind == 'runs' else _level(root, kind)}"


def quoted(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _columns(kind: str, *, cast: bool = False) -> str:
    names = [f'"{name}"' for name in schema.TABLES[kind].names]
    if not cast:
        return ", ".join(names)
    types = [_SQL_TYPES.get(field.type, _HISTOGRAM_TYPE) for field in schema.TABLES[kind]]
    earlier = schema.EARLIER_NAMES.get(kind, {})
    values = [
        f'coalesce("{field}", "{earlier[field]}")' if field in earlier else f'"{field}"'
        for field in schema.TABLES[kind].names
    ]
    return ", ".join(f"{value}::{kind} AS {name}" for value, kind, name in zip(values, types, names, strict=True))


def _glob(root: str, folder: str) -> str:
    """The Parquet files of a folder as a pattern, in which only the last star means more than itself."""
    plain = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in root)
    return quoted(f"{plain}/{folder}/*.parque[t_]")


def _files(root: str, folder: str) -> str:
    """All files of a folder as one table, with their `filename`; columns that a file lacks are null."""
    return f"read_parquet({_glob(root, folder)}, union_by_name = true, filename = true, hive_partitioning = false)"


def _unit_index(root: str) -> str:
    """Which unit knows which run, and until when: `run_id`, `unit`, `seen`. A unit is there when it is here."""
    return f"""
        SELECT DISTINCT run_id, unit, seen FROM (
            SELECT run_id, {_STAGED} AS unit, {_SEEN} AS seen
            FROM {_files(root, folders("runs")[1])} WHERE {_STAGED} <> ''
            UNION ALL
            SELECT run_id, {_PLACED} AS unit, {_SEEN} AS seen
            FROM {_files(root, folders("runs")[0])} WHERE {_PLACED} <> ''
        )
    """


_STAGED = r"regexp_extract(filename, '/([^/.][^/]*_[0-9a-f]{16})\.parquet$', 1)"
_PLACED = r"regexp_extract(filename, '/compacted_([^/]+_[0-9a-f]{16})\.parquet$', 1)"
"""The unit that a file belongs to, where units are written and where they are placed; empty for other files."""

_SEEN = "coalesce(greatest(end_time, heartbeat, start_time), TIMESTAMP '-infinity')"


def _runs(root: str) -> str:
    own, units = folders("runs")
    silence = f"greatest({MISSED_BEATS} * coalesce(flush_interval, 0), {LEAST_SILENCE})"
    return f"""
        WITH staged AS MATERIALIZED (
            SELECT {_columns("runs", cast=True)}, {_STAGED} AS unit
            FROM {_files(root, units)} WHERE {_STAGED} <> ''
        ), found AS MATERIALIZED (
            SELECT {_columns("runs", cast=True)}, {_PLACED} AS unit FROM {_files(root, own)} WHERE run_id IS NOT NULL
        ), own AS (
            SELECT {_columns("runs")} FROM found WHERE unit = ''
        ), newest AS (
            SELECT {_columns("runs")} FROM (FROM staged UNION ALL FROM found WHERE unit <> '')
            QUALIFY row_number() OVER (PARTITION BY run_id ORDER BY {_SEEN} DESC, unit DESC) = 1
        ), every AS (
            SELECT {_columns("runs")} FROM own
            UNION ALL
            SELECT {_columns("runs")} FROM newest ANTI JOIN (SELECT run_id FROM own) USING (run_id)
        )
        SELECT * REPLACE (
            CASE WHEN status = 'running' AND heartbeat < make_timestamp(epoch_us(now())) - to_seconds({silence})
            THEN 'aborted' ELSE status END AS status
        )
        FROM every
    """


def _level(root: str, kind: str) -> str:
    """The rows of a table other than `runs`."""
    own, units = folders(kind)
    whose = rf"regexp_extract(file, '/{kind}_([^/]+?)(\.\d{{6,}}(-\d{{6,}})?)?\.parquet$', 1)"
    source = "found SEMI JOIN counted USING (filename)" if kind in SEGMENTED else "found"
    return f"""
        WITH staged AS MATERIALIZED (
            SELECT {_columns(kind, cast=True)}, {_STAGED} AS unit
            FROM {_files(root, units)} WHERE {_STAGED} <> ''
        ), {_listed(root, kind)} every AS MATERIALIZED (
            SELECT {_columns(kind, cast=True)}, filename, {_PLACED} AS unit
            FROM {_files(root, own)} WHERE run_id IS NOT NULL
        ), found AS (
            FROM every WHERE unit = ''
        ), {_counted(kind)} own AS (
            SELECT {_columns(kind)} FROM {source}
        ), placed AS (
            SELECT {_columns(kind)}, unit FROM every WHERE unit <> ''
        ), unit AS (
            FROM placed UNION ALL FROM staged WHERE unit NOT IN (SELECT unit FROM placed)
        ), indexed AS (
            SELECT run_id, unit, seen FROM store.unit_index
        ), serving AS (
            SELECT run_id, max_by(unit, (seen IS NOT NULL, seen, unit)) AS unit
            FROM (SELECT DISTINCT run_id, unit FROM unit) LEFT JOIN indexed USING (run_id, unit)
            GROUP BY run_id
        ), taken AS (
            SELECT DISTINCT {_stem("run_id")} AS stem FROM own
            UNION
            SELECT {whose} FROM glob({_glob(root, own)})
        )
        SELECT {_columns(kind)} FROM own
        UNION ALL
        SELECT {_columns(kind)} FROM unit
        SEMI JOIN serving ON unit.run_id = serving.run_id AND unit.unit = serving.unit
        SEMI JOIN indexed ON unit.run_id = indexed.run_id
        ANTI JOIN taken ON {_stem("unit.run_id")} = taken.stem
    """


def _stem(run_id: str) -> str:
    """What the names of a run's files have of its id."""
    return f"regexp_replace({run_id}, '^run_', '')"


def _listed(root: str, kind: str) -> str:
    """The names of all files before their rows: one that holds no row still supersedes others."""
    if kind not in SEGMENTED:
        return ""
    return f"listed AS MATERIALIZED (SELECT file AS filename FROM glob({_glob(root, folders(kind)[0])})),"


def _counted(kind: str) -> str:
    """The files whose rows count: the finished one of a run, else of its segments those that no wider one spans."""
    if kind not in SEGMENTED:
        return ""
    segment = rf"'/{kind}_([^/]+)\.(\d{{6,}})(-(\d{{6,}}))?\.parquet$'"
    return f"""
        named AS (
            SELECT filename, regexp_extract(filename, {segment}, 2) AS number,
                regexp_extract(filename, {segment}, 4) AS until,
                coalesce(
                    nullif(regexp_extract(filename, {segment}, 1), ''),
                    regexp_extract(filename, '/{kind}_([^/]+)\\.parquet$', 1)
                ) AS stem
            FROM (SELECT filename FROM listed UNION SELECT filename FROM found)
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
