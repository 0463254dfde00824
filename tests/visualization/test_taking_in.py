"""What the visualizer takes, and how it says what it cannot take."""

from __future__ import annotations

import copy
import json
import pickle
import threading
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mega_data_factory.errors import AnalysisError, HistoryError, MdfError, VisualizationError
from mega_data_factory.visualization import HistoryRetention, MetricsVisualizer
from tests.visualization.making import START, cluster

NOON = datetime(2026, 1, 24, 12, 0, tzinfo=UTC)
FULL: dict[str, Any] = {
    "cpu_usage": 42.0,
    "memory_usage": 61,
    "disk_usage": np.float32(20.5),
    "network_io": 1_000_000,
    "disk_io": 2_000.0,
    "iops": Fraction(5, 2),
    "partition_count": np.int64(3),
    "status": "degraded",
}


def rows(visualizer: MetricsVisualizer) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in visualizer.to_frame().to_dict("records")]


def test_the_metrics_of_the_specification_come_back() -> None:
    """All eight metrics of a point are read as they were added, the status as its word."""
    visualizer = MetricsVisualizer(timezone="UTC")
    visualizer.add_metrics("a", FULL, NOON)
    assert rows(visualizer) == [
        {
            "node_id": "a",
            "timestamp": pd.Timestamp("2026-01-24 12:00"),
            **FULL,
            "disk_usage": 20.5,
            "iops": 2.5,
        }
    ]


@pytest.mark.parametrize(
    "time",
    [
        NOON,
        NOON.replace(tzinfo=None),
        NOON.astimezone(timezone(timedelta(hours=5))),
        float(START),
        START,
        "2026-01-24T12:00:00Z",
        "2026-01-24 12:00",
        np.datetime64("2026-01-24T12:00:00"),
        np.int64(START),
        np.float64(START),
        pd.Timestamp("2026-01-24 13:00", tz="Europe/Berlin"),
    ],
    ids=repr,
)
def test_every_way_to_write_a_time_is_the_same_moment(time: Any) -> None:
    """Aware times are converted to UTC, naive ones are of the zone that was chosen, numbers are seconds since 1970."""
    visualizer = MetricsVisualizer(timezone="UTC")
    visualizer.add_metrics("a", {"cpu_usage": 1.0}, time)
    assert visualizer.history.span() == (START * 1_000_000, START * 1_000_000)


def test_without_a_timestamp_it_is_now() -> None:
    """A point that comes without a time was measured now."""
    visualizer = MetricsVisualizer()
    before = datetime.now(UTC)
    visualizer.add_metrics("a", {"cpu_usage": 1.0})
    span = visualizer.history.span()
    assert span is not None
    assert before.timestamp() * 1e6 - 1 <= span[0] <= datetime.now(UTC).timestamp() * 1e6


@pytest.mark.parametrize(
    ("node", "metrics", "time", "message"),
    [
        ("a", {"cpu_usage": "high"}, NOON, "cpu_usage of a is 'high'"),
        ("a", {"cpu_usage": [1]}, NOON, "no number"),
        ("a", {"status": 7}, NOON, "status of a is 7"),
        ("a", {"": 1.0}, NOON, "metric of a is ''"),
        ("a", {3: 1.0}, NOON, "metric of a is 3"),
        ("a", {"timestamp": 1.0}, NOON, "called `timestamp`"),
        ("a", {"interval": 1.0}, NOON, "columns of frames"),
        ("a", {"cpu_usage": 10**400}, NOON, "too large"),
        ("a", {"\ud800": 1.0}, NOON, "no UTF-8"),
        ("a", [1.0], NOON, "no mapping but list"),
        ("", {"cpu_usage": 1.0}, NOON, "node id is ''"),
        (None, {"cpu_usage": 1.0}, NOON, "node id is None"),
        (["a"], {"cpu_usage": 1.0}, NOON, "node id is ['a']"),
        ("a", {"status": ["active"]}, NOON, "status of a is ['active']"),
        ("a", {"cpu_usage": 1.0}, "yesterday", "`yesterday` is not a time"),
        ("a", {"cpu_usage": 1.0}, START * 1000.0, "divide milliseconds"),
        ("a", {"cpu_usage": 1.0}, float("nan"), "not a time"),
        ("a", {"cpu_usage": 1.0}, pd.NaT, "missing"),
        ("a", {"cpu_usage": 1.0}, object(), "not a time"),
    ],
)
def test_what_cannot_be_taken_is_one_clear_error(node: Any, metrics: Any, time: Any, message: str) -> None:
    """A value, name or time that is unusable is refused by name, as first point and later, and nothing is added."""
    for earlier in (False, True):
        visualizer = MetricsVisualizer()
        if earlier and isinstance(node, str) and node:
            visualizer.add_metrics(node, {"cpu_usage": 5.0, "status": "active"}, NOON)
        count = len(visualizer)
        with pytest.raises((VisualizationError, HistoryError)) as caught:
            visualizer.add_metrics(node, metrics, time)
        assert len(visualizer) == count
        if not (earlier and isinstance(metrics, dict) and ("" in metrics or 3 in metrics)):
            assert message in str(caught.value)


def test_missing_values_stay_missing() -> None:
    """None, NaN and an absent metric are no measurement: NaN in frames, not counted in means."""
    visualizer = MetricsVisualizer()
    for second, value in enumerate([1.0, None, float("nan"), 3.0]):
        visualizer.add_metrics("a", {"cpu_usage": value, "iops": 1.0}, START + second)
    visualizer.add_metrics("a", {"iops": 1.0}, START + 9)
    assert visualizer.to_frame()["cpu_usage"].isna().tolist() == [False, True, True, False, True]
    assert visualizer.get_metrics_summary()["metrics"]["cpu_usage"] == {"mean": 2.0, "min": 1.0, "max": 3.0}


def test_order_of_arrival_does_not_matter_and_the_last_write_wins() -> None:
    """Points that come late are put in their place; a second point of a timestamp replaces metric by metric."""
    visualizer = MetricsVisualizer()
    for second, value in [(2, 2.0), (0, 0.0), (1, 1.0), (2, 9.0)]:
        visualizer.add_metrics("a", {"cpu_usage": value}, START + second)
    visualizer.add_metrics("a", {"iops": 5.0}, START + 2)
    frame = visualizer.to_frame()
    assert frame["cpu_usage"].tolist() == [0.0, 1.0, 9.0]
    assert frame["iops"].tolist()[2] == 5.0


def test_unknown_metrics_are_kept_and_drawn() -> None:
    """A metric of no known name is exported, summarized, and has a row of the plot with its name."""
    visualizer = MetricsVisualizer()
    for second in range(20):
        visualizer.add_metrics("a", {"cpu_usage": 1.0, "fan_speed": 900 + second}, START + second)
    figure = visualizer.plot_node_metrics(None, "a")
    assert "fan_speed" in visualizer.to_frame().columns
    assert {trace.meta["metric"] for trace in figure.data} == {"cpu_usage", "fan_speed"}
    assert any("fan_speed" in note.text for note in figure.layout.annotations)


def test_a_frame_is_many_points() -> None:
    """A frame with node ids and a frame of one node by its index of times give what the same points give."""
    whole = cluster(2, 30)
    again = MetricsVisualizer(HistoryRetention.everything(), timezone="UTC")
    again.add_frame(whole.to_frame())
    one = MetricsVisualizer(HistoryRetention.everything(), timezone="UTC")
    for node in ("node-1", "node-2"):
        one.add_frame(whole.to_frame(node).drop(columns="node_id").set_index("timestamp"), node)
    pd.testing.assert_frame_equal(again.to_frame(), whole.to_frame())
    pd.testing.assert_frame_equal(one.to_frame(), whole.to_frame())


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"node_id": ["a"], "cpu_usage": [1.0]}), "no times"),
        (pd.DataFrame({"timestamp": [NOON], "cpu_usage": [1.0]}), "does not name its node"),
        (pd.DataFrame({"timestamp": [NOON], "node_id": [None], "cpu_usage": [1.0]}), "row 0 has no node id"),
        (pd.DataFrame({"timestamp": [NOON, pd.NaT], "node_id": ["a", "a"]}), "row 1 has no timestamp"),
        (pd.DataFrame({"timestamp": ["x"], "node_id": ["a"]}), "row 0: the timestamp `x`"),
        (pd.DataFrame({"timestamp": [NOON], "node_id": ["a"], "cpu_usage": ["much"]}), "'much' in row 0"),
        (pd.DataFrame({"timestamp": [NOON], "node_id": ["a"], "status": [object()]}), "status of a row is <object"),
        ([1, 2], "expected, not list"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused_whole(frame: Any, message: str) -> None:
    """The error names column or row, and no row was added."""
    visualizer = MetricsVisualizer()
    with pytest.raises(VisualizationError, match=message):
        visualizer.add_frame(frame)
    assert len(visualizer) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda empty: empty.plot_node_metrics(None, "a"), "no metrics yet"),
        (lambda empty: empty.plot_cluster_overview(), "no metrics yet"),
        (lambda empty: empty.plot_heatmap(), "no metrics yet"),
        (lambda empty: empty.export_metrics("x.csv"), "no metrics yet"),
        (lambda empty: empty.detect_anomalies(), "no metrics yet"),
        (lambda empty: empty.correlations("cpu_usage"), "no metrics yet"),
        (lambda empty: empty.changed("1m"), "no metrics yet"),
    ],
)
def test_an_empty_history_says_so(call: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was added: every view says that, and how to add; no file appears."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VisualizationError, match=message):
        call(MetricsVisualizer())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda some: some.plot_node_metrics(None, "node-9"), "no node `node-9`"),
        (lambda some: some.plot_node_metrics(None, "nod-1"), "did you mean `node-1`"),
        (lambda some: some.plot_node_metrics(None, "node-1", metrics="cpu"), "no metric `cpu`"),
        (lambda some: some.plot_node_metrics(None, []), "no node is chosen"),
        (lambda some: some.plot_node_metrics(None, "node-1", metrics="status"), "no value to draw"),
        (lambda some: some.plot_heatmap(metric="heat"), "no metric `heat`"),
        (lambda some: some.to_frame(time_range="soon"), "`soon` is not an age"),
        (lambda some: some.to_frame(time_range=(START + 9, START)), "ends before it starts"),
        (lambda some: some.to_frame(time_range=("2027-01-01", None)), "there is no point of"),
        (lambda some: some.to_frame(time_range=("2027-01-01", "2027-01-02")), "there is no point of"),
        (lambda some: some.to_frame(time_range=timedelta(0)), "not a duration"),
        (lambda some: some.to_frame(time_range=5), "is none"),
        (lambda some: some.plot_heatmap(theme="drak"), "did you mean `dark`"),
        (lambda some: some.changed(None), "in which window"),
        (lambda some: some.changed("4m"), "too little before"),
        (lambda some: some.correlations("cpu_usage", max_lag=-1), "is negative"),
    ],
)
def test_what_is_not_there_is_an_error_that_helps(call: Any, message: str) -> None:
    """Unknown nodes, metrics, themes and empty time ranges never give None or an empty plot."""
    with pytest.raises(MdfError, match=message):
        call(cluster())


def test_a_node_that_sends_a_status_alone() -> None:
    """Every question about amounts is answered in words: a status has no distance to another."""
    visualizer = MetricsVisualizer()
    for second in range(300):
        visualizer.add_metrics("a", {"status": "active"}, START + second)
    for ask in (visualizer.changed, lambda window: visualizer.plot_incident(window=window)):
        with pytest.raises(MdfError, match="a status alone is none"):
            ask("1m")
    with pytest.raises(MdfError, match="no value to draw"):
        visualizer.plot_node_metrics()
    assert visualizer.detect_anomalies().empty


def test_time_ranges() -> None:
    """An age counts back from the last point; ends of a pair are included, and either may be open."""
    visualizer = cluster(1, 300)
    assert len(visualizer.to_frame(time_range="1m")) == 61
    assert len(visualizer.to_frame(time_range=timedelta(seconds=10))) == 11
    assert len(visualizer.to_frame(time_range=(START + 10, START + 19))) == 10
    assert len(visualizer.to_frame(time_range=(None, NOON + timedelta(seconds=4)))) == 5


def test_saved_and_live_histories_come_back(tmp_path: Path) -> None:
    """`save` and `load`, and a live directory that was never closed, give the same rows."""
    visualizer = cluster(2, 50)
    visualizer.save(tmp_path / "saved")
    pd.testing.assert_frame_equal(
        MetricsVisualizer.load(tmp_path / "saved", timezone="UTC").to_frame(), visualizer.to_frame()
    )
    alive = MetricsVisualizer(directory=tmp_path / "live")
    alive.add_metrics("a", FULL, NOON)
    assert rows(MetricsVisualizer.load(tmp_path / "live")) == rows(alive)
    alive.close()


def test_a_copy_and_a_pickle_are_visualizers_of_their_own(tmp_path: Path) -> None:
    """They hold all points, settings and attributes, take more, and leave the original and its folder alone."""
    for directory in (None, tmp_path / "live"):
        with MetricsVisualizer(directory=directory, timezone="UTC", theme="dark", hosts={"n": "host"}) as visualizer:
            visualizer.add_frame(cluster(3, 50).to_frame())
            visualizer.add_metrics("n", {"cpu_usage": 7, "version": "1.2", "status": "active"}, START)
            before = visualizer.to_frame()
            for again in (pickle.loads(pickle.dumps(visualizer)), copy.deepcopy(visualizer)):
                pd.testing.assert_frame_equal(again.to_frame(), before)
                assert (again.zone.name, again.theme, again.hosts) == ("UTC", visualizer.theme, {"n": "host"})
                again.add_metrics("n", {"cpu_usage": 8, "version": "1.3"}, START + 5 * 3600)
                assert len(again.to_frame()) == len(before) + 1
            pd.testing.assert_frame_equal(visualizer.to_frame(), before)


def test_thinned_history_keeps_its_extremes(tmp_path: Path) -> None:
    """Rows that the retention thinned are exported with their length and extremes, and a peak is still drawn."""
    visualizer = MetricsVisualizer(HistoryRetention(chunk_points=1000))
    seconds = np.arange(40_000)
    cpu = np.where(seconds == 777, 99.0, 10.0)
    visualizer.history.extend("a", (START + seconds) * 1_000_000, {"cpu_usage": cpu})
    later = (START + seconds + 2 * 86_400) * 1_000_000
    visualizer.history.extend("a", later, {"cpu_usage": np.full(40_000, 10.0)})
    frame = visualizer.to_frame()
    assert len(frame) < 80_000
    assert frame["interval"].max() == 60.0
    assert frame["cpu_usage_max"].max() == 99.0
    assert max(np.nanmax(trace.y) for trace in visualizer.plot_node_metrics(None, "a").data) == 99.0


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pd.date_range("2026-01-01", periods=2), "of type datetime64"),
        (pd.to_timedelta([1, 2], "s"), "of type timedelta64"),
        ([1j, 2], "of type complex128"),
        ([10**400, 2], "no number"),
    ],
)
def test_columns_that_are_no_numbers_are_refused(column: Any, message: str) -> None:
    """Times, lengths of time and complex numbers are never made into numbers that nobody meant."""
    visualizer = MetricsVisualizer()
    frame = pd.DataFrame({"timestamp": [START, START + 1], "cpu_usage": column})
    with pytest.raises(VisualizationError, match=message):
        visualizer.add_frame(frame, "a")
    with pytest.raises(VisualizationError, match="two columns `timestamp`"):
        visualizer.add_frame(pd.concat([frame[["timestamp"]], frame], axis=1), "a")
    assert not len(visualizer)


def test_an_open_time_range_beyond_all_points_says_what_there_is() -> None:
    """A range that begins after the last point is no range that ends before it starts."""
    with pytest.raises(VisualizationError, match="no point of node-1 between 2030"):
        cluster(1).to_frame(time_range=("2030-01-01", None))
    with pytest.raises(VisualizationError, match="no point of node-1 between 2001"):
        cluster(1).to_frame(time_range=(None, "2001-01-01"))


def test_infinite_and_enormous_numbers_are_kept_out_of_the_summary() -> None:
    """The summary is JSON, which has no infinity; a sum that overflows makes no mean infinite."""
    visualizer = MetricsVisualizer()
    for second, value in enumerate((1.7e308, 1.7e308, float("inf"))):
        visualizer.add_metrics("a", {"large": value, "infinite": float("inf")}, START + second)
    told = visualizer.get_metrics_summary()
    json.dumps(told, allow_nan=False)
    assert told["metrics"] == {"large": {"mean": pytest.approx(1.7e308), "min": 1.7e308, "max": 1.7e308}}


def test_threads_may_add_to_one_node() -> None:
    """Points that several threads add to one node at once are all there, each as it was."""
    visualizer = MetricsVisualizer(HistoryRetention(chunk_points=64))

    def add(first: int) -> None:
        for second in range(first, 8_000, 4):
            visualizer.add_metrics("a", {"cpu_usage": second / 2, "iops": float(second)}, START + second)

    threads = [threading.Thread(target=add, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    frame = visualizer.to_frame()
    assert frame["iops"].tolist() == list(range(8_000))
    assert (frame["cpu_usage"] * 2 == frame["iops"]).all()


@pytest.mark.parametrize("sensitivity", [0, 1, float("nan"), "high", None])
def test_a_sensitivity_that_is_none_is_refused_at_once(sensitivity: Any) -> None:
    """The constructor says what is wrong, not the first plot."""
    with pytest.raises(AnalysisError, match="sensitivity"):
        MetricsVisualizer(sensitivity=sensitivity)
