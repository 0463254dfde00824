"""The way of one record through a run, from what the run has left."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mega_data_factory.analytics.runs.record_files import file_with, ids_of, line_with
from mega_data_factory.analytics.runs.trace import Trace, trace
from mega_data_factory.cli import main
from mega_data_factory.errors import InputError
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.framework.metrics.run_ids import run_tag
from tests.engines.running import Pipeline, fake, jsonl, stage
from tests.rejects.making import rejected, write_run

LONG = "a text that is long enough, number "


@pytest.fixture(scope="module", params=["parquet_writer", "jsonl_writer"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A finished run with a ledger: a duplicate, a short text, an error and a line that is not JSON."""
    folder = tmp_path_factory.mktemp("trace")
    source = jsonl(folder / "a.jsonl", [LONG + "0", LONG + "1", LONG + "0", "short", "bad BAD, and long enough"])
    with Path(source).open("a") as file:
        file.write("{not JSON\n")
    kept = {"keep": "all", "output_path": str(folder / "rejected")}
    stages = [
        stage("first", {**fake("Upper"), "when": "number <> 1"}, fake("Dedup")),
        stage("second", fake("ShortFilter", min_length=20), fake("Raises")),
    ]
    pipeline = Pipeline(
        folder, source, stages, writer={"type": request.param}, executor={"rejected_samples": kept, "max_errors": 10}
    )
    from mega_data_factory.framework.executor import Executor

    Executor(pipeline.config(), run_id="run_a").run()
    return pipeline


def offsets(pipeline: Pipeline) -> list[str]:
    """The ids of the records, in the order of the source."""
    places, at = [], 0
    for line in Path(pipeline.source).read_bytes().splitlines(keepends=True):
        places.append(f"a.jsonl@{at}")
        at += len(line)
    return places


def way(pipeline: Pipeline, number: int) -> Trace:
    """The trace of a record of the source."""
    return trace(MetricsReader(str(pipeline.metrics)), "latest", offsets(pipeline)[number])


def did(found: Trace) -> list[str]:
    """What each operator did."""
    return [step.did for step in found.steps]


def test_a_record_of_the_output(run: Pipeline) -> None:
    """It passed every operator, and the file is named; where it may not have met a condition that is said."""
    found = way(run, 1)
    assert (found.outcome, did(found)) == ("written", ["passed"] * 4)
    assert [bool(step.note) for step in found.steps] == [True, False, False, False]
    assert found.file in {str(path) for path in run.output.glob("part-*")}


def test_a_duplicate_names_the_record_that_it_lost_to(run: Pipeline) -> None:
    """The deduplicator knows only a hash; the id is found in the output."""
    found = way(run, 2)
    assert (found.outcome, did(found)) == ("rejected", ["passed", "rejected", "not_reached", "not_reached"])
    assert found.duplicate_of == offsets(run)[0]
    assert found.duplicate_of_in == way(run, 0).file
    assert found.file is not None
    assert "/rejected/run_a/part-" in found.file


def test_a_rejected_record_says_why(run: Pipeline) -> None:
    """Reason, score and threshold are in the note."""
    found = way(run, 3)
    assert did(found) == ["passed", "passed", "rejected", "not_reached"]
    assert found.steps[2].note == "too_short, score 5, threshold 20"
    assert found.record is not None
    assert found.record["bytes"] == 5


@pytest.mark.parametrize(("number", "steps"), [(4, ["passed"] * 3 + ["error"]), (5, ["not_reached"] * 4)])
def test_a_record_that_raised(run: Pipeline, number: int, steps: list[str]) -> None:
    """Where an operator or the loader raised, the error sink holds the record."""
    found = way(run, number)
    assert (found.outcome, did(found)) == ("error", steps)
    assert found.file is not None
    assert "_errors" in found.file


def test_a_record_that_is_nowhere(run: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says where it has looked, and fails; a found one is shown in words."""
    assert main(["trace", "latest", "no such record", "--metrics", str(run.metrics)]) == 1
    shown = capsys.readouterr().out
    assert "not found" in shown
    assert "searched: 1 file of the output" in shown
    assert any(f"ids of this run are such as {record_id};" in shown for record_id in offsets(run))
    assert main(["trace", "run_a", offsets(run)[3], "--metrics", str(run.metrics)]) == 0
    assert "rejected: too_short, score 5, threshold 20" in capsys.readouterr().out
    assert main(["trace", "run_a", offsets(run)[3], "--metrics", str(run.metrics), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["record"]["reason"] == "too_short"


def test_what_is_not_kept_is_named(run: Pipeline, tmp_path: Path) -> None:
    """A run without a ledger says that it may have rejected the record, and what would have kept it."""
    from mega_data_factory.framework.executor import Executor

    plain = replace(run, folder=tmp_path, executor={})
    Executor(plain.config(), run_id="run_b").run()
    found = way(plain, 3)
    assert found.outcome == "not_found"
    assert did(found) == ["unknown"] * 4
    assert any("keep: all" in line for line in found.missing)


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_row_groups_that_may_hold_the_record_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The least and greatest id of a row group rule it out; without statistics it is read."""
    ids = [f"r{number:04d}" for number in range(100)]
    path = tmp_path / "part-a.parquet"
    table = pa.table({"nested": [{"record_id": "x"}] * 100, "record_id": ids})
    pq.write_table(table, path, row_group_size=10)
    read: list[Any] = []
    whole = pq.ParquetFile.iter_batches

    def iter_batches(*args: Any, **named: Any) -> Any:
        read.append(named["row_groups"])
        return whole(*args, **named)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", iter_batches)
    assert file_with([str(path)], "r0042") == str(path)
    assert file_with([str(path)], "r9999") is None
    assert read == [[4], []]
    assert list(ids_of(str(path))) == ids
    pq.write_table(table, path, row_group_size=10, write_statistics=False)
    assert file_with([str(path)], "r0042") == str(path)


def test_files_without_ids_and_damaged_ones(tmp_path: Path) -> None:
    """A file without the column holds no record; a damaged one is an error that names it."""
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "part-a.parquet")
    (tmp_path / "part-b.csv").write_text("record_id\na\n")
    files = [str(tmp_path / name) for name in ("part-a.parquet", "part-b.csv")]
    assert file_with(files, "a") is None
    assert list(ids_of(files[0])) == list(ids_of(files[1])) == []
    (tmp_path / "part-c.parquet").write_bytes(b"PAR1 no more PAR1")
    with pytest.raises(InputError, match="part-c"):
        file_with([str(tmp_path / "part-c.parquet")], "a")


def test_lines(tmp_path: Path) -> None:
    """An id is found however it is escaped, not where it is another value, and not in a line that is cut off."""
    path = tmp_path / "lines.jsonl"
    path.write_text('{"record_id": "b", "text": "é\\"x"}\n{"record_id": "\\u00e9\\"x"}\n{"record_id": "c')
    assert line_with(str(path), 'é"x') == {"record_id": 'é"x'}
    assert line_with(str(path), "c") is None


def test_output_of_a_format_that_is_not_searched(tmp_path: Path) -> None:
    """It is named among what is missing, not among what was searched."""
    metrics = write_run(tmp_path, [rejected(1)])
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / f"part-000000-00000-{run_tag('run_a')}-0.txt").touch()
    found = trace(MetricsReader(metrics), "run_a", "r0009")
    assert "1 file of the output: only Parquet and JSON lines are searched" in found.missing
    assert not any("output" in line for line in found.searched)
