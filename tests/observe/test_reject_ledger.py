"""`rejects="all"`: every rejected record of an observed run is a row of the ledger that `mdf rejects` reads."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import mega_data_factory as mdf
from mega_data_factory.analytics.runs.rejects import open_rejects, read_rejects
from mega_data_factory.analytics.runs.trace import trace
from mega_data_factory.framework.contracts import Judgement, Rule
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.observe.counting import wire
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.survey.reject_rows import ROWS, packed
from mega_data_factory.observe.driver.definitions.defined_steps import DefinedStep
from mega_data_factory.observe.driver.recording.ledger import Ledger
from mega_data_factory.observe.driver.recording.reject_files import RejectFiles
from mega_data_factory.rejects import RejectLedger
from tests.observe.runs import rows_of
from tests.observe.test_slices import ROWS as RECORDS
from tests.observe.test_slices import STEPS, observed


def test_every_form_gives_the_same_rows(tmp_path: Path) -> None:
    """A record that is left out has a row with its id, its slice and its bytes, however the step has left it out."""

    def use(run: Any) -> None:
        for name, (function, call) in STEPS.items():
            call(run.step(function, name=name, reason="few", stage="keep"))

    run_id = observed(tmp_path, use, rejects="all", slice_by="lang", text="text")
    rows = read_rejects(tmp_path, run_id).to_pylist()
    assert len(rows) == 2 * len(STEPS)
    for name in STEPS:
        own = sorted((row for row in rows if row["operator"] == name), key=lambda row: str(row["record_id"]))
        assert [(r["record_id"], r["slice"], r["bytes"], r["reason"]) for r in own] == [
            ("c", "en", 1, "few"),
            ("d", None, 2, "few"),
        ], name
        assert {(r["run_id"], r["stage"], r["score"], r["content"]) for r in own} == {(run_id, "keep", None, None)}
    reader = MetricsReader(tmp_path)
    found = trace(reader, run_id, "c")
    assert (found.outcome, found.record and found.record["reason"]) == ("rejected", "few")
    assert open_rejects(reader.run(run_id)).counts().num_rows == 2 * len(STEPS)


def test_judged_named_and_unknown_records(tmp_path: Path) -> None:
    """Scores, thresholds and all failed rules are in the row; what cannot be told apart has a row without an id."""

    def judged(table: pa.Table) -> Judgement:
        lengths = pc.binary_length(table.column("text")).combine_chunks()
        numbers = table.column("n").combine_chunks()
        rules = [
            Rule("short", pc.less(lengths, 3), lengths, 3, fails="<"),
            Rule("few", pc.less(numbers, 3), numbers, 3),
        ]
        return Judgement.of(table.num_rows, rules)

    def use(run: Any) -> None:
        run.step(judged)(pa.Table.from_pylist(RECORDS))

        def named(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            run.reject(rows[0], "first", score=1.5, threshold=2)
            return rows[2:]

        run.step(named, reason="rest")([dict(row) for row in RECORDS])
        run.step(lambda rows: [{"n": row["n"]} for row in rows if row["n"] > 2], name="anonymous")(RECORDS)
        with run.step("block") as block:
            block.records(input=5, output=2, reasons={"told": 1})

        def raises(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            if any(row["n"] == 5 for row in rows):
                raise ValueError("five")
            return [row for row in rows if row["n"] != 1]

        run.step(raises, on_error="skip", reason="one")(RECORDS)

    run_id = observed(tmp_path, use, rejects="all")
    rows: dict[str, list[Any]] = {}
    for row in read_rejects(tmp_path, run_id).to_pylist():
        rows.setdefault(row["operator"], []).append(row)
    judgements = [(r["record_id"], r["reason"], r["score"], r["threshold"], r["failed_rules"]) for r in rows["judged"]]
    assert judgements == [
        ("b", "short", 2.0, 3.0, ["short"]),
        ("c", "short", 1.0, 3.0, ["short", "few"]),
        ("d", "short", 2.0, 3.0, ["short", "few"]),
    ]
    assert [(r["record_id"], r["reason"], r["score"], r["threshold"]) for r in rows["named"]] == [
        ("a", "first", 1.5, 2.0),
        ("b", "rest", None, None),
    ]
    assert [(r["record_id"], r["reason"]) for r in rows["anonymous"]] == 2 * [(None, "unspecified")]
    assert Counter(r["reason"] for r in rows["block"]) == {"told": 1, "unspecified": 2}
    assert [(r["record_id"], r["reason"]) for r in rows["raises"]] == [("c", "one")]
    counted = {name: row.rejected_records for name, row in rows_of(tmp_path, run_id).items()}
    assert counted == {name: len(own) for name, own in rows.items()}


def test_rows_of_a_replaced_account_are_gone(tmp_path: Path) -> None:
    """The last account of a key counts, in the file that is open and in one that is full; others stay."""

    def account(key: str | None, attempt: str, ids: list[str]) -> Account:
        rows = pa.table({"record_id": ids, "reason": ["r"] * len(ids)})
        columns = [rows.column(f.name) if f.name in rows.column_names else pa.nulls(len(ids), f.type) for f in ROWS]
        made = Account("0", "w", key, attempt, rejected_records=len(ids), reasons={"r": len(ids)})
        made.rejects = [packed([pa.Table.from_arrays(columns, schema=ROWS)])] if ids else []
        return wire.from_bytes(wire.to_bytes(made))

    ledger, files = Ledger(keeps_rejects=True), RejectFiles(tmp_path, "run_x")
    steps = {"0": DefinedStep("0", "o", "s", 0, 0, "f")}
    big = [f"big{i}" for i in range(70_000)]

    def write(*accounts: Account) -> list[str]:
        for made in accounts:
            ledger.take(made)
        ledger.settle()
        files.write(ledger.take_rejects(), steps)
        return sorted(RejectLedger.open(f"{files.folder}/run_x").read().column("record_id").to_pylist())

    assert write(account("1", "a", ["x", "y"]), account(None, "a", ["z"]), account("2", "a", big)) == sorted(
        ["x", "y", "z", *big]
    )
    assert write(account("3", "a", ["late"]), account("1", "b", ["x"])) == sorted(["x", "z", "late", *big])
    assert write(account("2", "b", []), account("3", "b", ["later"])) == ["later", "x", "z"]
    assert not files.failed
    files.write([], {})  # the step was defined again
    assert RejectLedger.open(f"{files.folder}/run_x").read().num_rows == 0
    files.start()
    assert not Path(files.folder, "run_x").exists()


def _keep(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if record["n"] % 3]


@pytest.mark.slow
def test_workers_hand_their_rows_over(tmp_path: Path) -> None:
    """Rows of processes arrive with their accounts, and are as many as the books say."""
    batches: list[list[dict[str, Any]]] = [
        [{"id": f"{b}/{i}", "n": i, "lang": f"l{i % 2}"} for i in range(100)] for b in range(8)
    ]

    def use(run: Any) -> None:
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            pool.map(run.step(_keep, reason="third"), batches)

    run_id = observed(tmp_path, use, rejects="all", slice_by="lang")
    rows = read_rejects(tmp_path, run_id)
    expected = [r["id"] for batch in batches for r in batch if r["n"] % 3 == 0]
    assert sorted(rows.column("record_id").to_pylist()) == sorted(expected)
    assert MetricsReader(tmp_path).details("slices", run_id).num_rows == 2


def test_what_is_refused(tmp_path: Path) -> None:
    """Options that cannot be meant have one clear error."""
    with pytest.raises(ValueError, match="rejects must be 'all' or None, not 'some'"):
        mdf.observe("x", metrics=tmp_path, rejects="some")
    with pytest.raises(ValueError, match="slice_by has 'a' twice"):
        mdf.observe("x", metrics=tmp_path, slice_by=["a", "a"])
    with pytest.raises(TypeError, match="slice_by must be names of columns, or functions of a record, not 3"):
        mdf.observe("x", metrics=tmp_path, slice_by=3)  # type: ignore[arg-type]
