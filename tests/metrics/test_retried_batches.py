"""Batches that are tried again: of all attempts the last one counts."""

from __future__ import annotations

from typing import Any

import pytest

from mega_data_factory.framework.metrics import OperatorMetrics
from mega_data_factory.framework.metrics.collector import MetricsCollector
from mega_data_factory.testing import FakeClock
from tests.operator_rows import row


def test_a_retry_replaces_its_batch(collector: MetricsCollector) -> None:
    """On whichever worker it was made; other batches, other operators and rows without an id add."""
    collector.add_operator_metrics(row(records=10, passed=9), batch_id="b1")
    collector.add_operator_metrics(row(records=10, passed=8), batch_id="b2")
    collector.add_operator_metrics(row("dedup", records=9, passed=9), batch_id="b1")
    collector.add_operator_metrics(row(records=5, passed=5))
    assert OperatorMetrics.merged(collector.get_operator_metrics()[:1]).input_records == 25
    collector.add_operator_metrics(row(worker="w1", records=10, passed=4, seconds=7.0), batch_id="b1")
    rows = {(r.operator_name, r.worker_id): r for r in collector.get_operator_metrics()}
    assert [(key, r.input_records, r.output_records) for key, r in rows.items()] == [
        (("filter", "w0"), 15, 13),
        (("filter", "w1"), 10, 4),
        (("dedup", "w0"), 9, 9),
    ]
    assert rows["filter", "w1"].total_time == 7.0
    assert rows["filter", "w0"].latency_histogram.total == 15


def test_batches_add_up_as_rows_do(collector: MetricsCollector) -> None:
    """With ids or without, in whichever order, reading in between: the same row."""
    batches = [row(records=10 * n, passed=9 * n, rejected_reasons={"short": n}) for n in range(1, 6)]
    for number, batch in enumerate(batches):
        collector.add_operator_metrics(batch, batch_id=number)
        collector.get_operator_metrics()
    for number in (4, 2, 0):
        collector.add_operator_metrics(batches[number], batch_id=number)
    (got,) = collector.get_operator_metrics()
    (want,) = [OperatorMetrics.merged(batches, worker_id="w0")]
    assert (got.input_records, got.rejected_reasons, got.total_time) == (150, {"short": 15}, want.total_time)
    assert got.latency_histogram.to_pairs() == want.latency_histogram.to_pairs()


def test_a_tracked_batch_is_replaced_too(collector: MetricsCollector, clock: FakeClock) -> None:
    """An attempt that raised counts until the next one, and draining gives what counts."""

    def attempt(fails: bool) -> None:
        with collector.track_operator("filter", "s", "w", batch_id=7) as op:
            op.records(10, 9)
            clock.advance(1.0)
            if fails:
                raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        attempt(fails=True)
    assert collector.get_operator_metrics()[0].error_count == 10
    attempt(fails=False)
    (got,) = collector.drain_operator_metrics()
    assert (got.input_records, got.error_count, got.batches, got.total_time) == (10, 0, 1, 1.0)
    assert collector.drain_operator_metrics() == []


@pytest.mark.parametrize("wrong", [1.0, True, ["b1"], b"b1"])
def test_a_batch_id_is_text_or_a_number(collector: MetricsCollector, wrong: Any) -> None:
    """Another one is refused at once, not when rows are merged."""
    with pytest.raises(ValueError, match="batch_id must be text or a whole number"):
        collector.add_operator_metrics(row(), batch_id=wrong)
    with pytest.raises(ValueError, match="batch_id"):
        collector.track_operator("filter", "s", "w", batch_id=wrong)
    assert collector.get_operator_metrics() == []
