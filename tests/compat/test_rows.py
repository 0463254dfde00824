"""Scripts that make rows by hand and take them apart as users of the original metrics module do."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from mega_data_factory.framework.metrics import (
    MetricsCollector,
    MetricsReader,
    MetricsWriter,
    OperatorMetrics,
    RunMetrics,
    StageMetrics,
    schema,
)
from tests.operator_rows import row


def test_rows_of_all_levels_are_dicts_of_their_columns(tmp_path: Path) -> None:
    """They are JSON but for the times; what is read back is the same."""
    operator = row(custom_metrics={"tokens": 7}, p95_latency=0.5)
    operator.observe(0.5, 10, 9, reasons={"short": 1})
    stage = StageMetrics(run_id="run_test", stage_name="stage_0", input_records=10, operator_metrics=[operator])
    run = RunMetrics(run_id="run_test", stage_metrics=[stage], config={"executor": {}}, end_time=datetime(2026, 1, 2))
    for table, one in (("operators", operator), ("stages", stage), ("runs", run)):
        values = one.to_dict()
        assert set(values) == set(schema.TABLES[table].names)
        assert json.loads(json.dumps(values, default=str))["run_id"] == "run_test"
    writer = MetricsWriter(tmp_path)
    writer.write_all(run, [stage], [operator])
    assert writer.read_operator_metrics("run_test") == [operator.to_dict()]
    assert writer.read_stage_metrics("run_test") == [stage.to_dict()]
    assert writer.read_run_metrics("run_test") == run.to_dict()
    assert OperatorMetrics.from_dict(operator.to_dict()).to_dict() == operator.to_dict()


def test_a_run_knows_its_stages_and_they_their_operators(collector: MetricsCollector, tmp_path: Path) -> None:
    """As given, and as a collector sums them up; rows are equal by their columns, and a file has these only."""
    assert not StageMetrics("r", "s").operator_metrics
    assert not RunMetrics("r").stage_metrics
    with collector.track_run():
        collector.add_operator_metrics(row())
        collector.add_operator_metrics(row(worker="w1"))
    snapshot = collector.snapshot()
    assert snapshot is not None
    (stage,) = snapshot.run.stage_metrics
    assert [one.worker_id for one in stage.operator_metrics] == ["w0", "w1"]
    assert stage == replace(stage, operator_metrics=[])
    MetricsWriter(tmp_path).write_all(snapshot.run, snapshot.stages, snapshot.operators)
    stored = MetricsReader(tmp_path).levels("run_test")
    assert stored.run_metrics() == snapshot.run
    assert stored.stage_metrics() == snapshot.stages


def test_a_rate_of_nothing_is_null() -> None:
    """Where the original has 0.0: nothing passed and nothing came are different."""
    empty = OperatorMetrics(run_id="r", stage_name="s", operator_name="f", worker_id="w")
    assert empty.to_dict()["pass_rate"] is empty.to_dict()["throughput"] is empty.to_dict()["avg_latency"] is None
    assert RunMetrics("r").to_dict()["overall_pass_rate"] is StageMetrics("r", "s").to_dict()["pass_rate"] is None
    assert row(passed=0).pass_rate == 0.0
