"""What the plots of nodes show."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from mega_data_factory.errors import AnalysisError, OutputError, VisualizationError
from mega_data_factory.visualization import DARK, LIGHT, HistoryRetention, MetricsVisualizer
from tests.visualization.making import START, cluster, values


def trace(figure: go.Figure, **meta: object) -> go.Scatter:
    found = [one for one in figure.data if meta.items() <= (one.meta or {}).items() and "mark" not in one.meta]
    assert len(found) == 1
    return found[0]


def test_a_node_plot_draws_every_metric_on_one_axis_of_time() -> None:
    """Each metric is a line with its values; units share a row; all rows hang on the same axis."""
    visualizer = cluster(1)
    figure = visualizer.plot_node_metrics(None, "node-1")
    expected = values(np.arange(300), 0)
    for metric in ("cpu_usage", "memory_usage", "network_io", "iops", "partition_count"):
        line = trace(figure, metric=metric)
        np.testing.assert_allclose(line.y, expected[metric].astype(np.float32))
        assert line.x[0] == START * 1000
    assert trace(figure, metric="cpu_usage").yaxis == trace(figure, metric="disk_usage").yaxis
    assert trace(figure, metric="network_io").yaxis == trace(figure, metric="disk_io").yaxis
    assert {one.xaxis for one in figure.data} == {None}
    assert figure.layout.hovermode == "x unified"


def test_bad_states_are_shaded() -> None:
    """The time in which the node was degraded is shaded over all rows, and said below."""
    figure = cluster(1).plot_node_metrics(None, "node-1")
    shape = figure.layout.shapes[0]
    assert (shape.x0, shape.x1) == ((START + 101) * 1000, (START + 140) * 1000)
    assert "shaded: degraded" in figure.layout.annotations[-1].text


def test_several_nodes_have_a_row_for_each_metric() -> None:
    """Nodes are drawn over each other in one colour each."""
    figure = cluster(3).plot_node_metrics(None, metrics=["cpu_usage", "iops"])
    colours = {one.meta["node"]: one.line.color for one in figure.data if "mark" not in one.meta}
    assert len(set(colours.values())) == 3
    assert trace(figure, node="node-1", metric="cpu_usage").yaxis != trace(figure, node="node-1", metric="iops").yaxis


def test_what_was_thinned_is_said_and_no_peak_is_lost() -> None:
    """A long series is drawn with its true extremes at their times, and the plot says of how many points."""
    visualizer = MetricsVisualizer(HistoryRetention.everything())
    cpu = np.random.default_rng(5).uniform(20, 60, 200_000)
    cpu[123_456], cpu[77_777] = 99.5, 1.5
    visualizer.history.extend("a", (START + np.arange(200_000)) * 1_000_000, {"cpu_usage": cpu})
    figure = visualizer.plot_node_metrics(None, "a", anomalies=False)
    line = figure.data[0]
    assert len(line.x) <= 4_000
    assert line.y.max() == 99.5
    assert line.y.min() == 1.5
    assert line.x[line.y.argmax()] == (START + 123_456) * 1000
    assert "200,000 points drawn as" in figure.layout.annotations[-1].text


def test_gaps_are_not_drawn_across() -> None:
    """Where a node was silent for long, the line is interrupted."""
    visualizer = MetricsVisualizer()
    for second in [*range(20), *range(100, 120)]:
        visualizer.add_metrics("a", {"cpu_usage": 5.0}, START + second)
    line = visualizer.plot_node_metrics(None, "a").data[0]
    silent = line.x[np.isnan(line.y)]
    assert len(silent) == 1
    assert (START + 19) * 1000 < silent[0] < (START + 100) * 1000


def test_anomalies_are_ringed_with_their_reason() -> None:
    """A spike in an ordinary metric has a ring at its place that tells why; without `anomalies` there is none."""
    visualizer = MetricsVisualizer()
    for second in range(600):
        visualizer.add_metrics("a", {"cpu_usage": 98.0 if second == 500 else 40.0 + second % 7}, START + second)
    rings = [one for one in visualizer.plot_node_metrics(None, "a").data if one.meta.get("mark")]
    assert (START + 500) * 1000 in rings[0].x
    assert "98 %" in rings[0].text[list(rings[0].x).index((START + 500) * 1000)]
    assert not [one for one in visualizer.plot_node_metrics(None, "a", anomalies=False).data if one.meta.get("mark")]


def test_the_overview_averages_nodes_whose_clocks_differ() -> None:
    """Two nodes that report half a second apart have a mean at every moment, and the band spans both."""
    visualizer = MetricsVisualizer()
    for second in range(60):
        visualizer.add_metrics("a", {"cpu_usage": 20.0, "status": "active"}, START + second)
        visualizer.add_metrics("b", {"cpu_usage": 60.0, "status": "unhealthy"}, START + second + 0.5)
    figure = visualizer.plot_cluster_overview()
    mean = next(one for one in figure.data if one.name == "CPU")
    assert np.nanmedian(mean.y) == 40.0
    assert np.nanmedian(mean.customdata, axis=0).tolist() == [20.0, 60.0]
    strips = {one.name: one.z for one in figure.data if one.type == "heatmap"}
    assert np.nanmax(strips["a"]) == 0
    assert np.nanmin(strips["b"]) == 2


def test_the_heat_map_has_every_node_and_metric() -> None:
    """Both maps have a strip for each node; percent are coloured as they are, other metrics by their greatest."""
    visualizer = cluster(3)
    figure = visualizer.plot_heatmap()
    by_metric = [one for one in figure.data if one.yaxis == "y2"]
    assert [one.name for one in by_metric] == ["node-1", "node-2", "node-3"]
    assert list(by_metric[0].x) == ["CPU", "memory", "disk", "network", "disk I/O", "IOPS", "partitions"]
    cpu = values(np.arange(300), 0)["cpu_usage"].mean()
    assert by_metric[0].z[0][0] == pytest.approx(cpu, abs=1)
    assert max(one.z[0][3] for one in by_metric) == 100
    assert len([one for one in figure.data if one.yaxis is None]) == 3


def test_nodes_are_in_natural_order() -> None:
    """`node-10` comes after `node-9`."""
    figure = cluster(11, 20).plot_heatmap()
    assert [one.name for one in figure.data][-2:] == ["node-10", "node-11"]


def test_correlations_are_drawn_as_a_square() -> None:
    """What moves together is near 1: network traffic and CPU of this cluster are one wave."""
    figure = cluster(1).plot_correlations(None, "node-1")
    square = figure.data[0]
    at = list(square.x).index
    assert square.z[at("CPU")][at("network")] > 0.9
    assert square.z[at("CPU")][at("CPU")] == pytest.approx(1)


def test_an_incident_is_drawn_strongest_first() -> None:
    """The metric that changed is the top row, its node named, the window shaded."""
    visualizer = MetricsVisualizer()
    noise = np.random.default_rng(3).normal(0, 1, (2, 600))
    for second in range(600):
        metrics = {"cpu_usage": 50 + noise[0, second], "iops": 300 + noise[1, second] + 200 * (second >= 560)}
        visualizer.add_metrics("a", metrics, START + second)
    window = (START + 560, START + 599)
    figure = visualizer.plot_incident(None, window)
    assert figure.data[0].meta["metric"] == "iops"
    assert figure.layout.annotations[0].text.startswith("<b>IOPS on a")
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].x1) == (window[0] * 1000, window[1] * 1000)
    assert visualizer.changed(window)["metric"].tolist() == ["iops", "cpu_usage"]


def test_lags_are_found() -> None:
    """A series that follows another by five seconds is found with that lag and its sign."""
    visualizer = MetricsVisualizer()
    signal = np.random.default_rng(4).normal(0, 1, 500)
    for second in range(5, 500):
        metrics = {"network_io": signal[second], "disk_io": -signal[second - 5]}
        visualizer.add_metrics("a", metrics, START + second)
    found = visualizer.correlations("network_io", "a", max_lag="20s").iloc[0]
    assert (found["metric"], found["lag"], found["significant"]) == ("disk_io", 5.0, True)
    assert found["correlation"] < -0.9


def test_what_has_few_points_is_significant_only_where_it_is_strong() -> None:
    """A metric that was measured a few times among many proves nothing by a strength that a long one would."""
    noise = np.random.default_rng(11).normal(size=(41, 1_000))
    noise[1:, 30:] = np.nan
    visualizer = MetricsVisualizer(HistoryRetention.everything())
    columns = {f"metric_{at}": row for at, row in enumerate(noise)}
    visualizer.history.extend("a", (START + np.arange(1_000)) * 1_000_000, columns)
    found = visualizer.correlations("metric_0")
    assert found["correlation"].abs().max() > 0.25
    assert not found["significant"].any()


def test_the_anomaly_rate_of_a_node_is_the_share_of_its_metrics() -> None:
    """When half of the metrics of a node jump its rate is half for the length of the window, elsewhere 0."""
    noise = np.random.default_rng(3).uniform(40, 60, size=(4, 1_000))
    noise[:2, 700] = 900
    visualizer = MetricsVisualizer(HistoryRetention.everything())
    times = (START + np.arange(1_000)) * 1_000_000
    visualizer.history.extend("a", times, {f"metric_{at}": row for at, row in enumerate(noise)})
    visualizer.history.extend("b", times, {"metric_2": noise[2], "status": np.zeros(1_000)})
    found = visualizer.anomaly_rate(window="30s", sensitivity=0.1)
    assert list(found.columns) == ["node_id", "timestamp", "rate"]
    rate = found[found["node_id"] == "a"]["rate"].to_numpy()
    assert set(rate[700:730]) == {0.5}
    assert not rate[:700].any()
    assert not rate[730:].any()
    assert not found[found["node_id"] == "b"]["rate"].any()
    with pytest.raises(AnalysisError, match="window"):
        visualizer.anomaly_rate(window=0)


def test_a_node_of_which_only_a_status_is_known() -> None:
    """Its status is drawn in the overview; what cannot be drawn says so."""
    visualizer = MetricsVisualizer()
    visualizer.add_metrics("a", {"status": "active"}, START)
    assert visualizer.plot_cluster_overview().data
    for plot in (visualizer.plot_node_metrics, visualizer.plot_heatmap, visualizer.anomaly_rate):
        with pytest.raises(VisualizationError, match="status"):
            plot()


def test_enormous_numbers_are_no_reason_for_a_warning() -> None:
    """Whatever float64 holds is drawn, or left out, in silence."""
    visualizer = MetricsVisualizer()
    for second in range(60):
        point = {"cpu_usage": second % 7, "huge": 1e308 * (-1) ** second, "tiny": 5e-324, "infinite": np.inf}
        visualizer.add_metrics("a", point, START + second)
    visualizer.plot_node_metrics()
    visualizer.plot_heatmap()
    visualizer.plot_correlations()
    visualizer.plot_incident(window="10s")
    visualizer.correlations("huge")


def test_the_overview_of_many_nodes_stays_small(tmp_path: Path) -> None:
    """200 nodes fit into 6 MB, and the strips of their states have no gaps that hide them."""
    visualizer = cluster(200, points=700)
    figure = visualizer.plot_cluster_overview(tmp_path / "cluster.html")
    assert (tmp_path / "cluster.html").stat().st_size <= 6_000_000
    strips = [one for one in figure.data if one.type == "heatmap"]
    assert len(strips) == 200
    assert {one.ygap for one in strips} == {0}
    lines = [one for one in figure.data if one.type == "scatter" and (one.meta or {}).get("node") == "node-7"]
    assert {one.x0 + one.dx * (len(one.y) - 1) for one in lines} == {
        strips[0].x0 + strips[0].dx * (len(lines[0].y) - 1)
    }


def test_detecting_anomalies_gives_a_frame() -> None:
    """Strange points come with node, metric, time, value, score and reason, in order of time."""
    visualizer = MetricsVisualizer()
    for second in range(600):
        visualizer.add_metrics("a", {"cpu_usage": 98.0 if second == 500 else 40.0 + second % 7}, START + second)
    found = visualizer.detect_anomalies()
    assert found.columns.tolist() == ["node_id", "metric", "timestamp", "value", "score", "reason"]
    assert 98.0 in found["value"].tolist()
    assert visualizer.detect_anomalies(time_range="30s").empty


@pytest.mark.parametrize("theme", ["light", "dark", LIGHT.larger(1.5)])
@pytest.mark.parametrize("points", [1, 2, 10])
@pytest.mark.parametrize("nodes", [1, 3])
def test_every_plot_of_few_points_is_drawn(theme: object, points: int, nodes: int) -> None:
    """One point is enough for every plot of levels; it is drawn as a marker."""
    visualizer = cluster(nodes, points, theme=theme)
    assert visualizer.plot_node_metrics().data
    assert visualizer.plot_cluster_overview().data
    assert visualizer.plot_heatmap().data
    if points == 1:
        assert "markers" in visualizer.plot_node_metrics(None, "node-1").data[0].mode


def test_a_theme_of_ones_own() -> None:
    """Colours, fonts and sizes of a theme are those of the figure, for all plots or for one."""
    visualizer = cluster(1, theme=DARK)
    assert visualizer.plot_heatmap().layout.template.layout.paper_bgcolor == DARK.background
    figure = visualizer.plot_heatmap(theme=LIGHT.larger(2))
    assert figure.layout.template.layout.font.size == 24


def test_json_is_what_plotly_reads(tmp_path: Path) -> None:
    """A figure that is written as JSON is the figure that was returned."""
    figure = cluster().plot_cluster_overview(tmp_path / "overview.json")
    assert json.loads((tmp_path / "overview.json").read_text()) == json.loads(figure.to_json())


@pytest.mark.parametrize("path", ["plot.htm", "plot", "plot.tiff", ".html.gz"])
def test_an_unknown_suffix_is_refused(path: str, tmp_path: Path) -> None:
    """The suffix decides what is written; one that is unknown is an error before any work, and no file."""
    with pytest.raises(VisualizationError, match="does not say what to write"):
        cluster().plot_heatmap(tmp_path / path)
    assert not list(tmp_path.iterdir())


def test_a_path_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    """A file where a folder should be: one error that names the path; missing folders are made."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        cluster(1, 5).plot_heatmap(tmp_path / "file" / "plot.json")
    cluster(1, 5).plot_heatmap(tmp_path / "new" / "folder" / "plot.json")
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["plot.json"]


def test_an_image_without_chromium_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No browser in PATH, or BROWSER_PATH that leads nowhere: the error names the package and the variable."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    with pytest.raises(VisualizationError, match="apt-get install chromium"):
        cluster(1, 5).plot_heatmap(tmp_path / "plot.png")
    monkeypatch.setenv("BROWSER_PATH", "/nowhere/chromium")
    with pytest.raises(VisualizationError, match="BROWSER_PATH is /nowhere/chromium"):
        cluster(1, 5).plot_heatmap(tmp_path / "plot.svg")
    assert not list(tmp_path.iterdir())
