"""The bundle is whole: every reference is met, every column and metric is there, its SQL gives the right numbers."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import yaml

from mega_data_factory.cli import main
from mega_data_factory.exports.superset import write_bundle, write_setup, write_views
from mega_data_factory.exports.superset.charts.chart import Chart
from mega_data_factory.exports.superset.charts.contents import CHARTS, COLUMNS, SECTIONS
from mega_data_factory.exports.superset.dashboard import DASHBOARD_FILTERS
from mega_data_factory.exports.superset.datasets import DATASETS
from mega_data_factory.framework.metrics.schema import TABLES
from tests.superset import history
from tests.superset.expected import METRICS, assert_same, columns_of, expected, frames

QUERIES = {
    "slow operators": """
        SELECT operator_name, AVG(throughput) as avg_throughput, AVG(p95_latency * 1000) as p95_latency_ms
        FROM operators GROUP BY operator_name ORDER BY avg_throughput ASC LIMIT 10
    """,
    "pass rate by hour": """
        SELECT DATE_TRUNC('hour', timestamp) as hour, AVG(pass_rate) as avg_pass_rate
        FROM stages WHERE stage_name = 'embedding_stage' GROUP BY hour ORDER BY hour DESC
    """,
}


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("metrics")
    history.write_month(folder, 8)
    return folder


@pytest.fixture(scope="module")
def views(metrics: Path) -> Path:
    return write_views(metrics, metrics / "metrics.duckdb")


@pytest.fixture(scope="module")
def tables(metrics: Path, views: Path) -> dict[str, pd.DataFrame]:
    return frames(metrics)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The documents of a bundle by folder and name."""
    path = tmp_path_factory.mktemp("bundle") / "bundle.zip"
    write_bundle(path, "duckdb:////m.duckdb?access_mode=READ_ONLY")
    with zipfile.ZipFile(path) as archive:
        names = [name.partition("/") for name in archive.namelist()]
        assert {root for root, _, _ in names} == {"pipeline_metrics"}
        return {name: yaml.safe_load(archive.read(f"{root}/{name}")) for root, _, name in names}


def of_folder(bundle: Mapping[str, Any], folder: str) -> list[dict[str, Any]]:
    return [content for name, content in bundle.items() if name.startswith(folder + "/")]


def ask(views: Path, query: str) -> pd.DataFrame:
    with duckdb.connect(str(views), read_only=True) as connection:
        return connection.execute(query).df()


def test_the_same_uri_gives_the_same_bytes(tmp_path: Path) -> None:
    """Two bundles are one: identities follow from names, and no date is in it."""
    for name in ("a.zip", "b.zip"):
        write_bundle(tmp_path / name, "duckdb:////x")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_every_reference_is_met(bundle: Mapping[str, Any]) -> None:
    """Datasets name the database, charts a dataset, the dashboard every chart, and filters a column of a dataset."""
    (database,) = of_folder(bundle, "databases")
    datasets = {dataset["uuid"]: dataset for dataset in of_folder(bundle, "datasets")}
    charts = {chart["uuid"]: chart for chart in of_folder(bundle, "charts")}
    (dashboard,) = of_folder(bundle, "dashboards")
    assert {dataset["database_uuid"] for dataset in datasets.values()} == {database["uuid"]}
    assert {chart["dataset_uuid"] for chart in charts.values()} <= datasets.keys()
    parts = [part for part in dashboard["position"].values() if isinstance(part, dict)]
    placed = [part["meta"] for part in parts if part["type"] == "CHART"]
    assert sorted(meta["uuid"] for meta in placed) == sorted(charts)
    assert [meta["chartId"] for meta in placed] == list(range(1, len(CHARTS) + 1))
    for part in parts:
        assert set(part.get("children", ())) <= dashboard["position"].keys()
    for choice in dashboard["metadata"]["native_filter_configuration"][1:]:
        (target,) = choice["targets"]
        names = [column["column_name"] for column in datasets[target["datasetUuid"]]["columns"]]
        assert target["column"]["name"] in names
    assert "type" not in bundle["metadata.yaml"]


def test_rows_of_the_dashboard_are_full() -> None:
    """The charts of a row are as wide as the dashboard."""
    for section in SECTIONS:
        for row in section.rows:
            assert sum(placed.width for placed in row.charts) == COLUMNS


def test_every_table_is_a_dataset(bundle: Mapping[str, Any]) -> None:
    """All tables of the store can be asked in Superset, with all their columns."""
    found = {dataset["table_name"]: dataset for dataset in of_folder(bundle, "datasets")}
    for kind, columns in TABLES.items():
        assert [column["column_name"] for column in found[kind]["columns"]] == columns.names


def test_charts_name_what_there_is(bundle: Mapping[str, Any]) -> None:
    """Columns, metrics and the column of time of every chart, in its form and its query, are in its dataset."""
    datasets = {dataset["uuid"]: dataset for dataset in of_folder(bundle, "datasets")}
    for chart in of_folder(bundle, "charts"):
        dataset = datasets[chart["dataset_uuid"]]
        columns = {column["column_name"] for column in dataset["columns"]}
        metrics = {metric["metric_name"] for metric in dataset["metrics"]}
        assert not columns & metrics
        (query,) = json.loads(chart["query_context"])["queries"]
        form = chart["params"]
        named = {column if isinstance(column, str) else column["sqlExpression"] for column in query["columns"]}
        named |= {form["adhoc_filters"][0]["subject"], *form.get("all_columns", ())}
        named |= {form["x_axis"]} if "x_axis" in form else set()
        groupby = form.get("groupby", [])
        named |= {groupby} if isinstance(groupby, str) else set(groupby)
        assert named <= columns, chart["slice_name"]
        used = set(query["metrics"] or ()) | set(form.get("metrics", ())) | {form.get("metric")} - {None}
        assert used <= metrics, chart["slice_name"]
        assert chart["description"]


def test_filters_reach_every_chart_that_has_their_column(bundle: Mapping[str, Any]) -> None:
    """A filter narrows all charts but those whose dataset lacks its column; pipeline and run narrow all."""
    datasets = {dataset["table_name"]: dataset for dataset in of_folder(bundle, "datasets")}
    (dashboard,) = of_folder(bundle, "dashboards")
    by_id = {each["id"]: each for each in dashboard["metadata"]["native_filter_configuration"]}
    for choice in DASHBOARD_FILTERS:
        excluded = by_id[f"NATIVE_FILTER-{choice.key}"]["scope"]["excluded"]
        for number, chart in enumerate(CHARTS, 1):
            columns = {column["column_name"] for column in datasets[chart.dataset]["columns"]}
            assert (choice.column in columns) == (number not in excluded)
        if choice.key in ("pipeline", "run"):
            assert excluded == []


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.title)
def test_the_numbers_of_a_chart_are_those_of_pandas(chart: Chart, views: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Grouped by DuckDB through the views, columns and metrics are what pandas finds in the Parquet files."""
    dataset = next(each for each in DATASETS if each.name == chart.dataset)
    by = columns_of(chart)
    select = list(by)
    if not chart.query["metrics"]:
        actual = ask(views, f"SELECT {', '.join(select)} FROM {chart.dataset}")
    else:
        metrics = [f"{dataset.metric(name).expression} AS {name}" for name in chart.query["metrics"]]
        actual = ask(views, f"SELECT {', '.join([*select, *metrics])} FROM {chart.dataset} GROUP BY ALL")
    wanted = expected(chart, tables)
    assert len(wanted) > 0
    assert_same(actual, wanted, [name for name in by if name != "error"])


def test_every_metric_can_be_asked(views: Path) -> None:
    """The SQL of all metrics, also of those that no chart shows, gives a number over any grouping."""
    for dataset in DATASETS:
        metrics = [f"{metric.expression} AS {metric.name}" for metric in dataset.metrics]
        for by in ("run_id", "1"):
            found = ask(views, f"SELECT {by} AS key, {', '.join(metrics)} FROM {dataset.name} GROUP BY 1")
            assert len(found) > 0
            assert not found[[metric.name for metric in dataset.metrics]].isna().any(axis=None), dataset.name
    assert {chart.dataset for chart in CHARTS} == METRICS.keys()


def test_the_queries_of_the_specification(views: Path, tables: dict[str, pd.DataFrame]) -> None:
    """The slowest operators and the pass rate by hour are what pandas says."""
    operators, stages = tables["operators"], tables["stages"]
    slow = operators.assign(p95_latency_ms=operators.p95_latency * 1000).groupby("operator_name", as_index=False)
    wanted = slow.agg(avg_throughput=("throughput", "mean"), p95_latency_ms=("p95_latency_ms", "mean"))
    found = ask(views, QUERIES["slow operators"])
    assert_same(found, wanted, ["operator_name"])
    assert found.avg_throughput.is_monotonic_increasing
    embedding = stages[stages.stage_name == "embedding_stage"]
    embedding = embedding.assign(hour=embedding.timestamp.dt.floor("h"))
    wanted = embedding.groupby("hour", as_index=False).agg(avg_pass_rate=("pass_rate", "mean"))
    found = ask(views, QUERIES["pass rate by hour"])
    assert_same(found, wanted, ["hour"])
    assert found.hour.is_monotonic_decreasing


def test_the_command_writes_all_of_it(metrics: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`mdf export superset` writes bundle, views and set-up, says where they are, and keeps the secret key."""
    output, setup = tmp_path / "bundle.zip", tmp_path / "superset"
    arguments = ["export", "superset", "--metrics", str(metrics), "-o", str(output), "--setup", str(setup), "--json"]
    assert main(arguments) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["uri"] == f"duckdb:///{metrics}/metrics.duckdb?access_mode=READ_ONLY"
    with zipfile.ZipFile(output) as archive:
        name = next(name for name in archive.namelist() if "/databases/" in name)
        assert yaml.safe_load(archive.read(name))["sqlalchemy_uri"] == said["uri"]
    environment = setup / "superset.env"
    assert environment.stat().st_mode & 0o777 == 0o600
    secret = environment.read_text()
    assert main([*arguments[:-1], "--uri", "duckdb:////data/m.duckdb?access_mode=READ_ONLY"]) == 0
    assert environment.read_text() == secret
    assert "duckdb:////data/m.duckdb" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--metrics", "nowhere"], ["--metrics", "s3://b/m"]])
def test_the_command_refuses_what_it_cannot_read(
    arguments: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is not there, or not local, is one line on stderr, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    assert main(["export", "superset", *arguments]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_constraints_pin_what_is_required(tmp_path: Path) -> None:
    """Every requirement is pinned to the version that the constraints have."""
    write_setup(tmp_path)
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", (tmp_path / "constraints.txt").read_text(), re.MULTILINE))
    wanted = re.findall(r"^([\w.-]+)(?:\[\w+\])?==(\S+)", (tmp_path / "requirements.txt").read_text(), re.MULTILINE)
    assert len(wanted) >= 6
    assert {name: pins.get(name) for name, _ in wanted} == dict(wanted)


def test_frames_are_not_empty(tables: dict[str, pd.DataFrame]) -> None:
    """The month that the tests are made on has rows of every kind, and runs of every end."""
    assert all(len(table) > 0 for table in tables.values())
    assert set(tables["runs"].status) == {"completed", "failed", "aborted"}
    assert isinstance(tables["runs"], pd.DataFrame)
