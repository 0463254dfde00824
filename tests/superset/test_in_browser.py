"""The dashboard in a browser: every chart is drawn, nothing is fetched from elsewhere, filters work on the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, sync_playwright

from mega_data_factory.exports.superset.charts.contents import CHARTS
from tests.superset.server import ADMIN, Superset

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.filterwarnings("default::ResourceWarning")]

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
DASHBOARD = "/superset/dashboard/pipeline-metrics/"
FOREIGN: list[str] = []
CANVASES = sum(chart.kind not in ("big_number_total", "table") for chart in CHARTS)


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
