"""The books balance when everything is accounted for, and name every difference when not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from mega_data_factory.framework.batch import Batch, CommitRecord, SplitEnd
from mega_data_factory.framework.contracts import OutputFile
from mega_data_factory.framework.driver.books import Books
from mega_data_factory.framework.metrics.models import OperatorMetrics
from tests.framework.making import batch


def commit(number: int = 0, records: int = 10, written: int = 10, split: int = 0, **account: Any) -> CommitRecord:
    one = replace(batch([], number), id=f"{split:06d}-{number:05d}", split=split, records=records, **account)
    return CommitRecord(one, written, OutputFile("part-0", written, 100) if written else None, 0.5)


def row(stage: int, operator: int, came: int, left: int, rejected: int = 0, errors: int = 0) -> OperatorMetrics:
    return OperatorMetrics(
        "run-1",
        f"s{stage}",
        f"op{operator}",
        "w0",
        input_records=came,
        output_records=left,
        rejected_records=rejected,
        error_count=errors,
        stage_index=stage,
        operator_index=operator,
    )


GOOD = [row(0, 0, 10, 8, 2), row(0, 1, 8, 7, 0, 1), row(1, 0, 7, 7)]


def books(*commits: CommitRecord, splits: int | None = 1) -> Books:
    made = Books(splits=splits)
    for one in commits:
        made.commit(one)
    return made


def test_books_that_close() -> None:
    """Planned, read and committed agree, and every operator hands on what the next one gets."""
    made = books(commit(written=7, split_end=SplitEnd(1, 10)))
    assert made.complete
    assert (made.planned, made.read, made.written) == (10, 10, 7)
    assert made.differences(GOOD, finished=True) == []


def test_books_of_an_operator_that_gives_more_records_than_it_gets() -> None:
    """What it created counts as what came in does; one record too many or too few is a difference."""
    made = books(commit(written=24, split_end=SplitEnd(1, 10)))
    rows = [row(0, 0, 10, 25, 4, 1), row(0, 1, 25, 24, 1)]
    rows[0].created_records = 20
    assert made.differences(rows, finished=True) == []
    rows[0].created_records = 21
    assert made.differences(rows, finished=True) == ["s0/op0: input 10 + created 21, output + rejected + errors 30"]


def test_records_set_aside_before_operators_are_not_theirs() -> None:
    """Unreadable and dead-lettered records are read, but the first operator was never offered them."""
    made = books(commit(records=13, loader_errors=2, dead_lettered=1, written=7, split_end=SplitEnd(1, 13)))
    assert (made.read, made.processed) == (13, 10)
    assert made.differences(GOOD, finished=True) == []


def test_a_batch_counts_once() -> None:
    """A commit that comes twice changes nothing the second time, and a file of two batches is one file."""
    made = books(commit(0), commit(0), commit(1, attempts=3, split_end=SplitEnd(2, 20)))
    assert (made.batches, made.retried_batches, made.written, made.output_bytes) == (2, 1, 20, 100)
    assert made.output_files == {"part-0"}
    assert not made.commit(commit(1))
    assert made.complete


def test_order_of_commits_is_free() -> None:
    """The end of a split may be committed before its beginning."""
    made = books(commit(1, split_end=SplitEnd(2, 20)))
    assert (made.planned, made.complete) == (20, False)
    made.commit(commit(0))
    assert made.complete


@pytest.mark.parametrize(
    ("rows", "written", "said"),
    [
        ([row(0, 0, 9, 9)], 9, "the loader gave 10 records, s0/op0 was offered 9"),
        ([row(0, 0, 10, 7, 2)], 7, "s0/op0: input 10, output + rejected + errors 9"),
        ([row(0, 0, 10, 8, 2), row(0, 1, 7, 7)], 7, "s0/op0 passed on 8 records, s0/op1 was offered 7"),
        ([row(0, 0, 10, 8, 2), row(1, 0, 9, 9)], 9, "s0/op0 passed on 8 records, s1/op0 was offered 9"),
        ([row(0, 0, 10, 10)], 9, "s0/op0 passed on 10 records, the writer took 9"),
    ],
)
def test_every_kind_of_difference_is_named(rows: Sequence[OperatorMetrics], written: int, said: str) -> None:
    """A leak before, in, between and behind operators, and between stages, is told apart and put in numbers."""
    made = books(commit(written=written, split_end=SplitEnd(1, 10)))
    assert made.differences(rows, finished=True) == [said]


def test_what_was_never_committed_is_named() -> None:
    """A finished run misses splits that were never begun, batches that never came, and a listing without an end."""
    lost_split = books(commit(split_end=SplitEnd(1, 10)), splits=2).differences([row(0, 0, 10, 10)], finished=True)
    assert lost_split == ["planned 10 records, accounted for 10; 1 of 2 splits are not committed to their end"]
    lost_batch = books(commit(1, split_end=SplitEnd(2, 20))).differences([row(0, 0, 10, 10)], finished=True)
    assert lost_batch == ["planned 20 records, accounted for 10; 1 of 1 splits are not committed to their end"]
    (endless,) = books(commit(), splits=None).differences([row(0, 0, 10, 10)], finished=True)
    assert "not all splits are listed" in endless


def test_workers_are_summed() -> None:
    """An operator on several workers is one line of the books."""
    rows = [row(0, 0, 4, 4), replace(row(0, 0, 6, 6), worker_id="w1")]
    assert books(commit(split_end=SplitEnd(1, 10))).differences(rows, finished=True) == []


def test_an_interrupted_run_owes_nothing() -> None:
    """Before the end open splits are no difference; leaks still are."""
    made = books(commit(), splits=None)
    assert made.differences([row(0, 0, 10, 10)], finished=False) == []
    assert made.differences([row(0, 0, 9, 9)], finished=False) != []


def test_an_empty_source_closes() -> None:
    """No splits, no records: the books balance on nothing."""
    assert Books(splits=0).complete
    assert Books(splits=0).differences([], finished=True) == []
    assert isinstance(commit().batch, Batch)
