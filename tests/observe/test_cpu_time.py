"""CPU time of observed steps: what the thread used in them, and not what they waited."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mega_data_factory as mdf
from tests.observe.runs import rows_of

RECORDS = [{"n": n} for n in range(64)]


def work(record: dict[str, Any]) -> dict[str, Any]:
    """Use 0.5 ms of CPU."""
    ends = time.thread_time() + 0.0005
    while time.thread_time() < ends:
        pass
    return record


def wait(record: dict[str, Any]) -> dict[str, Any]:
    """Wait as long, without CPU."""
    time.sleep(0.0005)
    return record


def batches(step: Callable[[Any], Any]) -> None:
    for start in range(0, len(RECORDS), 16):
        step(RECORDS[start : start + 16])


def stream(step: Callable[[Any], Any]) -> None:
    def source() -> Iterator[dict[str, Any]]:
        for record in RECORDS:
            yield work(record)  # upstream's CPU is not the step's

    list(step(source()))


WAYS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], object]]] = {
    "batches": (lambda one: lambda records: [one(record) for record in records], batches),
    "records": (lambda one: one, lambda step: [step(record) for record in RECORDS]),
    "stream": (lambda one: lambda records: (one(record) for record in records), stream),
}


@pytest.mark.parametrize("way", WAYS)
def test_work_is_cpu_time_and_waiting_is_not(tmp_path: Path, way: str) -> None:
    """64 records that take 0.5 ms of CPU each, and 64 that wait."""
    function_of, use = WAYS[way]
    with mdf.observe("cpu", metrics=tmp_path, node_interval=0) as run:
        use(run.step(function_of(work), name="work"))
        use(run.step(function_of(wait), name="wait"))
    rows = rows_of(tmp_path, run.run_id)
    assert 0.02 < rows["work"].cpu_time <= rows["work"].total_time
    assert 0 <= rows["wait"].cpu_time < rows["work"].cpu_time / 2


def test_documents_and_records_of_datasets(tmp_path: Path) -> None:
    """Of many short calls some are measured, and stand for the others."""
    from datasets import Dataset, disable_progress_bars
    from datatrove.data import Document
    from datatrove.pipeline.filters.lambda_filter import LambdaFilter

    disable_progress_bars()
    with mdf.observe("cpu", metrics=tmp_path, node_interval=0) as run:
        Dataset.from_list(RECORDS).map(run.step(work, name="map"))
        documents = [Document("x", str(n)) for n in range(64)]
        data: Any = None
        for part in run.pipeline([documents, LambdaFilter(lambda document: bool(work({"d": document})))]):
            data = part.run(data, 0, 1)
        assert len(list(data)) == 64
    rows = rows_of(tmp_path, run.run_id)
    (filtering,) = [row for row in rows.values() if "ambda" in row.operator_name]
    for row in (rows["map"], filtering):
        assert 0.01 < row.cpu_time <= row.total_time
