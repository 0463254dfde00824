"""A record that takes too long in an operator is an error of it, on both engines; everything else passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.running import Pipeline, Result, fake, jsonl, stage

ROWS = 80


def run(folder: Path, texts: list[str], engine: str = "local", limit: float = 5.0, **own: float) -> Result:
    """A run through a stage that deduplicates, and one whose second operator hangs on some texts."""
    stages = [
        stage("first", fake("Dedup")),
        stage("second", fake("Upper"), {**fake("Hangs"), **own}, fake("ShortFilter", min_length=3)),
    ]
    executor = {"batch_size": 40, "max_attempts": 1, "record_timeout": limit}
    return Pipeline(folder / "run", jsonl(folder / "a.jsonl", texts), stages, engine=engine, executor=executor).run()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_record_that_hangs(tmp_path: Path, engine: str) -> None:
    """The worker is ended, the record is found in its batch, and its operator has the error."""
    hanging = (50,) if engine == "ray" else (0, 39)
    texts = [f"hang {n}" if n in hanging else f"text {n}" for n in range(ROWS)]
    result = run(tmp_path, texts, engine)
    assert result.closed(), result.books
    assert result.texts == sorted(text.upper() for text in texts if "hang" not in text)
    assert result.dead_letters == []
    assert sorted(error["record"]["text"] for error in result.errors) == sorted(f"HANG {n}" for n in hanging)
    assert {(error["stage"], error["operator"]) for error in result.errors} == {("second", "hangs")}
    assert all("took longer than record_timeout, 5 s" in error["reason"] for error in result.errors)
    assert result.count("second/upper", "output_records") == result.count("second/hangs", "input_records") == ROWS
    assert result.count("second/hangs", "error_count") == len(hanging)
    assert engine == "ray" or result.run["retried_batches"] == 1


@pytest.mark.slow
def test_an_operator_has_its_own_limit(tmp_path: Path) -> None:
    """The limit of an operator goes before that of the run: here for the only one that takes long."""
    result = run(tmp_path, ["hang"], limit=0, record_timeout=2)
    assert result.closed(), result.books
    assert [error["reason"] for error in result.errors] == [
        "RecordTimeout: took longer than record_timeout, 2 s, in this operator"
    ]


@pytest.mark.slow
def test_a_slow_operator_is_not_taken_for_a_slow_record(tmp_path: Path) -> None:
    """A batch may take many times the limit: its records are given to the operator in smaller parts."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" for n in range(ROWS)])
    stages = [stage("only", fake("SlowRecords", seconds=0.2))]
    executor = {"batch_size": 40, "record_timeout": 3}
    result = Pipeline(tmp_path / "run", source, stages, executor=executor).run()
    assert result.closed(), result.books
    assert len(result.texts) == ROWS
    assert result.run["retried_batches"] == 0
