"""The DuckDB file that Superset connects to: views over the Parquet files of a metrics folder, and no data."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from mega_data_factory import storage
from mega_data_factory.errors import MetricsError, MetricsQueryError, OutputError
from mega_data_factory.exports.superset.views.charts import CHART_VIEWS
from mega_data_factory.exports.superset.views.percentile import LATENCY_PERCENTILE
from mega_data_factory.exports.superset.views.store import (
    PLACEHOLDER,
    placeholder_columns,
    placeholder_of,
    quoted,
    store_views,
)
from mega_data_factory.framework.metrics import schema
from mega_data_factory.framework.metrics.store.files.units import LEGACY_FOLDER
from mega_data_factory.framework.metrics.store.reading.stored_tables import StoredTables
from mega_data_factory.framework.metrics.upkeep.set_aside import set_damaged_aside
from mega_data_factory.storage import Location

_ATTEMPTS = 5

STORAGE_VERSION = "v1.0.0"
"""The oldest format that every DuckDB since 1.0 reads: Superset's DuckDB is older than ours."""


def write_views(metrics: Location, file: Location) -> Path:
    """Write the views file of a metrics folder; programs that have it open keep the old one.

    The folder also gets a file without rows for each table, in its hidden folder of pending files. Damaged files, which
    fail DuckDB, are moved to its hidden folder `.set_aside`, with a warning.

    Args:
        metrics: the metrics folder, which must be local: DuckDB reads it by itself, on every query.
        file: the DuckDB file to write, local.

    Returns:
        Its absolute path.

    Raises:
        MetricsQueryError: the metrics folder is not local, or not there.
        MetricsError: a file in it may not be read.
        OutputError: the file, or a placeholder, cannot be written, or a damaged file cannot be moved.
    """
    root = _local_folder(metrics)
    if not storage.is_local(file):
        raise OutputError(f"{file}: DuckDB opens a views file on this machine only", hint="give a local path")
    target = Path(storage.absolute(file))
    set_damaged_aside(StoredTables(root))
    for kind in schema.TABLES:
        _write_placeholder(root / placeholder_of(kind), placeholder_columns(kind))
        for earlier in (root / kind, root / LEGACY_FOLDER / kind):
            earlier.joinpath(PLACEHOLDER).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        built = _built(Path(folder), root)
        with storage.atomic_output(target) as sink:
            sink.write(built.read_bytes())
    return target


def uri_of(file: Path) -> str:
    """Return the SQLAlchemy URI under which Superset opens a views file: read-only, for any number of processes."""
    return f"duckdb:///{quote(str(file))}?access_mode=READ_ONLY"


def columns_of(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return name and SQL type of the columns of some views; they do not depend on the metrics."""
    with tempfile.TemporaryDirectory() as empty:
        file = write_views(empty, Path(empty, "views.duckdb"))
        with duckdb.connect(str(file), read_only=True) as connection:
            described = {name: connection.execute(f"DESCRIBE {name}").fetchall() for name in names}
    return {name: {row[0]: row[1] for row in rows} for name, rows in described.items()}


def _local_folder(metrics: Location) -> Path:
    if not storage.is_local(metrics):
        raise MetricsQueryError(
            f"Superset reads metrics through DuckDB from a folder of its machine; {metrics} is none",
            hint="mount or sync the bucket there (rclone mount, s3fs, aws s3 sync) and give that path",
        )
    if not storage.is_folder(metrics):
        raise MetricsQueryError(
            f"there is no metrics folder {metrics}", hint="`mdf run --config FILE` writes metrics; --metrics names it"
        )
    return Path(storage.absolute(metrics))


def _write_placeholder(path: Path, columns: pa.Schema) -> None:
    sink = io.BytesIO()
    pq.write_table(columns.empty_table(), sink, store_schema=False)
    if path.is_file() and path.read_bytes() == sink.getvalue():
        return
    with storage.atomic_output(path) as output:
        output.write(sink.getvalue())


def _built(folder: Path, root: Path) -> Path:
    """Return a new views file: creating a view opens the files behind it, one of which may just be removed."""
    for left in reversed(range(_ATTEMPTS)):
        file = folder / f"{left}.duckdb"
        try:
            _build(file, root)
            break
        except duckdb.Error as error:
            if not left or not isinstance(error, duckdb.IOException):
                raise MetricsError(f"DuckDB cannot read the metrics in {root}: {error}") from error
    return file


def _build(file: Path, root: Path) -> None:
    """Write all views, and `metrics_folder()`, for who wants to let a connection read nothing else."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH {quoted(str(file))} AS written (STORAGE_VERSION '{STORAGE_VERSION}')")
        connection.execute("USE written")
        connection.execute(f"CREATE MACRO metrics_folder() AS {quoted(str(root))}")
        connection.execute(LATENCY_PERCENTILE)
        for statement in store_views(str(root)):
            connection.execute(statement)
        for name, query in CHART_VIEWS.items():
            connection.execute(f"CREATE VIEW {name} AS {query}")
        connection.execute("USE memory")
        connection.execute("DETACH written")
