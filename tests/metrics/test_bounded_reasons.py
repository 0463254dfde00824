"""Reasons with a number of each record in them: counts stay bounded, and add up to the rejected records."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa

from mega_data_factory.framework.batch import Exclusion
from mega_data_factory.framework.driver.tally import Tally
from mega_data_factory.framework.metrics import OperatorMetrics
from mega_data_factory.framework.metrics.details.slice_counts import SliceCounts
from mega_data_factory.framework.metrics.details.slices import StageSlices
from mega_data_factory.framework.metrics.rows.batch_row import BatchValues, batch_row
from mega_data_factory.framework.metrics.rows.reasons import MOST_REASONS, OTHER_REASONS, bounded
from mega_data_factory.framework.worker.accounts.rejected_samples import RejectedSampler, RejectedSamples
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.survey.reject_rows import rows_not_known, rows_of

BATCHES, RECORDS = 20, 1000


def reasons_of(batch: int) -> dict[str, int]:
    """Two true reasons, and a text with a number for each of the other records."""
    free = {f"score {batch * RECORDS + number} is too low": 1 for number in range(RECORDS - 50)}
    return {**free, "too_short": 20, "too_long": 30}


def row(batch: int) -> OperatorMetrics:
    values = BatchValues("operator", 0, 0.1, 0.1, RECORDS, 0, 0, 0, (), reasons_of(batch), 0)
    return batch_row("run", "stage", 0, f"worker-{batch % 3}", datetime(2026, 1, 1), values)


def check(reasons: dict[str, int]) -> None:
    assert len(reasons) <= MOST_REASONS
    assert sum(reasons.values()) == BATCHES * RECORDS
    assert (reasons["too_short"], reasons["too_long"]) == (20 * BATCHES, 30 * BATCHES)


def test_rows_and_what_they_add_up_to_are_bounded() -> None:
    """Batches, rows of a run, its progress and observed steps keep the heavy reasons exact, in any order."""
    assert len(row(0).rejected_reasons) == MOST_REASONS // 2 + 1
    for order in (range(BATCHES), reversed(range(BATCHES))):
        total, tracked = OperatorMetrics("run", "stage", "operator", "worker"), Account("step", "worker")
        tally = Tally()
        for batch in order:
            total.include(row(batch))
            tally._count_reasons(row(batch).rejected_reasons, 1)
            tracked.add_flow(RECORDS, 0, reasons=reasons_of(batch))
        for reasons in (total.rejected_reasons, dict(tally.reasons), tracked.reasons):
            check(reasons)
        assert total.rejected_records == tracked.rejected_records == BATCHES * RECORDS
        tally._count_reasons(row(3).rejected_reasons, -1)
        assert sum(tally.reasons.values()) == (BATCHES - 1) * RECORDS
        assert (tally.reasons["too_long"], min(tally.reasons.values()) >= 0) == (30 * (BATCHES - 1), True)
    few = {f"reason {number}": 1 for number in range(MOST_REASONS)}
    assert bounded(few) is few
    assert OTHER_REASONS not in bounded(few)


def test_what_is_taken_out_of_the_progress_was_counted_before() -> None:
    """A reason that came back after it was added up as `other` is in both places: no count goes below 0."""
    tally = Tally()
    batches = [{"rare": 5}, {f"reason {number}": 10 for number in range(MOST_REASONS)}, {"rare": 6}]
    for reasons in batches:
        tally._count_reasons(reasons, 1)
    assert tally.reasons["rare"] == 6
    for reasons in batches:
        tally._count_reasons(reasons, -1)
        assert min(tally.reasons.values()) >= 0
    assert sum(tally.reasons.values()) == 0


def test_slices_are_bounded_in_reasons() -> None:
    """Each slice still adds up to its rejected records, also behind the wire."""
    total = StageSlices("stage", "lang", 10)
    for batch in range(BATCHES):
        counts = SliceCounts(0, True, np.zeros((7, 2), np.int64))
        counts.counts[0] = 600, 400
        for number, (reason, records) in enumerate(reasons_of(batch).items()):
            counts.of_reason(reason)[int(number >= 600)] += records if number < 949 else 0
        total.add(StageSlices.measured("stage", "lang", 10, "operator", ["de", None], counts))
    rows = list(StageSlices.from_wire(total.to_wire()).rows("run", datetime(2026, 1, 1)))
    assert sorted(row["rejected_records"] for row in rows) == [349 * BATCHES, 600 * BATCHES]  # type: ignore[type-var]
    assert all(len(row["rejected_reasons"]) <= MOST_REASONS for row in rows)  # type: ignore[arg-type]


def test_samples_are_bounded_in_reasons() -> None:
    """Past the bound, new reasons of an operator share the place of one; what is kept has its own text."""
    chooser, kept = RejectedSampler(2), RejectedSamples(2)
    for batch in range(3):
        texts = [f"score {batch * RECORDS + number}" for number in range(RECORDS)]
        ids = pa.chunked_array([pa.array([f"r{text}" for text in texts])])
        for place, reason in chooser.choose("operator", ids, pa.array(texts)):
            kept.add([Exclusion("rejected", f"r{texts[place]}", "stage", "operator", reason)])
    samples = kept.samples()
    assert MOST_REASONS <= len(samples) <= MOST_REASONS + 2
    assert len({sample.reason for sample in samples}) == len(samples)


def test_the_ledger_of_an_observed_step_has_a_row_for_each_record() -> None:
    """Rows of reasons that the account counts as `other` are not added a second time."""
    account, texts = Account("step", "worker"), list(reasons_of(0))
    account.add_flow(RECORDS, 0, reasons=reasons_of(0))
    account.add_flow(RECORDS, 0, reasons=reasons_of(1))
    sheet = pa.table({"id": pa.array(texts), "bytes": pa.nulls(len(texts), pa.int64())})
    known = [rows_of(sheet, reason=pa.array(texts))]
    more = rows_not_known(account.reasons, account.rejected_records, known)
    assert len(texts) + more.num_rows == 2 * RECORDS
