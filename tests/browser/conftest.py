"""A real browser in which nothing goes unnoticed: requests that leave the machine, errors, and a picture of the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, Dialog, Page, Route, sync_playwright

CHROMIUM = "/usr/bin/chromium"
PICTURES = Path(__file__).parents[2] / "build" / "screenshots"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless; it is an error when there is none."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Opens a file in a page of its own; afterwards it must have fetched nothing and complained of nothing.

    Requests to other machines are refused and recorded. The last state of every page is kept in build/screenshots.
    """
    trouble: list[str] = []
    pages: list[Page] = []

    def guard(route: Route) -> None:
        address = urlparse(route.request.url)
        if address.scheme in ("file", "data", "blob") or address.hostname in ("127.0.0.1", "localhost"):
            route.continue_()
        else:
            trouble.append(f"asked for {route.request.url}")
            route.abort()

    def dismiss(dialog: Dialog) -> None:
        trouble.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open_file(path: Path, width: int = 1300, height: int = 900) -> Page:
        page = chromium.new_page(viewport={"width": width, "height": height})
        page.route("**/*", guard)
        page.on("console", lambda message: trouble.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", dismiss)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready=yes]", state="attached")
        pages.append(page)
        return page

    yield open_file
    PICTURES.mkdir(parents=True, exist_ok=True)
    for number, page in enumerate(pages):
        page.screenshot(path=PICTURES / f"{request.node.name}-{number}.png", full_page=True)
        page.close()
    assert trouble == []
