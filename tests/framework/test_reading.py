"""Reading cuts the source the same way every time, and accounts for every record of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeAlias

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mega_data_factory.errors import InputError
from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.contracts import Split
from mega_data_factory.framework.driver.splits import ListedAhead, SourceSize, SplitList
from mega_data_factory.framework.worker.reading import ReadTask, read_batches
from tests.framework.making import MANY, ScriptedLoader, ids
from tests.present import present

NAMES = st.sampled_from(["a", "b", "c"])
Script: TypeAlias = list[int | str]

SCRIPTS = st.lists(st.lists(st.one_of(st.integers(0, 7), NAMES), max_size=6), max_size=4)


def read(scripts: list[Script], batch_size: int, max_samples: int | None = None, skip: int = 0) -> list[list[Batch]]:
    tasks = list(SplitList(ScriptedLoader(scripts), batch_size, max_samples))
    loader = ScriptedLoader(scripts)  # another worker
    return [list(read_batches(loader, task, batch_size, skip)) for task in tasks]


def size(scripts: list[Script]) -> int:
    return sum(step if isinstance(step, int) else 1 for script in scripts for step in script)


@MANY
@given(SCRIPTS, st.integers(1, 5))
def test_every_record_is_read_or_skipped_once(scripts: list[Script], batch_size: int) -> None:
    """Batches hold every record in order, errors every skipped one; no batch has more rows than asked for."""
    splits = read(scripts, batch_size)
    assert len(splits) == len(scripts)
    for number, (script, batches) in enumerate(zip(scripts, splits, strict=True)):
        rows = sum(step for step in script if isinstance(step, int))
        assert [name for batch in batches for name in ids(batch)] == [f"{number}/{row}" for row in range(rows)]
        skipped = [e for batch in batches for e in batch.exclusions]
        assert [e.record_id for e in skipped] == [f"{number}/{step}" for step in script if isinstance(step, str)]
        assert all((e.kind, e.stage, e.reason) == ("error", "data_loader", "unreadable") for e in skipped)
        assert all(batch.table.num_rows <= batch_size for batch in batches)
        assert all(batch.records == batch.table.num_rows + batch.loader_errors for batch in batches)


@MANY
@given(SCRIPTS, st.integers(1, 5))
def test_only_the_last_batch_closes_its_split(scripts: list[Script], batch_size: int) -> None:
    """The last batch of every split, empty ones included, carries the totals; batch ids sort as they were read."""
    for number, batches in enumerate(read(scripts, batch_size)):
        assert [batch.split_end is None for batch in batches[:-1]] == [True] * (len(batches) - 1)
        end = batches[-1].split_end
        assert end is not None
        assert (end.batches, end.records) == (len(batches), size([scripts[number]]))
        assert [batch.number for batch in batches] == list(range(len(batches)))
        assert [batch.id for batch in batches] == sorted({batch.id for batch in batches})


@MANY
@given(SCRIPTS, st.integers(1, 5), st.integers(1, 30))
def test_max_samples_takes_the_first_records(scripts: list[Script], batch_size: int, max_samples: int) -> None:
    """So many records are accounted for and no more, and they are those that an unlimited run reads first."""
    limited = [batch for batches in read(scripts, batch_size, max_samples) for batch in batches]
    every = [name for batches in read(scripts, batch_size) for batch in batches for name in ids(batch)]
    assert sum(batch.records for batch in limited) == min(max_samples, size(scripts))
    taken = [name for batch in limited for name in ids(batch)]
    assert taken == every[: len(taken)]


@MANY
@given(SCRIPTS, st.integers(1, 5), st.data())
def test_a_reader_goes_on_where_the_one_before_it_died(
    scripts: list[Script], batch_size: int, data: st.DataObject
) -> None:
    """Skipping the batches that were delivered gives the rest of the split, equal in all but the time."""
    for index, whole in enumerate(read(scripts, batch_size)):
        skip = data.draw(st.integers(0, len(whole) - 1))
        rest = list(read_batches(ScriptedLoader(scripts), ReadTask(index, Split({"number": index})), batch_size, skip))
        assert [b.id for b in rest] == [b.id for b in whole[skip:]]
        assert [ids(b) for b in rest] == [ids(b) for b in whole[skip:]]
        assert [b.split_end for b in rest] == [b.split_end for b in whole[skip:]]


def test_planning_reads_no_more_than_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    """Splits behind the last sample are neither counted nor listed."""
    loader = ScriptedLoader([[3], [3], [3]])
    counted: list[int] = []
    count = loader.count

    def counting(split: Split, at_most: int) -> int:
        counted.append(split.params["number"])
        return count(split, at_most)

    monkeypatch.setattr(loader, "count", counting)
    planned = SplitList(loader, 10, 4)
    assert [task.split.limit for task in planned] == [None, 1]
    assert planned.count == 2
    assert counted == [0, 1]
    assert len(list(islice(SplitList(loader, 10, None), 3))) == 3


def test_a_table_without_record_ids_is_refused() -> None:
    """A loader that forgets the column `record_id` is named."""

    class Nameless(ScriptedLoader):
        def read(self, split: Split, batch_size: int) -> Iterator[pa.Table]:
            yield pa.table({"text": ["a"]})

    with pytest.raises(InputError, match="Nameless read a table without the column record_id"):
        list(read_batches(Nameless(), ReadTask(0, Split({})), 10))


def test_an_empty_split_gives_one_empty_batch() -> None:
    """A split without records is a batch too, so that it can be committed."""
    ((only,),) = read([[]], 5)
    assert (only.records, only.table.num_rows, present(only.split_end).batches) == (0, 0, 1)
    assert only.table.column_names == ["record_id"]


def test_splits_are_listed_ahead_of_reading() -> None:
    """All are listed before the first is taken, in order; at most as many wait as may."""
    listed: list[int] = []

    def tasks(number: int) -> Iterator[ReadTask]:
        for index in range(number):
            listed.append(index)
            yield ReadTask(index, Split({}))

    ahead = ListedAhead(tasks(50))
    _until(lambda: len(listed) == 50)
    assert [task.index for task in ahead] == list(range(50))
    listed.clear()
    bounded = ListedAhead(tasks(50), most=5)
    _until(lambda: len(listed) == 6)
    assert next(bounded).index == 0
    _until(lambda: len(listed) == 7)
    bounded.close()
    assert [task.index for task in bounded] == [1, 2, 3, 4, 5]


def test_an_error_of_listing_comes_behind_the_splits_before_it() -> None:
    """As it would without a thread."""

    def tasks() -> Iterator[ReadTask]:
        yield ReadTask(0, Split({}))
        raise InputError("cannot be listed")

    ahead = ListedAhead(tasks())
    assert next(ahead).index == 0
    for _ in range(2):
        with pytest.raises(InputError, match="cannot be listed"):
            next(ahead)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_size_of_a_source_is_known_in_the_best_unit_that_all_splits_tell() -> None:
    """Records are known when all splits are listed; a limit cuts them; one split without a number leaves the bytes."""
    size = SourceSize()
    size.add(Split({}, num_records=10, num_bytes=100))
    size.add(Split({}, num_records=10, num_bytes=300, limit=4))
    assert (size.records, size.complete) == (None, False)
    size.complete = True
    assert (size.records, size.unit, size.total_bytes) == (14, "records", 400)
    size.add(Split({}, num_bytes=600))
    assert (size.records, size.unit, size.total_bytes) == (None, "bytes", 1000)
    size.add(Split({}))
    size.add(Split({}, num_bytes=600))
    assert (size.unit, size.total_bytes, size.splits) == ("splits", 0, 5)
