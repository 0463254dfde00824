"""Columns of data frames and tables, as Arrow has them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from mega_data_factory.framework.judgement import as_array


def arrow_column(column: Any) -> pa.Array | pa.ChunkedArray | None:
    """Return a column of Arrow, polars or pandas as Arrow has it; None for plain values."""
    if isinstance(column, pa.Array | pa.ChunkedArray):
        return column
    if hasattr(column, "to_arrow"):  # polars
        return column.to_arrow()
    if type(column).__module__.partition(".")[0] == "pandas":
        return as_array(pa.array(column, from_pandas=True))
    return None
