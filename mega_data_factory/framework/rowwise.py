"""Operators written for one record at a time: easier to write, slower to run.

A record is a dict from column name to Python value. Prefer the table-wise bases of `contracts` where speed counts: a
row-wise operator builds a dict per record, which costs more than most work on it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from mega_data_factory.framework.contracts import RECORD_ID, Filter, Judgement, Refiner

Verdict = str | tuple[str, float | None, float | None] | None
"""Decision on a record: a reason, or (reason, score, threshold), rejects it; None keeps it."""


class RowRefiner(Refiner):
    """Changes or adds columns, one record at a time."""

    @abstractmethod
    def refine_record(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return the refined record; `record` may be changed in place and returned.

        Columns that existed keep their type where the new values fit it. A key that only some records have is null in
        the others; a column that no record has any more is removed.
        """

    def refine(self, table: pa.Table) -> pa.Table:
        """Refine every record in turn.

        Raises:
            ValueError: a record came back without its `record_id`, or with another one.
        """
        if table.num_rows == 0:
            return table
        return table_of([self._refined(record) for record in table.to_pylist()], table.schema)

    def _refined(self, record: dict[str, Any]) -> dict[str, Any]:
        record_id = record[RECORD_ID]
        refined = self.refine_record(record)
        if refined.get(RECORD_ID) != record_id:
            raise ValueError(f"refine_record changed {RECORD_ID} from {record_id!r} to {refined.get(RECORD_ID)!r}")
        return refined


class RowFilter(Filter):
    """Rejects records, one at a time."""

    @abstractmethod
    def judge_record(self, record: dict[str, Any]) -> Verdict:
        """Return None to keep the record; a reason in snake case, or (reason, score, threshold), to reject it."""

    def judge(self, table: pa.Table) -> Judgement:
        """Judge every record in turn."""
        verdicts = [_as_tuple(self.judge_record(record)) for record in table.to_pylist()]
        return Judgement(
            pa.array([reason for reason, _, _ in verdicts], pa.string()),
            pa.array([score for _, score, _ in verdicts], pa.float64()),
            pa.array([threshold for _, _, threshold in verdicts], pa.float64()),
        )


def _as_tuple(verdict: Verdict) -> tuple[str | None, float | None, float | None]:
    return verdict if isinstance(verdict, tuple) else (verdict, None, None)


def table_of(
    records: Sequence[Mapping[str, Any]], before: pa.Schema, declared: Mapping[str, pa.DataType] | None = None
) -> pa.Table:
    """Return refined records as a table; a key that only some records have is null in the others.

    Args:
        records: at least one, or none if all columns are declared or known before.
        before: columns of the records before they were refined; they keep their type where the values fit it.
        declared: types of new columns; the others have the type that their values show.

    Raises:
        ArrowInvalid, ArrowTypeError: a value is not of its declared type.
    """
    declared = {name: kind for name, kind in (declared or {}).items() if name not in before.names}
    first = records[0] if records else dict.fromkeys(before.names)
    names = dict.fromkeys([*first, *(name for record in records for name in record), *declared])
    columns = {}
    for name in names:
        values = [record.get(name) for record in records]
        columns[name] = pa.array(values, declared[name]) if name in declared else _column(values, name, before)
    return pa.table(columns)


def _column(values: list[Any], name: str, schema: pa.Schema) -> pa.Array:
    """Return the values in the column's own type; in the type that they show where it is new or they no longer fit."""
    if name in schema.names:
        try:
            return pa.array(values, schema.field(name).type)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            return pa.array(values)  # the operator gave the column another type, which is its right
    return pa.array(values)
