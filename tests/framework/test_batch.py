"""A batch carries its account through every process boundary; gathered batches make files of the target size."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from mega_data_factory.errors import MdfError, OperatorError
from mega_data_factory.framework.batch import Batch, CommitRecord, Exclusion, SplitEnd, StagedBatch
from mega_data_factory.framework.commit.gatherer import MOST_REJECT_BYTES, Gatherer
from mega_data_factory.framework.contracts import OutputFile
from mega_data_factory.framework.engines.ray.rows import (
    batch_of,
    batch_row,
    failure_row,
    row_error,
    staged_of,
    staged_row,
    unpack_batch,
)
from mega_data_factory.framework.metrics.details.columns.column_statistics import ColumnStatistics
from mega_data_factory.framework.metrics.models import OperatorMetrics
from mega_data_factory.testing import FakeClock
from tests.framework.making import MANY, batch, table

TEXT = st.text(st.characters(exclude_categories=[]), max_size=12)  # half surrogate pairs too
EXCLUSIONS = st.builds(
    Exclusion,
    st.sampled_from(["rejected", "error", "dead_letter"]),
    TEXT,
    TEXT,
    TEXT,
    TEXT,
    st.none() | st.floats(allow_nan=False),
    st.none() | st.floats(allow_nan=False),
    TEXT,
)
BATCHES = st.builds(
    Batch,
    st.just("000001-00002"),
    st.integers(0, 10**6),
    st.just(table(["a", "b"])),
    st.integers(0, 10**9),
    st.integers(0, 9),
    st.integers(0, 9),
    st.just(()),
    st.lists(EXCLUSIONS, max_size=3).map(tuple),
    st.none() | st.builds(SplitEnd, st.integers(0, 99), st.integers(0, 99)),
    st.integers(1, 9),
    st.floats(0, 1e6),
)


@MANY
@given(BATCHES)
def test_header_and_row_round_trip(one: Batch) -> None:
    """Header, Ray row and commit record give back the same account, whatever text is in it."""
    assert Batch.from_header(one.header(), one.table) == one
    assert batch_of(batch_row(one)) == one
    record = CommitRecord(one.without_table(), 2, OutputFile("p", 2, 3), 0.5)
    back = CommitRecord.from_json(json.loads(json.dumps(record.to_json())))
    assert back.batch.header() == one.header()
    assert (back.output_records, back.output_file, back.writer_seconds) == (2, OutputFile("p", 2, 3), 0.5)


def test_metrics_ride_in_the_header() -> None:
    """The rows of the operators come out as they went in."""
    row = OperatorMetrics("run-1", "s", "op", "w")
    row.observe(0.5, 10, 7, 1, reasons={"short": 2}, custom={"tokens": 3})
    (back,) = Batch.from_header(Batch("000000-00000", 0, table([]), 10, metrics=(row,)).header(), table([])).metrics
    assert back.to_wire() == row.to_wire()


def test_details_are_left_out_where_they_are_not_wanted() -> None:
    """A header gives its details back, or the same batch without them."""
    details = (ColumnStatistics("c", "string", "text", 0, records=3),)
    one = replace(batch(["a"]), details=details)
    assert Batch.from_header(one.header(), one.table).details == details
    assert Batch.from_header(one.header(), one.table, with_details=False) == replace(one, details=())


def test_a_table_leaves_its_row_without_a_copy() -> None:
    """The columns of an unpacked table lie inside the bytes of the row."""
    row = batch_row(batch(["some text"] * 1000))
    data = row.column("table")[0].as_buffer()
    texts = unpack_batch(row.column("header")[0].as_py(), data).table.column("text").chunk(0).buffers()[2]
    assert data.address <= texts.address < data.address + data.size


def test_only_the_slice_travels() -> None:
    """A slice of a large table is packed as what it shows, not as what lies behind it."""
    whole = batch(["x" * 100] * 10_000)
    part = Batch(whole.id, 0, whole.table.slice(5, 2), 2)
    assert batch_row(part).nbytes < 5_000
    assert batch_of(batch_row(part)).table.equals(part.table)


def test_staged_and_failed_rows() -> None:
    """A staged row tells where its table lies; a failed one is the error that it was made of."""
    staged = staged_of(staged_row(batch(["a", "b"]), "/x/y.arrow"))
    assert (staged.records, staged.path, staged.batch.id) == (2, "/x/y.arrow", "000000-00000")
    assert row_error(staged_row(batch([]), None)) is None
    error = row_error(failure_row(OperatorError("what", hint="so")))
    assert isinstance(error, OperatorError)
    assert (error.message, error.hint) == ("what", "so")
    assert isinstance(row_error(failure_row(MdfError("x"))), MdfError)
    assert failure_row(error).schema == batch_row(batch(["a"])).schema


def staged(number: int, size: int) -> StagedBatch:
    return StagedBatch(batch([], number), 1, size, "x")


@MANY
@given(st.lists(st.integers(0, 300), max_size=30), st.sampled_from([0, 1, 100, 1000]))
def test_every_batch_is_gathered_once(sizes: Sequence[int], target: int) -> None:
    """Each batch is in exactly one file; a file ends with the batch that fills it, and its batches are in order."""
    gatherer = Gatherer(target)
    groups = [group for i, size in enumerate(sizes) if (group := gatherer.add_batch(staged(i, size)))]
    for group in groups:
        assert sum(s.bytes for s in group) >= target > sum(s.bytes for s in group[:-1]) or target == 0
    if last := gatherer.take_all():
        assert sum(s.bytes for s in last) < target
        groups.append(last)
    assert [s.batch.id for group in groups for s in group] == [staged(i, 0).batch.id for i in range(len(sizes))]
    assert gatherer.take_all() is None


def test_the_gatherer_learns_how_files_shrink() -> None:
    """When files turn out at a tenth of the memory, ten times as much is gathered for the next."""
    gatherer = Gatherer(100)
    first = gatherer.add_batch(staged(0, 100))
    assert first is not None
    gatherer.learn_size(first, OutputFile("p", 1, 10))
    gatherer.learn_size(first, None)  # a group without records taught nothing
    added = [gatherer.add_batch(staged(i, 100)) for i in range(1, 11)]
    assert added[:9] == [None] * 9
    assert added[9] is not None
    assert len(added[9]) == 10


def test_rejected_records_fill_a_group_too() -> None:
    """Where nearly all records are rejected, and kept, their writer holds a bounded number of them."""
    gatherer = Gatherer(1000)
    one = replace(staged(0, 0), reject_bytes=MOST_REJECT_BYTES // 2)
    assert gatherer.add_batch(one) is None
    assert len(gatherer.add_batch(replace(one, batch=batch([], 1))) or ()) == 2
    assert gatherer.add_batch(one) is None


def test_a_staged_row_has_the_size_of_its_rejected_records() -> None:
    """Zero where none are kept."""
    one = batch(["a"])
    rejects = pa.table({"record_id": ["x" * 100]})
    assert staged_of(staged_row(one, None)).reject_bytes == 0
    assert staged_of(staged_row(replace(one, rejects=rejects), None)).reject_bytes == rejects.nbytes


def test_no_batch_waits_longer_than_max_file_seconds() -> None:
    """The clock of a file begins with its first batch: then all that waits is written, though the file is not full."""
    clock = FakeClock()
    gatherer = Gatherer(1000, max_seconds=60, clock=clock)
    clock.advance(500)  # nothing waits, so nothing is overdue
    assert gatherer.take_overdue() is None
    gatherer.add_batch(staged(0, 10))
    clock.advance(59)
    gatherer.add_batch(staged(1, 10))
    assert gatherer.take_overdue() is None
    clock.advance(1)
    assert [one.batch.number for one in gatherer.take_overdue() or ()] == [0, 1]
    gatherer.add_batch(staged(2, 10))
    clock.advance(59)
    assert gatherer.take_overdue() is None, "the next file has a clock of its own"
    clock.advance(1)
    assert [one.batch.number for one in gatherer.take_overdue() or ()] == [2]


def test_a_group_is_ordered_by_batch() -> None:
    """Batches that arrive out of order are written in order."""
    gatherer = Gatherer(20)
    gatherer.add_batch(staged(2, 10))
    group = gatherer.add_batch(staged(1, 10))
    assert group is not None
    assert [s.batch.id for s in group] == ["000000-00001", "000000-00002"]


def test_without_table_keeps_the_account() -> None:
    """The account alone has no records and the same header."""
    one = batch(["a"])
    assert one.without_table().table.num_rows == 0
    assert one.without_table().header() == one.header()
    assert isinstance(one.table, pa.Table)
