"""Judgements of steps, and our own operators as steps, on records of any form."""

from __future__ import annotations

import copy
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.contracts import (
    RECORD_ID,
    Deduplicator,
    Filter,
    Judgement,
    Operator,
    OperatorContext,
    Refiner,
)
from mega_data_factory.framework.metrics.details.detail import add_up
from mega_data_factory.framework.scoring import scores_of
from mega_data_factory.observe.counting import calls
from mega_data_factory.observe.counting.account import add_counts
from mega_data_factory.observe.counting.forms import forms
from mega_data_factory.observe.counting.forms.columns import arrow_column
from mega_data_factory.observe.engines.engine import this_worker
from mega_data_factory.observe.steps.work import Work


def apply_judgement(work: Work, judgement: Judgement) -> Any:
    """Return the records that stay, in the form in which they came; for one record, whether it stays.

    A step that is a filter (`filters=True`) returns a list of decisions in their place. The reasons are counted.

    Args:
        work: the call.
        judgement: of every record of its batch.

    Raises:
        ValueError: it is not of as many records as came in.
    """
    if len(judgement.reason) != work.records_in:
        raise ValueError(
            f"a step must judge every record; it was given {work.records_in}, judged {len(judgement.reason)}"
        )
    for reason, records in judgement.rejected_by_reason().items():
        add_counts(work.call.reasons, {reason: records})
        if chosen := work.call.chosen(reason, records):
            rejected = pc.indices_nonzero(pc.equal(judgement.reason, reason))
            for place, rank in chosen:
                at = rejected[place].as_py()
                score, threshold = (
                    None if numbers is None else numbers[at].as_py()
                    for numbers in (judgement.score, judgement.threshold)
                )
                record = work.value if work.form is None else forms.record_at(work.value, at)
                work.call.keep_example(record, reason, rank, score, threshold)
    work.call.details = add_up([*work.call.details, *scores_of(work.spec.stage, work.spec.name, judgement)])
    kept = judgement.kept.to_pylist()
    if work.call.survey is not None:
        work.call.survey.judge(judgement)
    if work.form is None:
        return kept[0]
    return kept if work.spec.filters else work.form.keep(work.value, kept)


class OperatorFunction:
    """One of our operators as a function on records of any form; set up at the first call in each process.

    A filter gives a `Judgement`; a refiner gives the records refined, in the form in which they came. Operators know
    records as Arrow tables with the column `record_id`: where it is missing, the number of the record in its batch
    stands for it. Values without columns (texts) are the column `text`.

    Args:
        operator: as a configuration would build it.
        name: of the step.
        stage: of the step.

    Raises:
        TypeError: the operator is a deduplicator, or neither filter nor refiner.
    """

    def __init__(self, operator: Operator, name: str, stage: str) -> None:
        if isinstance(operator, Deduplicator) or not isinstance(operator, Filter | Refiner):
            raise TypeError(
                f"{type(operator).__name__} cannot be a step: it needs what only the executor has (shared claims); "
                "filters and refiners can"
            )
        self.__name__ = self.__qualname__ = name
        self.__doc__ = type(operator).__doc__
        self.__module__ = type(operator).__module__
        self._operator = operator
        self._stage = stage
        self._lock = threading.Lock()
        self._ready: tuple[int, Operator] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return OperatorFunction, (self._operator, self.__name__, self._stage)

    def __call__(self, value: Any) -> Any:
        """Judge or refine a batch or a record."""
        table, added = to_table(value)
        with self._lock:  # operators are not made for several threads
            operator = self._for_this_process()
            answer = operator.judge(table) if isinstance(operator, Filter) else self._refine(operator, table)
            for metric, number in operator.take_reported().items():
                calls.report(metric, number)
        if isinstance(answer, Judgement):
            return answer
        return from_table(answer.drop_columns(added), value)

    @staticmethod
    def _refine(operator: Operator, table: pa.Table) -> pa.Table:
        assert isinstance(operator, Refiner)
        return operator.refine(table)

    def _for_this_process(self) -> Operator:
        if self._ready is None or self._ready[0] != os.getpid():
            operator = copy.deepcopy(self._operator)
            operator.setup(OperatorContext(self._stage, self.__name__, this_worker()))
            self._ready = os.getpid(), operator
        return self._ready[1]


def to_table(value: Any) -> tuple[pa.Table, list[str]]:
    """Return records of any form as a table with `record_id`, and the columns that were not there before."""
    form = forms.form_of(value)
    records = value if form is None else None
    if form is None:
        table = pa.Table.from_pylist([records if isinstance(records, Mapping) else {"text": records}])
    elif form.name == "arrow":
        table = value if isinstance(value, pa.Table) else pa.Table.from_batches([value])
    elif form.name == "pandas":
        table = pa.Table.from_pandas(value, preserve_index=False)
    elif form.name == "polars":
        table = value.to_arrow()
    elif form.name == "columns":
        table = pa.table({name: _array(column) for name, column in value.items()})
    elif form.name == "list" and value and isinstance(value[0], Mapping):
        table = pa.Table.from_pylist(list(value))
    else:
        table = pa.table({"text": _array(value)})
    if RECORD_ID in table.column_names:
        return table, []
    return table.append_column(RECORD_ID, pa.array(map(str, range(table.num_rows)), pa.string())), [RECORD_ID]


def _array(values: Any) -> pa.Array | pa.ChunkedArray:
    found = arrow_column(values)
    return pa.array(values) if found is None else found


def from_table(table: pa.Table, like: Any) -> Any:
    """Return a table in the form of the records that it was made of."""
    form = forms.form_of(like)
    if form is None:
        record = table.to_pylist()[0]
        return record if isinstance(like, Mapping) else record["text"]
    if form.name == "arrow":
        if isinstance(like, pa.Table):
            return table
        return (table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], table.schema)])[0]
    if form.name == "pandas":
        return table.to_pandas().set_index(like.index)
    if form.name == "polars":
        return sys.modules["polars"].from_arrow(table)
    if form.name == "columns":
        numpy = any(type(column).__module__ == "numpy" for column in like.values())
        return {
            name: table.column(name).to_numpy() if numpy else table.column(name).to_pylist()
            for name in table.column_names
        }
    if form.name == "list":
        return table.to_pylist() if like and isinstance(like[0], Mapping) else table.column("text").to_pylist()
    raise TypeError(f"a refiner cannot be applied to {type(like).__name__}; give it the whole batch")
