"""Finds the records that kill workers, sets them aside, and lets the rest through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import pyarrow as pa

from mega_data_factory.errors import WorkerLostError
from mega_data_factory.framework.batch import Batch, Exclusion
from mega_data_factory.framework.contracts import RECORD_ID, Claims, owner_keys
from mega_data_factory.framework.exclusion_text import record_json
from mega_data_factory.framework.metrics.details.detail import add_up
from mega_data_factory.framework.metrics.models import OperatorMetrics
from mega_data_factory.framework.metrics.rows.lost_records import row_without_records
from mega_data_factory.framework.plan import StagePlan
from mega_data_factory.framework.tables import concat
from mega_data_factory.framework.units import UnitColumns, Units
from mega_data_factory.framework.worker.meters.slice_meter import without_records


class WorkerDied(Exception):
    """A worker died while it held records; the message says how."""


class TimedOut(WorkerDied):
    """A worker ended since a record took longer in an operator than its limit."""


class RunFragment(Protocol):
    """Runs a stage on a batch in a process that may die."""

    def __call__(self, batch: Batch, /, operators: int | None = None, *, too_slow: bool = False) -> Batch:
        """Run the stage as `Stage.__call__` does.

        Raises:
            WorkerDied: The process died; `TimedOut` where a record took too long.
        """


_COLUMNS = UnitColumns()

_PIECES = 32
"""Pieces of a batch that holds a slow record: finding it costs one time limit for each level of pieces."""


def isolate_poison(
    batch: Batch,
    stage: StagePlan,
    run: RunFragment,
    max_attempts: int,
    claims: Claims | None,
    *,
    timed_out: bool = False,
    columns: UnitColumns = _COLUMNS,
) -> Batch:
    """Run a stage on a batch that keeps killing its workers, without the records that do.

    The batch is halved until each poison record is isolated; a record alone is dead-lettered after `max_attempts`
    deaths. What was dead-lettered is taken out of the accounts of the operators it had passed before, and gives up its
    deduplication claims, as if it had never been read: so the output of each stage still is the input of the next.
    A record that takes too long in an operator is an error of that operator.

    Args:
        batch: as it came to the stage.
        stage: for the dead letters, which name it, and its operator if there is only one.
        run: runs the stage on a part of the batch.
        max_attempts: deaths that a record alone is allowed.
        claims: where deduplication claims are held, if anywhere.
        timed_out: Whether a worker has ended over the batch since a record took too long.
        columns: what the units of records are counted by.

    Returns:
        The batch as it leaves the stage.

    Raises:
        WorkerLostError: workers die of it though it holds no record.
    """
    passed: list[Batch] = []
    dead: list[tuple[pa.Table, str]] = []
    parts = _Parts(batch, run, max_attempts, len(stage.operators))
    for table, outcome in parts.run(batch.table, slow=timed_out):
        if isinstance(outcome, Batch):
            passed.append(outcome)
        else:
            dead.append((table, str(outcome)))
            if claims is not None:  # now, so that its duplicates in the parts to come are not rejected for its sake
                claims.release(owner_keys(table))
    lost, details = Units(), batch.details
    if dead:
        records = concat([table for table, _ in dead])
        lost, details = columns.count(records), tuple(without_records(details, records, columns))
    letters = tuple(_dead_letter(table, stage, reason, max_attempts) for table, reason in dead)
    return replace(
        batch,
        table=concat([part.table for part in passed]) if passed else batch.table.slice(0, 0),
        metrics=tuple(row_without_records(row, len(dead), *lost) for row in batch.metrics) + _merged(passed),
        exclusions=batch.exclusions + tuple(e for part in passed for e in part.exclusions) + letters,
        dead_lettered=batch.dead_lettered + len(dead),
        rejects=_put_together(batch.rejects, *(part.rejects for part in passed)),
        details=add_up([*details, *(detail for part in passed for detail in part.details)]),
        meter_seconds=batch.meter_seconds + sum(part.meter_seconds for part in passed),
    )


@dataclass(frozen=True)
class _Parts:
    """Runs a stage on smaller and smaller parts of a batch."""

    batch: Batch
    run_stage: RunFragment
    max_attempts: int
    operators: int

    def run(self, table: pa.Table, *, slow: bool) -> Iterator[tuple[pa.Table, Batch | WorkerDied]]:
        """Yield parts of the table with what became of them: the batch that left the stage, or a death."""
        alone = table.num_rows <= 1
        if slow and not alone:
            yield from self._pieces(table, _PIECES, slow=True)
            return
        death = WorkerDied("worker died")
        for _ in range(self.max_attempts if alone else 1):
            try:
                yield table, self._run_alone(table) if slow else self._run(table)
                return
            except WorkerDied as error:
                death = error
                if isinstance(error, TimedOut) and not slow:
                    yield from self.run(table, slow=True)
                    return
        if not table.num_rows:
            lost = f"{self.max_attempts} workers died of batch {self.batch.id}, which holds no record"
            raise WorkerLostError(f"{death}; {lost}")
        if alone:
            yield table, death
            return
        yield from self._pieces(table, 2, slow=False)

    def _pieces(self, table: pa.Table, number: int, *, slow: bool) -> Iterator[tuple[pa.Table, Batch | WorkerDied]]:
        size = -(-table.num_rows // number)
        for start in range(0, table.num_rows, size):
            piece = table.slice(start, size)
            if slow and piece.num_rows > 1:  # most pieces hold no slow record, and pass as they are
                yield from self.run(piece, slow=False)
            else:
                yield from self.run(piece, slow=slow)

    def _run(self, table: pa.Table, operators: int | None = None, *, too_slow: bool = False) -> Batch:
        part = replace(self.batch, table=table, metrics=(), exclusions=(), rejects=None, details=(), meter_seconds=0.0)
        return self.run_stage(part, operators, too_slow=too_slow)

    def _run_alone(self, table: pa.Table) -> Batch:
        """Run a record through one operator more each time; where it takes too long, it is an error of that one."""
        passed = self._run(table, 0)
        for operators in range(self.operators):
            try:
                passed = self._run(table, operators + 1)
            except TimedOut:
                return self._run(table, operators, too_slow=True)
        return passed


def _dead_letter(row: pa.Table, stage: StagePlan, reason: str, attempts: int) -> Exclusion:
    message = f"{reason}; alone it killed {attempts} of {attempts} workers"
    record_id = row.column(RECORD_ID)[0].as_py()
    operator = stage.operators[0].name if len(stage.operators) == 1 else ""
    return Exclusion("dead_letter", record_id, stage.name, operator, message, content=record_json(row))


def _put_together(*tables: pa.Table | None) -> pa.Table | None:
    given = [table for table in tables if table is not None]
    return concat(given) if given else None


def _merged(parts: Iterable[Batch]) -> tuple[OperatorMetrics, ...]:
    rows: dict[object, OperatorMetrics] = {}
    for part in parts:
        for row in part.metrics:
            rows[row.key] = rows[row.key] + row if row.key in rows else row
    return tuple(rows.values())
