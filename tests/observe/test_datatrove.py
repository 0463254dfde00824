"""Pipelines of datatrove, observed, in one process."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from datatrove.data import Document
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.extractors.base import BaseExtractor
from datatrove.pipeline.filters.base_filter import BaseFilter
from datatrove.pipeline.filters.lambda_filter import LambdaFilter
from loguru import logger

import mega_data_factory as mdf
from mega_data_factory.framework.metrics import MetricsWriter
from tests.observe.runs import flow, rows_of, run_row


class Letters(PipelineStep):  # type: ignore[misc]  # datatrove has no types
    """Reads texts of 0 to 9 letters."""

    type = "📖 - READER"
    name = "Letters"

    def __init__(self, documents: int = 100) -> None:
        super().__init__()
        self.documents = documents

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        if data:
            yield from data
        for i in range(self.documents):
            yield Document(text="x" * (i % 10), id=f"{rank}/{i}")


class Length(BaseFilter):  # type: ignore[misc]
    """Keeps texts of 3 to 7 letters."""

    name = "Length"

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        if len(doc.text) < 3:
            return False, "short"
        return (False, "long") if len(doc.text) > 7 else True


class InBatches(Length):
    """The same, several documents at a time."""

    def filter_batch(self, batch: list[Document]) -> list[bool | tuple[bool, str]]:
        return [self.filter(document) for document in batch]


class Upper(BaseExtractor):  # type: ignore[misc]
    """Extracts, or fails to."""

    name = "Upper"

    def __init__(self) -> None:
        super().__init__(timeout=60)

    def extract(self, text: Any) -> str:
        if len(text) == 4:
            raise ValueError("four")
        return "" if len(text) == 5 else str(text).upper()


def twice(data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
    for document in data:
        yield document
        yield document


def consume(data: Any, rank: int = 0, world_size: int = 1) -> None:
    for _ in data:
        pass


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logger.disable("datatrove")
    yield
    logger.enable("datatrove")


@pytest.fixture
def observed(tmp_path: Path) -> Any:
    return functools.partial(mdf.observe, "letters", metrics=tmp_path / "metrics", node_interval=0)


@pytest.fixture
def executor(tmp_path: Path) -> Any:
    return functools.partial(LocalPipelineExecutor, workers=1, logging_dir=str(tmp_path / "logs"))


def test_every_step_of_a_pipeline_is_counted_with_its_reasons(observed: Any, executor: Any, tmp_path: Path) -> None:
    with observed() as run:
        pipeline = [Letters(), Length(), LambdaFilter(lambda d: len(d.text) != 5), twice, consume]
        done = run.pipeline(executor(pipeline, tasks=3), stage="base")
        statistics = done.run()
    rows = rows_of(tmp_path / "metrics", run.run_id)
    assert {name: flow(row) for name, row in rows.items() if name != "twice"} == {
        "Letters": (300, 300, 0, 0),
        "Length": (300, 150, 150, 0),
        "LambdaFilter": (150, 120, 30, 0),
        "consume": (240, 240, 0, 0),
    }
    assert rows["twice"].output_records == 240
    assert all(row.unbalanced_records == 0 for row in rows.values())
    assert rows["Length"].rejected_reasons == {"short": 90, "long": 60}
    assert rows["Length"].latency_histogram.total == 300
    assert {row.stage_name for row in rows.values()} == {"base"}
    assert [row.operator_index for row in rows.values()] == sorted(row.operator_index for row in rows.values())
    described = run_row(tmp_path / "metrics", run.run_id)
    assert described["engine"].startswith("datatrove ")
    assert (described["status"], described["balanced"]) == ("completed", True)
    assert described["config"]["observed"]["steps"][0]["kwargs"] == {"documents": 100}
    assert statistics.stats[1].stats["total"].total == 300  # datatrove's own are what they were


def test_the_pipeline_of_the_user_is_left_as_it_is(observed: Any, executor: Any) -> None:
    reader, judge = Letters(), Length()
    with observed() as run:
        first = run.pipeline(executor([reader, judge], tasks=1), stage="one")
        second = run.pipeline(executor([reader, judge], tasks=1), stage="two")
        assert isinstance(first.pipeline[1], Length)
        assert repr(first.pipeline[1]) == repr(judge)
        assert first.pipeline[0] is not second.pipeline[0]
    assert "run" not in vars(reader)
    assert "filter_batch" not in vars(judge)


def test_a_list_of_steps_and_a_single_step_are_observed(observed: Any, executor: Any, tmp_path: Path) -> None:
    with observed() as run:
        executor(run.pipeline([Letters(), Length()]), tasks=2).run()
        documents = [Document(text="a", id="1"), Document(text="bbb", id="2")]
        LocalPipelineExecutor(
            [documents, run.step(Length(), name="alone", stage="other", reason="length"), twice],
            workers=1,
            logging_dir=str(tmp_path / "others"),
        ).run()
        with pytest.raises(TypeError, match="an executor of datatrove, or a list of steps"):
            run.pipeline(42)
    rows = rows_of(tmp_path / "metrics", run.run_id)
    assert flow(rows["Length"]) == (200, 100, 100, 0)
    assert flow(rows["alone"]) == (2, 1, 1, 0)


def test_given_documents_and_batches(observed: Any, executor: Any, tmp_path: Path) -> None:
    documents = [Document(text="x" * (i % 10), id=str(i)) for i in range(25)]
    with observed() as run:
        run.pipeline(executor([documents, InBatches(batch_size=7), Letters(10)], tasks=1)).run()
    rows = rows_of(tmp_path / "metrics", run.run_id)
    assert flow(rows["documents"]) == (25, 25, 0, 0)
    assert flow(rows["InBatches"]) == (25, 12, 13, 0)
    assert flow(rows["Letters"]) == (22, 22, 0, 0)  # it passes on what came in, and reads 10


def test_a_few_rejected_documents_are_kept_as_examples(observed: Any, executor: Any, tmp_path: Path) -> None:
    with observed() as run:
        run.pipeline(executor([Letters(), Length()], tasks=2)).run()
    lines = [
        json.loads(line)
        for file in (tmp_path / "metrics" / "records" / "rejected").rglob("*.jsonl")
        for line in file.read_text().splitlines()
    ]
    assert sorted(line["reason"] for line in lines) == ["long"] * 3 + ["short"] * 3
    assert all(int(line["record_id"][-1]) in ((0, 1, 2) if line["reason"] == "short" else (8, 9)) for line in lines)


def test_documents_that_an_extractor_fails_on_are_errors(observed: Any, executor: Any, tmp_path: Path) -> None:
    with observed() as run:
        run.pipeline(executor([Letters(20), Upper()], tasks=1)).run()
    assert flow(rows_of(tmp_path / "metrics", run.run_id)["Upper"]) == (20, 14, 4, 2)


def test_a_failing_task_counts_the_document_that_raised(observed: Any, executor: Any, tmp_path: Path) -> None:
    def fail(data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        for document in data:
            if document.id.endswith("/7"):
                raise ValueError("seven")
            yield document

    with pytest.raises(ValueError, match="seven"), observed() as run:
        run.pipeline(executor([Letters(), Length(), fail, twice], tasks=1)).run()
    rows = rows_of(tmp_path / "metrics", run.run_id)
    assert flow(rows["Letters"]) == (8, 8, 0, 0)
    assert flow(rows["Length"]) == (8, 5, 3, 0)
    assert flow(rows["fail"]) == (5, 4, 0, 1)
    assert run_row(tmp_path / "metrics", run.run_id)["status"] == "failed"
    assert all(row.unbalanced_records == 0 for row in rows.values())


def test_tasks_of_an_earlier_launch_count_as_they_did_then(observed: Any, executor: Any, tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        with observed() as run:
            run.pipeline(executor([Letters(), Length(), consume], tasks=3), stage="base").run()
        rows = rows_of(tmp_path / "metrics", run.run_id)
        found.append({name: (flow(row), row.rejected_reasons) for name, row in rows.items()})
        assert run_row(tmp_path / "metrics", run.run_id)["balanced"]
    assert found[0] == found[1]
    assert found[1]["Length"] == ((300, 150, 150, 0), {"short": 90, "long": 60})
    (note,) = run_row(tmp_path / "metrics", run.run_id)["config"]["observed"]["notes"]
    assert note.startswith("stage base: 3 of 3 tasks were completed by an earlier launch")
    workers = {row["worker_id"] for row in MetricsWriter(tmp_path / "metrics").read_operator_metrics(run.run_id)}
    assert workers == {"earlier launch"}


def test_tasks_of_a_launch_that_was_not_observed_are_named(observed: Any, executor: Any, tmp_path: Path) -> None:
    executor([Letters(), Length()], tasks=3).run()
    with observed() as run:
        run.pipeline(executor([Letters(), Length()], tasks=3)).run()
    (note,) = run_row(tmp_path / "metrics", run.run_id)["config"]["observed"]["notes"]
    assert "3 of 3 tasks were completed by a launch that was not observed" in note


def test_a_step_within_a_step_counts_every_execution(observed: Any, executor: Any, tmp_path: Path) -> None:
    with observed() as run:
        inner = run.step(lambda document: len(document.text) > 4, name="inner", reason="short")
        pipeline = run.pipeline(executor([Letters(), LambdaFilter(inner)], tasks=1, skip_completed=False))
        pipeline.run()
        pipeline.run()
    rows = rows_of(tmp_path / "metrics", run.run_id)
    assert flow(rows["inner"]) == (200, 100, 100, 0)
    assert flow(rows["LambdaFilter"]) == (100, 50, 50, 0)


def test_a_task_that_runs_again_in_a_run_counts_once(observed: Any, executor: Any, tmp_path: Path) -> None:
    with observed() as run:
        done = run.pipeline(executor([Letters(), Length()], tasks=2, skip_completed=False))
        done.run()
        done.run()
    assert flow(rows_of(tmp_path / "metrics", run.run_id)["Length"]) == (200, 100, 100, 0)
    assert run_row(tmp_path / "metrics", run.run_id)["retried_batches"] > 0
