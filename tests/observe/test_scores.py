"""Steps that judge, or reject with a score, and our operators as steps keep the scores of their records."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import mega_data_factory as mdf
from mega_data_factory.framework.contracts import Judgement, Rule
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.observe.counting import calls, wire
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.operators.filters.text_length_filter import TextLengthFilter

TEXTS = ["a", "abcdef", "abc", "abcdefghij"]


def long_enough(table: pa.Table) -> Judgement:
    """Judge by the length of the text."""
    lengths = pc.utf8_length(table.column("text")).combine_chunks()
    return Judgement.of(table.num_rows, [Rule("short", pc.less(lengths, 4), lengths, 4.0, fails="<")])


def observed(folder: Path, use: Any) -> list[dict[str, Any]]:
    """Return the scores of a run in which `use` defines and calls a step."""
    with mdf.observe("scores", metrics=folder) as run:
        use(run)
        run_id = run.run_id
    rows: list[dict[str, Any]] = MetricsReader(folder).details("scores", run_id).to_pylist()
    return rows


def test_a_step_that_judges(tmp_path: Path) -> None:
    """All records of all calls are in the histogram, under the names of the step."""

    def use(run: Any) -> None:
        step = run.step(stage="quality", name="length")(long_enough)
        for _ in range(3):
            step(pa.table({"text": TEXTS}))

    (row,) = observed(tmp_path, use)
    assert (row["stage_name"], row["operator_name"], row["reason"], row["population"]) == (
        "quality",
        "length",
        "short",
        "judged",
    )
    assert (row["judged_records"], row["failed_records"], row["max_failed"], row["min_passed"]) == (12, 6, 3.0, 6.0)


def test_one_of_our_operators_as_a_step(tmp_path: Path) -> None:
    """Its rules have the parameters that are their thresholds."""

    def use(run: Any) -> None:
        run.step(TextLengthFilter(min_length=4, max_length=8), stage="quality", name="length")(
            pa.table({"text": TEXTS})
        )

    rows = observed(tmp_path, use)
    assert [(row["reason"], row["failed_records"]) for row in rows] == [
        ("missing_text", 0),
        ("too_short", 2),
        ("too_long", 1),
    ]


@pytest.mark.parametrize("way", ["records", "stream"])
def test_records_that_are_rejected_by_name(tmp_path: Path, way: str) -> None:
    """Only their scores are known, and the row says so; records that raise are not among them."""

    def use(run: Any) -> None:
        def keep(record: dict[str, Any]) -> bool:
            if len(record["text"]) < 4:
                run.reject(record, "short", score=len(record["text"]), threshold=4)
                if record["text"] == "!":
                    raise ValueError("no text")
                return False
            return True

        if way == "records":
            step = run.step(stage="quality", on_error="skip")(keep)
            for text in [*TEXTS, "!"]:
                step({"text": text})
        else:

            def kept(records: Any) -> Any:
                for record in records:
                    if keep(record):
                        yield record

            list(run.step(kept, stage="quality")(iter([{"text": text} for text in TEXTS])))

    (row,) = observed(tmp_path, use)
    assert (row["reason"], row["population"], row["threshold"]) == ("short", "rejected", 4.0)
    assert (row["failed_records"], row["min_failed"], row["max_failed"]) == (2, 1.0, 3.0)
    assert (row["judged_records"], row["unscored_records"]) == (None, 0)


class Why(enum.StrEnum):
    """Reasons as an enumeration has them."""

    LOW = "low"
    LEFT = "left"


def test_reasons_and_scores_may_be_of_enumerations_and_numpy(tmp_path: Path) -> None:
    """Accounts hold Python's own types only: `marshal` refuses some others and silently writes bytes of the rest."""
    sent: list[bytes] = []

    def judge(records: list[int]) -> list[int]:
        single: Any = np.float32(0.25)
        mdf.observe.reject(records[0], Why.LOW, score=single, threshold=np.float64(0.5))
        mdf.observe.report(np.str_("tokens"), int(np.int64(7)))
        call = calls.current.get()
        assert call is not None
        made = Account("s", reasons=dict(call.reasons), custom=dict(call.custom), set_aside=list(call.samples))
        sent.append(wire.to_bytes(made))
        return []

    def use(run: Any) -> None:
        step = run.step(judge, stage="quality", reason=Why.LEFT)
        assert type(step.spec.reason) is str
        step([1, 2, 3])

    (row,) = observed(tmp_path, use)
    assert (row["reason"], row["min_failed"], row["threshold"]) == ("low", 0.25, 0.5)
    (arrived,) = map(wire.from_bytes, sent)
    assert (arrived.reasons, arrived.custom) == ({"low": 1}, {"tokens": 7})
    assert [(sample.score, sample.threshold) for sample in arrived.set_aside] == [(0.25, 0.5)]


def test_a_repeated_piece_of_work_counts_once(tmp_path: Path) -> None:
    """The last account of a key replaces the details of the ones before; accounts without a key add."""
    from mega_data_factory.framework.scoring import scores_of
    from mega_data_factory.observe.driver.recording.ledger import Ledger

    ledger = Ledger()
    for key, attempt, texts in (("1", "a", TEXTS), ("1", "b", TEXTS[:2]), (None, "a", TEXTS), (None, "b", TEXTS)):
        details = tuple(scores_of("s", "o", long_enough(pa.table({"text": texts}))))
        ledger.take(wire.from_bytes(wire.to_bytes(Account("step", "w", key, attempt, details=details))))
    ledger.settle()
    (total,) = ledger.totals()
    (detail,) = total.details
    (row,) = detail.rows("run", pa.scalar(0, pa.timestamp("us")).as_py())
    assert row["judged_records"] == 2 + 4 + 4
