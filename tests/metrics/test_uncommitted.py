"""What has passed all stages and is in no file yet stands beside the committed numbers, never among them."""

from __future__ import annotations

from mega_data_factory.framework.metrics import MetricsCollector, OperatorMetrics
from mega_data_factory.framework.metrics.tracking.entries import BatchEntry


def measured(worker: str, records: int, passed: int, seconds: float) -> OperatorMetrics:
    row = OperatorMetrics("run_a", "clean", "filter", worker)
    row.observe(seconds, records, passed)
    return row


def counts(collector: MetricsCollector) -> dict[str, tuple[float, ...]]:
    """Return the committed and the uncommitted numbers of every worker."""
    return {
        row.worker_id: (
            row.input_records,
            row.output_records,
            row.total_time,
            row.uncommitted_input_records,
            row.uncommitted_output_records,
            row.uncommitted_time,
        )
        for row in collector.get_operator_metrics()
    }


def test_a_batch_moves_from_the_uncommitted_numbers_to_the_committed_ones() -> None:
    """Whether its worker has committed batches or not; nothing is left of it, and nothing counted twice."""
    collector = MetricsCollector("run_a")
    first, second, third = measured("w0", 10, 8, 0.1), measured("w0", 20, 18, 0.2), measured("w1", 30, 1, 0.7)
    for row in (first, second, third):
        collector.enter_batch(BatchEntry((), {}, passed=[row]))
    total = 0.1 + 0.2
    assert counts(collector) == {"w0": (0, 0, 0, 30, 26, total), "w1": (0, 0, 0, 30, 1, 0.7)}
    collector.enter_batch(BatchEntry([first], {}, settled=[first]))
    assert counts(collector) == {"w0": (10, 8, 0.1, 20, 18, total - 0.1), "w1": (0, 0, 0, 30, 1, 0.7)}
    collector.enter_batch(BatchEntry([third], {}, settled=[third]))
    collector.enter_batch(BatchEntry([second], {}, settled=[second]))
    assert counts(collector) == {"w0": (30, 26, total, 0, 0, 0), "w1": (30, 1, 0.7, 0, 0, 0)}


def test_stages_and_runs_have_them_too() -> None:
    """Input of the first operator and output of the last; merged over workers; the books do not see them."""
    collector = MetricsCollector("run_a")
    rows = [
        OperatorMetrics("run_a", "clean", name, worker, input_records=came, output_records=left, operator_index=index)
        for worker in ("w0", "w1")
        for index, (name, came, left) in enumerate([("filter", 10, 8), ("refiner", 8, 7)])
    ]
    with collector.track_run():
        collector.enter_batch(BatchEntry((), {"uncommitted_input_records": 21}, passed=rows))
        snapshot = collector.snapshot()
    assert snapshot is not None
    (stage,) = snapshot.stages
    assert (stage.input_records, stage.output_records, stage.num_workers) == (0, 0, 2)
    assert (stage.uncommitted_input_records, stage.uncommitted_output_records) == (20, 14)
    assert (snapshot.run.total_input_records, snapshot.run.uncommitted_input_records) == (0, 21)
    merged = OperatorMetrics.merged([row for row in snapshot.operators if row.operator_name == "refiner"])
    assert (merged.uncommitted_input_records, merged.uncommitted_output_records) == (16, 14)
