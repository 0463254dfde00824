"""Rows of batches travel as text: what comes back is what went in, whoever passes it on."""

from __future__ import annotations

import json
from datetime import datetime

from mega_data_factory.framework.metrics.collector import MetricsCollector
from mega_data_factory.framework.metrics.models import OperatorMetrics
from mega_data_factory.framework.metrics.rows.batch_row import BatchValues, batch_row, include, is_batch_row
from mega_data_factory.framework.metrics.rows.lost_records import row_without_records
from mega_data_factory.framework.metrics.rows.travelling import TravellingRows

NOW = datetime(2026, 1, 1, 12, 30, 5, 123)


def row(name: str = "long", stage: str = "judge", seconds: float = 0.1) -> OperatorMetrics:
    """Return the row of a batch of 100 records, 90 of which pass."""
    units = 5000, 4000, 3900, None, None, None
    values = BatchValues(name, 1, seconds, 0.07, 100, 90, 1, 2, units, {"too_short": 9}, {"words": 12})
    return batch_row("run_a", stage, 0, f"{stage}-0", NOW, values)


def test_rows_come_back_as_they_went_in() -> None:
    """Of one batch, of several batches, made by hand; passed on by processes that look at them and by others."""
    merged = row("merged") + row("merged", seconds=0.3)
    by_hand = OperatorMetrics("run_a", "judge", "by_hand", "w", NOW, input_records=5, output_records=5, avg_latency=0.5)
    rows = (row(), row("other"), merged, by_hand, row(stage="clean"), row_without_records(row(), 3))
    assert [is_batch_row(one) for one in rows] == [True, True, False, False, True, False]
    passed_on = TravellingRows(json.loads(json.dumps(TravellingRows.of(rows).texts())))
    read = TravellingRows(passed_on.texts())
    assert list(read) == list(rows)
    assert read == rows
    (last,) = TravellingRows.of([row("last")]).texts()
    assert passed_on.with_text(last).texts() == [*passed_on.texts(), last]
    assert list(TravellingRows(passed_on.with_text(last).texts())) == [*rows, row("last")]
    assert TravellingRows(()).texts() == []


def test_the_row_of_a_batch_merges_as_one_that_was_observed() -> None:
    """It carries neither histogram nor extremes: all its records took the mean."""
    observed = OperatorMetrics("run_a", "judge", "long", "judge-0", NOW, stage_index=0, operator_index=1)
    for seconds in (0.1, 0.4):
        observed.observe(
            seconds,
            100,
            90,
            1,
            reasons={"too_short": 9},
            custom={"words": 12},
            unmatched_records=2,
            input_bytes=5000,
            cpu_seconds=0.07,
            text_bytes=(4000, 3900),
        )
    assert row() + row(seconds=0.4) == observed
    assert (row().min_latency, row().p99_latency, row().rejected_records) == (0.001, 0.001, 9)


def test_rows_made_by_hand_merge_with_batches_as_they_add_up() -> None:
    """Also those of which only the extremes are given, and no histogram."""
    by_hand = OperatorMetrics("run_a", "judge", "long", "judge-0", NOW, input_records=10, output_records=10)
    by_hand.total_time, by_hand.min_latency, by_hand.max_latency = 1.0, 0.05, 0.2
    longest = OperatorMetrics("run_a", "judge", "long", "judge-0", NOW, input_records=5, output_records=5)
    longest.batches, longest.rejected_records, longest.max_latency = 1, 0, 3.0
    for first, second in ((by_hand, row()), (row(), longest), (by_hand, longest)):
        merged = first.copy()
        include(merged, second)
        assert merged == first + second
        assert merged.latency_histogram.total == first.input_records + second.input_records


def test_an_operator_that_had_one_batch_has_its_histogram() -> None:
    """The row of a run too small for a second batch says how long its records took, as any other does."""
    collector = MetricsCollector("run_a")
    collector.add_operator_metrics(row())
    (found,) = collector.get_operator_metrics()
    assert found.latency_histogram.total == 100
    assert (found.min_latency, found.max_latency) == (0.001, 0.001)
    assert found == row() + OperatorMetrics("run_a", "judge", "long", "judge-0", NOW, stage_index=0, operator_index=1)
