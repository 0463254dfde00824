"""Rows as tables of the schema, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from mega_data_factory import strict_json
from mega_data_factory.framework.metrics.schema.file_keys import MOMENT_KEY, RUN_ID_KEY, WRITER_KEY

JSON_COLUMNS = frozenset({"custom_metrics", "rejected_reasons", "config", "paths", "failed_together"})


def to_table(
    rows: Iterable[object],
    schema: pa.Schema,
    run_id: str,
    moment: datetime | None = None,
    writer: str | None = None,
) -> pa.Table:
    """Return rows as a table of one of the schemas of `TABLES`, marked with the run that it belongs to.

    Args:
        rows: objects with an attribute per column, or mappings, in which a column that is absent is null.
        schema: one of `TABLES`.
        run_id: goes to the file's metadata, so that a file without rows still names its run.
        moment: likewise, of the snapshot that the rows belong to.
        writer: goes there as well: who writes the file.
    """
    rows = list(rows)
    columns = [pa.array([_cell(row, field.name) for row in rows], field.type) for field in schema]
    metadata = {**schema.metadata, RUN_ID_KEY: run_id.encode()}
    if moment is not None:
        metadata[MOMENT_KEY] = moment.isoformat().encode()
    if writer is not None:
        metadata[WRITER_KEY] = writer.encode()
    return pa.Table.from_arrays(columns, schema=schema.with_metadata(metadata))


def _cell(row: object, column: str) -> object:
    value: Any = row.get(column) if isinstance(row, Mapping) else getattr(row, column)
    if column in JSON_COLUMNS:
        return None if value is None else strict_json.dumps(value)
    if column == "latency_histogram":
        return [{"bucket": bucket, "count": count} for bucket, count in value.to_pairs()]
    return value


def to_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return a table as dicts, one per row, with the JSON columns parsed."""
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        for column in JSON_COLUMNS & row.keys():
            if row[column] is not None:
                row[column] = json.loads(row[column])
    return rows
