"""Details add up in any order, travel as JSON, and are stored and read like every other table."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mega_data_factory.framework.metrics import (
    IntervalSampler,
    MetricsCollector,
    MetricsFlusher,
    MetricsReader,
    MetricsWriter,
    RunMetrics,
    compact,
    schema,
)
from mega_data_factory.framework.metrics.details import kinds
from mega_data_factory.framework.metrics.details.detail import Detail, add_up
from mega_data_factory.framework.metrics.details.scores.codes import Scored
from mega_data_factory.framework.metrics.details.scores.operator_scores import OperatorScores
from mega_data_factory.framework.metrics.details.scores.rule_names import RuleName
from mega_data_factory.framework.metrics.details.totals import DetailTotals
from tests.detail_rows import detail_rows

NOW = datetime(2026, 1, 1)
LONG = RuleName("too_short", "min_length", "<", 10.0)


def scores(*values: float, operator: str = "length", limit: float = 10.0) -> OperatorScores:
    """Return the scores of records of which those below the limit fail."""
    numbers = np.array([values])
    return OperatorScores.measured("s", operator, [LONG], Scored(numbers < limit, numbers == numbers, numbers))


def rows(*details: Detail) -> list[dict[str, Any]]:
    """Return what a run of batches with one of these details each would store."""
    return detail_rows("scores", *([detail] for detail in details))


def test_details_add_up_in_any_order_and_stay_as_they_are() -> None:
    """Totals do not depend on how records were cut into batches; a detail that was added is not changed."""
    parts = [scores(1, 12, 30), scores(4, 4), scores(11)]
    before = [part.to_wire() for part in parts]
    whole = rows(scores(1, 12, 30, 4, 4, 11))
    assert rows(*parts) == rows(*reversed(parts)) == whole
    assert rows(*add_up(parts)) == whole
    assert [part.to_wire() for part in parts] == before
    assert len(add_up([*parts, scores(1, operator="other")])) == 2


def test_details_travel_as_json() -> None:
    """Table and content come back from JSON as they went in; an unknown table is refused by name."""
    details = (scores(1, 12, 30), scores(operator="none"))
    assert kinds.from_wire(json.loads(json.dumps(kinds.to_wire(details)))) == details
    with pytest.raises(ValueError, match=r"no details of the table 'colours'; known are .*scores"):
        kinds.load("colours")


def test_replaced_totals_forget_what_was_added_before() -> None:
    """`replace` leaves what it was given, and a table that has no row any more is still known."""
    totals = DetailTotals()
    totals.add([scores(1, 2)])
    totals.replace([scores(20)])
    assert [dict(row) for row in totals.rows("scores", "run_a", NOW)] == rows(scores(20))
    totals.replace([])
    assert totals.tables == ("scores",)
    assert totals.rows("scores", "run_a", NOW) == []


def test_details_are_stored_and_read_back(tmp_path: Path) -> None:
    """Rows come back in the columns of the schema, by SQL too, and after compaction; a run without any has none."""
    totals = DetailTotals()
    totals.add([scores(1, 12, 30)])
    writer = MetricsWriter(tmp_path)
    writer.write_details("scores", totals.rows("scores", "run_a", NOW), "run_a")
    for run_id in ("run_a", "run_b"):
        writer.write_run_metrics(RunMetrics(run_id, NOW, NOW + timedelta(seconds=1), status="completed"))
    for _ in range(2):
        reader = MetricsReader(tmp_path)
        table = reader.details("scores", "run_a")
        assert table.schema.equals(schema.SCORES)
        (row,) = table.to_pylist()
        assert (row["judged_records"], row["failed_records"], row["threshold"]) == (3, 1, 10.0)
        assert sum(bucket["kept"] for bucket in row["histogram"]) == 2
        assert reader.details("scores", "run_b").num_rows == 0
        assert reader.details("scores").num_rows == 1
        query = "SELECT reason, list_sum([b.kept FOR b IN histogram]) AS kept FROM scores"
        assert reader.sql(query).to_pylist() == [{"reason": "too_short", "kept": 2}]
        compact(tmp_path, now=lambda: NOW + timedelta(days=90))
    assert not (tmp_path / "scores" / "scores_a.parquet").exists()


def test_a_row_of_another_run_and_an_unknown_table_are_refused(tmp_path: Path) -> None:
    """The writer names what cannot be written."""
    writer = MetricsWriter(tmp_path)
    with pytest.raises(ValueError, match="'nodes' is not a table of details"):
        writer.write_details("nodes", [], "run_a")
    with pytest.raises(ValueError, match="'nodes' is not a table of details"):
        MetricsReader(tmp_path).details("nodes")
    with pytest.raises(Exception, match="scores of run_b cannot be written as those of run_a"):
        writer.write_details("scores", [{"run_id": "run_b"}], "run_a")


def test_details_are_written_when_they_have_changed_and_at_the_end(tmp_path: Path) -> None:
    """A run without details writes no file; one with details has the last of them when it has ended."""
    for run_id, has_details in (("run_a", True), ("run_b", False)):
        totals = DetailTotals()
        collector = MetricsCollector(run_id)
        sampler, writer = IntervalSampler(run_id, 0.1), MetricsWriter(tmp_path)
        flusher = MetricsFlusher(collector, sampler, writer, details=totals, interval=0.1)
        with collector.track_run():
            flusher.start()
            if has_details:
                totals.add([scores(1, 12)])
        assert flusher.finish() is None
    assert [path.name for path in (tmp_path / "scores").iterdir()] == ["scores_a.parquet"]
    assert MetricsReader(tmp_path).details("scores", "run_a").column("judged_records").to_pylist() == [2]


def test_more_rules_than_a_number_has_bits() -> None:
    """Patterns of failed rules are exact for any number of rules."""
    names = [RuleName(f"rule_{number}") for number in range(100)]
    failed = np.zeros((100, 3), np.bool_)
    failed[[5, 99], 0] = failed[[5, 99], 1] = failed[70, 2] = True
    known = np.ones_like(failed)
    detail = OperatorScores.measured("s", "many", names, Scored(failed, known, np.full(failed.shape, np.nan)))
    first, *_ = rows(detail, detail)
    assert first["failed_together"] == {"5,99": 4, "70": 2}


def test_rules_that_differ_between_batches_keep_their_own_counts() -> None:
    """A rule of another threshold is another rule; its scores do not mix with those of the first."""
    other = OperatorScores.measured(
        "s",
        "length",
        [RuleName("too_long", "max_length", ">", 20.0), LONG],
        Scored(np.array([[False, True], [True, False]]), np.ones((2, 2), np.bool_), np.array([[5.0, 30.0]] * 2)),
    )
    short, long = rows(scores(1, 12, 30), other)
    assert (short["reason"], short["judged_records"], short["failed_records"]) == ("too_short", 5, 2)
    assert (long["reason"], long["judged_records"], long["min_failed"]) == ("too_long", 2, 30.0)
    assert short["failed_together"] == {"0": 2, "1": 1}


def test_rules_of_one_name_stay_apart() -> None:
    """A filter may give two rules the same reason: the first adds to the first, the second to the second."""
    twice = [RuleName("bad"), RuleName("bad")]
    numbers = np.array([[1.0, 2.0], [3.0, 4.0]])
    failed = np.array([[True, False], [True, True]])
    both = OperatorScores.measured("s", "o", twice, Scored(failed, numbers == numbers, numbers))
    wide, known = np.vstack([failed[:1], failed]), np.ones((3, 2), np.bool_)
    other = OperatorScores.measured("s", "o", [LONG, *twice], Scored(wide, known, np.vstack([numbers[:1], numbers])))
    for order in ((both, other), (other, both)):
        found = [row for row in rows(*order) if row["reason"] == "bad"]
        assert [row["failed_records"] for row in found] == [2, 4]
