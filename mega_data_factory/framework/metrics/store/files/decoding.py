"""Metrics files of every version as tables of the current one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.errors import InputError, MetricsError
from mega_data_factory.framework.metrics import schema
from mega_data_factory.storage import (
    Location,
    is_local,
    local_name,
    local_path,
    open_parquet,
    parquet_dataset,
    parquet_in_memory,
    read_bytes,
)

if TYPE_CHECKING:
    import pyarrow.dataset as ds

_PUBLISHED = {
    "runs": (schema.RUNS, "config"),
    "stages": (schema.STAGES, "error_count"),
    "operators": (schema.OPERATORS, "custom_metrics"),
}
"""Table → its schema, and the last of the columns that version 0 has."""


class NotAMetricsFile(Exception):
    """A file is damaged, or none of ours; says why."""


class FileVanished(Exception):
    """A file that was listed is missing: it was folded, compacted or pruned meanwhile, so list again."""


def is_damage(reason: NotAMetricsFile) -> bool:
    """Return whether it is the content of a file that is wrong: not that it may not be read, or that a disk fails."""
    cause = reason.__cause__
    return not isinstance(cause, InputError) and getattr(cause, "errno", None) is None


def shares_columns(path: Location, kind: str) -> bool:
    """Return whether a Parquet file has a column with a name of those of a table."""
    with open_parquet(path) as file:
        return not set(file.schema_arrow.names).isdisjoint(schema.TABLES[kind].names)


def is_missing(error: BaseException) -> bool:
    """Return whether an error of opening or reading says that there is no such file."""
    return isinstance(error, FileNotFoundError) or isinstance(error.__cause__, FileNotFoundError)


def read_run_file(path: Location, kind: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return one file of one run, whole, in the columns of the current version; what the file lacks is null.

    The metadata of the result is that of the file, so `owners` can tell the run.

    Args:
        path: the file.
        kind: the table it belongs to.
        columns: only these; all by default.

    Raises:
        FileVanished: there is no such file.
        NotAMetricsFile: it is damaged, or no metrics file.
        MetricsError: a newer version of this package wrote it.
    """
    try:
        return decode_run_file(_content(path), kind, path, columns)
    except (InputError, OSError, ValueError) as error:  # the last for a name that no file can have
        if is_missing(error) and not _is_link(path):
            raise FileVanished(str(path)) from error
        raise NotAMetricsFile(_reason(error)) from error


def decode_run_file(content: bytes, kind: str, path: Location, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the content of a file of one run as `read_run_file` does.

    Args:
        content: bytes of the file.
        kind: the table it belongs to.
        path: the file, for messages.
        columns: only these; all by default.

    Raises:
        NotAMetricsFile, MetricsError: as `read_run_file`.
    """
    try:
        file = parquet_in_memory(content)
        found = file.schema_arrow
        metadata = check_version(found, kind, path)
        if columns is None and found.names == schema.TABLES[kind].names:
            table, names = file.read(use_threads=False), None
        else:
            names = _chosen(kind, columns)
            table = file.read(stored_names(kind, names, found), use_threads=False)
        return conform(table, kind, names).replace_schema_metadata(metadata)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise NotAMetricsFile(_reason(error)) from error


def _reason(error: Exception) -> str:
    """Say in one line what is wrong with a file."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _is_link(path: Location) -> bool:
    """Return whether there is a link, be it to nothing: no file of ours, and listed however often one looks."""
    return is_local(path) and local_path(path).is_symlink()


def read_compacted_file(
    path: Location, kind: str, columns: Sequence[str] | None = None, only: pc.Expression | None = None
) -> pa.Table:
    """Return the rows of a compacted file that pass a condition; row groups that cannot hold any are not read.

    Args:
        path: the file.
        kind: the table it belongs to.
        columns: only these; all by default.
        only: condition on columns that files of every version have.

    Raises:
        FileVanished, NotAMetricsFile, MetricsError: as `read_run_file`.
    """
    try:
        _check_it_is_a_file(path)
        with open_parquet(path) as file:
            found = check_version(file.schema_arrow, kind, path)
            names = _chosen(kind, columns)
            present = stored_names(kind, names, file.schema_arrow)
            table = file.read(present, use_threads=False) if only is None else None
        if table is None:
            table = parquet_dataset(path).to_table(present, filter=only, use_threads=False)
        return conform(table, kind, names).replace_schema_metadata(found)
    except (InputError, pa.ArrowException, OSError, ValueError) as error:
        if is_missing(error) and not _is_link(path):
            raise FileVanished(str(path)) from error
        raise NotAMetricsFile(_reason(error)) from error


def open_compacted_file(path: Location, kind: str) -> ds.Dataset:
    """Open a compacted file as a dataset, whose columns are read when they are asked for; those that it lacks are null.

    Damage beyond its footer shows when it is read.

    Raises:
        FileVanished, NotAMetricsFile, MetricsError: as `read_run_file`.
    """
    try:
        _check_it_is_a_file(path)
        with open_parquet(path) as file:
            check_version(file.schema_arrow, kind, path)
        columns = pa.schema([pa.field(field.name, field.type) for field in schema.TABLES[kind]])
        return parquet_dataset(path, columns)
    except (InputError, pa.ArrowException, OSError, ValueError) as error:
        if is_missing(error) and not _is_link(path):
            raise FileVanished(str(path)) from error
        raise NotAMetricsFile(_reason(error)) from error


def _content(path: Location) -> bytes:
    """Read a file in one request: a size that the file system remembers may be that of an earlier state."""
    _check_it_is_a_file(path)
    return read_bytes(path)


def _check_it_is_a_file(path: Location) -> None:
    """Refuse what blocks who opens it: a pipe, a socket, a device; and a folder.

    Raises:
        NotAMetricsFile: it is not a file.
    """
    if not is_local(path):
        return
    try:
        mode = os.stat(local_name(path)).st_mode  # noqa: PTH116 - half the time of a `Path`
    except (OSError, ValueError):  # opening it tells why
        return
    if not stat.S_ISREG(mode):
        raise NotAMetricsFile("it is not a file")


def check_version(columns: pa.Schema, kind: str, path: Location) -> dict[bytes, bytes]:
    """Return the metadata of a file of ours.

    A file that says no version is of version 0 when it has all columns of the published layout.

    Raises:
        NotAMetricsFile: it is not of ours.
        MetricsError: it is of a newer version.
    """
    metadata: dict[bytes, bytes] = columns.metadata or {}
    if schema.VERSION_KEY not in metadata:
        missing = [name for name in published_columns(kind) if name not in columns.names]
        if missing:
            raise NotAMetricsFile(f"it has no schema version, and no column {', '.join(missing[:3])}")
        if kind not in _PUBLISHED:
            raise NotAMetricsFile("it has no schema version")
        return metadata
    version = int(metadata[schema.VERSION_KEY])
    if version > schema.SCHEMA_VERSION:
        raise MetricsError(
            f"{path} has schema version {version}; this version of the package reads up to {schema.SCHEMA_VERSION}",
            hint="update mega-data-factory to read it",
        )
    return metadata


def published_columns(kind: str) -> list[str]:
    """Return the columns of the published layout: what a file of version 0 has. None for a table that came later."""
    if kind not in _PUBLISHED:
        return []
    columns, last = _PUBLISHED[kind]
    names: list[str] = columns.names
    return names[: names.index(last) + 1]


def _chosen(kind: str, columns: Sequence[str] | None) -> list[str]:
    names: list[str] = schema.TABLES[kind].names
    return names if columns is None else [name for name in names if name in columns]


def stored_names(kind: str, names: Sequence[str], content: pa.Schema) -> list[str]:
    """Return what a file calls some columns of the current version; those that it lacks are left out."""
    present = set(content.names)
    earlier = schema.EARLIER_NAMES.get(kind, {})
    candidates = (name if name in present else earlier.get(name, name) for name in names)
    return [name for name in candidates if name in present]


def conform(table: pa.Table, kind: str, names: Sequence[str] | None = None) -> pa.Table:
    """Return the known columns in the order and types of the schema; null if the table has none.

    Raises:
        pa.ArrowInvalid: a value does not fit its type.
    """
    target = schema.TABLES[kind]
    wanted = target if names is None else pa.schema([target.field(name) for name in names], target.metadata)
    if table.schema.equals(wanted):  # most files: they have the current version
        return table
    renamed = {old: new for new, old in schema.EARLIER_NAMES.get(kind, {}).items()}
    table = table.rename_columns([renamed.get(name, name) for name in table.column_names])
    present = set(table.column_names)
    data = [
        table.column(field.name).cast(field.type) if field.name in present else pa.nulls(len(table), field.type)
        for field in wanted
    ]
    return pa.table(data, schema=wanted)


def owners(table: pa.Table) -> set[str]:
    """Return the runs that a table of `read_run_file` is of: its file says it, or, in version 0, its rows."""
    metadata = table.schema.metadata or {}
    if schema.RUN_ID_KEY in metadata:
        return {metadata[schema.RUN_ID_KEY].decode()}
    return run_ids(table)


def run_ids(table: pa.Table) -> set[str]:
    """Return the distinct ids in the column `run_id`."""
    return set(table.column("run_id").unique().to_pylist())


def gathered(tables: Iterable[pa.Table], kind: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return tables of one kind as one, with the schema of the current version."""
    target = schema.TABLES[kind]
    fields = pa.schema([target.field(name) for name in _chosen(kind, columns)], metadata=target.metadata)
    parts = [table if table.schema.equals(fields) else table.cast(fields) for table in tables]
    return pa.concat_tables(parts).cast(fields) if parts else fields.empty_table()  # the cast adds the metadata
