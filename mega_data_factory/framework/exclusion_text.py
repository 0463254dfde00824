"""Text of records that are set aside."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa


def record_json(row: pa.Table, max_chars: int | None = None) -> str:
    """Return one record as JSON text; bytes as Latin-1 text, long texts cut to `max_chars` with an ellipsis."""

    def plain(value: Any) -> Any:
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        if isinstance(value, str) and max_chars is not None and len(value) > max_chars:
            return value[:max_chars] + "…"
        return value

    record = {name: plain(_value(row.column(name)[0])) for name in row.column_names}
    return json.dumps(record, default=str, ensure_ascii=False)


def records_json(table: pa.Table) -> list[str]:
    """Return all records of a table as JSON texts, much faster than `record_json` one by one.

    Raises:
        ValueError, OverflowError: a date is one that Arrow can hold and Python cannot.
    """
    columns = [
        [value.decode("latin-1") if isinstance(value, bytes) else value for value in table.column(name).to_pylist()]
        for name in table.column_names
    ]
    dumps = json.JSONEncoder(default=str, ensure_ascii=False).encode
    return [dumps(dict(zip(table.column_names, values, strict=True))) for values in zip(*columns, strict=True)]


def _value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError) as error:  # a date that Arrow can hold and Python cannot
        return f"{scalar.type} that Python cannot show: {error}"
