"""From a loader to batches: the first `max_samples` records, cut the same way every time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import xxhash

from mega_data_factory.errors import InputError
from mega_data_factory.framework.batch import Batch, Exclusion, SplitEnd
from mega_data_factory.framework.contracts import LOADER_STAGE, RECORD_ID, Loader, SkippedRecord, Split


@dataclass(frozen=True)
class ReadTask:
    """A split that is to be read, or what is left of it.

    Attributes:
        index: number of the split.
        split: what to read.
        done: numbers of the batches that are committed already, in order.
        last: number of the last batch that is wanted; None for all to the end.
    """

    index: int
    split: Split
    done: tuple[int, ...] = ()
    last: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for messages between processes."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ReadTask:
        """Return the task of which `values` were made."""
        return cls(values["index"], Split(**values["split"]), tuple(values["done"]), values["last"])

    def ends_with(self, batch: Batch) -> bool:
        """Return whether this is the last batch that reading the task gives."""
        return batch.split_end is not None or batch.number == self.last


def split_digest(split: Split) -> str:
    """Return a digest that identifies a split: 16 hexadecimal digits."""
    text = json.dumps([dict(split.params), split.limit], sort_keys=True, default=str)
    return xxhash.xxh3_64_hexdigest(text.encode("utf-8", "surrogatepass"))


def read_batches(loader: Loader, task: ReadTask, batch_size: int, skip: int = 0) -> Iterator[Batch]:
    """Read a split as batches; the last one carries the totals of the split.

    A split without records gives one empty batch, so that every split is accounted for.

    Args:
        loader: reads.
        task: what.
        batch_size: most records of a batch.
        skip: batches to leave out at the start: an earlier worker has delivered them.
    """
    unwanted = frozenset(task.done)
    source = split_digest(task.split)
    waiting: Batch | None = None
    number = records = 0
    for table, skipped, seconds in _tables(loader, task.split, batch_size):
        if waiting is not None and number > skip and number - 1 not in unwanted:
            yield waiting
        if task.last is not None and number > task.last:
            return
        size = table.num_rows + len(skipped)
        waiting = Batch(
            id=f"{task.index:06d}-{number:05d}",
            split=task.index,
            table=table,
            records=size,
            loader_errors=len(skipped),
            exclusions=tuple(_skipped(record) for record in skipped),
            loader_seconds=seconds,
            source=source,
        )
        number += 1
        records += size
    assert waiting is not None
    if number - 1 not in unwanted:
        yield replace(waiting, split_end=SplitEnd(number, records))


def _tables(loader: Loader, split: Split, batch_size: int) -> Iterator[tuple[pa.Table, list[SkippedRecord], float]]:
    """Yield tables with the records skipped before them and the seconds they took; at least one, cut at the limit."""
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
    """Return the table with its record ids as plain strings.

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
