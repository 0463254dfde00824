"""Steps in one process of plain Python."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import mega_data_factory as mdf
from tests.observe.runs import flow, rows_of, run_row


def short(table: pa.Table) -> pa.Table:
    return table.filter(pc.less(pc.utf8_length(table["text"]), 3))


def test_a_function_over_tables_is_counted_with_its_reason_and_bytes(tmp_path: Path) -> None:
    with mdf.observe("clean", metrics=tmp_path, node_interval=0) as run:
        step = run.step(short, stage="clean", reason="long", text="text")
        assert step(pa.table({"text": ["a", "bbbb", "cé"]}))["text"].to_pylist() == ["a", "cé"]
    row = rows_of(tmp_path, run.run_id)["short"]
    assert flow(row) == (3, 2, 1, 0)
    assert row.rejected_reasons == {"long": 1}
    assert (row.input_text_bytes, row.output_text_bytes) == (8, 4)
    assert row.latency_histogram.total == 3
    described = run_row(tmp_path, run.run_id)
    assert (described["status"], described["pipeline"], described["balanced"]) == ("completed", "clean", True)
    assert described["engine"].startswith("python 3.")
    assert described["config"]["observed"]["steps"][0]["function"] == f"{__name__}.short"


def test_what_a_function_raises_passes_and_is_counted(tmp_path: Path) -> None:
    def fail(rows: list[int]) -> list[int]:
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"), mdf.observe("clean", metrics=tmp_path, node_interval=0) as run:
        run.step(fail)([1, 2, 3])
    assert flow(rows_of(tmp_path, run.run_id)["fail"]) == (3, 0, 0, 3)
    assert run_row(tmp_path, run.run_id)["status"] == "failed"
    assert run_row(tmp_path, run.run_id)["error"] == "KeyError: 'gone'"


def test_skip_sets_the_records_aside_that_raise_and_keeps_the_rest(tmp_path: Path) -> None:
    def halve(rows: list[int]) -> list[float]:
        return [1 / row for row in rows]

    with mdf.observe("clean", metrics=tmp_path, node_interval=0) as run:
        step = run.step(halve, on_error="skip")
        assert step([1, 2, 0, 4, 0]) == [1, 0.5, 0.25]
    assert flow(rows_of(tmp_path, run.run_id)["halve"]) == (5, 3, 0, 2)
