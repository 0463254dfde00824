"""Tables as a Parquet file: the same few choices for every file of the store."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import BinaryIO, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from mega_data_factory.framework.metrics.schema import MOMENT_KEY, RUN_ID_KEY, VERSION_KEY, WRITER_KEY
from mega_data_factory.framework.metrics.store.files.layout import PENDING
from mega_data_factory.storage import Location, atomic_output, is_local, local_path

_FILE_KEYS = (VERSION_KEY, RUN_ID_KEY, MOMENT_KEY, WRITER_KEY)

_PRUNED_BY = ("run_id", "start_time", "timestamp")
"""Columns that readers select by; of the others minimum and maximum would only make the file larger."""


WriteTables: TypeAlias = Callable[[Location, Iterable[pa.Table]], None]
"""Writes one file, whole or not at all, as `write_tables` does."""


def write_tables(path: Location, tables: Iterable[pa.Table]) -> None:
    """Write tables of one schema as one file that is whole or absent, Snappy.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_output(path, workspace=_workspace(path)) as sink:
        encode(tables, sink)


def write_new_tables(path: Location, tables: Iterable[pa.Table]) -> None:
    """Write tables as `write_tables` does, unless the file is there.

    Raises:
        FileExistsError: it is.
        OutputError: it cannot be written.
    """
    with atomic_output(path, new=True, workspace=_workspace(path)) as sink:
        encode(tables, sink)


def _workspace(path: Location) -> Location | None:
    """Return where a file of a table is written: not in the folder that others list; None in an object store."""
    if not is_local(path):
        return None
    folder = local_path(path).parent  # of a table, or of its pending files
    return folder.parent if folder.parent.name == PENDING else folder.parent / PENDING


def encode(
    tables: Iterable[pa.Table], sink: BinaryIO, *, compression: str = "snappy", rows_per_group: int = 1 << 20
) -> None:
    """Encode tables of one schema as one file, each in row groups of its own.

    What is in the file beside the data is kept small, for most files have few rows: no comments, no copy of the Arrow
    schema (these types come back from Parquet's own), statistics only where they select. Whole numbers are stored as
    differences, text by dictionary.

    Args:
        tables: one at least; the metadata of the first says version and run, as `schema.to_table` puts them.
        sink: takes the bytes.
        compression: the codec of the pages.
        rows_per_group: rows in a row group at most.
    """
    rest = iter(tables)
    first = next(rest)
    metadata: Mapping[bytes, bytes] = first.schema.metadata or {}
    plain = pa.schema([pa.field(field.name, field.type) for field in first.schema])
    with pq.ParquetWriter(
        sink,
        plain,
        compression=compression,
        store_schema=False,
        use_dictionary=[field.name for field in plain if pa.types.is_string(field.type)],
        column_encoding=_integer_columns(plain),
        write_statistics=[name for name in _PRUNED_BY if name in plain.names],
    ) as writer:
        for table in itertools.chain([first], rest):
            writer.write_table(table.cast(plain), rows_per_group)
        writer.add_key_value_metadata({key.decode(): metadata[key].decode() for key in _FILE_KEYS if key in metadata})


def _integer_columns(columns: pa.Schema) -> dict[str, str]:
    """Return the columns of whole numbers, as Parquet names them, with the encoding they get."""
    names = [field.name for field in columns if pa.types.is_integer(field.type) or pa.types.is_timestamp(field.type)]
    if "latency_histogram" in columns.names:
        names += ["latency_histogram.list.element.bucket", "latency_histogram.list.element.count"]
    return dict.fromkeys(names, "DELTA_BINARY_PACKED")
