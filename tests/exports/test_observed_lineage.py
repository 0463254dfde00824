"""Observed runs send their metrics to other systems while they last, as runs of our own do."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

import mega_data_factory as mdf
from mega_data_factory.exports.openlineage.exporter import OpenLineageExporter
from mega_data_factory.framework.metrics.live.exporting import Exporter, ExportSnapshot
from tests.exports.openlineage_schemas import check
from tests.observe.runs import run_row


class Kept(Exporter):
    """Keeps what it is given; `fails` makes it raise."""

    interval = 0.05

    def __init__(self, *, fails: bool = False) -> None:
        self.snapshots: list[ExportSnapshot] = []
        self.fails = fails

    def export(self, snapshot: ExportSnapshot) -> None:
        if self.fails:
            raise OSError("refused")
        self.snapshots.append(snapshot)

    def close(self, snapshot: ExportSnapshot) -> None:
        self.snapshots.append(snapshot)


def even(numbers: list[int]) -> list[int]:
    return [number for number in numbers if number % 2 == 0]


def test_lineage_of_an_observed_run(tmp_path: Path) -> None:
    """START and COMPLETE keep to the published schemas, with the counts and inputs of the run."""
    file = tmp_path / "events.jsonl"
    lineage = OpenLineageExporter(file=str(file), inputs=["s3://lake/raw"], outputs=["s3://lake/clean"])
    with mdf.observe("nightly", metrics=tmp_path / "m", node_interval=0, exporters=[lineage], rejects="all") as run:
        run.step(even, reason="odd", stage="judge")(list(range(10)))
    events: list[dict[str, Any]] = [json.loads(line) for line in file.read_text().splitlines()]
    for event in events:
        check(event)
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"]
    assert {event["job"]["name"] for event in events} == {"nightly"}
    assert [(data["namespace"], data["name"]) for data in events[0]["inputs"]] == [("s3://lake", "raw")]
    facet = events[-1]["run"]["facets"]["mdf_run"]
    assert (facet["status"], facet["rejectedRecords"]) == ("completed", 5)


def test_an_exporter_sees_the_counts_and_its_failures_are_counted(tmp_path: Path) -> None:
    """The final snapshot has all records; an exporter that raises never fails the script."""
    good, bad = Kept(), _Failing(fails=True)
    with mdf.observe("x", metrics=tmp_path, node_interval=0, exporters=[good, bad]) as run:
        run.step(even)(list(range(10)))
        while not (good.snapshots and bad.tries):
            time.sleep(0.01)
    assert sum(row.input_records for row in good.snapshots[-1].operators) == 10
    row = run_row(tmp_path, run.run_id)
    assert (row["status"], row["export_failures"] > 0) == ("completed", True)


class _Failing(Kept):
    tries = 0

    def export(self, snapshot: ExportSnapshot) -> None:
        self.tries += 1
        super().export(snapshot)


def test_what_is_no_exporter_is_refused(tmp_path: Path) -> None:
    """With one clear error, before the run starts."""
    with pytest.raises(TypeError, match=r"exporters must be instances of classes of mega_data_factory.exports"):
        mdf.observe("x", metrics=tmp_path, exporters=["openlineage"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="there are two exporters Kept"):
        mdf.observe("x", metrics=tmp_path, exporters=[Kept(), Kept()])
