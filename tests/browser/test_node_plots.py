"""Plots of nodes in a real browser: they zoom into true extremes, obey their controls, and never run a name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from mega_data_factory.visualization import HistoryRetention, MetricsVisualizer
from tests.browser.clipping import clipped_texts
from tests.visualization.making import START, cluster

pytestmark = pytest.mark.slow
Open = Callable[..., Page]

EVIL = (
    "<script>window.caught=1</script><img src=x onerror='window.caught=1'><a href=\"javascript:window.caught=1\">x</a>"
)
PLOTS = ("plot_node_metrics", "plot_cluster_overview", "plot_heatmap", "plot_correlations")


def lines(page: Page) -> list[dict[str, Any]]:
    """Of every trace: node, metric, whether it is visible, how many points it has, the least and the greatest."""
    found: list[dict[str, Any]] = page.evaluate(
        """() => document.getElementById("plot").data.filter((trace) => !trace.meta.mark).map((trace) => {
            const y = Array.from(trace.y || []).filter((value) => value !== null);
            return {node: trace.meta.node, metric: trace.meta.metric, visible: trace.visible !== false,
                    points: y.length, least: Math.min(...y), greatest: Math.max(...y)};
        })"""
    )
    return found


def zoom(page: Page, start: float, end: float) -> None:
    page.evaluate(
        "([from, to]) => Plotly.relayout('plot', {'xaxis.range[0]': from, 'xaxis.range[1]': to})",
        [start * 1e3, end * 1e3],
    )
    page.wait_for_timeout(300)  # the page waits a moment for the end of a movement


@pytest.fixture(scope="module")
def long_history() -> MetricsVisualizer:
    """Four hundred thousand seconds of one node, with one peak and one trough."""
    visualizer = MetricsVisualizer(HistoryRetention.everything())
    generator = np.random.default_rng(8)
    names = ("cpu_usage", "memory_usage", "disk_usage", "network_io", "disk_io", "iops")
    columns = {name: generator.uniform(20, 60, 400_000) for name in names}
    columns["cpu_usage"][[123_456, 300_001]] = 99.5, 0.25
    visualizer.history.extend("node-1", (START + np.arange(400_000)) * 1_000_000, columns)
    return visualizer


def test_zooming_shows_true_extremes(long_history: MetricsVisualizer, open_page: Open, tmp_path: Path) -> None:
    """From all of the time down to a minute, the peak is there at its height, and more detail comes with the zoom."""
    long_history.plot_node_metrics(tmp_path / "node.html", "node-1", anomalies=False)
    page = open_page(tmp_path / "node.html")
    whole = lines(page)[0]
    assert (whole["least"], whole["greatest"]) == (0.25, 99.5)
    assert "400,000 points a line drawn as" in page.inner_text("#note")
    zoom(page, START + 120_000, START + 127_000)
    closer = lines(page)[0]
    assert closer["greatest"] == 99.5
    peak = page.evaluate(
        """() => { const trace = document.getElementById("plot").data[0];
                   return trace.x[trace.y.indexOf(99.5)]; }"""
    )
    assert abs(peak - (START + 123_456) * 1e3) < 1
    assert "those in view" in page.inner_text("#note")
    assert "this page holds no more" in page.inner_text("#note")
    page.click("text=all >> nth=-1")
    page.wait_for_timeout(300)
    assert lines(page)[0]["points"] == whole["points"]


def test_a_short_history_zooms_to_every_point(open_page: Open, tmp_path: Path) -> None:
    """While all points fit into the page, a zoom shows each of them, and the note goes when nothing is left out."""
    cluster(1, 8_000).plot_node_metrics(tmp_path / "node.html", "node-1", anomalies=False)
    page = open_page(tmp_path / "node.html")
    zoom(page, START + 1_000, START + 1_100)
    inside = page.evaluate(
        """([from, to]) => document.getElementById("plot").data[0].x.filter((x) => x >= from && x <= to).length""",
        [(START + 1_000) * 1e3, (START + 1_100) * 1e3],
    )
    assert inside == 101


def test_nodes_and_metrics_are_chosen(open_page: Open, tmp_path: Path) -> None:
    """A name that is unticked is gone from the plot, and the row of a metric gives its height to the others."""
    cluster(3, 100).plot_node_metrics(tmp_path / "nodes.html", metrics=["cpu_usage", "iops"])
    page = open_page(tmp_path / "nodes.html")
    height = page.evaluate("document.getElementById('plot').layout.height")
    page.click("summary:has-text('Nodes')")
    page.click("label:has-text('node-2') input")
    assert {line["node"] for line in lines(page) if line["visible"]} == {"node-1", "node-3"}
    assert page.inner_text("summary:has-text('Nodes')") == "Nodes: 2 of 3"
    page.click("summary:has-text('Metrics')")
    page.click("label:has-text('IOPS') input")
    page.wait_for_timeout(200)
    assert {line["metric"] for line in lines(page) if line["visible"]} == {"cpu_usage"}
    assert page.evaluate("document.getElementById('plot').layout.height") < height
    page.keyboard.press("Escape")
    assert page.locator("details[open]").count() == 0


def test_strips_close_up(open_page: Open, tmp_path: Path) -> None:
    """In a heat map the strips of nodes that are not chosen leave no hole."""
    cluster(4, 60).plot_heatmap(tmp_path / "heat.html")
    page = open_page(tmp_path / "heat.html")
    page.click("summary:has-text('Nodes')")
    page.click("label:has-text('node-2') input")
    page.wait_for_timeout(200)
    axis = page.evaluate("document.getElementById('plot').layout.yaxis")
    assert axis["ticktext"] == ["node-1", "node-3", "node-4"]
    assert axis["range"] == [2.5, -0.5]


def test_scale_span_and_slider(open_page: Open, tmp_path: Path) -> None:
    """Log and linear, buttons of time, the slider by mouse and by keyboard."""
    cluster(1, 7_200).plot_node_metrics(tmp_path / "node.html", "node-1", anomalies=False)
    page = open_page(tmp_path / "node.html")

    def view() -> list[float]:
        found: list[float] = page.evaluate(
            "document.getElementById('plot').layout.xaxis.range.map((time) => "
            "typeof time === 'number' ? time : Date.parse(time.replace(' ', 'T') + 'Z'))"
        )
        return [time / 1e3 - START for time in found]

    page.click("text=log")
    assert page.evaluate("document.getElementById('plot')._fullLayout.yaxis.type") == "log"
    page.click("text=linear")
    assert page.evaluate("document.getElementById('plot')._fullLayout.yaxis.type") == "linear"
    page.click("button:has-text('1 h')")
    assert view() == pytest.approx([3_599, 7_199], abs=1)
    assert page.get_attribute("button:has-text('1 h')", "aria-pressed") == "true"
    page.focus(".edge.left")
    page.keyboard.press("ArrowLeft")
    assert view()[0] == pytest.approx(3_599 - 72, abs=1)
    box = page.locator(".slider").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20, steps=4)
    page.mouse.up()
    assert view()[0] == pytest.approx(3_599 - 72 - 1_800, abs=60)


def test_the_label_tells_of_every_row(open_page: Open, tmp_path: Path) -> None:
    """At one moment, one label has the values of all rows."""
    cluster(1, 100).plot_node_metrics(tmp_path / "node.html", "node-1")
    page = open_page(tmp_path / "node.html")
    box = page.locator("#plot").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 120)
    page.wait_for_selector(".hoverlayer .legend")
    label = page.text_content(".hoverlayer .legend") or ""
    for name in ("CPU", "network", "IOPS", "partitions"):
        assert name in label


@pytest.mark.parametrize("plot", PLOTS)
def test_names_never_run(plot: str, open_page: Open, tmp_path: Path) -> None:
    """Markup in node ids and metric names stays text: in titles, labels, ticks, controls, and at the pointer."""
    visualizer = MetricsVisualizer()
    for second in range(60):
        for node in (EVIL, "other" + EVIL):
            metrics: dict[str, float | str | None] = {"cpu_usage": second % 7, "status": "active", EVIL: second % 5}
            visualizer.add_metrics(node, metrics, START + second)
    getattr(visualizer, plot)(tmp_path / "plot.html")
    page = open_page(tmp_path / "plot.html")
    for chooser in page.locator("summary").all():
        chooser.click()
    page.mouse.click(5, 5)
    box = page.locator("#plot").bounding_box()
    assert box is not None
    for share in (0.3, 0.5, 0.7):
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] * share)
        page.wait_for_timeout(150)
    assert page.evaluate("window.caught") is None
    assert page.locator("body img, body a[href^='javascript']").count() == 0
    assert page.evaluate("[...document.querySelectorAll('a')].filter((a) => /script/.test(a.href)).length") == 0


@pytest.mark.parametrize(
    ("nodes", "width", "theme"), [(1, 390, "light"), (3, 1300, "dark"), (40, 390, "dark"), (40, 1300, "light")]
)
def test_every_plot_fits(nodes: int, width: int, theme: str, open_page: Open, tmp_path: Path) -> None:
    """On a phone and on a screen, for few nodes and many, no page is wider than its window."""
    visualizer = cluster(nodes, 120, theme=theme)
    for plot in PLOTS:
        getattr(visualizer, plot)(tmp_path / f"{plot}.html")
        page = open_page(tmp_path / f"{plot}.html", width=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("#plot .main-svg").count() > 0


@pytest.mark.parametrize("width", [320, 390, 500, 680, 1300])
@pytest.mark.parametrize("nodes", [1, 4])
def test_no_legend_lies_over_a_title(width: int, nodes: int, open_page: Open, tmp_path: Path) -> None:
    """Where a row has no room for its title beside its legend, only one of them is shown."""
    cluster(nodes).plot_node_metrics(tmp_path / "plot.html")
    page = open_page(tmp_path / "plot.html", width=width)
    boxes = """([kind]) => [...document.querySelectorAll(kind)].map((part) => part.getBoundingClientRect().toJSON())"""
    titles, legends = (page.evaluate(boxes, [kind]) for kind in (".annotation text", ".infolayer > [class^=legend]"))
    assert titles or legends
    for title in titles:
        for legend in legends:
            beside = title["right"] <= legend["left"] or legend["right"] <= title["left"]
            assert beside or title["bottom"] <= legend["top"] or legend["bottom"] <= title["top"], (title, legend)


@pytest.mark.parametrize("plot", PLOTS)
def test_on_paper_plots_are_whole(plot: str, open_page: Open, tmp_path: Path) -> None:
    """Paper shows the whole width of the plot and none of its controls; afterwards the screen is as before."""
    getattr(cluster(4), plot)(tmp_path / "plot.html")
    page = open_page(tmp_path / "plot.html")
    before = page.evaluate("plot._fullLayout.width")
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("plot._fullLayout.width") == 680
    assert clipped_texts(page) == []
    for control in ("#controls", ".slider", ".modebar"):
        assert not any(part.is_visible() for part in page.locator(control).all())
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    expect(page.locator("#plot .main-svg").first).to_have_attribute("width", str(before))


def test_images_are_drawn_by_chromium(tmp_path: Path) -> None:
    """PNG, SVG and PDF come out as such."""
    visualizer = cluster(2, 60)
    for suffix, beginning in ((".png", b"\x89PNG"), (".svg", b"<svg"), (".pdf", b"%PDF")):
        visualizer.plot_cluster_overview(tmp_path / f"plot{suffix}")
        assert (tmp_path / f"plot{suffix}").read_bytes().startswith(beginning)


def test_labels_show_attributes_and_the_axis_says_whose_clock_it_is(open_page: Open, tmp_path: Path) -> None:
    """At the pointer stand the texts of the node, as text; below, the zone of the times, with nothing cut off."""
    visualizer = MetricsVisualizer(timezone="Europe/Berlin")
    for second in range(60):
        metrics = {"cpu_usage": 40.0 + second % 7, "host": f"{EVIL} %{{y}}", "version": "1.2" if second < 30 else "2.0"}
        visualizer.add_metrics("node-1", metrics | {"partitions": ["p1", "p2"], "status": "active"}, START + second)
    for plot in ("plot_node_metrics", "plot_cluster_overview", "plot_heatmap"):
        getattr(visualizer, plot)(tmp_path / f"{plot}.html")
        page = open_page(tmp_path / f"{plot}.html")
        assert page.text_content(".xtitle") == "Europe/Berlin (CET, UTC+01:00)"
        boxes = [box for layer in page.locator(".nsewdrag").all() if (box := layer.bounding_box())]
        lowest = max(boxes, key=lambda box: box["y"])
        page.mouse.move(lowest["x"] + lowest["width"] * 0.7, lowest["y"] + lowest["height"] / 2)
        label = page.locator(".hoverlayer")
        expect(label).to_contain_text("version 1.2 → 2.0")
        expect(label).to_contain_text("partitions p1, p2")
        expect(label).to_contain_text("<script>")
        assert not clipped_texts(page)
        assert page.evaluate("window.caught") is None
