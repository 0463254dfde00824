"""Search for text of charts that is cut off or hidden at the edge of its chart."""

from __future__ import annotations

from playwright.sync_api import Page

_FIND = """() => [...document.querySelectorAll(".js-plotly-plot")].flatMap((plot) => {
    const frame = plot.getBoundingClientRect();
    if (!frame.width) return [];  // not shown
    const page = document.documentElement.clientWidth;
    return [...plot.querySelectorAll(".main-svg text")].filter((text) => {
        const box = text.getBoundingClientRect();
        const style = getComputedStyle(text);
        const shown = box.width && style.visibility !== "hidden" && style.opacity !== "0";
        if (!shown || !text.textContent.trim()) return false;
        return box.left < Math.max(0, frame.left) - 2 || box.right > Math.min(page, frame.right) + 2;
    }).map((text) => `${plot.id || plot.dataset.figure}: ${text.textContent}`);
})"""


def clipped_texts(page: Page) -> list[str]:
    """Return the texts of charts that reach beyond the left or right edge of their chart or of the page."""
    found: list[str] = page.evaluate(_FIND)
    return found
