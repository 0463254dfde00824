"""Types of columns, and tables made of columns with their comments."""

from __future__ import annotations

import pyarrow as pa

from mega_data_factory.framework.metrics.schema.file_keys import VERSION_KEY
from mega_data_factory.framework.metrics.schema.versions import SCHEMA_VERSION

TIME = pa.timestamp("us")
COUNT = pa.int64()
REAL = pa.float64()
TEXT = pa.string()
HISTOGRAM = pa.list_(pa.struct([("bucket", pa.int32()), ("count", pa.int64())]))


def table(*columns: tuple[str, pa.DataType, str]) -> pa.Schema:
    """Return the schema of a table.

    Args:
        columns: Name, type and comment of each, in order.
    """
    fields = [pa.field(name, kind, metadata={"comment": comment}) for name, kind, comment in columns]
    return pa.schema(fields, metadata={VERSION_KEY: str(SCHEMA_VERSION)})
