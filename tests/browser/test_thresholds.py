"""Thresholds are moved by hand, in the report and in the dashboard, and the numbers follow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.reports import write_report
from tests.analytics.whatif.running import Operator, made_up_texts, run
from tests.browser.axe import violations
from tests.browser.conftest import PICTURES
from tests.browser.served import Served

pytestmark = pytest.mark.slow

FILTERS = {"text_length_filter": {"min_length": 40}, "gopher_quality_filter": {"min_words": 10}}


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Metrics of a run of two filters."""
    folder = tmp_path_factory.mktemp("metrics")
    run(folder, made_up_texts(600), [Operator(name, params) for name, params in FILTERS.items()])
    return folder


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page whose errors count."""
    trouble: list[str] = []
    page = chromium.new_page(viewport={"width": 1100, "height": 900})
    page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    yield page
    page.close()
    assert trouble == []


def test_in_the_report(metrics: Path, tmp_path: Path, page: Page) -> None:
    """The line of the chart and the sentence follow the slider, without a server; the look may be changed after."""
    write_report(MetricsReader(metrics), "run_a", tmp_path / "report.html")
    page.goto((tmp_path / "report.html").as_uri())
    page.wait_for_selector("html[data-ready=yes]", state="attached")
    first = page.locator("[data-threshold]").first
    assert "as in this run" in first.locator("output").inner_text()
    slider = first.locator("input")
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    said = first.locator("output").inner_text()
    assert "would fail" in said
    threshold = float(said.split(":")[0])
    assert threshold > 40
    line = "plot => plot.layout.shapes[0].x0"
    assert page.eval_on_selector('[data-figure="scores-0"]', line) == pytest.approx(threshold, rel=1e-4)
    page.click("#look")
    page.wait_for_function("document.documentElement.dataset.theme")
    assert page.eval_on_selector('[data-figure="scores-0"]', line) == pytest.approx(threshold, rel=1e-4)
    PICTURES.mkdir(parents=True, exist_ok=True)
    first.scroll_into_view_if_needed()
    page.screenshot(path=PICTURES / "report-thresholds.png")
    assert violations(page) == []


def test_in_the_dashboard(metrics: Path, page: Page) -> None:
    """The page of an operator shows its rules alone, and a callback moves line and sentence."""
    served = Served(metrics)
    try:
        page.goto(f"{served.root}/run/run_a/stage/judge/operator/gopher_quality_filter")
        page.wait_for_selector(".threshold .js-plotly-plot .barlayer", state="attached", timeout=60_000)
        titles = page.locator(".threshold h3").all_inner_texts()
        assert "min_words" in titles[0]
        assert not any("min_length" in title for title in titles)
        rule = page.locator(".threshold").first
        assert "as in this run" in rule.locator("p.note").inner_text()
        rule.locator("input[type=range]").focus()
        page.keyboard.press("ArrowRight")
        expect(rule.locator("p.note")).to_contain_text("would fail", timeout=30_000)
        said = float(rule.locator("p.note").inner_text().split(":")[0])
        line = "plot => plot.layout.shapes[0].x0"
        page.wait_for_timeout(500)
        assert page.eval_on_selector(".threshold .js-plotly-plot", line) == pytest.approx(said, rel=1e-4)
        PICTURES.mkdir(parents=True, exist_ok=True)
        rule.scroll_into_view_if_needed()
        page.screenshot(path=PICTURES / "dashboard-thresholds.png")
        assert violations(page) == []
    finally:
        page.close()
        assert served.stop() == (0, "ended\n")
