"""Tables of a batch as bytes, between processes: the records that are in, and behind them the rows of rejected ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Parcel:
    """Tables of a batch.

    Attributes:
        table: the records that are still in.
        rejects: a row of the reject ledger for every record that was rejected; None if there are none.
    """

    table: pa.Table
    rejects: pa.Table | None = None


def write_parcel(sink: Any, parcel: Parcel) -> None:
    """Write the tables to a file of Arrow or Python, each as an Arrow IPC stream."""
    for table in (parcel.table, parcel.rejects):
        if table is not None:
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)


def read_parcel(source: pa.NativeFile) -> Parcel:
    """Read the tables, without a copy where the source is memory or a mapped file."""
    table = pa.ipc.open_stream(source).read_all()
    rejects = pa.ipc.open_stream(source).read_all() if source.tell() < source.size() else None
    return Parcel(table, rejects)
