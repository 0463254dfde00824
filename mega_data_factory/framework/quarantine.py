"""Finds the records that kill workers, sets them aside, and lets the rest through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pyarrow as pa

from mega_data_factory.errors import WorkerLostError
from mega_data_factory.framework.batch import Batch, Exclusion
from mega_data_factory.framework.contracts import RECORD_ID, Claims, owner_keys
from mega_data_factory.framework.metrics.models import OperatorMetrics
from mega_data_factory.framework.plan import StagePlan
from mega_data_factory.framework.stage import record_json
from mega_data_factory.framework.tables import concat


class WorkerDied(Exception):
    """A worker died while it held records; the message says how."""


RunFragment = Callable[[Batch], Batch]
"""Runs a stage on a batch in a process that may die; raises `WorkerDied` when it does."""


def isolate_poison(batch: Batch, stage: StagePlan, run: RunFragment, max_attempts: int, claims: Claims | None) -> Batch:
    """Run a stage on a batch that keeps killing its workers, without the records that do.

    The batch is halved until each poison record stands alone; a record alone is dead-lettered after `max_attempts`
    deaths. What was dead-lettered is taken out of the accounts of the operators it had passed before, and gives up its
    deduplication claims, as if it had never been read: so the output of each stage still is the input of the next.

    Args:
        batch: as it came to the stage.
        stage: for the dead letters, which name it, and its operator where there is only one.
        run: runs the stage on a part of the batch.
        max_attempts: deaths that a record alone is allowed.
        claims: where deduplication claims are held, if anywhere.

    Returns:
        The batch as it leaves the stage.

    Raises:
        WorkerLostError: workers die of it though it holds no record.
    """
    passed: list[Batch] = []
    dead: list[tuple[pa.Table, str]] = []
    for table, outcome in _parts(batch, batch.table, run, max_attempts):
        if isinstance(outcome, Batch):
            passed.append(outcome)
        else:
            dead.append((table, str(outcome)))
            if claims is not None:  # now, so that its duplicates in the parts to come are not rejected for its sake
                claims.release(owner_keys(table))
    letters = tuple(_dead_letter(table, stage, reason, max_attempts) for table, reason in dead)
    return replace(
        batch,
        table=concat([part.table for part in passed]) if passed else batch.table.slice(0, 0),
        metrics=tuple(row.without_records(len(dead)) for row in batch.metrics) + _merged(passed),
        exclusions=batch.exclusions + tuple(e for part in passed for e in part.exclusions) + letters,
        dead_lettered=batch.dead_lettered + len(dead),
    )


def _parts(
    batch: Batch, table: pa.Table, run: RunFragment, max_attempts: int
) -> Iterator[tuple[pa.Table, Batch | WorkerDied]]:
    alone = table.num_rows <= 1
    death = WorkerDied("worker died")
    for _ in range(max_attempts if alone else 1):
        try:
            yield table, run(replace(batch, table=table, metrics=(), exclusions=()))
            return
        except WorkerDied as error:
            death = error
    if not table.num_rows:
        raise WorkerLostError(f"{death}; {max_attempts} workers died of batch {batch.id}, which holds no record")
    if alone:
        yield table, death
        return
    half = table.num_rows // 2
    yield from _parts(batch, table.slice(0, half), run, max_attempts)
    yield from _parts(batch, table.slice(half), run, max_attempts)


def _dead_letter(row: pa.Table, stage: StagePlan, reason: str, attempts: int) -> Exclusion:
    message = f"{reason}; alone it killed {attempts} of {attempts} workers"
    record_id = row.column(RECORD_ID)[0].as_py()
    operator = stage.operators[0].name if len(stage.operators) == 1 else ""
    return Exclusion("dead_letter", record_id, stage.name, operator, message, content=record_json(row))


def _merged(parts: Iterable[Batch]) -> tuple[OperatorMetrics, ...]:
    rows: dict[object, OperatorMetrics] = {}
    for part in parts:
        for row in part.metrics:
            rows[row.key] = rows[row.key] + row if row.key in rows else row
    return tuple(rows.values())
