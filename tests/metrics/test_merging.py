"""Merging: however the measurements are split, the sum is the same."""

from __future__ import annotations

import pickle
import random

import pytest

from mega_data_factory.framework.metrics import OperatorMetrics, unbalanced_records
from mega_data_factory.framework.metrics.rows.lost_records import row_without_records
from tests.operator_rows import row


def test_percentiles_over_any_split_are_those_of_the_whole() -> None:
    """Batches spread over workers and merged give the very row of one worker, percentiles within the bound."""
    r = random.Random(7)
    whole, parts = (
        row(records=0, passed=0, seconds=0),
        [row(worker=f"w{i}", records=0, passed=0, seconds=0) for i in range(5)],
    )
    exact = []
    for _ in range(2000):
        size, latency = r.randint(1, 50), r.lognormvariate(-7, 1)
        for target in (whole, r.choice(parts)):
            target.observe(size * latency, size, size)
        exact += [latency] * size
    exact.sort()
    merged = OperatorMetrics.merged(parts)
    assert merged.latency_histogram == whole.latency_histogram
    assert merged.worker_id == "*"
    assert (merged.min_latency, merged.max_latency) == pytest.approx((exact[0], exact[-1]))
    for q, got in ((0.5, merged.p50_latency), (0.95, merged.p95_latency), (0.99, merged.p99_latency)):
        assert got == pytest.approx(exact[int(q * len(exact))], rel=0.006)


def test_merging_recomputes_what_was_given() -> None:
    """A row with means only counts with all its weight at its mean."""
    total = row(avg_latency=0.01, throughput=1.0, pass_rate=1.0) + row(avg_latency=0.03, min_latency=0.001)
    assert (total.input_records, total.pass_rate, total.throughput, total.avg_latency) == (200, 90.0, 100.0, 0.01)
    assert (total.min_latency, total.max_latency) == (0.001, 0.03)
    assert total.p50_latency == pytest.approx(0.01, rel=0.006)
    assert total.p95_latency == pytest.approx(0.03, rel=0.006)


def test_sum_is_the_aggregator() -> None:
    """Counts add, reasons add, numbers add, of other values the later wins."""
    rows = [row(rejected_reasons={"short": 1}, custom_metrics={"n": i, "model": f"m{i}"}) for i in range(3)]
    total = sum(rows)
    assert isinstance(total, OperatorMetrics)
    assert (total.input_records, total.rejected_reasons) == (300, {"short": 3})
    assert total.custom_metrics == {"n": 3, "model": "m2"}
    assert rows[0].rejected_reasons == {"short": 1}


def test_reasons_of_different_batches_are_united() -> None:
    """Whichever reasons either row knows, in whatever order, each is summed up once."""
    total = row(rejected_reasons={"short": 1, "long": 2}) + row(rejected_reasons={"dirty": 4, "short": 3})
    assert total.rejected_reasons == {"short": 4, "long": 2, "dirty": 4}
    assert (row() + row(rejected_reasons={"short": 1}) + row()).rejected_reasons == {"short": 1}


def test_a_row_survives_copying_pickling_and_the_wire() -> None:
    """What was measured and what was given are there again, and shared with nobody."""
    original = row(p95_latency=0.5, rejected_records=7, custom_metrics={"n": 1}, rejected_reasons={"short": 7})
    for twin in (original.copy(), pickle.loads(pickle.dumps(original)), OperatorMetrics.from_wire(original.to_wire())):
        assert twin == original
        twin.observe(1.0, 10, 9, reasons={"short": 1})
        assert (original.p95_latency, original.rejected_reasons, original.batches) == (0.5, {"short": 7}, 0)


def test_unlike_rows_refuse_to_merge() -> None:
    """Two workers are two things; two operators are so even over workers."""
    with pytest.raises(ValueError, match="not of one thing"):
        row() + row(worker="w1")
    with pytest.raises(ValueError, match="not of one operator"):
        OperatorMetrics.merged([row(), row("other")])
    with pytest.raises(ValueError, match="no rows"):
        OperatorMetrics.merged([])


def test_an_empty_row_is_the_zero_of_merging() -> None:
    """Adding a row in which nothing happened changes no number."""
    busy = row(records=0, passed=0, seconds=0)
    busy.observe(1.0, 10, 9)
    total = busy + row(records=0, passed=0, seconds=0, timestamp=busy.timestamp)
    assert total == busy


def test_a_record_can_be_taken_out_of_the_accounts() -> None:
    """A batch without one record is the batch that never had it, but for its time."""
    batch = row(records=0, passed=0, seconds=0)
    batch.observe(2.0, 10, 8, reasons={"short": 2})
    less = row_without_records(batch, 3)
    assert (less.input_records, less.output_records, less.rejected_records, less.total_time) == (7, 5, 2, 2.0)
    assert (less.latency_histogram.total, less.unbalanced_records, batch.input_records) == (7, 0, 10)
    with pytest.raises(ValueError, match="cannot take 9"):
        row_without_records(batch, 9)
    alone = row(records=0, passed=0, seconds=0)
    alone.observe(1.0, 1, 1)
    assert row_without_records(alone, 1).p50_latency is row_without_records(alone, 1).max_latency is None


def test_books_balance_over_operators_and_ends() -> None:
    """Every record is followed from the loader to the writer; what is missing anywhere is counted."""
    rows = [row("a"), row("b", records=90, passed=40, operator_index=1)]
    assert unbalanced_records(rows, 100, 40) == 0
    assert unbalanced_records(rows, 105, 38) == 7
    assert unbalanced_records([row("a"), row("b", records=88, passed=40, operator_index=1)]) == 2
    assert unbalanced_records([row(rejected_records=4)]) == 6
    assert unbalanced_records([], 5, 5) == 0
