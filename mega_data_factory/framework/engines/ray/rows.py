"""Batches as rows of a Ray dataset: one row is one batch."""

from __future__ import annotations

import json

import pyarrow as pa

from mega_data_factory.errors import MdfError
from mega_data_factory.framework.batch import Batch, StagedBatch

_NO_TABLE = pa.table({})

_SCHEMA = pa.schema(
    [
        ("header", pa.string()),  # Batch.header(), or null in a row that carries a failure
        ("table", pa.large_binary()),  # Arrow IPC stream; null when the table is staged or empty
        ("staged", pa.string()),  # where a staged table lies
        ("records", pa.int64()),
        ("bytes", pa.int64()),
        ("failed", pa.string()),  # MdfError.as_dict() as JSON: ends the run when the driver sees it
    ]
)


def pack_table(table: pa.Table) -> pa.Buffer:
    """Return the table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def unpack_table(data: pa.Buffer) -> pa.Table:
    """Return the table of an Arrow IPC stream, without a copy."""
    return pa.ipc.open_stream(data).read_all()


def batch_row(batch: Batch) -> pa.Table:
    """Return a row that carries a batch with its table."""
    data = pack_table(batch.table)
    offsets = pa.array([0, data.size], pa.int64()).buffers()[1]
    column = pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, data])
    return _row(batch.header(), column, None, batch.table.num_rows, batch.table.nbytes)


def staged_row(batch: Batch, path: str | None) -> pa.Table:
    """Return a row that carries the account of a batch whose table lies at `path`."""
    return _row(batch.header(), pa.nulls(1, pa.large_binary()), path, batch.table.num_rows, batch.table.nbytes)


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
    table = unpack_table(row.column("table")[0].as_buffer())
    return Batch.from_header(row.column("header")[0].as_py(), table)


def staged_of(row: pa.Table) -> StagedBatch:
    """Return the staged batch that a row tells of."""
    batch = Batch.from_header(row.column("header")[0].as_py(), _NO_TABLE)
    path = row.column("staged")[0].as_py()
    return StagedBatch(batch, row.column("records")[0].as_py(), row.column("bytes")[0].as_py(), path)


def _row(header: str, table: pa.Array, staged: str | None, records: int, size: int) -> pa.Table:
    values = [
        pa.array([header], pa.string()),
        table,
        pa.array([staged], pa.string()),
        pa.array([records], pa.int64()),
        pa.array([size], pa.int64()),
        pa.nulls(1, pa.string()),
    ]
    return pa.Table.from_arrays(values, schema=_SCHEMA)
