"""Rows of nodes on their way to the store: none is lost by a flush, a failure or another life of the run."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from mega_data_factory.errors import MetricsError, OutputError
from mega_data_factory.framework.metrics import (
    IntervalSampler,
    MetricsCollector,
    MetricsFlusher,
    MetricsReader,
    MetricsWriter,
    NodeBuffer,
    NodeMetrics,
    RunMetrics,
)
from mega_data_factory.framework.metrics.nodes import buffer as buffering
from mega_data_factory.framework.metrics.nodes.ticker import Ticker
from mega_data_factory.framework.metrics.store import segments as folding
from mega_data_factory.framework.metrics.store.files.encoding import write_tables
from mega_data_factory.framework.metrics.upkeep.compaction import compact
from mega_data_factory.storage import Location
from mega_data_factory.testing import FakeClock

NOON = FakeClock().now()


def node(second: float, node_id: str = "node-1", run_id: str = "run_a", **values: float) -> NodeMetrics:
    return NodeMetrics(run_id, node_id, NOON + timedelta(seconds=second), cpu_usage=second, **values)  # type: ignore[arg-type]


def seconds(folder: Path, run_id: str | None = None) -> list[float]:
    """When the samples that readers see were taken, in their order."""
    return [float(value) for value in MetricsReader(folder).nodes(run_id).column("cpu_usage").to_pylist()]


def test_the_newest_row_of_every_node_is_known() -> None:
    """Also after all of them were taken; a row that comes late does not count as the newest."""
    buffer = NodeBuffer("run_a", 1.0)
    rows = [node(1, "b"), node(2, "a"), node(5, "b"), node(3, "b")]
    buffer.add_samples(rows)
    assert buffer.take_samples() == rows
    assert buffer.take_samples() == []
    assert buffer.newest() == [rows[1], rows[2]]


def test_a_row_is_stored_as_it_is(tmp_path: Path) -> None:
    """Every column, in any order of time and node; what is not known is null."""
    writer = MetricsWriter(tmp_path)
    row = node(1, memory_usage=50.5, disk_io=3.0, partition_count=7, object_store_memory=1 << 40, gpu_count=2)
    writer.write_nodes([node(2), row], "run_a")
    (first, second) = MetricsReader(tmp_path).rows("nodes", "run_a")[::-1]
    assert first == {name: getattr(row, name) for name in NodeMetrics.__slots__}
    assert second["memory_usage"] is None
    assert second["status"] == "active"
    with pytest.raises(MetricsError, match="run_b cannot be written as those of run_a"):
        writer.write_nodes([node(1, run_id="run_b")], "run_a")


def test_nodes_are_folded_by_node_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file in the end, in which the samples of one node lie together."""
    monkeypatch.setattr(folding, "FOLD_AT", 3)
    log = MetricsWriter(tmp_path).node_log("run_a")
    for number in range(10):
        log.append([node(number, "b"), node(number, "a")])
        assert len(seconds(tmp_path)) == 2 * number + 2
    log.finish()
    assert [path.name for path in (tmp_path / "nodes").iterdir()] == ["nodes_a.parquet"]
    stored = MetricsReader(tmp_path).rows("nodes", "run_a")
    places = [(row["node_id"], row["cpu_usage"]) for row in stored]
    assert places == sorted(places)


@pytest.mark.parametrize("state", ["killed", "finished", "compacted"])
def test_another_life_of_a_run_keeps_the_nodes_of_the_one_before(tmp_path: Path, state: str) -> None:
    """Wherever they are by then; and the next life finds those of both."""
    writer = MetricsWriter(tmp_path)
    first = writer.node_log("run_a")
    for number in range(3):
        first.append([node(number)])
    if state != "killed":
        first.finish()
    writer.write_run_metrics(RunMetrics("run_a", NOON, NOON, status="failed"))
    if state == "compacted":
        assert compact(tmp_path, now=lambda: NOON + timedelta(days=1)).runs == 1
    second = writer.node_log("run_a")
    assert seconds(tmp_path) == [0, 1, 2]
    second.append([])
    second.append([node(7)])
    assert seconds(tmp_path) == [0, 1, 2, 7]
    third = writer.node_log("run_a")
    third.append([node(9)])
    third.finish()
    assert seconds(tmp_path) == seconds(tmp_path, "run_a") == [0, 1, 2, 7, 9]
    assert len([path for path in (tmp_path / "nodes").iterdir() if not path.name.startswith("compacted_")]) == 1


class Disk:
    """A disk that may be full."""

    def __init__(self) -> None:
        self.full = False

    def write(self, path: Location, tables: Iterable[pa.Table]) -> None:
        if self.full:
            raise OutputError("the disk is full")
        write_tables(path, tables)


def test_a_full_disk_loses_only_what_does_not_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written goes with the next segment; of too many rows the newest are kept."""
    monkeypatch.setattr("mega_data_factory.framework.metrics.writer.MOST_WAITING", 4)
    disk = Disk()
    log = MetricsWriter(tmp_path, write=disk.write).node_log("run_a")
    log.append([node(0)])
    disk.full = True
    for number in range(1, 4):
        with pytest.raises(OutputError):
            log.append([node(number)])
    disk.full = False
    log.append([node(4)])
    assert seconds(tmp_path) == [0, 1, 2, 3, 4]
    disk.full = True
    with pytest.raises(OutputError):
        log.append([node(number) for number in range(5, 15)])
    disk.full = False
    log.finish()
    assert seconds(tmp_path) == [0, 1, 2, 3, 4, 11, 12, 13, 14]


def test_a_buffer_nobody_takes_from_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest rows are kept."""
    monkeypatch.setattr(buffering, "MOST_WAITING", 3)
    buffer = NodeBuffer("run_a", 1.0)
    buffer.add_samples([node(number) for number in range(10)])
    assert [row.cpu_usage for row in buffer.take_samples()] == [7, 8, 9]


def test_the_flusher_writes_nodes_with_the_samples(tmp_path: Path) -> None:
    """All rows that were added until the end, in one file, also when the run had not a single batch."""
    collector = MetricsCollector("run_a")
    buffer = NodeBuffer("run_a", 0.01)
    flusher = MetricsFlusher(collector, IntervalSampler("run_a", 0.01), MetricsWriter(tmp_path), buffer, interval=0.01)
    with collector.track_run():
        flusher.start()
        for number in range(500):
            buffer.add_samples([node(number)])
    assert flusher.finish() is None
    assert seconds(tmp_path) == list(range(500))
    assert [path.name for path in (tmp_path / "nodes").iterdir()] == ["nodes_a.parquet"]


def test_a_ticker_beats_at_once_and_once_more_in_the_end() -> None:
    """However long its interval is; a beat that fails is logged and the next is made."""
    beats: list[int] = []
    begun = threading.Event()

    def beat() -> None:
        beats.append(len(beats))
        begun.set()
        raise ValueError("no machine")

    ticker = Ticker("test", 3600.0, beat)
    assert ticker.end()  # one that was never started has nothing to end
    ticker = Ticker("test", 3600.0, beat)
    ticker.start()
    assert begun.wait(10)
    assert ticker.end(10)
    assert beats == [0, 1]


def test_a_ticker_says_once_what_is_wrong(caplog: pytest.LogCaptureFixture) -> None:
    """Not at every beat."""
    done = threading.Event()
    beats: list[int] = []

    def beat() -> None:
        beats.append(1)
        if len(beats) > 5:
            done.set()
        raise ValueError("no machine")

    ticker = Ticker("node-of-run_a", 0.001, beat)
    ticker.start()
    assert done.wait(10)
    assert ticker.end(10)
    assert caplog.text.count("node-of-run_a: ValueError: no machine") == 1
