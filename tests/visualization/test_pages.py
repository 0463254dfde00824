"""The HTML of plots: alone, small, and never script from a name."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mega_data_factory.visualization import HistoryRetention, MetricsVisualizer
from tests.visualization.making import START, cluster

EVIL = "</script><img src=x onerror=alert(1)><b>bold</b>%{x}&amp;"


def page(path: Path) -> dict[str, Any]:
    """What the page's script is given."""
    found = re.search(r'<script type="application/json" id="page">(.*?)</script>', path.read_text(), flags=re.DOTALL)
    assert found is not None
    given: dict[str, Any] = json.loads(found[1])
    return given


def points(entry: dict[str, Any], clocks: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    clock = clocks[entry["clock"]]
    steps = np.frombuffer(base64.b64decode(clock["steps"]), np.uint32)
    return clock["start"] + steps * clock["unit"], np.frombuffer(base64.b64decode(entry["y"]), np.float32)


def test_a_page_needs_nothing_else(tmp_path: Path) -> None:
    """No address to fetch from; the policy allows the page's own two scripts by digest, and no connection."""
    cluster(1).plot_node_metrics(tmp_path / "node.html", "node-1")
    text = (tmp_path / "node.html").read_text()
    assert not re.findall(r"<(?:link|img|iframe|script)[^>]+(?:src|href)=", text.split("<script>")[0])
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "unsafe-eval" not in policy[1]
    assert "script-src 'unsafe-inline'" not in policy[1]
    scripts = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert len(scripts) == 2
    assert all(f"'sha256-{digest}'" in policy[1] for digest in digests)


def test_a_page_holds_every_point_while_they_fit(tmp_path: Path) -> None:
    """A short history is in the page whole: every time and every value of every metric, times once for all of them."""
    visualizer = cluster(1, 5_000)
    visualizer.plot_node_metrics(tmp_path / "node.html", "node-1")
    content = page(tmp_path / "node.html")
    assert len(content["clocks"]) == 1
    x, y = points(content["curves"][0], content["clocks"])
    np.testing.assert_allclose(x, (START + np.arange(5_000)) * 1e3)
    np.testing.assert_array_equal(y, visualizer.to_frame()["cpu_usage"].to_numpy(np.float32))


def test_a_long_history_keeps_to_the_size_and_to_its_extremes(tmp_path: Path) -> None:
    """However many points: the page has its bound, the true least and greatest value, at their times."""
    visualizer = MetricsVisualizer(HistoryRetention.everything())
    generator = np.random.default_rng(6)
    columns = {name: generator.normal(50, 5, 300_000) for name in ("cpu_usage", "memory_usage", "disk_io")}
    columns["cpu_usage"][200_001] = 99.0
    visualizer.history.extend("a", (START + np.arange(300_000)) * 1_000_000, columns)
    for size in (5_300_000, 6_000_000):
        visualizer.plot_node_metrics(tmp_path / "node.html", "a", max_bytes=size, anomalies=False)
        assert (tmp_path / "node.html").stat().st_size <= size
        content = page(tmp_path / "node.html")
        x, y = points(content["curves"][0], content["clocks"])
        assert content["curves"][0]["points"] == 300_000
        assert y.max() == 99.0
        assert abs(x[y.argmax()] - (START + 200_001) * 1e3) < 1
        assert y.min() == columns["cpu_usage"].min().astype(np.float32)


@pytest.mark.parametrize("plot", ["plot_node_metrics", "plot_cluster_overview", "plot_heatmap", "plot_correlations"])
def test_names_are_text(plot: str, tmp_path: Path) -> None:
    """A node id and a metric that look like markup are escaped wherever they stand, in the page and in the figure."""
    visualizer = MetricsVisualizer()
    for second in range(40):
        metrics: dict[str, float | str | None] = {"cpu_usage": second % 7, "status": "active", EVIL: second % 5}
        visualizer.add_metrics(EVIL, metrics, START + second)
    figure = getattr(visualizer, plot)(tmp_path / "plot.html")
    text = (tmp_path / "plot.html").read_text()
    assert "<img" not in text.replace(re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)[0], "")
    shown = [note.text.replace("<b>", "").replace("</b>", "") for note in figure.layout.annotations]
    shown += [one.name for one in figure.data if one.name] + [figure.layout.title.text]
    assert not [label for label in shown if "<" in label]
    if plot == "plot_node_metrics":
        heading = re.search("<h1>(.*?)</h1>", text)
        assert heading is not None
        assert html.unescape(heading[1]) == EVIL


def test_nodes_and_metrics_can_be_chosen(tmp_path: Path) -> None:
    """The page knows the names to choose from, and how metrics are called."""
    cluster(3, 20).plot_node_metrics(tmp_path / "nodes.html", metrics=["cpu_usage", "iops"])
    content = page(tmp_path / "nodes.html")
    assert content["nodes"] == ["node-1", "node-2", "node-3"]
    assert content["metrics"] == ["cpu_usage", "iops"]
    assert content["titles"] == ["CPU", "IOPS"]
