"""Records that an operator creates beside those that came in are counted on every level, and the books balance."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.framework.metrics import (
    MetricsCollector,
    MetricsReader,
    MetricsWriter,
    OperatorMetrics,
    unbalanced_records,
)
from mega_data_factory.framework.metrics.live.intervals import IntervalSampler
from mega_data_factory.framework.metrics.rows.lost_records import row_without_records
from mega_data_factory.testing import FakeClock
from tests.operator_rows import row
from tests.present import present


def chunked(
    collector: MetricsCollector, worker: str = "w0", input: int = 10, created: int = 20, **records: Any
) -> None:
    with collector.track_operator("chunk", "clean", worker) as op:
        op.records(input=input, created=created, **records)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({}, (30, 0, 0)),
        ({"errors": 1, "reasons": {"empty": 2}}, (27, 2, 1)),
        ({"output": 25, "errors": 1}, (25, 4, 1)),
        ({"output": 30, "rejected": 0}, (30, 0, 0)),
    ],
)
def test_what_is_not_reported_follows_from_the_records_that_came_in_and_were_created(
    collector: MetricsCollector, records: Mapping[str, Any], expected: tuple[int, int, int]
) -> None:
    """Output and rejected records default to what is left; each such account balances."""
    chunked(collector, **records)
    (got,) = collector.get_operator_metrics()
    assert (got.output_records, got.rejected_records, got.error_count) == expected
    assert (got.created_records, got.unbalanced_records) == (20, 0)
    assert got.pass_rate == 10 * got.output_records


def test_records_that_vanish_from_an_operator_that_creates_some_are_found(collector: MetricsCollector) -> None:
    """The account may give fewer than it got and made: that is what the check of the books is for."""
    chunked(collector, output=20, rejected=0)
    assert unbalanced_records(collector.get_operator_metrics(), 10, 20) == 10


def test_created_records_survive_every_copy(collector: MetricsCollector) -> None:
    """Wire, JSON, pickle, copies, sums, and the way of a row from a worker to the driver."""
    chunked(collector, "w0")
    chunked(collector, "w1", 5, 1)
    rows = collector.drain_operator_metrics()
    driver = MetricsCollector("run_test")
    for one in rows:
        for copy in (
            OperatorMetrics.from_wire(json.loads(json.dumps(one.to_wire()))),
            pickle.loads(pickle.dumps(one)),
            one.copy(),
        ):
            assert copy == one
            assert copy.created_records == one.created_records
        driver.add_operator_metrics(one, batch_id=one.worker_id)
    assert OperatorMetrics.merged(rows).created_records == 21
    assert sum(row.created_records for row in driver.get_operator_metrics()) == 21
    twice = sum([rows[0], rows[0]])
    assert isinstance(twice, OperatorMetrics)
    assert twice.created_records == 40
    assert row_without_records(rows[0], 3).unbalanced_records == 0


def test_rows_that_create_nothing_carry_nothing(collector: MetricsCollector) -> None:
    """The wire form of nearly all rows stays as it is."""
    chunked(collector, created=0)
    assert "m" not in collector.drain_operator_metrics()[0].to_wire()


def test_created_records_are_stored_on_all_levels(
    tmp_path: Path, collector: MetricsCollector, clock: FakeClock
) -> None:
    """Operators, stages, run and samples say the same."""
    with collector.track_run():
        with collector.track_stage("clean"):
            chunked(collector)
        with collector.track_stage("plain") as stage:
            clock.seconds += 1
            stage.records(3, 5, created=2)
    snapshot = present(collector.snapshot())
    samples = IntervalSampler(collector.run_id, 5.0)
    samples.add_rows(snapshot.operators)
    writer = MetricsWriter(tmp_path)
    writer.write_all(snapshot.run, snapshot.stages, snapshot.operators)
    writer.write_samples(samples.take_samples(), collector.run_id)
    reader = MetricsReader(tmp_path)
    levels = reader.levels("latest")
    assert levels.run["created_records"] == 22
    assert levels.stages["created_records"].to_pylist() == [20, 2]
    assert levels.operators["created_records"].to_pylist() == [20]
    assert reader.samples(collector.run_id)["created_records"].to_pylist() == [20]
    (again,) = map(OperatorMetrics.from_dict, writer.read_operator_metrics(collector.run_id))
    assert (again.created_records, again.unbalanced_records) == (20, 0)


def test_a_stage_without_operators_may_create_records(collector: MetricsCollector, clock: FakeClock) -> None:
    """Its account is checked as that of an operator is."""
    with collector.track_run(), collector.track_stage("plain") as stage:
        clock.seconds += 1
        stage.records(3, created=2)
        with pytest.raises(ValueError, match=r"more than the input of 3 \+ created 2"):
            stage.records(3, 6, created=2)
    (got,) = collector.get_stage_metrics()
    assert (got.input_records, got.output_records, got.created_records) == (3, 5, 2)
    assert present(collector.get_run_metrics()).created_records == 2


def test_a_row_of_an_earlier_version_has_created_nothing() -> None:
    """The column is null there."""
    values = {"run_id": "r", "stage_name": "s", "operator_name": "o", "worker_id": "w", "created_records": None}
    assert OperatorMetrics.from_dict(values).created_records == 0


def test_a_row_made_by_hand_rejects_what_is_missing() -> None:
    """Of what came in and was created."""
    assert row(records=10, passed=25, created_records=20).rejected_records == 5
