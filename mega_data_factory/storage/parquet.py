"""The one way in which Parquet files are opened for reading; the linter refuses others in this package.

Arrow reads with threads of its own. Where these read through a file object of Python, a process may abort when it ends:
the pools are torn down while a thread still holds the interpreter (apache/arrow#34314). So local files are opened by
Arrow itself, others are read in the calling thread, or as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mega_data_factory.storage.location import Location, is_local, local_path
from mega_data_factory.storage.reading import open_input, read_bytes

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq


@contextmanager
def open_parquet(uri: Location) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file to read parts of it; read them with `use_threads=False`.

    Raises:
        InputError: it is missing, is a folder, or may not be read.
        pyarrow.ArrowException: it is not a Parquet file, or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open_input(uri, decompress=False) as source:
        native = pa.OSFile(str(local_path(uri))) if is_local(uri) else source
        yield pq.ParquetFile(native, pre_buffer=False)


def parquet_in_memory(content: bytes) -> pq.ParquetFile:
    """Open the content of a Parquet file; read it with `use_threads=False`.

    Raises:
        pyarrow.ArrowException: it is not a Parquet file, or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.ParquetFile(pa.BufferReader(content))


def read_parquet(uri: Location, columns: list[str] | None = None) -> pa.Table:
    """Read a small Parquet file whole, in one request where it is in an object store.

    Raises:
        InputError: it is missing, is a folder, or may not be read.
        pyarrow.ArrowException: it is not a Parquet file, or damaged.
    """
    return parquet_in_memory(read_bytes(uri)).read(columns, use_threads=False)


def parquet_dataset(uri: Location, schema: pa.Schema | None = None) -> ds.Dataset:
    """Return one Parquet file as a dataset: row groups that a filter rules out are not read.

    Args:
        uri: the file. In an object store it is fetched whole, in one request.
        schema: columns to give; those that the file lacks are null. Those of the file by default.

    Raises:
        InputError: it is missing, is a folder, or may not be read.
        pyarrow.ArrowException, OSError: it is not a Parquet file, or damaged.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    if is_local(uri):
        return ds.dataset(str(local_path(uri)), schema=schema, format="parquet", partitioning=None)
    form = ds.ParquetFileFormat()
    fragment = form.make_fragment(pa.BufferReader(read_bytes(uri)))
    return ds.FileSystemDataset([fragment], schema or fragment.physical_schema, form)
