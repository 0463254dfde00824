"""Scripts as a user of the original visualizer wrote them: they run unchanged, and give what they gave."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import warnings
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from mega_data_factory.errors import VisualizationError
from mega_data_factory.visualization import HistoryRetention, MetricsVisualizer

START = datetime(2026, 1, 24, 12)


def point(node: int, second: int, **more: Any) -> dict[str, Any]:
    """What a node reported in those scripts, in their order."""
    return {
        "cpu_usage": 40.0 + second + 10 * node,
        "memory_usage": 60.5,
        "disk_usage": 30.25,
        "network_io": 1000 * (node + 1),
        "iops": 250,
        "partition_count": 2 + node,
        "status": "active",
        "partitions": [f"p{number}" for number in range(2 + node)],
        **more,
    }


def reported(seconds: int = 4) -> MetricsVisualizer:
    """Two nodes, whose points have the same times."""
    visualizer = MetricsVisualizer()
    for second in range(seconds):
        for node in range(2):
            visualizer.add_metrics(f"node{node + 1}", point(node, second), START + timedelta(seconds=second))
    return visualizer


def test_an_empty_visualizer() -> None:
    """Every attribute is there and empty, and so is the summary."""
    visualizer = MetricsVisualizer()
    visualizer._update_dataframes()
    assert visualizer.metrics_history == {}
    assert visualizer.node_metrics == {}
    assert isinstance(visualizer.cluster_metrics, pd.DataFrame)
    assert visualizer.cluster_metrics.empty
    assert visualizer.get_metrics_summary() == {}


def test_the_history_is_a_list_of_points() -> None:
    """Every point is a dict of what was reported, whole numbers whole, with the time as it was given."""
    history = reported().metrics_history
    assert list(history) == ["node1", "node2"]
    assert history["node2"][3] == point(1, 3) | {"timestamp": START + timedelta(seconds=3)}
    assert list(history["node2"][3]) == [*point(1, 3), "timestamp"]
    assert isinstance(history["node2"][3]["iops"], int)
    assert isinstance(history["node2"][3]["memory_usage"], float)


def test_frames_of_nodes_and_of_the_cluster() -> None:
    """`node_metrics` and `cluster_metrics` have the index, the columns and the values of the original."""
    visualizer = reported()
    visualizer._update_dataframes()
    frame = visualizer.node_metrics["node1"]
    assert frame.index.name == "timestamp"
    assert frame.columns.tolist() == list(point(0, 0))
    assert frame["cpu_usage"].mean() == 41.5
    assert frame["partition_count"].dtype == "int64"
    assert frame["partitions"].tolist()[0] == ["p0", "p1"]
    cluster = visualizer.cluster_metrics
    assert cluster.index.tolist() == [START + timedelta(seconds=second) for second in range(4)]
    assert cluster.iloc[-1].to_dict() == {
        "avg_cpu_usage": 48.0,
        "avg_memory_usage": 60.5,
        "avg_disk_usage": 30.25,
        "total_network_io": 3000,
        "active_nodes": 2,
        "degraded_nodes": 0,
        "unhealthy_nodes": 0,
        "partitions_per_node": [2, 3],
    }


def test_the_nine_keys_of_the_summary() -> None:
    """They are those of the last moment, beside ours: a node that did not report then is not counted."""
    visualizer = reported()
    visualizer.add_metrics("node1", point(0, 4, status="degraded"), START + timedelta(seconds=4))
    summary = visualizer.get_metrics_summary()
    assert {key: summary[key] for key in summary if key.startswith(("avg_", "total_")) or key.endswith("_nodes")} == {
        "avg_cpu_usage": 44.0,
        "avg_memory_usage": 60.5,
        "avg_disk_usage": 30.25,
        "total_network_io": 1000.0,
        "active_nodes": 0,
        "degraded_nodes": 1,
        "unhealthy_nodes": 0,
        "total_nodes": 1,
        "avg_partitions_per_node": 2.0,
    }
    assert summary["metrics"]["cpu_usage"]["max"] == 53.0
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_nodes_whose_clocks_tick_apart_are_one_cluster() -> None:
    """A node counts until its next point is due: the average is of both, and not of the one that ticked last."""
    visualizer = MetricsVisualizer()
    for second in range(0, 100, 10):
        for node, cpu in ((0, 20.0), (1, 40.0)):
            visualizer.add_metrics(f"n{node}", {"cpu_usage": cpu}, START + timedelta(seconds=second + 4 * node))
    assert visualizer.cluster_metrics["avg_cpu_usage"].tolist()[1:] == [30.0] * 19
    assert visualizer.get_metrics_summary()["avg_cpu_usage"] == 30.0
    assert visualizer.get_metrics_summary()["total_network_io"] is None


def test_the_first_round_of_points_is_of_one_cluster() -> None:
    """Points without a timestamp are microseconds apart; a node that then stays silent is seen no longer."""
    visualizer = MetricsVisualizer()
    for index, status in enumerate(("active", "degraded", "unhealthy", "active")):
        point = {"cpu_usage": 10.0 * index, "network_io": 1, "status": status, "partitions": ["p"] * index}
        visualizer.add_metrics(f"n{index}", point, START + timedelta(microseconds=index))
    summary = visualizer.get_metrics_summary()
    assert (summary["total_nodes"], summary["active_nodes"], summary["degraded_nodes"]) == (4, 2, 1)
    assert (summary["avg_cpu_usage"], summary["total_network_io"]) == (15.0, 4.0)
    assert visualizer.cluster_metrics["partitions_per_node"].tolist()[-1] == [0, 1, 2, 3]
    for second in (10, 20):
        for node in ("n0", "n1"):
            visualizer.add_metrics(node, {"cpu_usage": 50.0}, START + timedelta(seconds=second))
    assert visualizer.get_metrics_summary()["total_nodes"] == 2


def test_a_summary_of_nodes_that_send_text_alone() -> None:
    """What describes a node is a point of it, though nothing was measured."""
    visualizer = MetricsVisualizer()
    visualizer.add_metrics("a", {"host": "h1"}, START)
    summary = visualizer.get_metrics_summary()
    assert (summary["total_nodes"], summary["points"], summary["avg_cpu_usage"]) == (1, 1, None)
    assert summary["by_node"]["a"] == {"points": 1, "last_seen": summary["end"], "metrics": {}}


def test_a_path_without_a_suffix(tmp_path: Path) -> None:
    """`metrics` is a CSV file, `heat` is a page, under these names; a number is not a suffix."""
    visualizer = reported()
    visualizer.export_metrics(str(tmp_path / "metrics"))
    visualizer.plot_heatmap(str(tmp_path / "heat"))
    visualizer.plot_node_metrics(str(tmp_path / "node-10.0.0.7"), "node1", time_range=timedelta(hours=1))
    visualizer.plot_cluster_overview(str(tmp_path / "cluster.html"), time_range=timedelta(hours=1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cluster.html", "heat", "metrics", "node-10.0.0.7"]
    for page in ("heat", "node-10.0.0.7"):
        assert (tmp_path / page).read_text().startswith("<!DOCTYPE html>")
    frame = pd.read_csv(tmp_path / "metrics", parse_dates=["timestamp"])
    assert frame["timestamp"].max() == START + timedelta(seconds=3)


def test_the_csv_has_the_columns_as_they_were_given_and_whole_numbers(tmp_path: Path) -> None:
    """`node_id`, `timestamp`, then the metrics in their order; `3` is not `3.0`, also beside a missing value."""
    visualizer = reported(2)
    visualizer.add_metrics("node1", {"cpu_usage": 1.5, "iops": None, "queue_length": 7}, START + timedelta(seconds=9))
    visualizer.export_metrics(tmp_path / "m.csv")
    with (tmp_path / "m.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["node_id", "timestamp", *point(0, 0), "queue_length"]
    assert rows[1][2:] == ["40.0", "60.5", "30.25", "1000", "250", "2", "active", "['p0', 'p1']", ""]
    assert rows[3][1:7] == ["2026-01-24 12:00:09", "1.5", "", "", "", ""]
    assert rows[3][-1] == "7"


def test_whole_numbers_stay_whole_in_every_format(tmp_path: Path) -> None:
    """JSON and Parquet have integers for metrics that were given as such, from dicts and from frames."""
    visualizer = reported(3)
    again = MetricsVisualizer()
    again.add_frame(visualizer.to_frame())
    assert again.to_frame().columns.tolist() == visualizer.to_frame().columns.tolist()
    for one in (visualizer, again):
        one.export_metrics(tmp_path / "m.json")
        one.export_metrics(tmp_path / "m.parquet")
        row = json.loads((tmp_path / "m.json").read_text())[0]
        assert [type(row[key]) for key in ("cpu_usage", "iops", "partition_count")] == [float, int, int]
        assert row["partitions"] == ["p0", "p1"]
        types = {field.name: str(field.type) for field in pq.read_schema(tmp_path / "m.parquet")}
        assert (types["iops"], types["partition_count"], types["cpu_usage"]) == ("int64", "int64", "double")
    visualizer.add_metrics("node1", {"iops": 2.5}, START + timedelta(seconds=9))
    assert visualizer.to_frame()["iops"].dtype == "float64"
    large = MetricsVisualizer()
    large.add_metrics("node1", {"sent": 2**60, "load": 2.0**70}, START)
    large.export_metrics(tmp_path / "m.csv")
    assert (tmp_path / "m.csv").read_text().splitlines()[1].split(",")[2:] == [str(2**60), "1.1805916207174113e+21"]


def test_texts_are_attributes_of_the_node(tmp_path: Path) -> None:
    """`host` and `version` come back as they were at each point, are saved, and are shown at the pointer."""
    visualizer = MetricsVisualizer(directory=tmp_path / "live")
    for second in range(6):
        version = "1.0" if second < 3 else "2.0"
        metrics = {
            "host": "h<7>",
            "cpu_usage": second / 2,
            "version": version,
            "labels": {"zone": "a"},
            "temperature": None,
        }
        visualizer.add_metrics("n", metrics, START + timedelta(seconds=second))
    killed = MetricsVisualizer.load(tmp_path / "live")
    visualizer.save(tmp_path / "saved")
    for one in (visualizer, killed, MetricsVisualizer.load(tmp_path / "saved")):
        assert [row["version"] for row in one.metrics_history["n"]] == ["1.0"] * 3 + ["2.0"] * 3
        assert one.to_frame().columns.tolist() == ["node_id", "timestamp", "host", "cpu_usage", "version", "labels"]
        assert one.to_frame()["labels"].tolist()[0] == '{"zone": "a"}'
    visualizer.close()
    for figure in (visualizer.plot_node_metrics(None, "n"), visualizer.plot_heatmap()):
        trace = figure.data[0]
        assert "%{fullData.meta.attributes}" in trace.hovertemplate
        assert trace.meta["attributes"].split("<br>")[:2] == ["host h&lt;7&gt;", "version 1.0 → 2.0"]


def test_an_attribute_that_changes_at_every_point_is_bounded() -> None:
    """Of texts that never repeat the latest are kept; a point that comes late says what was true at its time alone."""
    visualizer = MetricsVisualizer(HistoryRetention.everything())
    for second in range(3_000):
        visualizer.add_metrics("n", {"cpu_usage": 1.0, "request": f"{second:0200d}"}, START + timedelta(seconds=second))
    changes = visualizer.history.attributes("n").changes["request"]
    assert 500 < len(changes.times) < 1_500
    assert changes.values[-1] == f"{2_999:0200d}"
    visualizer.add_metrics("n", {"request": "late"}, START + timedelta(seconds=2_990.5))
    requests = [row["request"] for row in visualizer.metrics_history["n"]]
    assert requests[-11:] == [f"{2_990:0200d}", "late", *(f"{second:0200d}" for second in range(2_991, 3_000))]


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("draining", "degraded"),
        ("NotReady", "unhealthy"),
        ("Ready,SchedulingDisabled", "degraded"),
        ("IDLE*", "unhealthy"),
        ("IDLE+DRAIN", "degraded"),
        ("UN", "active"),
        ("In Service", "active"),
        ("DECOMMISSIONING", "degraded"),
        ("frobnicated", None),
    ],
)
def test_status_words_of_cluster_managers(word: str, state: str | None) -> None:
    """A word counts as one of our states, or as none, with one warning; it comes back as it was given."""
    visualizer = MetricsVisualizer()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for second, status in enumerate(["active", word, word, "active", "degraded"]):
            visualizer.add_metrics("n", {"cpu_usage": 1.0, "status": status}, START + timedelta(seconds=second))
    assert [str(one.message).startswith(f"the status `{word}` of n") for one in caught] == [True]
    assert caught[0].filename == __file__
    assert [row["status"] for row in visualizer.metrics_history["n"]] == ["active", word, word, "active", "degraded"]
    counts = visualizer.cluster_metrics.iloc[1][["active_nodes", "degraded_nodes", "unhealthy_nodes"]].tolist()
    assert counts == [int(state == known) for known in ("active", "degraded", "unhealthy")]
    text = visualizer.plot_cluster_overview().data[-1].text[0]
    assert word in text[1] or state == word


def test_texts_of_a_frame() -> None:
    """Columns of texts change each at its time, in whatever order the rows are, also before what is known already."""
    rows = [
        {
            "timestamp": START + timedelta(seconds=second),
            "node_id": "n",
            "cpu_usage": 1.5,
            "host": host,
            "version": version,
        }
        for second, host, version in ((0, "a", "1"), (1, "a", "1"), (2, "a", "2"), (3, "a", "2"), (4, "b", "2"))
    ]
    for parts in ([rows], [rows[::-1]], [rows[3:], rows[:3]], [[row] for row in rows[::-1]]):
        visualizer = MetricsVisualizer()
        for part in parts:
            visualizer.add_frame(pd.DataFrame(part))
        assert visualizer.to_frame()[["host", "version"]].to_dict("records") == [
            {"host": row["host"], "version": row["version"]} for row in rows
        ]


def test_a_status_of_a_frame(tmp_path: Path) -> None:
    """Foreign words in a frame are translated and kept as well, with one warning."""
    frame = pd.DataFrame({"timestamp": [START, START + timedelta(1)], "node_id": "n", "status": ["active", "dead"]})
    visualizer = MetricsVisualizer()
    with pytest.warns(UserWarning, match="`dead` of n counts as unhealthy"):
        visualizer.add_frame(frame)
    assert visualizer.to_frame()["status"].tolist() == ["active", "dead"]


def test_what_is_an_error_here() -> None:
    """An unknown node, an empty history and a text in place of a number raise; the point is not added."""
    with pytest.raises(VisualizationError, match="no metrics yet"):
        MetricsVisualizer().plot_cluster_overview("cluster.html")
    visualizer = reported()
    with pytest.raises(VisualizationError, match="did you mean `node1`"):
        visualizer.plot_node_metrics("out.html", "node_1")
    visualizer.add_metrics("node1", {"temperature": 50.0})
    for metrics in ({"cpu_usage": "high"}, {"temperature": "hot"}, {"host": object()}, {"host": b"h"}):
        count = len(visualizer)
        with pytest.raises(VisualizationError, match="no number"):
            visualizer.add_metrics("node1", metrics)
        assert len(visualizer) == count


def test_a_time_range_counts_from_the_last_point() -> None:
    """The last two seconds of a recording that ended long ago are drawn."""
    figure = reported().plot_node_metrics(None, "node1", timedelta(seconds=2))
    assert len(figure.data[0].x) == 3


def test_pandas_is_loaded_when_a_frame_is_asked_for() -> None:
    """Adding, the list of points, the summary and plots do without it."""
    script = """
import sys
from datetime import datetime
from mega_data_factory.visualization import HistoryRetention, MetricsVisualizer
visualizer = MetricsVisualizer(HistoryRetention(chunk_points=20))
for minute in range(50):
    visualizer.add_metrics("n", {"cpu_usage": 1.5, "host": "h"}, datetime(2026, 1, 1, 12, minute))
visualizer.metrics_history, visualizer.get_metrics_summary(), visualizer.plot_node_metrics(None, "n")
assert "pandas" not in sys.modules
visualizer.node_metrics
assert "pandas" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
