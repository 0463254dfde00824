"""The public test tools do what a pipeline does."""

from __future__ import annotations

from pathlib import Path

from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.testing import finished_run, run_operator


def test_an_operator_runs_as_in_a_pipeline() -> None:
    """Counts, reasons, scores and errors are those that a run would have."""
    outcome = run_operator("tests.fakes:ShortFilter", [{"text": "x" * 200}, {"text": "short"}], min_length=100)
    assert outcome.table.column("record_id").to_pylist() == ["0"]
    assert (outcome.metrics.input_records, outcome.metrics.output_records) == (2, 1)
    assert [(e.record_id, e.reason, e.score, e.threshold) for e in outcome.rejected] == [("1", "too_short", 5.0, 100.0)]


def test_a_record_that_raises_is_set_aside() -> None:
    """The rest of the batch goes on."""
    outcome = run_operator("tests.fakes:Raises", [{"text": "fine"}, {"text": "BAD"}, {"text": "fine too"}])
    assert outcome.table.num_rows == 2
    assert [(e.record_id, e.reason) for e in outcome.errors] == [("1", "ValueError: cannot digest BAD")]


def test_a_finished_run_can_be_read(tmp_path: Path) -> None:
    """What `finished_run` writes is what a reader finds."""
    run_id = finished_run(tmp_path)
    reader = MetricsReader(tmp_path)
    assert reader.list_runs() == [run_id]
    assert reader.operators(run_id).num_rows == 4
