"""What the plots of nodes show."""

from __future__ import annotations

import cProfile
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
    """Both maps have a strip for each node; percent are coloured as they are, others by twice their median."""
    visualizer = cluster(3)
    figure = visualizer.plot_heatmap()
    by_metric = [one for one in figure.data if one.yaxis == "y2"]
    assert [one.name for one in by_metric] == ["node-1", "node-2", "node-3"]
    assert list(by_metric[0].x) == ["CPU", "memory", "disk", "network", "disk I/O", "IOPS", "partitions"]
    cpu = values(np.arange(300), 0)["cpu_usage"].mean()
    assert by_metric[0].z[0][0] == pytest.approx(cpu, abs=1)
    assert [one.z[0][3] for one in by_metric] == pytest.approx([50] * 3, abs=4)  # alike, so of one middle tone
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
    """Anomalous points come with node, metric, time, value, score and reason, in order of time."""
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


@pytest.mark.parametrize("path", ["plot.htm", "plot.tiff", ".html.gz"])
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


def test_the_band_reaches_from_the_least_to_the_greatest_value() -> None:
    """A spike of a second is in the band and at the pointer, though a cell holds the mean of many points."""
    visualizer = MetricsVisualizer(HistoryRetention.everything())
    for node in ("a", "b"):
        cpu = np.full(20_000, 30.0)
        if node == "a":
            cpu[7_777], cpu[12_345] = 99.0, 2.0
        visualizer.history.extend(node, (START + np.arange(20_000)) * 1_000_000, {"cpu_usage": cpu})
    figure = visualizer.plot_cluster_overview()
    band, mean = (one for one in figure.data if one.type == "scatter")
    assert (np.nanmin(band.y), np.nanmax(band.y)) == (2.0, 99.0)
    assert np.nanmax(mean.y) < 40
    assert (np.nanmin(mean.customdata), np.nanmax(mean.customdata)) == (2.0, 99.0)


def test_a_band_is_not_drawn_across_missing_data() -> None:
    """While all nodes are silent there is no band: it ends, and begins again."""
    visualizer = MetricsVisualizer()
    for node in ("a", "b"):
        for second in [*range(100), *range(200, 300)]:
            visualizer.add_metrics(node, {"cpu_usage": 30.0 + (node == "a")}, START + second)
    band = visualizer.plot_cluster_overview().data[0]
    assert np.isnan(band.y).sum() == 1
    inside = (band.x > (START + 110) * 1000) & (band.x < (START + 199) * 1000)
    assert not inside.any()


def test_a_slow_node_beside_a_fast_one_has_no_gaps() -> None:
    """Where one node reports each second and one each minute, both have a value at every moment."""
    visualizer = MetricsVisualizer()
    for second in range(1_200):
        visualizer.add_metrics("fast-1", {"partition_count": 1.0}, START + second)
        visualizer.add_metrics("fast-2", {"partition_count": 2.0}, START + second)
        if second % 60 == 0:
            visualizer.add_metrics("slow", {"partition_count": 3.0}, START + second)
    figure = visualizer.plot_cluster_overview()
    assert np.isfinite(trace(figure, node="slow").y).all()


@pytest.mark.parametrize("step", [30.0, 29.998, 10.0])
def test_lags_are_multiples_of_the_sampling_step(step: float) -> None:
    """However long the history, a lag is a whole number of samples, also where the clock jitters."""
    chance = np.random.default_rng(8)
    signal = chance.normal(0, 1, 4_000).cumsum()
    visualizer = MetricsVisualizer(HistoryRetention.everything())
    times = START + step * np.arange(3_990) + chance.uniform(0, 0.01, 3_990)
    columns = {"network_io": signal[10:], "disk_io": signal[:-10]}
    visualizer.history.extend("a", (times * 1e6).astype(np.int64), columns)
    found = visualizer.correlations("network_io", "a", max_lag="20m").iloc[0]
    assert found["lag"] % round(step) == 0
    assert found["lag"] == pytest.approx(10 * step, abs=4 * step)  # of cells of four samples


def silent_cluster() -> MetricsVisualizer:
    """Five nodes with noise; of `node-3` nothing came in the last 100 seconds, of `node-5` no `iops`."""
    noise = np.random.default_rng(5).normal(0, 1, (5, 2, 1_000))
    visualizer = MetricsVisualizer()
    for second in range(1_000):
        for node in range(5):
            if node == 2 and second >= 900:
                continue
            point = {"cpu_usage": 50 + noise[node, 0, second], "iops": 300 + noise[node, 1, second]}
            if node == 4 and second >= 950:
                point["iops"] = float("nan")
            visualizer.add_metrics(f"node-{node + 1}", point, START + second)
    return visualizer


def test_a_node_that_fell_silent_is_the_strongest_change() -> None:
    """It comes first, once for the whole node; a metric that is missing comes next; both with how long."""
    visualizer = silent_cluster()
    window = (START + 880, START + 999)
    found = visualizer.changed(window)
    assert list(found.loc[0, ["node_id", "change"]]) == ["node-3", "node silent"]
    assert found.loc[0, "silence"] == pytest.approx(100, abs=1)
    assert list(found.loc[1, ["node_id", "metric", "change"]]) == ["node-5", "iops", "silent"]
    assert (found["node_id"] == "node-3").sum() == 1
    assert np.isfinite(found["score"]).all()
    assert found["score"].is_monotonic_decreasing
    titles = [note.text for note in visualizer.plot_incident(None, window).layout.annotations]
    assert "node-3 fell silent for 1 min 40 s" in titles[0]
    assert "IOPS on node-5: no value for 50 s" in titles[1]
    assert len(titles) == 3  # no row of a metric that did not change, and the note


def test_usual_pauses_are_no_silence() -> None:
    """A node that reports in bursts, with pauses like these all along, and one that is slow, did not fall silent."""
    visualizer = MetricsVisualizer()
    noise = np.random.default_rng(6).normal(0, 1, 2_000)
    for second in range(2_000):
        if second % 100 < 50:
            visualizer.add_metrics("bursts", {"cpu_usage": 50 + noise[second]}, START + second)
        if second % 60 == 0:
            visualizer.add_metrics("slow", {"cpu_usage": 50 + noise[second]}, START + second)
        visualizer.add_metrics("steady", {"cpu_usage": 50 + noise[second]}, START + second)
    found = visualizer.changed((START + 1_850, START + 1_999))
    assert not found["silence"].any()
    assert {"steady", "slow"} <= set(found["node_id"])


def test_an_incident_in_which_nothing_changed_says_so() -> None:
    """Noise alone: the plot says that nothing changed by more than chance."""
    noise = np.random.default_rng(9).normal(0, 1, 800)
    visualizer = MetricsVisualizer()
    for second in range(800):
        visualizer.add_metrics("a", {"cpu_usage": 50 + noise[second]}, START + second)
    figure = visualizer.plot_incident(None, (START + 700, START + 799))
    assert "nothing changed by more than chance" in figure.layout.annotations[-1].text


def test_a_node_of_many_metrics_is_drawn_in_part_and_says_so() -> None:
    """Of 2,000 metrics those that moved most are drawn, metrics known by name always; chosen ones are drawn all."""
    chance = np.random.default_rng(10)
    columns = {f"metric_{at}": chance.normal(10, 1, 100) for at in range(1_998)}
    columns["metric_1234"][50] = 500
    columns["metric_777"][40:] += 40
    columns["cpu_usage"] = np.full(100, 5.0)
    visualizer = MetricsVisualizer(HistoryRetention.everything())
    visualizer.history.extend("a", (START + np.arange(100)) * 1_000_000, columns)
    figure = visualizer.plot_node_metrics()
    drawn = {one.meta["metric"] for one in figure.data if "mark" not in one.meta}
    assert len(drawn) == 50
    assert {"cpu_usage", "metric_1234", "metric_777"} <= drawn
    assert "50 of 1,999 metrics, those that moved most" in figure.layout.annotations[-1].text
    chosen = [f"metric_{at}" for at in range(70)]
    assert len(visualizer.plot_node_metrics(metrics=chosen, anomalies=False).data) == 70
    assert len(visualizer.plot_correlations().data[0].x) == 50
    assert {len(one.x) for one in visualizer.plot_heatmap().data if one.x is not None} == {50}


def test_the_work_of_a_plot_grows_with_its_rows_not_with_their_square() -> None:
    """Twice as many rows call about twice as many functions of Plotly, which checks a whole list for each addition."""
    calls = []
    for metrics in (40, 80):
        visualizer = MetricsVisualizer()
        names = [f"m{at}" for at in range(metrics)]
        for second in range(10):
            visualizer.add_metrics("a", {name: float(second) for name in names}, START + second)
        profile = cProfile.Profile()
        profile.runcall(visualizer.plot_node_metrics, metrics=names, anomalies=False)
        calls.append(sum(entry.callcount for entry in profile.getstats()))
    assert calls[1] < 2.6 * calls[0]


def test_labels_at_the_pointer_are_whole() -> None:
    """The reason of an anomaly is not cut: it is broken into lines."""
    visualizer = MetricsVisualizer()
    for second in range(600):
        visualizer.add_metrics("a-node-with-a-name", {"cpu_usage": 98.0 if second == 500 else 40.0}, START + second)
    rings = next(one for one in visualizer.plot_node_metrics(None).data if one.meta.get("mark"))
    words = " ".join(rings.text).replace("<br>", " ")
    assert "anything seen in" in words
    assert "…" not in words


def test_nodes_are_called_by_host_or_by_the_beginning_of_their_id() -> None:
    """Ids of 56 digits are shortened as far as they differ; a host stands for its only node; readable ids stay."""
    ids = ["ab12" * 14, "ab12" * 3 + "ffff" * 11, "cd34" * 14, "node-7"]
    visualizer = MetricsVisualizer(hosts={"node-7": "10.0.0.7", "cd34" * 14: "worker-3.cluster"})
    for second in range(30):
        for node in ids:
            visualizer.add_metrics(node, {"cpu_usage": 5.0, "status": "active"}, START + second)
    strips = [one.name for one in visualizer.plot_cluster_overview().data if one.type == "heatmap"]
    assert strips == ["ab12ab12ab12a", "ab12ab12ab12f", "worker-3.cluster", "node-7"]
    lines = visualizer.plot_node_metrics().data
    assert [one.name for one in lines] == strips
    assert [one.meta["node"] for one in lines] == ids
