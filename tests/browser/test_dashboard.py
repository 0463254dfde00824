"""The dashboard in a real browser: it draws, it moves, it asks nobody else, and everybody can use it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from mega_data_factory.framework.metrics import MetricsReader
from tests.browser.axe import violations
from tests.browser.clipping import clipped_texts
from tests.browser.conftest import PICTURES
from tests.browser.served import Served
from tests.made_runs import START, Op, Pool, make_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

XSS = "<img src=x onerror=\"window.caught='yes'\"><script>window.caught='yes'</script><b>bold</b>"

NAME = "x" * 119

Open = Callable[..., Page]

_PATIENCE = 60_000
"""Milliseconds: a machine may be busy with others."""

expect.set_options(timeout=_PATIENCE)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A dashboard over runs with names that want to be scripts, errors, nodes and a past."""
    folder = tmp_path_factory.mktemp("dashboard")
    pools = [
        Pool("clean", [Op("text_length_filter", 0.002, {"too_short": 0.1, XSS: 0.05}), Op("x" + XSS, 0.004)], slow=2.0),
        Pool("judge", [Op("language_refiner", 0.006), Op("gopher_filter", 0.003, {"words": 0.3}, errors=0.02)], 3),
    ]
    for number in range(6):
        started = START - timedelta(days=6 - number)
        make_run(folder, pools, f"run_{number}", start=started, seed=number, pipeline="web", hostname=XSS)
    make_run(folder, pools, "run_evil", start=START - timedelta(days=9), pipeline=XSS, status="failed", error=XSS)
    make_run(folder, pools, "run_now", seed=9, records=14_000, pipeline="web", nodes=[40.0, 70.0, 95.0])
    long = [
        Pool(NAME, [Op(NAME + "1", 0.002, {NAME: 0.1}), Op(NAME + "2", 0.004)], slow=2.0),
        Pool("短い", [Op("فلتر")]),
    ]
    started = START - timedelta(days=8)
    make_run(folder, long, "run_long", start=started, pipeline=NAME, status="failed", error=NAME, nodes=[40.0, 70.0])
    found = Served(folder)
    yield found
    assert found.stop() == (0, "ended\n")


@pytest.fixture
def opened(chromium: Browser, served: Served) -> Iterator[Open]:
    """Opens a page; afterwards nothing may have been logged as an error, asked elsewhere, failed, or run."""
    contexts, trouble = [], []

    def open_it(path: str, **options: Any) -> Page:
        options.setdefault("viewport", {"width": 1320, "height": 900})
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on(
            "requestfailed",
            lambda request: (
                None  # a page that is left, or loaded again, breaks off its own requests
                if request.failure == "net::ERR_ABORTED"
                else trouble.append(f"failed: {request.url} {request.failure}")
            ),
        )
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((served.root, "blob:", "data:")) else trouble.append(request.url)
            ),
        )
        page.goto(served.root + path)
        page.wait_for_selector("main h1", timeout=_PATIENCE)
        if page.url.partition("?")[0].endswith("/"):
            page.wait_for_selector("#runs-body table", timeout=_PATIENCE)
        return page

    yield open_it
    caught = [page.evaluate("window.caught") for context in contexts for page in context.pages]
    found = list(trouble)  # before closing, which breaks off what is under way
    for context in contexts:
        context.close()
    assert found == []
    assert set(caught) <= {None}


def _drawn(page: Page, name: str) -> int:
    page.wait_for_selector(f"#{name} .main-svg", timeout=_PATIENCE)
    return int(page.eval_on_selector(f"#{name}", "plot => plot.querySelectorAll('path').length"))


_EVIL_STAGE = f"/run/run_now/stage/clean/operator/{quote('x' + XSS, safe='')}"

PAGES = {
    "runs": ("/", ["runs-trends"]),
    "run": ("/run/run_now", ["run-funnel", "run-sankey", "run-stages", "run-latency", "run-workers", "run-nodes"]),
    "evil": ("/run/run_evil", ["run-funnel"]),
    "stage": ("/run/run_now/stage/judge", ["stage-time", "stage-cost", "stage-latency", "stage-workers"]),
    "operator": (_EVIL_STAGE, ["operator-cost", "operator-latency"]),
    "nodes": ("/run/run_now/nodes", ["nodes-cluster"]),
    "nodes-metrics": ("/run/run_now/nodes?view=node", ["nodes-node"]),
    "nodes-heat": ("/run/run_now/nodes?view=heat", ["nodes-heat"]),
    "nodes-together": ("/run/run_now/nodes?view=together&node=node-1", ["nodes-together"]),
    "nodes-changed": ("/run/run_now/nodes?view=changed", ["nodes-changed"]),
    "nodes-strange": ("/run/run_now/nodes?view=strange", []),
    "compare": ("/compare?run=run_5&run=run_now&run=run_1", ["compare-0", "compare-1"]),
    "missing": ("/run/run_nobody", []),
    "nowhere": ("/there/is/nothing", []),
}


LONG = {
    "long": ("/run/run_long", ["run-funnel", "run-latency", "run-workers", "run-nodes"]),
    "long-stage": (f"/run/run_long/stage/{NAME}", ["stage-latency", "stage-workers"]),
}
"""Pages of a run whose names have 120 characters and no blank."""


@pytest.mark.parametrize("name", PAGES)
def test_every_page_draws_and_passes_axe(opened: Open, name: str) -> None:
    """Each page has its charts, no error on the console, and no serious violation, in both looks."""
    path, charts = PAGES[name]
    PICTURES.mkdir(parents=True, exist_ok=True)
    for look in ("light", "dark"):
        page = opened(path, color_scheme=look)
        for chart in charts:
            assert _drawn(page, chart) > 3, chart
        page.screenshot(path=PICTURES / f"dashboard-{name}-{look}.png", full_page=True)
        assert violations(page) == []
        assert page.locator("img").count() == 0


def test_filters_change_what_is_shown_and_the_address(opened: Open) -> None:
    """Text, status and sorting narrow and order the table; the address of the result can be opened by somebody else."""
    page = opened("/")
    rows = page.locator("#runs-body tbody tr")
    expect(rows).to_have_count(9)
    page.fill("#runs-text", "run_3")
    expect(rows).to_have_count(1)
    expect(page).to_have_url(re.compile(re.escape("/?q=run_3") + "$"))
    page.fill("#runs-text", "")
    expect(rows).to_have_count(9)
    page.get_by_label("failed").check()
    expect(rows).to_have_count(2)
    expect(rows.last).to_contain_text("run_evil")
    expect(page).to_have_url(re.compile("status=failed$"))
    again = opened("/" + page.url.rpartition("/")[2])
    expect(again.locator("#runs-body tbody tr")).to_have_count(2)
    expect(again.get_by_label("failed")).to_be_checked()
    again.get_by_label("failed").uncheck()
    expect(again.locator("#runs-body tbody tr")).to_have_count(9)
    again.get_by_role("link", name="read").click()
    expect(again.locator("#runs-body tbody tr").first).to_contain_text("run_now")


def test_two_runs_are_chosen_and_compared(opened: Open) -> None:
    """Ticked in the table, compared by a click, and more added on the page of the comparison."""
    page = opened("/")
    page.get_by_label("compare run_4").check()
    page.get_by_label("compare run_now").check()
    page.get_by_role("button", name="Compare 2 runs").click()
    expect(page.get_by_role("heading", name="run_now compared with run_4")).to_be_visible()


def test_it_can_be_used_by_keyboard(opened: Open) -> None:
    """From the first Tab on: skip link, search, a run, and back, without a mouse."""
    page = opened("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.focus("#runs-text")
    page.keyboard.type("run_2")
    expect(page.locator("#runs-body tbody tr")).to_have_count(1)
    page.locator("#runs-body tbody a").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_title("run_2 · Mega Data Factory")
    page.go_back()
    expect(page).to_have_title("Runs · Mega Data Factory")


def test_the_look_is_kept(opened: Open) -> None:
    """The button changes light and dark, charts too, and the choice survives loading the page again."""
    page = opened("/", color_scheme="light")
    page.click("#look-button")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("#runs-trends .main-svg").first).to_have_css("background-color", "rgb(20, 24, 31)")
    page.reload()
    page.wait_for_selector("#runs-body table")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_nodes_and_metrics_are_chosen_in_the_page(opened: Open) -> None:
    """A view, a node and a time are chosen, and stand in the address."""
    page = opened("/run/run_now/nodes")
    page.get_by_role("link", name="Metrics", exact=True).click()
    assert _drawn(page, "nodes-node") > 3
    page.click("#nodes-nodes")
    page.locator(".dash-dropdown-content").get_by_text("node-1", exact=True).click()
    page.keyboard.press("Escape")
    page.wait_for_url("**view=node&node=node-1")
    expect(page.locator("#nodes-node .gtitle")).to_contain_text("node-1")


@pytest.mark.parametrize("name", ["runs", "run", "evil", "stage", "operator", "compare", "long", "long-stage"])
def test_a_phone_shows_all_of_every_chart(opened: Open, name: str) -> None:
    """On 390 pixels every page is as wide as the screen, no text of a chart is cut, and axe finds nothing serious."""
    page = opened((PAGES | LONG)[name][0], viewport={"width": 390, "height": 844})
    for chart in (PAGES | LONG)[name][1]:
        if chart != "run-sankey":  # not shown on phones
            _drawn(page, chart)
    page.screenshot(path=PICTURES / f"dashboard-{name}-phone.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert clipped_texts(page) == []
    assert violations(page) == []


@pytest.mark.parametrize("look", ["light", "dark"])
def test_on_paper_charts_are_whole(opened: Open, look: str) -> None:
    """Before printing charts take the width of A4, and afterwards their own again."""
    page = opened("/run/run_now", color_scheme=look)
    for chart in PAGES["run"][1]:
        _drawn(page, chart)
    page.pdf(path=PICTURES / f"dashboard-run-{look}.pdf", format="A4")
    before = page.eval_on_selector("#run-funnel .main-svg", "svg => svg.clientWidth")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    widths = page.eval_on_selector_all(".js-plotly-plot", "all => all.map((plot) => plot._fullLayout.width)")
    assert set(widths) == {680}
    assert page.locator("#run-sankey .sankey-node").count() > 5
    assert clipped_texts(page) == []
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    page.wait_for_function(
        f"document.querySelector('#run-funnel .main-svg').clientWidth === {before}", timeout=_PATIENCE
    )


def test_something_is_shown_before_the_first_answer(chromium: Browser, served: Served) -> None:
    """While the server thinks, the page has its frame and says that it is loading."""
    page = chromium.new_page()
    page.route("**/_dash-update-component", lambda route: None)  # never answered
    page.goto(served.root + "/")
    expect(page.get_by_role("status")).to_have_text("Loading …")
    expect(page.get_by_role("link", name="Mega Data Factory")).to_be_visible()
    page.close()


def _slow(page: Page, *, processor: float = 1.0, seconds: float = 0.0) -> None:
    """Slow down a page: its processor by a factor, each answer of the server by a delay."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": processor})
    devtools.send("Network.enable")
    limits = {"latency": seconds * 1000, "downloadThroughput": -1, "uploadThroughput": -1}
    devtools.send("Network.emulateNetworkConditions", {"offline": False, **limits})


@pytest.mark.parametrize("pause", [0, 100, 210])
def test_typing_on_a_slow_machine_keeps_every_character_in_its_place(opened: Open, pause: int) -> None:
    """Keys that arrive while the page is busy with earlier ones stay in the order in which they were typed."""
    page = opened("/")
    _slow(page, processor=6)
    page.focus("#runs-text")
    page.keyboard.type("run_2", delay=pause)
    expect(page.locator("#runs-text")).to_have_value("run_2")
    expect(page.locator("#runs-body tbody tr")).to_have_count(1)
    expect(page.locator("#runs-text")).to_have_value("run_2")


def test_answers_that_take_longer_than_the_clock_are_shown(opened: Open) -> None:
    """A server that needs three seconds for an answer is not asked anew every two: pages appear, and filters apply."""
    page = opened("/")
    _slow(page, seconds=3)
    page.get_by_role("link", name="run_3", exact=True).click()
    expect(page).to_have_title("run_3 · Mega Data Factory")
    page.go_back()
    rows = page.locator("#runs-body tbody tr")
    expect(rows).to_have_count(9)
    page.focus("#runs-text")
    page.keyboard.type("run_2")
    expect(rows).to_have_count(1)
    expect(page.locator("#runs-text")).to_have_value("run_2")


def test_a_page_follows_again_after_its_server_was_away(chromium: Browser, tmp_path: Path) -> None:
    """A request that failed does not keep the page from asking again."""
    make_run(tmp_path, [Pool("clean", [Op("a")])], "run_1")
    served = Served(tmp_path)
    context = chromium.new_context()
    try:
        page = context.new_page()
        page.goto(served.root + "/")
        rows = page.locator("#runs-body tbody tr")
        expect(rows).to_have_count(1)
        with page.expect_event("requestfailed", timeout=_PATIENCE):
            context.set_offline(True)
        context.set_offline(False)
        make_run(tmp_path, [Pool("clean", [Op("a")])], "run_2")
        expect(rows).to_have_count(2)
    finally:
        context.close()
        served.stop()


def test_a_live_run_is_seen_moving(chromium: Browser, tmp_path: Path) -> None:
    """A run that starts while the page is open appears within two flush intervals, its numbers grow, and it ends."""
    corpus = tmp_path / "in"
    corpus.mkdir()
    for number in range(3000):
        (corpus / f"{number}.txt").write_text(f"document {number} of many words, " * 40)
    config = tmp_path / "pipeline.yaml"
    config.write_text(
        "data_loader: {type: text_loader, params: {path: ./in}}\n"
        "stages:\n  - name: clean\n    operators: [{name: 'tests.fakes:Slow', params: {seconds: 0.2}}]\n"
        "data_writer: {type: jsonl_writer, params: {output_path: ./out}}\n"
        "executor: {batch_size: 50, metrics: {output_path: ./metrics, flush_interval: 1}}\n"
    )
    served = Served(tmp_path / "metrics")
    page = chromium.new_page()
    try:
        page.goto(served.root + "/")
        expect(page.get_by_role("heading", name="No runs yet")).to_be_visible(timeout=_PATIENCE)
        root = Path(__file__).parents[2]
        command = [sys.executable, "-m", "mega_data_factory.cli", "run", "--config", str(config), "--quiet"]
        run = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(root)})
        try:
            while not MetricsReader(tmp_path / "metrics").list_runs():
                time.sleep(0.05)
            appeared = time.monotonic()
            row = page.locator("#runs-body tbody tr")
            expect(row).to_contain_text("running", timeout=_PATIENCE)
            assert time.monotonic() - appeared < 5.0  # two intervals, and the two seconds of a page between two looks
            row.get_by_role("link").click()
            expect(page.locator(".badge")).to_have_text("running")
            read = page.locator(".tile dd").first
            expect(page.locator("time.ago")).to_contain_text("updated")
            first = read.inner_text()
            expect(read).not_to_have_text(first, timeout=_PATIENCE)
            assert int(read.inner_text().replace(",", "")) > int(first.replace(",", ""))
            expect(page.locator(".badge")).to_have_text("completed", timeout=_PATIENCE)
            expect(read).to_have_text("3,000")
        finally:
            assert run.wait(timeout=60) == 0
    finally:
        page.close()
        served.stop()


def test_with_a_token_nobody_else_gets_in(chromium: Browser, tmp_path: Path) -> None:
    """The address that was printed opens it once and for all; without the token there is nothing to see."""
    make_run(tmp_path, [Pool("clean", [Op("a")])], "run_secret")
    served = Served(tmp_path, "--host", "0.0.0.0", "--token", "0123456789abcdef")
    local = served.address.replace(served.root.rpartition(":")[0], "http://127.0.0.1")
    context = chromium.new_context()
    try:
        page = context.new_page()
        refused = page.goto(local.partition("?")[0])
        assert refused is not None
        assert refused.status == 401
        page.goto(local)
        expect(page.locator("#runs-body tbody tr")).to_contain_text("run_secret", timeout=_PATIENCE)
        assert "token" not in page.url
    finally:
        context.close()
        served.stop()
