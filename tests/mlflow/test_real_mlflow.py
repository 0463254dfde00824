"""Runs in a real MLflow: what it shows is what the store says."""

from __future__ import annotations

import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.exports.mlflow.exporter import MlflowExporter
from tests.engines.running import Pipeline, fake, jsonl, stage
from tests.exports.snapshots import NOW, snapshot
from tests.mlflow.server import ask, mlflow_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


def runs_of(server: str, experiment: str) -> list[dict[str, Any]]:
    name = urllib.parse.quote(experiment)
    found = ask(server, f"mlflow/experiments/get-by-name?experiment_name={name}")
    runs = ask(server, "mlflow/runs/search", experiment_ids=[found["experiment"]["experiment_id"]])
    return list(runs.get("runs", []))


def by_key(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {item["key"]: item["value"] for item in items}


def test_a_run_arrives_with_parameters_history_and_report(server: str, tmp_path: Path) -> None:
    """Parameters are the configuration, the last metrics those of the store, the report is an artifact."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n} " + "y" * (n % 90) for n in range(400)])
    length = {"name": "text_length_filter", "params": {"min_length": 50}}
    settings = {
        "tracking_uri": server,
        "experiment": "nightly",
        "interval": 0.2,
        "tags": {"team": "data"},
    }
    result = Pipeline(
        tmp_path,
        source,
        [stage("clean", length, fake("Slow", seconds=0.02))],
        executor={"batch_size": 40, "metrics": {"flush_interval": 0.2, "mlflow": settings}},
    ).run()
    assert result.closed()
    (run,) = runs_of(server, "nightly")
    assert run["info"]["status"] == "FINISHED"
    assert run["info"]["run_name"] == result.run["run_id"]
    metrics, parameters, tags = (by_key(run["data"][kind]) for kind in ("metrics", "params", "tags"))
    assert metrics["records_in"] == result.run["total_input_records"] == 400
    assert metrics["records_out"] == result.run["total_output_records"]
    for row in result.operators:
        place = f"operator/clean/{row['operator_name']}"
        assert metrics[f"{place}/records_out"] == row["output_records"]
        assert metrics[f"{place}/busy_seconds"] == pytest.approx(row["total_time"])
    assert parameters["stages.clean.operators.text_length_filter.params.min_length"] == "50"
    assert (tags["team"], tags["mdf.status"]) == ("data", "completed")
    run_id = run["info"]["run_id"]
    history = ask(server, f"mlflow/metrics/get-history?run_id={run_id}&metric_key=records_in")["metrics"]
    assert len(history) > 1, "metrics were logged while the run was in progress"
    (report,) = ask(server, f"mlflow/artifacts/list?run_id={run_id}")["files"]
    assert report["path"].startswith("report_")
    assert int(report["file_size"]) > 100_000


@pytest.mark.parametrize(
    ("status", "shown"), [("failed", "FAILED"), ("interrupted", "KILLED"), ("completed", "FINISHED")]
)
def test_a_run_ends_as_it_ended(server: str, status: str, shown: str) -> None:
    """A failed run is FAILED with its error as a tag, an interrupted one KILLED."""
    exporter = MlflowExporter(tracking_uri=server, experiment=f"ends {status}")
    exporter.export(snapshot())
    exporter.close(snapshot(status=status, end_time=NOW, error="disk full" if status == "failed" else None))
    (run,) = runs_of(server, f"ends {status}")
    assert run["info"]["status"] == shown
    assert by_key(run["data"]["tags"]).get("mdf.error") == ("disk full" if status == "failed" else None)


def test_a_resumed_run_continues_its_mlflow_run(server: str) -> None:
    """A second session of a run logs to the same MLflow run; parameters that changed keep their first value."""
    first, second = (MlflowExporter(tracking_uri=server, experiment="resumed") for _ in range(2))
    first.close(snapshot(status="interrupted", end_time=NOW, config={"name": "a", "executor": {"engine": "local"}}))
    second.export(snapshot(pid=8, config={"name": "a", "executor": {"engine": "ray"}, "x": 1}))
    (run,) = runs_of(server, "resumed")
    assert run["info"]["status"] == "RUNNING"
    assert by_key(run["data"]["params"]) == {"name": "a", "executor.engine": "local", "x": "1"}
