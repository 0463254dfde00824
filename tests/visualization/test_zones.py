"""Times without a zone: which moments they are, on machines in several zones, and across changes of their clocks."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mega_data_factory.errors import VisualizationError
from mega_data_factory.history import HistoryRetention
from mega_data_factory.visualization import MetricsVisualizer
from mega_data_factory.visualization.nodes.zone import Zone
from tests.visualization.making import START, cluster

BERLIN, KATHMANDU, NEW_YORK = "Europe/Berlin", "Asia/Kathmandu", "America/New_York"
CHANGES = {  # the moments at which clocks are put forward, and back
    BERLIN: (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
    NEW_YORK: (datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)),
    KATHMANDU: (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),  # they never are
}


@pytest.fixture(params=CHANGES)
def machine_zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """The zone of this machine, one after another."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def around(change: datetime) -> list[datetime]:
    """Moments of the three hours around a change, seven minutes apart."""
    return [change + timedelta(minutes=minute, microseconds=7) for minute in range(-90, 95, 7)]


def test_now_and_no_timestamp_are_the_same_moment(machine_zone: str) -> None:
    """`datetime.now()`, no timestamp, `time.time()` and an aware now are the same; a plot says whose clock it is."""
    visualizer = MetricsVisualizer()
    before = time.time()
    for at in (datetime.now(), None, time.time(), datetime.now(UTC)):
        visualizer.add_metrics("n", {"cpu_usage": 1.0}, at)
    first, last = visualizer.history.span() or (0, 0)
    assert before - 0.001 <= first / 1e6 <= last / 1e6 <= time.time()
    local = datetime.fromtimestamp(last / 1e6).replace(microsecond=0)
    assert visualizer.metrics_history["n"][-1]["timestamp"].replace(microsecond=0) == local
    figure = visualizer.plot_node_metrics(None, "n")
    assert figure.layout.xaxis.title.text.startswith("local time (")
    offset = local.astimezone().strftime("%z")
    assert f"UTC{offset[:3]}:{offset[3:]}" in figure.layout.xaxis.title.text
    assert figure.data[0].x[-1] == pytest.approx(last / 1e3 + local.astimezone().utcoffset().total_seconds() * 1e3)  # type: ignore[union-attr]
    assert visualizer.plot_node_metrics(None, "n", timezone="UTC").data[0].x[-1] == last / 1e3


def test_clocks_that_are_changed(machine_zone: str) -> None:
    """What a local clock reads, with its `fold`, is the moment at which it reads so, also in a repeated hour."""
    for change in CHANGES[machine_zone]:
        for zone in ("local", machine_zone):
            visualizer = MetricsVisualizer(timezone=zone)
            for moment in around(change):
                visualizer.add_metrics("n", {"cpu_usage": 1.0}, datetime.fromtimestamp(moment.timestamp()))
            found = visualizer.history.series("n", "cpu_usage").timestamps.tolist()
            assert found == [micros(moment) for moment in around(change)]
            again = MetricsVisualizer(timezone=zone)
            again.add_frame(visualizer.to_frame())  # without fold: the order of the rows says it
            assert again.history.series("n", "cpu_usage").timestamps.tolist() == found
            folds = [row["timestamp"].fold for row in visualizer.metrics_history["n"]]
            assert folds == [moment.astimezone(ZoneInfo(machine_zone)).fold for moment in around(change)]


def test_a_skipped_time_and_both_passes_of_a_repeated_one() -> None:
    """02:30 of the night in which clocks skip it is 01:30 UTC; in the night in which it comes twice, `fold` chooses."""
    for reading, fold, moment in [
        (datetime(2026, 3, 29, 2, 30), 0, datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        (datetime(2026, 10, 25, 2, 30), 0, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (datetime(2026, 10, 25, 2, 30), 1, datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        (datetime(2026, 7, 1), 0, datetime(2026, 6, 30, 22, tzinfo=UTC)),
    ]:
        zone = Zone(BERLIN)
        for _ in range(2):  # asked for, then remembered
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert zone.moment(reading.replace(fold=fold)) == micros(moment)


def test_local_times_are_those_of_the_zone_by_name(machine_zone: str) -> None:
    """Also where the clock skips them: what the zone of the machine says is what its name says, with the warning."""
    readings = [
        change.replace(tzinfo=None) + timedelta(minutes=15 * step)
        for change in CHANGES[machine_zone]
        for step in range(-60, 60)
    ]
    found = []
    for zone in (Zone(), Zone(machine_zone)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            moments = [zone.moment(reading.replace(fold=fold)) for reading in readings for fold in (0, 1)]
        found.append((moments, len(caught)))
    assert found[0] == found[1]
    assert found[0][1] == (machine_zone != KATHMANDU)


def test_a_skipped_time_is_warned_of_once() -> None:
    """It falls together with a true time of the clock, so that one of two points would be lost in silence."""
    skipped, true = datetime(2026, 3, 29, 2, 40), datetime(2026, 3, 29, 3, 40)
    visualizer = MetricsVisualizer(timezone=BERLIN)
    with pytest.warns(UserWarning, match="no 2026-03-29 02:40:00 in Europe/Berlin.* taken for 2026-03-29 03:40:00"):
        visualizer.add_metrics("n", {"cpu_usage": 1.0}, skipped)
    visualizer.add_metrics("n", {"cpu_usage": 1.0}, skipped - timedelta(minutes=30))
    visualizer.add_metrics("n", {"cpu_usage": 2.0}, true)
    assert len(visualizer.to_frame()) == 2
    with pytest.warns(UserWarning, match="taken for 2026-03-29 01:40:00"):
        Zone(BERLIN).moment(skipped.replace(fold=1))
    with pytest.warns(UserWarning, match="taken for 2026-03-29 03:40:00"):
        Zone(BERLIN).moments(np.array([micros(one.replace(tzinfo=UTC)) for one in (skipped, true)]))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.datetimes(datetime(1890, 1, 1), datetime(2100, 1, 1)), min_size=1, max_size=20),
    st.sampled_from(["Europe/Amsterdam", "Australia/Lord_Howe", "Africa/Monrovia", NEW_YORK, "UTC"]),
)
def test_zones_agree_with_python(moments: list[datetime], name: str) -> None:
    """Every clock, at any time since 1890, reads what the zone database says, one by one and as an array."""
    zone, python = Zone(name), ZoneInfo(name)
    times = [micros(moment.replace(tzinfo=UTC)) for moment in moments]
    clocks = [moment.replace(tzinfo=UTC).astimezone(python).replace(tzinfo=None) for moment in moments]
    assert [zone.clock(at) for at in times] == clocks
    assert [zone.clock(at).fold for at in times] == [clock.fold for clock in clocks]
    assert zone.datetimes(np.array(times)).tolist() == [clock.replace(fold=0) for clock in clocks]
    assert [zone.moment(clock) for clock in clocks] == times


def test_the_zone_is_chosen() -> None:
    """Names, `tzinfo` and UTC; one that does not exist is an error that names the nearest."""
    for chosen in (BERLIN, ZoneInfo(BERLIN), timezone(timedelta(hours=1)), "utc", UTC):
        visualizer = MetricsVisualizer(timezone=chosen)
        visualizer.add_metrics("n", {"cpu_usage": 1.0}, "2026-01-24 12:00")
        hours = 12 if str(chosen).lower() == "utc" else 11
        assert visualizer.history.span() == (micros(datetime(2026, 1, 24, hours, tzinfo=UTC)),) * 2
        assert visualizer.get_metrics_summary()["start"] == "2026-01-24 12:00:00"
        assert len(visualizer.to_frame(time_range=("2026-01-24 12:00", None))) == 1
    for wrong, message in (
        ("Europe/Berln", "did you mean `Europe/Berlin`"),
        ("Nowhere/X", "such as `Europe/Berlin`"),
        (1, "is not a zone"),
    ):
        with pytest.raises(VisualizationError, match=message):
            MetricsVisualizer(timezone=wrong)  # type: ignore[arg-type]
    with pytest.raises(VisualizationError, match="no time zone"):
        cluster(1, 5).plot_heatmap(timezone="Mars")


@pytest.mark.parametrize("plot", ["plot_node_metrics", "plot_cluster_overview", "plot_heatmap", "plot_incident"])
def test_axes_of_time_say_whose_clock_they_are(plot: str) -> None:
    """Every plot draws the chosen clock; across a change it reads like one clock, and the note says so."""
    visualizer = MetricsVisualizer(HistoryRetention.everything(), timezone="UTC")
    change = micros(CHANGES[BERLIN][1])
    times = change + np.arange(-3600, 3600, 10) * 1_000_000
    visualizer.history.extend("n", times, {"cpu_usage": np.sin(np.arange(720.0)), "iops": np.cos(np.arange(720.0))})
    options: dict[str, Any] = {"window": "10m"} if plot == "plot_incident" else {}
    utc = getattr(visualizer, plot)(None, **options)
    berlin = getattr(visualizer, plot)(None, timezone=BERLIN, **options)
    assert utc.layout.xaxis.title.text == "UTC"
    assert berlin.layout.xaxis.title.text == "Europe/Berlin (CET, UTC+01:00)"
    assert np.subtract(berlin.layout.xaxis.range, utc.layout.xaxis.range).tolist() == [3.6e6, 3.6e6]
    notes = [figure.layout.meta["note"] for figure in (utc, berlin)]
    assert ["clocks were changed" in note for note in notes] == [False, True]
    drawn = [figure.data[0].x if figure.data[0].x is not None else [figure.data[0].x0] for figure in (utc, berlin)]
    assert set(np.subtract(drawn[1], drawn[0]).tolist()) == {3.6e6}


def test_files_are_of_the_zone_that_is_asked_for(tmp_path: Path) -> None:
    """An export has the times of the visualizer, or of another zone; a page names it."""
    visualizer = cluster(1, 3, timezone=KATHMANDU)
    visualizer.export_metrics(tmp_path / "m.csv")
    visualizer.export_metrics(tmp_path / "m.html")
    visualizer.export_metrics(tmp_path / "utc.csv", timezone="UTC")
    local, utc = (pd.read_csv(tmp_path / name, parse_dates=["timestamp"]) for name in ("m.csv", "utc.csv"))
    assert utc["timestamp"][0] == pd.Timestamp(START, unit="s")
    assert set(local["timestamp"] - utc["timestamp"]) == {pd.Timedelta("5h45min")}
    assert "times in Asia/Kathmandu (UTC+05:45)" in (tmp_path / "m.html").read_text()
