"""Batches as rows of a Ray dataset: one row is one batch."""

from __future__ import annotations

import json

import pyarrow as pa

from mega_data_factory.errors import MdfError
from mega_data_factory.framework.batch import Batch, StagedBatch
from mega_data_factory.framework.parcel import Parcel, read_parcel, write_parcel

_NO_TABLE = pa.table({})

_SCHEMA = pa.schema(
    [
        ("header", pa.string()),  # Batch.header(), or null in a row that carries a failure
        ("table", pa.large_binary()),  # `pack_tables`; null when the tables are staged, or there is nothing in them
        ("staged", pa.string()),  # where a staged table lies
        ("records", pa.int64()),
        ("bytes", pa.int64()),
        ("reject_bytes", pa.int64()),
        ("failed", pa.string()),  # MdfError.as_dict() as JSON: ends the run when the driver sees it
    ]
)


def pack_tables(batch: Batch) -> pa.Buffer:
    """Return the tables of a batch as bytes."""
    sink = pa.BufferOutputStream()
    write_parcel(sink, Parcel(batch.table, batch.rejects))
    return sink.getvalue()


def unpack_batch(header: str, tables: pa.Buffer) -> Batch:
    """Return the batch of a header and of what `pack_tables` returned for it, without a copy."""
    parcel = read_parcel(pa.BufferReader(tables))
    return Batch.from_header(header, parcel.table, parcel.rejects)


def batch_row(batch: Batch) -> pa.Table:
    """Return a row that carries a batch with its table."""
    data = pack_tables(batch)
    offsets = pa.array([0, data.size], pa.int64()).buffers()[1]
    column = pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, data])
    return _row(batch, column, None)


def staged_row(batch: Batch, path: str | None) -> pa.Table:
    """Return a row that carries the account of a batch whose table lies at `path`."""
    return _row(batch, pa.nulls(1, pa.large_binary()), path)


def failure_row(error: MdfError) -> pa.Table:
    """Return a row that ends the run with an error."""
    values = [pa.nulls(1, field.type) for field in _SCHEMA]
    values[-1] = pa.array([json.dumps(error.as_dict())])
    return pa.Table.from_arrays(values, schema=_SCHEMA)


def row_error(row: pa.Table) -> MdfError | None:
    """Return the error that a row carries, if it carries one."""
    text = row.column("failed")[0].as_py()
    return None if text is None else MdfError.from_dict(json.loads(text))


def batch_of(row: pa.Table) -> Batch:
    """Return the batch that a row carries."""
    return unpack_batch(row.column("header")[0].as_py(), row.column("table")[0].as_buffer())


def staged_of(row: pa.Table) -> StagedBatch:
    """Return the staged batch that a row tells of."""
    batch = Batch.from_header(row.column("header")[0].as_py(), _NO_TABLE)
    path = row.column("staged")[0].as_py()
    records, size, rejects = (row.column(name)[0].as_py() for name in ("records", "bytes", "reject_bytes"))
    return StagedBatch(batch, records, size, path, rejects)


def _row(batch: Batch, table: pa.Array, staged: str | None) -> pa.Table:
    values = [
        pa.array([batch.header()], pa.string()),
        table,
        pa.array([staged], pa.string()),
        pa.array([batch.table.num_rows], pa.int64()),
        pa.array([batch.table.nbytes], pa.int64()),
        pa.array([batch.reject_bytes], pa.int64()),
        pa.nulls(1, pa.string()),
    ]
    return pa.Table.from_arrays(values, schema=_SCHEMA)
