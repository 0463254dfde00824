"""Rows of batches on their way between processes: as text, which most processes pass on without reading it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, overload

from mega_data_factory.framework.metrics.rows.batch_row import batch_row, is_batch_row
from mega_data_factory.framework.metrics.rows.operator import OperatorMetrics
from mega_data_factory.framework.metrics.rows.operator_state import unpacked

_shared = attrgetter("run_id", "stage_name", "stage_index", "worker_id", "timestamp")


class TravellingRows(Sequence[OperatorMetrics]):
    """Rows that keep the texts that they came as; they are decoded when one is looked at.

    Args:
        texts: What `texts` returned.
        more: Rows behind those of the texts.
    """

    __slots__ = ("_more", "_rows", "_texts")

    def __init__(self, texts: Sequence[str] = (), more: Sequence[OperatorMetrics] = ()) -> None:
        self._texts = tuple(texts)
        self._more = tuple(more)
        self._rows: tuple[OperatorMetrics, ...] | None = None if texts else self._more

    @classmethod
    def of(cls, rows: Sequence[OperatorMetrics]) -> TravellingRows:
        """Return rows as they travel; those that do already are returned as they are."""
        return rows if isinstance(rows, TravellingRows) else cls((), rows)

    def texts(self) -> list[str]:
        """Return the rows as texts, ready for JSON."""
        return [*self._texts, _text(self._more)] if self._more else list(self._texts)

    def with_rows(self, rows: Sequence[OperatorMetrics]) -> TravellingRows:
        """Return these rows and others behind them."""
        return TravellingRows(self._texts, (*self._more, *rows))

    def _all(self) -> tuple[OperatorMetrics, ...]:
        if self._rows is None:
            decoded = [row for text in self._texts for row in _rows_of(text)]
            self._rows = (*decoded, *self._more)
        return self._rows

    @overload
    def __getitem__(self, place: int) -> OperatorMetrics: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[OperatorMetrics]: ...

    def __getitem__(self, place: int | slice) -> OperatorMetrics | Sequence[OperatorMetrics]:
        return self._all()[place]

    def __iter__(self) -> Iterator[OperatorMetrics]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._all() == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # the rows are mutable

    def __repr__(self) -> str:
        return f"TravellingRows({list(self._all())!r})"


def _text(rows: Iterable[OperatorMetrics]) -> str:
    """Return rows as JSON: what rows of one batch and stage share, then the others' values."""
    groups = [
        [run, stage, index, worker, moment.isoformat(), [_values(row) for row in group]]
        for (run, stage, index, worker, moment), group in groupby(rows, key=_shared)
    ]
    return json.dumps(groups, separators=(",", ":"))


def _values(row: OperatorMetrics) -> list[Any] | dict[str, Any]:
    """Return what the row of one batch has for itself; of any other row the whole state."""
    if not is_batch_row(row):
        return row.to_wire()
    return [
        row.operator_name,
        row.operator_index,
        row.total_time,
        row.cpu_time,
        row.input_records,
        row.output_records,
        row.error_count,
        row.unmatched_records,
        row._units,
        unpacked(row._rejected_reasons) if row._rejected_reasons else 0,
        unpacked(row._custom_metrics) if row._custom_metrics else 0,
    ]


def _rows_of(text: str) -> Iterator[OperatorMetrics]:
    for run, stage, index, worker, moment, group in json.loads(text):
        names, timestamp = [sys.intern(name) for name in (run, stage, worker)], datetime.fromisoformat(moment)
        for values in group:
            if isinstance(values, dict):
                yield OperatorMetrics.from_wire(values)
                continue
            operator, place, seconds, cpu, came, went, errors, unmatched, units, reasons, custom = values
            row = batch_row(
                (names[0], names[1], sys.intern(operator), names[2]),
                (index, place),
                seconds=seconds,
                cpu_seconds=cpu,
                input_records=came,
                output_records=went,
                error_count=errors,
                reasons={sys.intern(name): records for name, records in reasons.items()} if reasons else {},
                custom=custom or {},
                unmatched_records=unmatched,
                units=tuple(units),
            )
            row.timestamp = timestamp
            yield row
