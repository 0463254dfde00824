"""Operator rows are added up over workers in one way, and their books are checked in one way."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mega_data_factory.framework.metrics import MetricsCollector, OperatorMetrics, StageMetrics, unbalanced_records
from mega_data_factory.framework.metrics.live.exporting import ExportSnapshot
from mega_data_factory.framework.metrics.models import RunMetrics
from mega_data_factory.framework.metrics.rows.rollup import (
    account_differences,
    by_instance,
    flow_differences,
    over_workers,
    top_reason,
)


def row(stage: str, operator: str, worker: str = "w0", came: int = 10, left: int = 10, **more: Any) -> OperatorMetrics:
    return OperatorMetrics("run_1", stage, operator, worker, input_records=came, output_records=left, **more)


def plan_rows() -> list[OperatorMetrics]:
    """Three operators in two stages, of which the second comes first in the alphabet, on two workers."""
    return [
        row(stage, operator, worker, stage_index=stage_index, operator_index=index)
        for stage_index, (stage, operators) in enumerate((("wash", ("z", "a")), ("dry", ("z",))))
        for index, operator in enumerate(operators)
        for worker in ("w0", "w1")
    ]


def test_operators_are_in_plan_order_whatever_the_order_of_the_rows() -> None:
    """Two operators of one name in two stages are two; each is one row with the sums of its workers."""
    rows = plan_rows()
    random.Random(4).shuffle(rows)
    merged = over_workers(rows)
    assert [(one.stage_name, one.operator_name) for one in merged] == [("wash", "z"), ("wash", "a"), ("dry", "z")]
    assert {(one.worker_id, one.input_records) for one in merged} == {("*", 20)}
    assert [len(group) for group in by_instance(rows)] == [2, 2, 2]


def test_rows_without_an_index_keep_their_order_and_stay_with_their_stage() -> None:
    """Rows made by hand need no index, also where rows of two stages alternate."""
    rows = [row("b", "x"), row("a", "x"), row("b", "w"), row("a", "w")]
    assert [(one.stage_name, one.operator_name) for one in over_workers(rows)] == [
        ("b", "x"),
        ("b", "w"),
        ("a", "x"),
        ("a", "w"),
    ]


def test_exporters_get_the_same_rows() -> None:
    """What is exported is what is shown."""
    rows = plan_rows()
    assert list(ExportSnapshot(RunMetrics("run_1"), [], rows).merged_operators) == over_workers(rows)


def test_a_stage_is_what_came_in_to_its_first_operator_and_left_its_last() -> None:
    """By plan order, not by the order of the rows."""
    rows = [
        row("s", "second", came=7, left=5, operator_index=1, total_time=1.0),
        row("s", "first", came=10, left=7, operator_index=0, total_time=1.0),
        row("s", "first", "w1", came=4, left=4, operator_index=0, total_time=4.0),
        row("s", "second", "w1", came=4, left=1, operator_index=1, total_time=4.0),
    ]
    stage = StageMetrics.from_operators(rows, "s")
    assert (stage.input_records, stage.output_records, stage.num_workers, stage.total_time) == (14, 6, 2, 8.0)
    assert (stage.min_throughput, stage.max_throughput) == (0.5, 5.0)


def test_an_operator_that_measures_time_only_is_no_end_of_a_stage(collector: MetricsCollector) -> None:
    """Blocks around the work have no records: neither a stage nor the run is taken to have lost all of its own."""
    with collector.track_run():
        for stage, operator, came, left in (
            ("load", "connect", 0, 0),
            ("judge", "open", 0, 0),
            ("judge", "filter", 10, 7),
            ("judge", "close", 0, 0),
            ("upload", "wait", 0, 0),
        ):
            with collector.track_operator(operator, stage, "w0") as tracker:
                tracker.records(came, left)
    snapshot = collector.snapshot()
    assert snapshot is not None
    assert {stage.stage_name: (stage.input_records, stage.output_records) for stage in snapshot.stages} == {
        "load": (0, 0),
        "judge": (10, 7),
        "upload": (0, 0),
    }
    assert (snapshot.run.total_input_records, snapshot.run.total_output_records) == (10, 7)


@pytest.mark.parametrize(
    ("rows", "ends", "expected"),
    [
        ([row("s", "a"), row("s", "b", operator_index=1)], (10, 10), []),
        ([row("s", "a", left=8, rejected_records=1)], (10, 8), ["s/a: input 10, output + rejected + errors 9"]),
        ([row("s", "a")], (12, 10), ["the loader gave 12 records, s/a was offered 10"]),
        ([row("s", "a")], (10, 9), ["s/a passed on 10 records, the writer took 9"]),
        ([row("s", "a"), row("s", "b", came=7, left=7, operator_index=1)], (None, None), ["s/a passed on 10 records"]),
        ([row("s", "a", left=30, created_records=20)], (10, 30), []),
        ([], (3, 4), ["the loader gave 3 records, the writer took 4"]),
    ],
)
def test_differences_have_words_and_numbers_that_agree(
    rows: list[OperatorMetrics], ends: tuple[int | None, int | None], expected: list[str]
) -> None:
    """The words of the books and the number of the run row are made of the same differences."""
    found = flow_differences(rows, *ends)
    assert len(found) == len(expected)
    assert all(difference.text.startswith(text) for difference, text in zip(found, expected, strict=True))
    assert unbalanced_records(rows, *ends) == sum(difference.records for difference in found)
    assert all(difference.records > 0 for difference in found)


def test_a_surplus_does_not_hide_what_is_missing() -> None:
    """Each operator is checked by itself, and amounts have no sign."""
    rows = [row("s", "a", left=9, rejected_records=0), row("s", "b", left=11, operator_index=1)]
    assert [difference.records for difference in account_differences(rows)] == [1, 1]


def test_operators_on_branches_are_checked_each_by_itself() -> None:
    """Where steps do not follow each other, what one puts out need not be what the next gets."""
    assert account_differences([row("s", "a"), row("s", "b", came=3, left=3, operator_index=1)]) == []


@pytest.mark.parametrize(
    ("reasons", "rejected", "text"),
    [
        ({"short": 9, "long": 1}, 10, "short 9 of 10"),
        ({"short": 1203}, 1500, "short 1,203 of 1,500"),
        ({"short": 4}, 4, "short"),
        ({"b": 2, "a": 2}, 4, "a 2 of 4"),
        ({}, 3, "-"),
        ({}, 0, ""),
    ],
)
def test_the_top_reason_says_how_many_of_all(reasons: dict[str, int], rejected: int, text: str) -> None:
    """It stands alone where all were rejected for it; of equals the first by name, so that it is the same anywhere."""
    assert top_reason(reasons, rejected) == text
