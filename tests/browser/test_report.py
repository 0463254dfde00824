"""The report in a real browser: it draws, nothing in it runs, and everybody can use it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request

from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.reports import write_report
from tests.browser.axe import violations
from tests.browser.clipping import clipped_texts
from tests.browser.conftest import CHROMIUM, PICTURES
from tests.made_runs import START, Op, Pool, make_run

pytestmark = pytest.mark.slow

Open: TypeAlias = Callable[..., Page]

XSS = "<img src=x onerror=\"window.caught='yes'\"></script><script>window.caught='yes'</script><b>bold</b>"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run with a past, nodes, errors, and names that want to be scripts."""
    folder = tmp_path_factory.mktemp("report")
    pools = [
        Pool("clean", [Op("text_length_filter", 0.002, {"too_short": 0.1, XSS: 0.05}), Op("x" + XSS, 0.004)], slow=2.0),
        Pool(
            "judge" + XSS, [Op("language_refiner", 0.006), Op("gopher_filter", 0.003, {"words": 0.3}, errors=0.02)], 3
        ),
    ]
    for number in range(5):
        make_run(folder, pools, f"run_{number}", start=START - timedelta(days=5 - number), seed=number, pipeline=XSS)
    more: dict[str, Any] = {"pipeline": XSS, "hostname": XSS, "total_errors": 200, "nodes": [40.0, 70.0, 95.0]}
    make_run(folder, pools, "run_now", seed=9, records=14_000, **more)
    write_report(MetricsReader(folder), "run_now", folder / "report.html", samples=True)
    return folder / "report.html"


@pytest.fixture
def opened(chromium: Browser, report: Path) -> Iterator[Open]:
    """Opens the report; afterwards nothing may have been logged, fetched or run."""
    contexts: list[BrowserContext] = []
    trouble: list[str] = []

    def note_foreign(request: Request) -> None:
        if not request.url.startswith(("file:", "blob:", "data:")):
            trouble.append(request.url)

    def open_it(**options: Any) -> Page:
        options.setdefault("viewport", {"width": 1240, "height": 900})
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("request", note_foreign)
        page.goto(report.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
        return page

    yield open_it
    caught = [context.pages[0].evaluate("window.caught") for context in contexts]
    for context in contexts:
        context.close()
    assert trouble == []
    assert set(caught) <= {None}


def test_every_chart_is_drawn(opened: Open) -> None:
    """Every figure has marks in it, and the names that want to be scripts are shown as they are written."""
    page = opened()
    names = page.eval_on_selector_all("[data-figure]", "all => all.map((plot) => plot.dataset.figure)")
    assert set(names) >= {"funnel", "sankey", "utilisation", "stages", "cost", "latency", "workers", "nodes", "trends"}
    for name in names:
        assert page.eval_on_selector(f'[data-figure="{name}"]', "plot => plot.querySelectorAll('path').length") > 3, (
            name
        )
    assert page.eval_on_selector_all("img", "all => all.length") == 0
    assert "<b>bold</b>" in page.inner_text("h1")


@pytest.mark.parametrize("look", ["light", "dark"])
def test_axe_finds_nothing_serious(opened: Open, look: str) -> None:
    """Contrast, names, roles and order are in order, in both looks; a picture is kept."""
    page = opened(color_scheme=look)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"report-{look}.png", full_page=True)
    assert violations(page) == []


def test_the_look_can_be_changed_by_keyboard(opened: Open) -> None:
    """The reader's choice overrules that of the system, and the charts follow."""
    page = opened(color_scheme="light")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.focus("#look")
    page.keyboard.press("Enter")
    page.wait_for_function(f"getComputedStyle(document.body).backgroundColor !== '{before}'")
    after = page.evaluate("getComputedStyle(document.body).backgroundColor")
    plot = page.eval_on_selector('[data-figure="funnel"] .main-svg', "svg => getComputedStyle(svg).backgroundColor")
    assert plot == after != before


def test_a_phone_need_not_scroll_sideways(opened: Open) -> None:
    """On 390 pixels the page is as wide as the screen; wide tables and charts scroll within themselves."""
    page = opened(viewport={"width": 390, "height": 844})
    page.screenshot(path=PICTURES / "report-phone.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert clipped_texts(page) == []


def test_on_paper_no_text_of_a_chart_is_cut(opened: Open) -> None:
    """Charts take the width of A4 between its margins, and their labels stay inside."""
    page = opened()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.wait_for_function("document.querySelector('[data-figure=sankey]')._fullLayout.width === 680")
    assert clipped_texts(page) == []


def test_on_paper_it_is_whole(report: Path, tmp_path: Path) -> None:
    """Printed to PDF the report has its charts in it: several pages, and none of them cut off at the right."""
    target = tmp_path / "report.pdf"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--no-pdf-header-footer"]
    subprocess.run(
        [CHROMIUM, *flags, f"--print-to-pdf={target}", report.as_uri()], check=True, timeout=90, capture_output=True
    )
    assert target.read_bytes().count(b"/Type /Page\n") >= 4
