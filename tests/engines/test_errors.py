"""What raises is set aside or ends the run, as the configuration says; what ended a run is readable afterwards."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mega_data_factory.framework.metrics.reader import MetricsReader
from tests.engines.running import Pipeline, Result, fake, jsonl, stage


def run_with(tmp_path: Path, engine: str, *operators: dict[str, Any], rows: int = 200, **executor: Any) -> Result:
    """A run over texts of which every tenth holds the word BAD."""
    texts = [f"BAD {n}" if n % 10 == 3 else f"text {n}" for n in range(rows)]
    source = jsonl(tmp_path / "a.jsonl", texts)
    stages = [stage("only", *operators)]
    return Pipeline(tmp_path / "run", source, stages, engine=engine, executor={"batch_size": 50, **executor}).run()


def test_skipped_errors_are_in_the_sink(tmp_path: Path, engine: str) -> None:
    """Each record that raises is one line of the error sink with id, place, message and the whole record."""
    result = run_with(tmp_path, engine, fake("Upper"), fake("Raises"))
    assert result.closed(), result.books
    assert len(result.texts) == 180
    assert result.run["total_errors"] == result.count("only/raises", "error_count") == len(result.errors) == 20
    line = result.errors[0]
    assert line["kind"] == "error"
    assert (line["stage"], line["operator"]) == ("only", "raises")
    assert line["reason"] == "ValueError: cannot digest BAD"
    assert line["record"]["text"].startswith("BAD ")
    assert line["record_id"] == line["record"]["record_id"]


def test_fail_stops_the_run(tmp_path: Path, engine: str) -> None:
    """With on_error: fail the first record that raises ends the run and is named; its metrics are readable."""
    result = run_with(tmp_path, engine, fake("Raises"), on_error="fail")
    assert result.error is not None
    assert result.error.slug == "operator-failed"
    for part in ("`only`", "`raises`", "a.jsonl@", "ValueError: cannot digest BAD"):
        assert part in result.error.message
    assert "skip" in (result.error.hint or "")
    assert result.run["status"] == "failed"
    assert "cannot digest" in result.run["error"]
    assert result.run["balanced"] is not False


def test_an_operator_that_raises_for_everything(tmp_path: Path, engine: str) -> None:
    """When no record gets through, all are in the sink, no file is written, and the books balance."""
    result = run_with(tmp_path, engine, fake("Raises", word=""), fake("Upper"), rows=60)
    assert result.closed(), result.books
    assert result.files == []
    assert result.count("only/raises", "error_count") == 60
    assert result.count("only/upper", "input_records") == 0


@pytest.mark.parametrize(
    ("limit", "shown"),
    [
        pytest.param(5, "(5)", marks=pytest.mark.slow),
        (0.05, "(5.0%)"),
        pytest.param(0, "(0)", marks=pytest.mark.slow),
    ],
)
def test_too_many_errors_end_the_run(tmp_path: Path, limit: float, shown: str) -> None:
    """More errors than a count or a share allows end the run; what was written by then is whole and in the books."""
    result = run_with(tmp_path, "local", fake("Raises"), max_errors=limit)
    assert result.error is not None
    assert result.error.slug == "too-many-errors"
    assert shown in result.error.message
    assert "_errors" in (result.error.hint or "")
    assert result.run["status"] == "failed"
    assert result.run["total_output_records"] == len(result.texts)
    assert result.run["total_errors"] == len(result.errors)


@pytest.mark.parametrize("limit", [20, pytest.param(0.1, marks=pytest.mark.slow)])
def test_as_many_errors_as_are_allowed(tmp_path: Path, limit: float) -> None:
    """Exactly as many errors as the limit allows do not end the run."""
    assert run_with(tmp_path, "local", fake("Raises"), max_errors=limit).closed()


@pytest.mark.parametrize(
    ("operator", "slug", "words"),
    [
        ("DropsRows", "operator-failed", ("`drops_rows`", "same records", "given 1", "returned 0", "Filter")),
        ("FailsSetup", "internal", ("`only`", "RuntimeError: no model here")),
    ],
)
def test_an_operator_that_is_wrong_ends_the_run(
    tmp_path: Path, engine: str, operator: str, slug: str, words: tuple[str, ...]
) -> None:
    """A broken contract or a failing `setup` is no matter of records: it ends the run and names the operator."""
    result = run_with(tmp_path, engine, fake(operator))
    assert result.error is not None
    assert result.error.slug == slug
    for word in words:
        assert word in str(result.error)
    assert result.run["status"] == "failed"
    assert result.texts == []


def test_a_missing_column(tmp_path: Path) -> None:
    """A column that no record has makes every record an error whose message names the column."""
    result = run_with(tmp_path, "local", fake("NeedsColumn"), rows=40)
    assert result.closed(), result.books
    assert len(result.errors) == 40
    assert "no_such_column" in result.errors[0]["reason"]


def test_a_text_column_that_no_record_has(tmp_path: Path) -> None:
    """A parameter that names a column which is not there ends the run; the error names stage, operator and columns."""
    operator = {"name": "text_length_filter", "params": {"text_column": "txt", "min_length": 1}}
    result = run_with(tmp_path, "local", fake("Upper"), operator, rows=20)
    assert result.error is not None
    assert result.error.slug == "config-invalid"
    assert result.error.message.startswith(
        "stage `only`, operator `text_length_filter`: text_column: there is no column"
    )
    assert "did you mean `text`?" in (result.error.hint or "")


def test_lines_that_cannot_be_read(tmp_path: Path, engine: str) -> None:
    """What the loader cannot read is its own count and is in the error sink; nothing is offered to the operators."""
    source = tmp_path / "a.jsonl"
    source.write_text("".join('{"text": "fine"}\n' if n % 4 else "{broken\n" for n in range(40)), encoding="utf-8")
    stages = [stage("only", fake("Upper"))]
    result = Pipeline(tmp_path / "run", str(source), stages, engine=engine, executor={"batch_size": 7}).run()
    assert result.closed(), result.books
    assert result.run["loader_errors"] == len(result.errors) == 10
    assert result.run["total_input_records"] == 40
    assert result.count("only/upper", "input_records") == len(result.texts) == 30
    assert {line["stage"] for line in result.errors} == {"data_loader"}


def test_a_source_that_is_not_there(tmp_path: Path, engine: str) -> None:
    """A source that does not exist is one error that names it; the run is on record as failed."""
    missing = str(tmp_path / "nothing.jsonl")
    result = Pipeline(tmp_path / "run", missing, [stage("only", fake("Upper"))], engine=engine).run()
    assert result.error is not None
    assert result.error.slug == "input-unreadable"
    assert "nothing.jsonl" in result.error.message
    assert MetricsReader(str(tmp_path / "run" / "metrics")).run("latest")["status"] == "failed"


def test_what_a_writer_cannot_write_is_set_aside(tmp_path: Path, engine: str) -> None:
    """Records that the writer raises for are in the error sink, the others are written, and the books balance."""
    source = jsonl(tmp_path / "a.jsonl", [f"BAD {n}" if n % 10 == 3 else f"text {n}" for n in range(200)])
    made = Pipeline(tmp_path / "run", source, [stage("only", fake("Upper"))], engine=engine)
    made.writer = {"type": "tests.fakes:PickyWriter", "params": {"target_file_mb": 0.001}}
    made.executor = {"batch_size": 50}
    result = made.run()
    assert result.error is None
    assert result.closed(), result.books
    assert len(result.texts) == result.run["total_output_records"] == 180
    assert result.run["writer_errors"] == result.run["total_errors"] == len(result.errors) == 20
    assert {line["stage"] for line in result.errors} == {"data_writer"}
    assert result.errors[0]["reason"] == "ValueError: cannot write BAD 3"


def test_fail_stops_at_what_cannot_be_written(tmp_path: Path) -> None:
    """With on_error: fail such a record ends the run and is named."""
    source = jsonl(tmp_path / "a.jsonl", ["text", "BAD"])
    made = Pipeline(tmp_path / "run", source, [stage("only", fake("Upper"))], executor={"on_error": "fail"})
    made.writer = {"type": "tests.fakes:PickyWriter"}
    result = made.run()
    assert result.error is not None
    assert result.error.slug == "output-unwritable"
    assert "a.jsonl@" in result.error.message
    assert "cannot write BAD" in result.error.message


def test_a_panic_of_a_library_is_an_error_of_its_record(tmp_path: Path) -> None:
    """What a library in Rust raises is no `Exception`; it costs the record all the same, and no worker dies."""
    result = run_with(tmp_path, "local", fake("PanicsAtWord"))
    assert result.closed(), result.books
    assert len(result.texts) == 180
    assert result.dead_letters == []
    assert result.errors[0]["reason"] == "PanicException: range end index 5 out of range"


ODD = ['{"content": "other key"}', '{"text": ["a", "b"]}', '{"text": {"a": 1}}', '{"text": null}', '{"text": 7}']


@pytest.mark.parametrize("operator", ["text_length_filter", "unicode_repair_refiner"])
def test_the_verdict_on_a_record_does_not_depend_on_its_neighbours(tmp_path: Path, operator: str) -> None:
    """A record that lacks the text, or has a list in its place, fares alike alone in its file and among others."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.jsonl").write_text("".join(f'{{"text": "good {n}"}}\n' for n in range(20)))
    for number, odd in enumerate(ODD):
        (tmp_path / "in" / f"{number}-alone.jsonl").write_text(odd + "\n")
        (tmp_path / "in" / f"{number}-among.jsonl").write_text('{"text": "one"}\n' + odd + '\n{"text": "two"}\n')
    stages = [stage("only", {"name": operator}, {"name": "text_length_filter", "params": {"min_length": 1}})]
    result = Pipeline(tmp_path / "run", str(tmp_path / "in"), stages).run()
    assert result.error is None
    assert result.closed(), result.books
    assert result.run["total_errors"] == 0
    ids = [name for file in result.files for name in pq.read_table(file).column("record_id").to_pylist()]
    kept = Counter(name.partition("@")[0] for name in ids)
    assert kept["good.jsonl"] == 20
    for number, odd in enumerate(ODD):
        alone = kept[f"{number}-alone.jsonl"]
        assert alone in (0, 1)
        assert kept[f"{number}-among.jsonl"] == 2 + alone, odd
    assert result.run["rejected_records"] == 20 + 4 * len(ODD) - len(ids)
