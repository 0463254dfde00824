"""Odd sizes, elastic pools, samples, output files: the same truth on either engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from mega_data_factory.errors import OutputError, ResourceError
from mega_data_factory.framework.executor import Executor, Progress
from tests.engines.running import Pipeline, assert_nothing_left, assert_same, fake, jsonl, stage


def simple(tmp_path: Path, texts: list[str | None], engine: str = "local", **executor: Any) -> Pipeline:
    """A filter and a refiner over texts."""
    source = jsonl(tmp_path / "a.jsonl", texts)
    stages = [stage("only", fake("ShortFilter", min_length=3), fake("Upper"))]
    return Pipeline(tmp_path / "run", source, stages, engine=engine, executor=executor)


# ── sizes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("wanted", [777, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 100, 5000))])
def test_max_samples_is_exact(tmp_path: Path, engine: str, wanted: int) -> None:
    """The first `max_samples` records are read, no more and no less, though nobody knows how many a split holds."""
    texts = [f"text {n:05}" for n in range(2000)]
    pipeline = simple(tmp_path, texts, engine, max_samples=wanted)  # type: ignore[arg-type]
    pipeline.loader = {"num_workers": 3, "params": {"split_mb": 0.01}}
    result = pipeline.run()
    assert result.closed(), result.books
    assert result.run["total_input_records"] == min(wanted, 2000)
    assert result.texts == [text.upper() for text in texts[:wanted]]


@pytest.mark.parametrize(
    ("texts", "kept"),
    [
        ([], []),
        pytest.param(["only one"], ["ONLY ONE"], marks=pytest.mark.slow),
        pytest.param(["a"] * 30, [], marks=pytest.mark.slow),
        ([None] * 5 + ["long enough"], ["", "", "", "", "", "LONG ENOUGH"]),
        pytest.param([""] * 3, [], marks=pytest.mark.slow),
    ],
    ids=["empty", "one record", "all rejected", "nulls", "empty texts"],
)
def test_odd_inputs(tmp_path: Path, engine: str, texts: list[str | None], kept: list[str]) -> None:
    """Inputs of nothing, of one record, of rejects alone or with nulls run to the end with closed books."""
    result = simple(tmp_path, texts, engine).run()
    assert result.closed(), result.books
    assert result.texts == kept
    assert result.run["total_input_records"] == len(texts)
    assert set(result.stages) == {"only"}
    assert len({row["operator_name"] for row in result.operators}) == 2


@pytest.mark.parametrize("texts", [["long enough", "a", "long too"], []], ids=["records", "empty"])
def test_run_needs_no_loop(tmp_path: Path, texts: list[str | None]) -> None:
    """`run` gives the last progress, whose numbers are those of the run, once; `repr` says what the run is."""
    pipeline = simple(tmp_path, texts)
    executor = Executor(pipeline.config(), run_id="run_r")
    assert repr(executor) == "<Executor run_r: jsonl_loader → only → parquet_writer>"
    last = executor.run()
    assert_nothing_left(pipeline.output)
    kept = sum(len(text or "") > 2 for text in texts)
    assert (last.records_read, last.records_written, last.records_rejected) == (len(texts), kept, len(texts) - kept)
    with pytest.raises(RuntimeError, match="has run already"):
        executor.run()


def test_a_page_that_is_too_deep_costs_itself_alone(tmp_path: Path) -> None:
    """A page that would take minutes is set aside with its error; its neighbours pass and the books balance."""
    source = tmp_path / "a.jsonl"
    pages = ["<p>one</p>", "<div>" * 100_000, "<p>two</p>"]
    source.write_text("".join(json.dumps({"html": page}) + "\n" for page in pages))
    options = {"params": {"main_content": False}}
    stages = [stage("only", {"name": "html_to_text_refiner", **options})]
    result = Pipeline(tmp_path / "run", str(source), stages).run()
    assert result.closed(), result.books
    assert (result.run["total_output_records"], result.run["total_errors"]) == (2, 1)
    assert result.run["dead_lettered_records"] == 0
    assert "nested more than 5,000 levels deep" in result.errors[0]["reason"]


def test_a_stage_that_nothing_reaches(tmp_path: Path) -> None:
    """Operators that no record reaches have rows of zeros and a pass rate of null, not zero."""
    pipeline = simple(tmp_path, ["a"] * 10)
    pipeline.stages = [*pipeline.stages, stage("later", fake("Dedup"), fake("Upper"))]
    result = pipeline.run()
    assert result.closed(), result.books
    later = [row for row in result.operators if row["stage_name"] == "later"]
    assert [row["input_records"] for row in later] == [0, 0]
    assert [row["pass_rate"] for row in later] == [None, None]
    assert result.stages["later"]["pass_rate"] is None


# ── pools and metrics ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_elastic_pools_grow(tmp_path: Path, engine: str) -> None:
    """A pool of one to three workers grows while work piles up; each worker has its own operator rows."""
    rows, seconds = (200, 0.25) if engine == "local" else (500, 0.5)  # an actor of Ray takes seconds to start
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" for n in range(rows)])
    stages = [stage("only", fake("Slow", seconds=seconds), min_replicas=1, max_replicas=3)]
    executor = {"batch_size": 10}
    splits = {"params": {"split_mb": 0.001}}  # Ray Data hands out the batches of one split together
    result = Pipeline(tmp_path / "run", source, stages, engine=engine, loader=splits, executor=executor).run()
    assert result.closed(), result.books
    assert 1 < result.stages["only"]["num_workers"] <= 3
    assert len(result.texts) == rows


@pytest.mark.parametrize("wanted", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_custom_metrics(tmp_path: Path, engine: str, wanted: bool) -> None:
    """What operators report adds up over workers in the JSON column when it is asked for, and is absent otherwise."""
    texts = [f"text {n:03}" for n in range(300)]
    source = jsonl(tmp_path / "a.jsonl", texts)
    executor = {"metrics": {"collect_custom_metrics": wanted}}
    stages = [stage("only", fake("Reports"), num_replicas=2)]
    result = Pipeline(tmp_path / "run", source, stages, engine=engine, executor=executor).run()
    reported = [row["custom_metrics"] or {} for row in result.operators]
    assert sum(custom.get("records", 0) for custom in reported) == (300 if wanted else 0)
    assert sum(custom.get("characters", 0) for custom in reported) == (300 * 8 if wanted else 0)


@pytest.mark.slow
def test_samples_are_the_same_whatever_is_killed(tmp_path: Path, engine: str) -> None:
    """The sample of rejected records has the same ids in a disturbed run, and no more for a reason than asked for."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" + "z" * (n % 3) * 10 for n in range(1200)])
    results = []
    for name, on, every in (("calm", "local", 0), ("disturbed", engine, 300)):
        samples = {"enabled": True, "output_path": str(tmp_path / name / "rejected"), "samples_per_reason": 7}
        kill = fake("KillOnce", folder=str(tmp_path / f"{name}-kills"), every=every)
        stages = [stage("only", fake("ShortFilter", min_length=15), kill, num_replicas=2)]
        executor = {"rejected_samples": samples}
        results.append(Pipeline(tmp_path / name, source, stages, engine=on, executor=executor).run())
    calm, disturbed = results
    assert_same(disturbed, calm)
    assert [line["record_id"] for line in disturbed.samples] == [line["record_id"] for line in calm.samples]
    assert len(calm.samples) == 7
    assert all(line["reason"] == "too_short" and line["score"] < line["threshold"] for line in calm.samples)


def test_metrics_switched_off(tmp_path: Path) -> None:
    """Without metrics the output is the same and no metrics folder is made."""
    pipeline = simple(tmp_path, [f"text {n}" for n in range(50)], metrics={"enabled": False})
    for _ in Executor(pipeline.config()).execute():
        pass
    assert_nothing_left(pipeline.output)
    assert not pipeline.metrics.exists()
    assert len(list(pipeline.output.glob("part-*"))) == 1


# ── output ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("target", "files"), [pytest.param(64, 1, marks=pytest.mark.slow), (0, 20)])
def test_batches_become_files_of_the_target_size(tmp_path: Path, engine: str, target: float, files: int) -> None:
    """Small batches are gathered into one file; a target of 0 makes a file of every batch."""
    pipeline = simple(tmp_path, [f"text {n}" for n in range(400)], engine, batch_size=20)
    pipeline.writer = {"params": {"target_file_mb": target}}
    result = pipeline.run()
    assert result.closed(), result.books
    assert len(result.files) == result.run["output_files"] == files
    assert result.run["output_bytes"] == sum(file.stat().st_size for file in result.files)


@pytest.mark.slow
def test_output_that_exists(tmp_path: Path, engine: str) -> None:
    """`error` refuses, `append` adds, `overwrite` replaces our files and leaves those of others alone."""
    pipeline = simple(tmp_path, [f"text {n}" for n in range(30)], engine)
    assert len(pipeline.run().texts) == 30
    foreign = pipeline.output / "notes.txt"
    foreign.write_text("not ours", encoding="utf-8")

    with pytest.raises(OutputError, match="already holds 1 output file") as refused:
        next(Executor(pipeline.config()).execute())
    assert "if_exists" in (refused.value.hint or "")

    pipeline.writer = {"params": {"if_exists": "append"}}
    assert len(pipeline.run().texts) == 60
    pipeline.writer = {"params": {"if_exists": "overwrite"}}
    assert len(pipeline.run().texts) == 30
    assert foreign.read_text(encoding="utf-8") == "not ours"


@pytest.mark.slow
def test_overwrite_keeps_the_old_output_when_nothing_new_comes(tmp_path: Path) -> None:
    """A run that fails before it has anything to write does not cost the output of the run before."""
    pipeline = simple(tmp_path, [f"text {n}" for n in range(30)])
    pipeline.run()
    pipeline.writer = {"params": {"if_exists": "overwrite"}}
    pipeline.source = str(tmp_path / "missing.jsonl")
    failed = pipeline.run()
    assert failed.error is not None
    assert len(failed.texts) == 30


# ── resources ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("resources", "shown"),
    [
        ({"cpu": 1000}, "1000 CPU"),
        ({"gpu": 8}, "8 GPU"),
        ({"custom": {"npu": 2}}, "2 npu"),
        ({"memory": "90TB"}, "GiB"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, engine: str, resources: dict[str, Any], shown: str) -> None:
    """Pools that do not fit are refused with what is asked for and what there is, before any worker is started."""
    source = jsonl(tmp_path / "a.jsonl", ["text"])
    stages = [stage("greedy", fake("Upper"), resources=resources)]
    pipeline = Pipeline(tmp_path / "run", source, stages, engine=engine)
    children = len(psutil.Process().children())
    with pytest.raises(ResourceError, match="greedy") as caught:
        for _ in Executor(pipeline.config()).execute():
            pass
    assert shown in caught.value.message
    assert caught.value.hint
    assert len(psutil.Process().children()) <= children
    assert not list(pipeline.output.glob("part-*"))
    assert_nothing_left(pipeline.output)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_input(tmp_path: Path) -> None:
    """Four times the input needs less than one and a half times the memory: what is on its way is bounded."""
    peaks = []
    for times in (1, 4):
        folder = tmp_path / str(times)
        folder.mkdir()
        source = jsonl(folder / "a.jsonl", (f"text {n} " + "w" * 4000 for n in range(6000 * times)))
        stages = [stage("only", fake("ShortFilter", min_length=10), fake("Upper"), num_replicas=2)]
        pipeline = Pipeline(
            folder,
            source,
            stages,
            loader={"params": {"split_mb": 4}},
            writer={"params": {"target_file_mb": 4}},
            executor={"batch_size": 500, "max_in_flight": 4},
        )
        peak = _Peak()
        assert pipeline.run(peak).closed()
        peaks.append(peak.bytes)
    assert peaks[1] / peaks[0] < 1.5, peaks


class _Peak:
    """The most memory that this process and its children had at once, looked at with every progress."""

    def __init__(self) -> None:
        self.bytes = 0

    def __call__(self, executor: Executor, progress: Progress) -> None:
        total = 0
        for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
            try:
                total += process.memory_full_info().uss
            except psutil.Error:
                continue
        self.bytes = max(self.bytes, total)
