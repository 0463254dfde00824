"""Rows of the reject ledger: every record that an operator has rejected."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.contracts import RECORD_ID, Operator
from mega_data_factory.framework.exclusion_text import record_json, records_json
from mega_data_factory.framework.slice_columns import SliceColumn
from mega_data_factory.framework.worker.applying import Outcome


def reject_rows(
    stage: str, name: str, operator: Operator, outcome: Outcome, *, content: bool, slice_by: SliceColumn | None = None
) -> pa.Table | None:
    """Return a row for every record that was rejected; None if none was.

    Args:
        stage: name of the stage.
        name: of the operator instance.
        operator: the operator.
        outcome: what it made of some records.
        content: whether to keep the records themselves, as JSON.
        slice_by: what the records are sliced by.
    """
    judged, judgement = outcome.judged, outcome.judgement
    if outcome.reason is None or judged is None or judgement is None:
        return None
    rows = pc.indices_nonzero(pc.is_valid(judgement.reason))
    number = len(rows)
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "record_id": judged.column(RECORD_ID).take(rows),
        "stage": pa.repeat(pa.scalar(stage), number),
        "operator": pa.repeat(pa.scalar(name), number),
        "reason": judgement.reason.take(rows),
        "score": _taken(judgement.score, rows, pa.float64()),
        "threshold": _taken(judgement.threshold, rows, pa.float64()),
        "failed_rules": judgement.failed_rules().take(rows),
        "duplicate_of_key": _taken(judgement.holder, rows, pa.uint64()),
        "bytes": _text_bytes(judged, getattr(operator, "text_column", "text"), rows),
    }
    if slice_by is not None:
        columns["slice"] = _slices(judged, slice_by, rows)
    if content:
        columns["content"] = _contents(judged.take(rows))
    return pa.table(columns)


def _taken(values: pa.Array | None, rows: pa.Array, kind: pa.DataType) -> pa.Array:
    return pa.nulls(len(rows), kind) if values is None else values.take(rows)


def _text_bytes(table: pa.Table, column: str, rows: pa.Array) -> pa.Array | pa.ChunkedArray:
    text = table.column(column) if column in table.column_names else None
    if text is None or not (pa.types.is_string(text.type) or pa.types.is_large_string(text.type)):
        return pa.nulls(len(rows), pa.int64())
    return pc.binary_length(text).take(rows).cast(pa.int64())


def _slices(table: pa.Table, slice_by: SliceColumn, rows: pa.Array) -> pa.Array:
    if slice_by.column not in table.column_names:
        return pa.nulls(len(rows), pa.string())
    values, codes = slice_by.values_of(table.select([slice_by.column]).take(rows))
    return pa.array(values, pa.string()).take(pa.array(codes))


def _contents(records: pa.Table) -> pa.Array:
    """Return every record as JSON text, as `record_json` writes it."""
    try:
        texts = records_json(records)
    except (ValueError, OverflowError):  # a date that Arrow can hold and Python cannot
        texts = [record_json(records.slice(row, 1)) for row in range(records.num_rows)]
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:
        return pa.array(map(_as_utf8, texts), pa.string())


def _as_utf8(text: str) -> str:
    """Return the text with halves of surrogate pairs, which UTF-8 cannot hold, as JSON escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
