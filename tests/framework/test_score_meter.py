"""Scores of filters travel in the batch, of the records that were judged, whatever happens to it on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.batch import Batch, CommitRecord
from mega_data_factory.framework.contracts import Filter, Judgement
from mega_data_factory.framework.metrics.details.scores.rule_names import MOST_NAMED
from mega_data_factory.framework.metrics.details.totals import DetailTotals
from mega_data_factory.framework.plan import OperatorPlan, StagePlan, When
from mega_data_factory.framework.rowwise import RowFilter, Verdict
from mega_data_factory.framework.scoring import Reject, scores_of, scores_of_rejects
from mega_data_factory.framework.worker.quarantine import isolate_poison
from mega_data_factory.framework.worker.stage import Stage, StageSettings
from tests.framework.making import EqualTexts, Fragile, Long, batch, claims_in, component, stage

TEXTS = ["a", "ab", "abc", "abcd", "abcd"]


class Sure(Filter):
    """Gives decisions alone: no rules, a score for every record."""

    def judge(self, table: pa.Table) -> Judgement:
        lengths = pc.utf8_length(table.column("text")).combine_chunks().cast(pa.float64())
        reason = pc.if_else(pc.less(lengths, 3.0), "short", None)
        return Judgement(reason, lengths, pa.repeat(pa.scalar(3.0), len(lengths)))


class OneByOne(RowFilter):
    """Judges record by record."""

    def judge_record(self, record: dict[str, Any]) -> Verdict:
        return None if len(record["text"]) > 2 else ("short", len(record["text"]), 3.0)


class Moody(Filter):
    """Rejects every record, for the reason that its text names and a threshold of its own."""

    def judge(self, table: pa.Table) -> Judgement:
        lengths = pc.utf8_length(table.column("text")).combine_chunks().cast(pa.float64())
        own = pa.array([float(record_id[1:]) for record_id in table.column("record_id").to_pylist()])
        return Judgement(table.column("text").combine_chunks(), lengths, own)


def rows(of: Batch) -> list[dict[str, Any]]:
    """Return the rows of all details of a batch."""
    return [dict(row) for detail in of.details for row in detail.rows("run_a", datetime(2026, 1, 1))]


def measured(operator: type, texts: list[str] = TEXTS, **params: Any) -> list[dict[str, Any]]:
    """Return the rows of one batch in one operator."""
    return rows(stage(component(operator, **params), score_histograms=True)(batch(texts)))


def counts(row: dict[str, Any]) -> dict[str, int]:
    """Return the counts of a row that are not 0."""
    names = ("judged_records", "failed_records", "failed_alone_records", "rejected_records", "unscored_records")
    return {name.removesuffix("_records"): row[name] for name in names if row[name]}


def test_all_judged_records_are_in_the_histogram() -> None:
    """Also those that pass; the threshold, its reason and the extremes of either side are there."""
    (row,) = measured(Long)
    assert counts(row) == {"judged": 5, "failed": 2, "failed_alone": 2, "rejected": 2}
    assert (row["reason"], row["threshold"], row["population"]) == ("short", 3.0, "judged")
    assert [row[name] for name in ("min_failed", "max_failed", "min_passed", "max_passed")] == [1.0, 2.0, 3.0, 4.0]
    assert row["whole_numbers"]
    assert [bucket["kept"] for bucket in row["histogram"]] == [0, 0, 1, 2]
    assert [bucket["failed_alone"] for bucket in row["histogram"]] == [1, 1, 0, 0]


def test_a_batch_without_a_reject_counts_too() -> None:
    """Nothing rejected is a finding as well."""
    (row,) = measured(Long, ["abc", "abcd"])
    assert counts(row) == {"judged": 2}


def test_records_that_raise_are_not_judged() -> None:
    """The rest of their batch is, once, though it was given to the operator again and again."""
    (row,) = measured(Long, [*TEXTS, "BAD", *TEXTS])
    assert counts(row) == {"judged": 10, "failed": 4, "failed_alone": 4, "rejected": 4}


def test_records_that_a_condition_keeps_from_the_operator_are_not_judged() -> None:
    """Only those that match are in the histogram."""
    operator = replace(OperatorPlan("long", 0, component(Long)), when=When("record_id > 'r0000'", "here"))
    plan = StagePlan("quality", 0, (operator,), 1, 1)
    (row,) = rows(Stage(plan, "w0", StageSettings("run_a", score_histograms=True))(batch(TEXTS)))
    assert counts(row) == {"judged": 4, "failed": 1, "failed_alone": 1, "rejected": 1}


def test_a_filter_that_gives_decisions_alone_says_whose_scores_it_has() -> None:
    """Without rules only the scores of rejected records can be told from others: the row says so."""
    for operator in (OneByOne, Sure):
        (row,) = measured(operator)
        assert row["population"] == "rejected"
        assert counts(row) == {"failed": 2, "failed_alone": 2, "rejected": 2}
        assert (row["reason"], row["threshold"], row["max_failed"]) == ("short", 3.0, 2.0)
    assert measured(Sure, ["abc"]) == []


def test_a_rule_without_a_number_is_counted(tmp_path: Any) -> None:
    """A deduplicator has no score; how many it judged and failed is known."""
    with claims_in(tmp_path) as claims:
        (row,) = rows(stage(component(EqualTexts), claims=claims, score_histograms=True)(batch(TEXTS)))
    assert counts(row) == {"judged": 5, "failed": 1, "failed_alone": 1, "rejected": 1, "unscored": 5}
    assert (row["threshold"], row["histogram"]) == (None, [])


def test_details_survive_header_and_commit_record() -> None:
    """They come back as they went in, with the time that measuring took; a batch without any says nothing of them."""
    done = stage(component(Long), score_histograms=True)(batch(TEXTS))
    assert done.details
    assert done.meter_seconds > 0
    assert Batch.from_header(done.header(), done.table) == done
    record = CommitRecord(done.without_table(), 3, details=done.details)
    assert CommitRecord.from_json(record.to_json()).details == done.details
    plain = stage(component(Long))(batch(TEXTS))
    assert (plain.details, plain.meter_seconds) == ((), 0.0)
    assert '"details"' not in plain.header()


def test_stages_add_to_what_a_batch_carries() -> None:
    """Each stage leaves the details of the ones before as they are; nothing is measured where metrics are off."""
    first = stage(component(Long), name="first", score_histograms=True)(batch(TEXTS))
    second = stage(component(Long, min_length=4), name="second", score_histograms=True)(first)
    assert [(row["stage_name"], row["judged_records"]) for row in rows(second)] == [("first", 5), ("second", 3)]
    assert stage(component(Long), score_histograms=True, measure=False)(batch(TEXTS)).details == ()


def test_a_batch_that_kills_its_worker_counts_the_parts_that_passed() -> None:
    """Records that were isolated are not in the histogram of the stage that they killed; all others are, once."""
    able = stage(component(Long), name="second", score_histograms=True)
    before = stage(component(Long, min_length=1), name="first", score_histograms=True)(
        batch([*TEXTS, "POISON", *TEXTS])
    )
    done = isolate_poison(before, able.plan, Fragile(able), 2, None)
    assert done.dead_lettered == 1
    assert [(row["stage_name"], row["judged_records"]) for row in rows(done)] == [("first", 11), ("second", 10)]
    assert done.meter_seconds > before.meter_seconds


def test_a_threshold_for_every_record_makes_no_rule_for_every_record() -> None:
    """Neither in a batch, whose thresholds or rarest reasons are left out then, nor over many batches."""
    run = stage(component(Moody), score_histograms=True)
    (row,) = rows(run(batch(["bad"] * (MOST_NAMED + 1))))
    assert (row["reason"], row["threshold"], row["rejected_records"]) == ("bad", None, MOST_NAMED + 1)
    reasons = [f"{number:04d}" for number in range(MOST_NAMED + 5)]
    found = rows(run(batch(["frequent"] * 2 + reasons)))
    assert sorted(row["reason"] for row in found) == [*reasons[: MOST_NAMED - 1], "frequent"]
    totals = DetailTotals()
    for number in range(4):
        totals.add(run(batch(["bad"] * 50, number)).details)
        size = len(totals.rows("scores", "run_a", datetime(2026, 1, 1)))
        assert size == min(50 * (number + 1), MOST_NAMED)
    stored = totals.rows("scores", "run_a", datetime(2026, 1, 1))
    assert [row["threshold"] for row in stored[100:]] == [2000.0 + n for n in range(MOST_NAMED - 100)]
    assert {row["rejected_records"] for row in stored} == {1}
    together = stored[0]["failed_together"]
    assert isinstance(together, dict)
    assert sum(together.values()) == 200


def test_names_of_many_observed_rejects_are_bounded() -> None:
    """As those of a filter are; the reasons of most records stay."""
    rejects = [Reject("low", 0.5, float(number), 2) for number in range(MOST_NAMED + 1)]
    (row,) = scores_of_rejects("s", "o", rejects).rows("run_a", datetime(2026, 1, 1))
    assert (row["threshold"], row["rejected_records"]) == (None, 2 * MOST_NAMED + 2)


def test_thresholds_that_are_zero_or_no_number() -> None:
    """Zero of either sign is one threshold, with each of its records once; NaN is none."""
    own = pa.array([0.0, -0.0, float("nan"), None])
    judged = Judgement(pa.array(["low"] * 4), pa.array([-1.0, -0.0, 0.0, 2.0]), own)
    (detail,) = scores_of("s", "o", judged)
    found = list(detail.rows("run_a", datetime(2026, 1, 1)))
    assert sorted((row["threshold"] is None, row["failed_records"], row["rejected_records"]) for row in found) == [
        (False, 2, 2),
        (True, 2, 2),
    ]
