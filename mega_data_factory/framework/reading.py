"""From a loader to batches: the first `max_samples` records, cut the same way every time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pyarrow as pa

from mega_data_factory.errors import InputError
from mega_data_factory.framework.batch import Batch, Exclusion, SplitEnd
from mega_data_factory.framework.contracts import LOADER_STAGE, RECORD_ID, Loader, SkippedRecord, Split


def planned_splits(loader: Loader, batch_size: int, max_samples: int | None) -> Iterator[Split]:
    """The splits that together hold the first `max_samples` records of the source (all, where it is None)."""
    left = max_samples
    for split in loader.splits(batch_size):
        if left is None:
            yield split
            continue
        if left <= 0:
            return
        count = loader.count(split, left)
        yield replace(split, limit=left) if count >= left else split
        left -= count


def read_batches(loader: Loader, split: Split, index: int, batch_size: int, skip: int = 0) -> Iterator[Batch]:
    """Read a split as batches; the last one carries the totals of the split.

    A split without records gives one empty batch, so that every split is accounted for.

    Args:
        loader: reads.
        split: what.
        index: number of the split.
        batch_size: most records of a batch.
        skip: leave out so many batches at the start: a worker before this one has delivered them.
    """
    waiting: Batch | None = None
    number = records = 0
    for table, skipped, seconds in _tables(loader, split, batch_size):
        if waiting is not None and batch_number(waiting) >= skip:
            yield waiting
        size = table.num_rows + len(skipped)
        waiting = Batch(
            id=f"{index:06d}-{number:05d}",
            split=index,
            table=table,
            records=size,
            loader_errors=len(skipped),
            exclusions=tuple(_skipped(record) for record in skipped),
            loader_seconds=seconds,
        )
        number += 1
        records += size
    assert waiting is not None
    yield replace(waiting, split_end=SplitEnd(number, records))


def batch_number(batch: Batch) -> int:
    """Number of a batch in its split."""
    return int(batch.id.rpartition("-")[2])


def _tables(loader: Loader, split: Split, batch_size: int) -> Iterator[tuple[pa.Table, list[SkippedRecord], float]]:
    """Tables with the records skipped before them and the seconds they took; at least one, cut at the split's limit."""
    left = split.limit
    given = False
    schema = pa.schema([(RECORD_ID, pa.string())])
    started = time.perf_counter()
    for table in loader.read(split, batch_size):
        table = _with_plain_ids(table, loader)
        schema = table.schema
        for piece in _pieces(table, batch_size):
            skipped = loader.take_skipped()
            if left is not None:
                skipped = skipped[:left]
                piece = piece.slice(0, left - len(skipped))
                left -= len(skipped) + piece.num_rows
            given = True
            yield piece, skipped, time.perf_counter() - started
            started = time.perf_counter()
            if left == 0:
                return
    skipped = loader.take_skipped()[:left]
    if skipped or not given:
        yield schema.empty_table(), skipped, time.perf_counter() - started


def _with_plain_ids(table: pa.Table, loader: Loader) -> pa.Table:
    """The table with its record ids as plain strings.

    Raises:
        InputError: it has none, or a record is without.
    """
    if RECORD_ID not in table.column_names:
        raise InputError(f"{type(loader).__name__} read a table without the column {RECORD_ID}")
    ids = table.column(RECORD_ID)
    if ids.null_count:
        raise InputError(f"{type(loader).__name__} read {ids.null_count} records without a {RECORD_ID}")
    if ids.type == pa.string():
        return table
    return table.set_column(table.column_names.index(RECORD_ID), RECORD_ID, ids.cast(pa.string()))


def _pieces(table: pa.Table, batch_size: int) -> Iterable[pa.Table]:
    if table.num_rows <= batch_size:
        return [table]
    return (table.slice(start, batch_size) for start in range(0, table.num_rows, batch_size))


def _skipped(record: SkippedRecord) -> Exclusion:
    return Exclusion("error", record.record_id, LOADER_STAGE, "", record.message, content=record.content)
