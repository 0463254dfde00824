"""Numbers that cannot be right are refused where they are reported, with the numbers in the error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from mega_data_factory.framework.metrics import MetricsWriter, RunMetrics, StageMetrics
from mega_data_factory.framework.metrics.collector import MetricsCollector
from tests.operator_rows import row
from tests.present import present

NAN, INFINITY = float("nan"), float("inf")

WRONG_COUNTS = [-1, 1.0, 2.5, NAN, INFINITY, True, "10", 2**63, np.float64(3), np.bool_(True)]


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ({"input": 10, "output": 9, "reasons": {"r": 3}}, r"output 9 \+ rejected 3 \+ errors 0 = 12 .* input of 10"),
        ({"input": 10, "output": 20}, "output 20 .* input of 10"),
        ({"input": 10, "errors": 8, "rejected": 3}, "rejected 3 .* errors 8 = 11 .* input of 10"),
        ({"input": 10, "output": 10, "errors": 1}, "errors 1 = 11"),
        ({"input": 10, "reasons": {"a": 6, "b": 5}}, "rejected 11"),
        ({"input": 10, "rejected": 2, "reasons": {"a": 2, "b": 1}}, "name 3 records, more than the 2"),
        ({"input": 10, "reasons": {None: 1}}, "a reason must be text, not None"),
        ({"input": 10, "reasons": {"a": -1, "b": 1}}, r"reasons\['a'\].*-1"),
        ({"input": 10, "output": 20, "created": 9}, r"output 20 .* 20 records, more than the input of 10 \+ created 9"),
        *(({"input": value}, "input must be a whole number") for value in WRONG_COUNTS),
        *(({"input": 10, "created": value}, "created must be a whole number") for value in WRONG_COUNTS),
        *(({"input": 10, "output": value}, "output must be a whole number") for value in WRONG_COUNTS),
        *(({"input": 10, "errors": value}, "errors must be a whole number") for value in (*WRONG_COUNTS, None)),
        *(({"input": 10, "rejected": value}, "rejected must be a whole number") for value in WRONG_COUNTS),
        *(({"input": 10, "reasons": {"r": value}}, "must be a whole number") for value in (*WRONG_COUNTS, None)),
    ],
)
def test_an_account_that_cannot_be_right_is_refused(
    collector: MetricsCollector, records: Mapping[str, Any], said: str
) -> None:
    """The error names the numbers, and what was reported before still counts."""
    with collector.track_operator("filter", "s", "w") as op:
        op.records(input=5, output=4)
        with pytest.raises(ValueError, match=said):
            op.records(**records)
    (got,) = collector.get_operator_metrics()
    assert (got.input_records, got.output_records, got.rejected_records) == (5, 4, 1)


def test_integers_of_numpy_are_counts(collector: MetricsCollector) -> None:
    """They are what `len` of an array or a sum gives, and can be written as JSON."""
    with collector.track_operator("filter", "s", "w") as op:
        counts: list[Any] = [np.int64(10), np.uint8(7), np.int32(3)]
        op.records(counts[0], counts[1], reasons={"short": counts[2]})
    (got,) = collector.get_operator_metrics()
    assert {type(number) for number in (got.input_records, *got.rejected_reasons.values())} == {int}
    assert got.unbalanced_records == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"passed": 101}, "output 101 .* input of 100"),
        ({"error_count": 11}, "errors 11 = 101"),
        ({"rejected_records": 11}, "rejected 11"),
        ({"rejected_reasons": {"short": 11}}, "name 11 records, more than the 10"),
        ({"rejected_reasons": {"short": NAN}}, "not nan"),
        ({"created_records": -1}, "created_records .* not -1"),
        ({"passed": 111, "created_records": 10}, r"input of 100 \+ created 10"),
        ({"records": -1}, "input_records .* not -1"),
        ({"records": 100.0}, r"input_records .* not 100\.0"),
        ({"records": True}, "input_records .* not True"),
        ({"batches": -2}, "batches .* not -2"),
        ({"seconds": NAN}, "total_time .* not nan"),
        ({"seconds": INFINITY}, "total_time .* not inf"),
        ({"seconds": -0.5}, r"total_time .* not -0\.5"),
        ({"pass_rate": NAN}, "pass_rate .* not nan"),
        ({"p99_latency": -1.0}, "p99_latency"),
    ],
)
def test_a_row_that_cannot_be_right_is_refused(
    collector: MetricsCollector, tmp_path: Path, wrong: Mapping[str, Any], said: str
) -> None:
    """By the collector and by the writer; the error names the row, and neither keeps anything of it."""
    with pytest.raises(ValueError, match=f"filter in stage_0 on w0: .*{said}"):
        collector.add_operator_metrics(row(**wrong))
    assert collector.get_operator_metrics() == []
    with pytest.raises(ValueError, match=said):
        MetricsWriter(tmp_path).write_operator_metrics([row(**wrong)], "run_test")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "wrong",
    [
        StageMetrics("run_test", "clean", input_records=-1),
        StageMetrics("run_test", "clean", total_time=NAN),
        StageMetrics("run_test", "clean", pass_rate=INFINITY),
        RunMetrics("run_test", total_input_records=cast("int", 1.5)),
        RunMetrics("run_test", loader_seconds=-1.0),
        RunMetrics("run_test", duration=NAN),
    ],
)
def test_rows_of_stages_and_runs_are_checked_before_they_are_written(
    tmp_path: Path, wrong: RunMetrics | StageMetrics
) -> None:
    """Nothing is written, not even the rows that are right."""
    with pytest.raises(ValueError, match=r"(stage clean|run_test): \w+ must be"):
        MetricsWriter(tmp_path)._write("stages" if isinstance(wrong, StageMetrics) else "runs", [wrong], "run_test")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "wrong",
    [{"total_input_records": -1}, {"batches": 1.5}, {"output_files": True}, {"loader_seconds": NAN}, {"duration": -1}],
)
def test_totals_of_a_run_are_checked(collector: MetricsCollector, wrong: Mapping[str, Any]) -> None:
    """Set or added; the other totals of the call are not kept either."""
    with collector.track_run() as run:
        for change in (run.set, run.add):
            with pytest.raises(ValueError, match=next(iter(wrong))):
                change(output_bytes=7, **wrong)
    assert present(collector.get_run_metrics()).output_bytes == 0
