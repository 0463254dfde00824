"""A real Superset takes the bundle and shows what pandas finds in the Parquet files, over its API and in a browser."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import pytest
from playwright.sync_api import Locator, Page, sync_playwright

from mega_data_factory.exports.superset import write_views
from mega_data_factory.exports.superset.charts.chart import Chart
from mega_data_factory.exports.superset.charts.contents import CHARTS
from mega_data_factory.framework.metrics.upkeep.compaction import compact
from tests.superset import history
from tests.superset.expected import assert_same, columns_of, expected, frames
from tests.superset.server import ADMIN, Superset
from tests.superset.test_bundle import QUERIES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

Tables: TypeAlias = dict[str, pd.DataFrame]
Rows: TypeAlias = list[dict[str, Any]]

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
DASHBOARD = "/superset/dashboard/pipeline-metrics/"
FOREIGN: list[str] = []
CANVASES = sum(chart.kind not in ("big_number_total", "table") for chart in CHARTS)

BY_TITLE = {chart.title: chart for chart in CHARTS}


@pytest.fixture(scope="module")
def tables(superset: Superset) -> Tables:
    return frames(superset.metrics)


@pytest.fixture
def restored(superset: Superset, tmp_path: Path) -> Iterator[Path]:
    """The metrics folder, which is put back afterwards."""
    kept = shutil.copytree(superset.metrics, tmp_path / "kept")
    yield superset.metrics
    shutil.rmtree(superset.metrics)
    shutil.copytree(kept, superset.metrics)


def plain(chart: Chart, rows: Rows) -> pd.DataFrame:
    """The rows of a chart as they were before Superset pivoted them, times as times."""
    found = pd.DataFrame(rows)
    by = columns_of(chart)
    if chart.kind in ("echarts_timeseries_line", "echarts_timeseries_scatter"):
        found = found.melt(by[0], var_name="series", value_name=chart.query["metrics"][0]).dropna()
        found[by[1:]] = found.series.str.split(", ", expand=True)
    for name in {"run_start", "start_time"} & set(found.columns):
        found[name] = pd.to_datetime(found[name], unit="ms").astype("datetime64[us]")
    return found


def check(chart: Chart, rows: Rows, tables: Tables) -> None:
    wanted = expected(chart, tables)
    if wanted.empty:
        assert rows == []
        return
    if chart.kind == "box_plot":
        check_boxes(chart, rows, wanted)
        return
    if wanted[columns_of(chart)].dtypes.astype(str).str.startswith("datetime").any():
        wanted = wanted.astype(dict.fromkeys({"run_start", "start_time"} & set(wanted.columns), "datetime64[us]"))
    actual = plain(chart, rows).reindex(columns=wanted.columns)
    assert_same(actual, wanted, [name for name in columns_of(chart) if name != "error"])


def check_boxes(chart: Chart, rows: Rows, points: pd.DataFrame) -> None:
    (by,) = chart.params["groupby"]
    found = pd.DataFrame(rows).set_index(by).sort_index()
    groups = points.groupby(by)
    for metric in chart.query["metrics"]:
        for name, wanted in {"mean": groups[metric].mean(), "median": groups[metric].median()}.items():
            pd.testing.assert_series_equal(found[f"{metric}__{name}"], wanted, check_names=False, rtol=1e-9)
        assert found[f"{metric}__max"].tolist() == pytest.approx(groups[metric].max().tolist())
        assert found[f"{metric}__count"].tolist() == groups[metric].count().tolist()


def test_every_chart_shows_what_pandas_finds(superset: Superset, tables: Tables) -> None:
    """All charts of the bundle are there, and their data is that of the Parquet files."""
    charts = superset.charts()
    assert charts.keys() == BY_TITLE.keys()
    for title, number in charts.items():
        check(BY_TITLE[title], superset.data(number), tables)


@pytest.mark.parametrize(
    ("column", "values"),
    [("pipeline", ["code"]), ("run_id", 3), ("stage_name", ["judge"]), ("operator_name", ["embedder"])],
)
def test_a_filter_narrows_every_chart_that_has_its_column(
    superset: Superset, tables: Tables, column: str, values: int | list[str]
) -> None:
    """What a filter adds to the queries leaves the rows that pandas would keep."""
    chosen = sorted(tables["runs"].run_id)[:values] if isinstance(values, int) else values
    narrowed = {name: table[table[column].isin(chosen)] if column in table else table for name, table in tables.items()}
    for title, number in superset.charts().items():
        if column in tables[BY_TITLE[title].dataset]:
            rows = superset.narrowed(number, [{"col": column, "op": "IN", "val": chosen}])
            check(BY_TITLE[title], rows, narrowed)


def test_a_time_range_chooses_runs_by_their_start(superset: Superset, tables: Tables) -> None:
    """The time filter, hung on each chart's own column, leaves the runs that started in it."""
    since, until = history.START + timedelta(days=7), history.START + timedelta(days=14)
    value = f"{since.isoformat()} : {until.isoformat()}"
    for title in ("Runs", "Stage capacity over time", "Node CPU", "Run details"):
        chart = BY_TITLE[title]
        rows = superset.narrowed(superset.charts()[title], [{"col": chart.time, "op": "TEMPORAL_RANGE", "val": value}])
        table = tables[chart.dataset]
        chosen = table[(table[chart.time] >= since) & (table[chart.time] < until)]
        assert 0 < len(chosen) < len(table)
        check(chart, rows, tables | {chart.dataset: chosen})


def test_the_queries_of_the_specification_in_sql_lab(superset: Superset, tables: Tables) -> None:
    """Both answer, in order, what pandas says."""
    answer = superset.sql(QUERIES["slow operators"])
    assert answer.status_code == 200, answer.text
    means = tables["operators"].groupby("operator_name")[["throughput", "p95_latency"]].mean().sort_values("throughput")
    rows = answer.json()["data"]
    assert [row["operator_name"] for row in rows] == list(means.index)
    assert [row["p95_latency_ms"] for row in rows] == pytest.approx(list(means.p95_latency * 1000))
    answer = superset.sql(QUERIES["pass rate by hour"])
    assert answer.status_code == 200, answer.text
    stages = tables["stages"][tables["stages"].stage_name == "embedding_stage"]
    hourly = stages.groupby(stages.timestamp.dt.floor("h")).pass_rate.mean().sort_index(ascending=False)
    rows = answer.json()["data"]
    assert [pd.Timestamp(row["hour"]) for row in rows] == list(hourly.index)
    assert [row["avg_pass_rate"] for row in rows] == pytest.approx(list(hourly))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "COPY (SELECT 1) TO '{folder}/stolen.csv'",
        "ATTACH '{folder}/other.duckdb'",
        "SET enable_external_access = true",
        "SELECT getenv('SUPERSET_SECRET_KEY')",
        "INSTALL httpfs",
    ],
)
def test_sql_reaches_nothing_but_the_metrics(superset: Superset, tmp_path: Path, query: str) -> None:
    """Reading or writing other files, the environment and the settings are refused."""
    answer = superset.sql(query.format(folder=tmp_path))
    assert answer.status_code >= 400, answer.text
    assert "root:" not in answer.text
    assert list(tmp_path.iterdir()) == []


def test_the_views_are_replaced_under_load(superset: Superset) -> None:
    """Four clients ask two processes while the file is written again and again: no query fails."""
    chart = superset.charts()["Operators"]
    stop, failures = threading.Event(), []

    def asking() -> None:
        while not stop.is_set():
            answer = superset.session.get(f"{superset.url}/api/v1/chart/{chart}/data/?force=true", timeout=60)
            if answer.status_code != 200:
                failures.append(answer.text)

    clients = [threading.Thread(target=asking) for _ in range(4)]
    for client in clients:
        client.start()
    for _ in range(10):
        write_views(superset.metrics, superset.metrics / "metrics.duckdb")
    stop.set()
    for client in clients:
        client.join()
    assert failures == []


def test_importing_again_changes_nothing(superset: Superset, tables: Tables) -> None:
    """The dashboard import keeps what is there, the assets import overwrites it: both leave the same charts."""
    charts = superset.charts()
    ways = {"dashboard/import/": "formData", "assets/import/": "bundle"}
    for path, field in ways.items():
        with superset.bundle.open("rb") as bundle:
            answer = superset.post(path, files={field: bundle}, data={"overwrite": "true"})
        assert answer.status_code == 200, answer.text
        assert superset.charts() == charts
    for title in ("Stage capacity over time", "Operators"):
        check(BY_TITLE[title], superset.data(charts[title]), tables)


def test_new_and_compacted_runs_need_no_import(superset: Superset, tables: Tables, restored: Path) -> None:
    """A run that is written now is in the next answer; compaction changes no number."""
    runs = superset.charts()["Runs"]
    before = len(tables["runs"])
    assert superset.data(runs) == [{"run_count": before}]
    made = list(history.month(before + 1))[-1]
    history.write(restored, made)
    assert superset.data(runs) == [{"run_count": before + 1}]
    wanted = frames(restored)
    assert compact(restored).runs == before + 1
    assert all(path.name.startswith("compacted_") for path in Path(restored, "runs").iterdir())
    for title, number in superset.charts().items():
        check(BY_TITLE[title], superset.data(number), wanted)


@pytest.fixture(scope="module")
def page(superset: Superset) -> Iterator[Page]:
    """A page of a logged-in administrator; `FOREIGN` lists what it has fetched from other hosts."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        try:
            context = browser.new_context(viewport={"width": 1600, "height": 3300})
            login = context.request.get(f"{superset.url}/login/").text()
            token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', login)
            assert token is not None
            context.request.post(f"{superset.url}/login/", form={**ADMIN, "csrf_token": token[1]})
            page = context.new_page()
            page.set_default_timeout(90_000)
            FOREIGN.clear()
            page.on("response", lambda answer: note_foreign(superset.url, answer.url))
            yield page
        finally:
            browser.close()


def note_foreign(url: str, address: str) -> None:
    if not address.startswith((url, "data:", "blob:")):
        FOREIGN.append(address)


def drawn(page: Page, superset: Superset, query: str = "") -> None:
    """Open the dashboard and wait until all of it is drawn."""
    page.goto(superset.url + DASHBOARD + query)
    page.wait_for_function(
        "([charts, canvases]) => document.querySelectorAll('.dashboard-component-chart-holder').length == charts"
        " && document.querySelectorAll('.dashboard-component-chart-holder canvas').length >= canvases"
        " && document.querySelectorAll('.dashboard-component-chart-holder .loading').length == 0"
        " && document.querySelectorAll('.dashboard-component-chart-holder table tbody tr').length > 1",
        arg=[len(CHARTS), CANVASES],
    )
    page.wait_for_load_state("networkidle")


def coloured(page: Page) -> dict[str, int]:
    """Coloured pixels of every chart by title: axes and labels alone are grey."""
    found: dict[str, int] = page.evaluate("""() => Object.fromEntries(
        [...document.querySelectorAll('.dashboard-component-chart-holder')]
            .filter(holder => holder.querySelector('canvas'))
            .map(holder => {
                const canvas = holder.querySelector('canvas');
                const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                let found = 0;
                for (let at = 0; at < data.length; at += 4) {
                    const rgb = [data[at], data[at + 1], data[at + 2]];
                    found += data[at + 3] > 128 && Math.max(...rgb) - Math.min(...rgb) > 60;
                }
                return [holder.querySelector('[data-test=editable-title], .header-title').innerText.trim(), found];
            })
    )""")
    return found


def rows_of(page: Page, title: str) -> Locator:
    holder = page.locator(".dashboard-component-chart-holder", has=page.get_by_text(title, exact=True))
    return holder.locator("tbody tr")


@pytest.mark.filterwarnings("default::ResourceWarning")
def test_every_chart_is_drawn(superset: Superset, page: Page) -> None:
    """All charts are on the page, without an alert or an empty one, and nothing came from another host."""
    drawn(page, superset)
    page.wait_for_timeout(1500)  # bars and lines grow
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "superset-dashboard.png")
    for trouble in (".ant-alert", ".ant-empty", "[data-test=error-message]"):
        assert page.locator(trouble).count() == 0
    assert {title: count for title, count in coloured(page).items() if count < 300} == {}, "drawn, but empty"
    assert len(coloured(page)) == CANVASES
    assert rows_of(page, "Operators").count() == 8
    assert FOREIGN == []


@pytest.mark.filterwarnings("default::ResourceWarning")
def test_a_filter_of_the_page_narrows_it(superset: Superset, page: Page) -> None:
    """With one stage chosen the table of operators has that stage's operators only."""
    chosen = "(col:stage_name,op:IN,val:!(judge))"
    state = f"id:NATIVE_FILTER-stage,extraFormData:(filters:!({chosen})),filterState:(value:!(judge)),ownState:()"
    drawn(page, superset, f"?native_filters=(NATIVE_FILTER-stage:({state}))")
    page.wait_for_timeout(1500)  # bars and lines grow
    page.screenshot(path=SCREENSHOTS / "superset-filtered.png")
    rows = rows_of(page, "Operators")
    assert rows.count() == 3
    assert all(text.startswith("judge") for text in rows.all_inner_texts())
    assert page.locator(".ant-alert").count() == 0
