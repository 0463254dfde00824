"""Rows of batches on their way between processes: as text, which most processes pass on without reading it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, overload

from mega_data_factory.framework.metrics.rows.batch_row import BatchValues, batch_row, is_batch_row, values_of
from mega_data_factory.framework.metrics.rows.operator import OperatorMetrics

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

    def with_text(self, text: str) -> TravellingRows:
        """Return these rows and behind them those of a text that `stage_text` returned."""
        return TravellingRows((*self.texts(), text))

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


def stage_text(
    run_id: str,
    stage_name: str,
    stage_index: int,
    worker_id: str,
    timestamp: datetime,
    rows: Sequence[BatchValues | dict[str, Any]],
) -> str:
    """Return the rows of one batch in one stage as they travel.

    Args:
        run_id: The run.
        stage_name: The stage.
        stage_index: Its place in the plan.
        worker_id: The worker.
        timestamp: When the batch left the stage, naive UTC.
        rows: What is of each operator alone; of a row that is not of one batch the whole state.
    """
    return _dumped([[run_id, stage_name, stage_index, worker_id, timestamp.isoformat(), rows]])


_dumped = json.JSONEncoder(separators=(",", ":")).encode


def _text(rows: Iterable[OperatorMetrics]) -> str:
    """Return rows as JSON: what rows of one batch and stage share, then the others' values."""
    return _dumped(
        [
            [run, stage, index, worker, moment.isoformat(), [_values(row) for row in group]]
            for (run, stage, index, worker, moment), group in groupby(rows, key=_shared)
        ]
    )


def _values(row: OperatorMetrics) -> BatchValues | dict[str, Any]:
    """Return what the row of one batch has for itself; of any other row the whole state."""
    return values_of(row) if is_batch_row(row) else row.to_wire()


def _rows_of(text: str) -> Iterator[OperatorMetrics]:
    for run, stage, index, worker, moment, group in json.loads(text):
        run, stage, worker = map(sys.intern, (run, stage, worker))
        timestamp = datetime.fromisoformat(moment)
        for values in group:
            if isinstance(values, dict):
                yield OperatorMetrics.from_wire(values)
                continue
            values[0] = sys.intern(values[0])
            values[8] = tuple(values[8])
            if values[9]:
                values[9] = {sys.intern(name): records for name, records in values[9].items()}
            yield batch_row(run, stage, index, worker, timestamp, values)
