"""Rows of rejected records, on their way to the driver: which records of a step were neither passed on nor failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.metrics.rows.reasons import OTHER_REASONS

UNSPECIFIED = "unspecified"
"""Reason of a record that a step without a `reason` has left out."""

ROWS = pa.schema(
    [
        ("record_id", pa.string()),
        ("reason", pa.string()),
        ("score", pa.float64()),
        ("threshold", pa.float64()),
        ("failed_rules", pa.list_(pa.string())),
        ("slice", pa.string()),
        ("bytes", pa.int64()),
    ]
)
"""Columns of the reject ledger that a worker knows."""


@dataclass(frozen=True)
class Rejected:
    """Records that are known to be rejected.

    Attributes:
        sheet: of the records.
        reason: of each, strings.
        score, threshold: of each, float64.
        failed: names of the rules that each fails, lists of strings.
    """

    sheet: pa.Table
    reason: pa.Array
    score: pa.Array
    threshold: pa.Array
    failed: pa.Array

    @classmethod
    def alike(cls, sheet: pa.Table, reason: str, score: float | None = None, threshold: float | None = None) -> Self:
        """Return records that were all rejected for one reason.

        Args:
            sheet: of the records.
            reason: why.
            score: the number that decided, of each.
            threshold: what it was compared with.
        """
        number = sheet.num_rows
        scores, thresholds = (pa.repeat(pa.scalar(n, pa.float64()), number) for n in (score, threshold))
        failed = pa.nulls(number, pa.list_(pa.string()))
        return cls(sheet, pa.repeat(pa.scalar(reason), number), scores, thresholds, failed)

    def rows(self) -> pa.Table:
        """Return rows of the reject ledger."""
        known = {"reason": self.reason, "score": self.score, "threshold": self.threshold, "failed_rules": self.failed}
        return rows_of(self.sheet, **known)


def left_of(offered: pa.Table, others: Iterable[pa.Table]) -> pa.Table:
    """Return the sheet of the records that are not among those of other sheets.

    Args:
        offered: sheet of records.
        others: sheets of records; they are found by the number that they were offered with, else by their id.
    """
    for sheet in others:
        if not offered.num_rows:
            break
        numbers = sheet.column("number")
        unnumbered = sheet.column("id").filter(pc.is_null(numbers)).drop_null()
        found = pc.is_in(offered.column("number"), numbers.drop_null().combine_chunks())
        if len(unnumbered):
            found = pc.or_(found, pc.is_in(offered.column("id"), unnumbered.combine_chunks()))
        offered = offered.filter(pc.invert(found))
    return offered


def rows_of(sheet: pa.Table, **known: pa.Array) -> pa.Table:
    """Return rows of rejected records.

    Args:
        sheet: of the records.
        known: other columns of `ROWS`; those that are missing are null.
    """
    columns = {
        "record_id": sheet.column("id"),
        "bytes": sheet.column("bytes"),
        "slice": sheet.column("slice_0") if "slice_0" in sheet.column_names else None,
        **known,
    }
    arrays = [
        pa.nulls(sheet.num_rows, field.type) if columns.get(field.name) is None else columns[field.name]
        for field in ROWS
    ]
    return pa.Table.from_arrays(arrays, schema=ROWS)


def rows_not_known(reasons: Mapping[str, int], rejected: int, known: Iterable[pa.Table]) -> pa.Table:
    """Return rows, without ids, of rejected records that an account counts and has no rows of.

    Args:
        reasons: rejected records of the account by reason.
        rejected: all its rejected records.
        known: the rows that it has.
    """
    left = Counter(reasons)
    left[UNSPECIFIED] += rejected - sum(left.values())
    for rows in known:
        left.subtract(rows.column("reason").to_pylist())
    left[OTHER_REASONS] += sum(number for number in left.values() if number < 0)  # rows of what is counted as `other`
    texts = [reason for reason, number in left.items() for _ in range(number)]
    return rows_of(_no_sheet(len(texts)), reason=pa.array(texts, pa.string()))


def _no_sheet(records: int) -> pa.Table:
    return pa.table({"id": pa.nulls(records, pa.string()), "bytes": pa.nulls(records, pa.int64())})


def packed(rows: Iterable[pa.Table]) -> bytes:
    """Return rows as bytes; empty for none."""
    table = pa.concat_tables([*rows]) if (rows := list(rows)) else None
    if table is None or not table.num_rows:
        return b""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, ROWS, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(table.combine_chunks())
    content: bytes = sink.getvalue().to_pybytes()
    return content


def unpacked(content: bytes) -> pa.Table:
    """Return the rows that `packed` was called on."""
    with pa.ipc.open_stream(content) as stream:
        return stream.read_all()
