"""Every rejected record is in the ledger once, whatever dies in between."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mega_data_factory.errors import MdfError
from mega_data_factory.framework.executor import Executor
from mega_data_factory.rejects import RejectLedger, record_key
from tests.engines.running import Pipeline, Result, assert_same, fake, jsonl, stage
from tests.engines.test_kills import disturbed_pipeline, kills_in, mixed_texts


def keeping_all(pipeline: Pipeline, **options: Any) -> Pipeline:
    """The same pipeline with the ledger on."""
    kept = {"keep": "all", "output_path": str(pipeline.folder / "rejected"), "samples_per_reason": 1, **options}
    return replace(pipeline, executor={**pipeline.executor, "rejected_samples": kept})


def ledger(pipeline: Pipeline, run_id: str) -> pa.Table:
    """All rows of the ledger of a run."""
    return RejectLedger.open(str(pipeline.folder / "rejected" / run_id)).read()


def ids_of_output(result: Result) -> list[str]:
    """The records that were written."""
    return [id for file in result.files for id in pq.read_table(file, columns=["record_id"])["record_id"].to_pylist()]


def rules(rows: pa.Table) -> Counter[tuple[Any, ...]]:
    """What the rows say but for ids: which of two equal texts comes first is chance."""
    return Counter(
        (
            row["stage"],
            row["operator"],
            row["reason"],
            row["score"],
            row["threshold"],
            tuple(row["failed_rules"]),
            row["bytes"],
            json.loads(row["content"])["text"],
        )
        for row in rows.to_pylist()
    )


def assert_every_record_once(pipeline: Pipeline, result: Result) -> pa.Table:
    """Output, ledger and error sink hold every record of the source once; returns the ledger."""
    rows = ledger(pipeline, result.run["run_id"])
    assert rows.num_rows == result.run["rejected_records"] > 0
    found = ids_of_output(result) + rows["record_id"].to_pylist() + [line["record_id"] for line in result.errors]
    assert len(found) == len(set(found)) == result.run["total_input_records"]
    assert rows["run_id"].unique().to_pylist() == [result.run["run_id"]]
    return rows


@pytest.mark.slow
def test_kills_neither_lose_nor_double_a_row(tmp_path: Path, engine: str) -> None:
    """With workers killed between work and answer the ledger says the same as that of a calm run, on either engine."""
    source = jsonl(tmp_path / "a.jsonl", mixed_texts(1500))
    calm = keeping_all(disturbed_pipeline(tmp_path, source, "local", 0), content=True)
    disturbed = keeping_all(disturbed_pipeline(tmp_path, source, engine, 300), content=True)
    results = [pipeline.run() for pipeline in (calm, disturbed)]
    assert_same(results[1], results[0])
    assert kills_in(tmp_path, f"kills-{engine}-300-*") >= 3
    rows = [assert_every_record_once(*one) for one in zip((calm, disturbed), results, strict=True)]
    assert rules(rows[1]) == rules(rows[0])
    assert {operator for _, operator, *_ in rules(rows[0])} == {"dedup", "short_filter"}
    assert_winners_are_named(rows[1], ids_of_output(results[1]))


def assert_winners_are_named(rows: pa.Table, others: list[str]) -> None:
    """Every duplicate names a record that left later than the deduplicator; nothing else names one."""
    later = [row["record_id"] for row in rows.to_pylist() if row["operator"] != "dedup"]
    keys = {record_key(record_id) for record_id in later + others}
    for row in rows.to_pylist():
        assert (row["duplicate_of_key"] in keys) == (row["operator"] == "dedup")


def test_a_run_that_keeps_nothing_keeps_all_rejects(tmp_path: Path, engine: str) -> None:
    """Batches of which no record is left are committed with their rejected records, and without an output file."""
    source = jsonl(tmp_path / "a.jsonl", ["short"] * 250)
    operators = [stage("only", fake("ShortFilter", min_length=20)), stage("next", fake("Upper"))]
    pipeline = keeping_all(Pipeline(tmp_path / "run", source, operators, engine))
    result = pipeline.run()
    rows = assert_every_record_once(pipeline, result)
    assert rows.num_rows == 250
    assert not result.files
    assert rows["failed_rules"].to_pylist() == [["too_short"]] * 250
    assert rows["content"].null_count == rows["slice"].null_count == rows["duplicate_of_key"].null_count == 250
    assert set(rows["bytes"].to_pylist()) == {5}


def test_only_committed_files_count_and_a_resumed_run_has_each_row_once(tmp_path: Path) -> None:
    """A run that was stopped counts the batches in its commit log; a lost file is made again when it is resumed."""
    source = jsonl(tmp_path / "a.jsonl", mixed_texts(1500))
    operators = [stage("only", fake("ShortFilter", min_length=20), fake("Slow", seconds=0.01))]
    pipeline = keeping_all(Pipeline(tmp_path / "run", source, operators, writer={"params": {"target_file_mb": 0}}))
    executor = Executor(pipeline.config(), run_id="run_a")
    for progress in executor.execute():
        if progress.batches_committed >= 3:
            break
    folder = tmp_path / "run" / "rejected" / "run_a"
    commit_log = tmp_path / "run" / "output" / "_commits" / "run_a"
    files = sorted(folder.glob("part-*.parquet"))
    assert len(files) >= 3
    stray = folder / f"{files[0].stem[:-8]}deadbeef.parquet"  # written, and killed before the entry in the log
    stray.write_bytes(files[0].read_bytes())
    assert list(RejectLedger.open(str(folder), str(commit_log)).files) == [str(file) for file in files]
    files[0].unlink()
    resumed = Executor(pipeline.config(), resume="run_a")
    resumed.run()
    result = Result.of(pipeline, "run_a", None, 0.0)
    assert_every_record_once(pipeline, result)


def test_the_ledger_is_on_where_all_are_kept(tmp_path: Path) -> None:
    """`keep: all` needs no second switch; a value that is none is refused."""
    source = jsonl(tmp_path / "a.jsonl", ["short"])
    pipeline = Pipeline(tmp_path, source, [stage("only", fake("Upper"))])
    assert keeping_all(pipeline).config()["executor"]["rejected_samples"]["keep"] == "all"
    assert Executor(keeping_all(pipeline).config()).plan.executor.rejected_samples.keeps_all
    assert not Executor(keeping_all(pipeline, enabled=False).config()).plan.executor.rejected_samples.keeps_all
    assert not Executor(pipeline.config()).plan.executor.rejected_samples.keeps_all
    with pytest.raises(MdfError, match=r"rejected_samples\.keep"):
        Executor(keeping_all(pipeline, keep="some").config())
