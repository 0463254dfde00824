"""The machines under a run are sampled, whatever happens to them."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.analytics.findings import find
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.framework.executor import Executor, Progress
from mega_data_factory.framework.metrics.nodes.batch_board import (
    BatchBoard,
    Mark,
    board_of,
    enter_process,
    sweep_boards,
)
from mega_data_factory.framework.metrics.reader import MetricsReader
from tests.engines.conftest import OLD_RAY, import_ray
from tests.engines.running import Pipeline, Result, fake, jsonl, stage
from tests.engines.two_nodes import TwoNodes, two_nodes
from tests.processes import in_folder

METRICS = ("cpu_usage", "memory_usage", "disk_usage", "network_io", "disk_io", "iops")


def pipeline(folder: Path, *, rows: int = 600, interval: float | None = 0.1, **executor: Any) -> Pipeline:
    """A slow stage of two workers."""
    source = jsonl(folder / "a.jsonl", [f"text {n}" for n in range(rows)])
    stages = [stage("only", fake("Slow", seconds=0.1), num_replicas=2, resources={"cpu": 0.5})]
    metrics = {"flush_interval": 0.2, "node_interval": interval}
    return Pipeline(folder, source, stages, executor={"batch_size": 50, "metrics": metrics, **executor})


def nodes_of(pipe: Pipeline) -> list[dict[str, Any]]:
    """The samples of all nodes, by time."""
    rows: list[dict[str, Any]] = MetricsReader(pipe.metrics).nodes().to_pylist()
    return rows


def assert_complete(result: Result, records: int) -> None:
    """The run has come to its end, and no record is missing."""
    assert result.error is None
    assert (result.run["status"], result.run["balanced"]) == ("completed", True)
    assert len(result.texts) == records


def test_the_local_engine_samples_its_machine(tmp_path: Path) -> None:
    """From the start to the end of the run, with the batches that its stage workers hold."""
    pipe = pipeline(tmp_path)
    result = pipe.run()
    assert_complete(result, 600)
    rows = nodes_of(pipe)
    assert {(row["run_id"], row["node_id"], row["hostname"]) for row in rows} == {
        (result.run["run_id"], platform.node(), platform.node())
    }
    assert len(rows) >= 4
    assert {row["num_workers"] for row in rows} == {2}
    assert rows[-1]["partition_count"] == 0
    assert max(row["partition_count"] for row in rows) in (1, 2)
    assert rows[0]["cpu_usage"] is None
    assert all(row["memory_usage"] is not None and row["disk_usage"] is not None for row in rows)
    for row in rows[1:]:
        assert all(row[metric] is None or row[metric] >= 0 for metric in METRICS)
    assert {row["object_store_memory"] for row in rows} == {None}


@contextmanager
def busy_neighbours() -> Iterator[None]:
    """Keep every core busy with processes that are not of the run: their parent has ended."""
    burn = "import os, time\nif os.fork(): os._exit(0)\nprint(os.getpid(), flush=True)\nos.close(1)\n"
    burn += "while time.process_time() < 60: pass"
    pids = []
    try:
        for _ in range(os.cpu_count() or 1):
            started = subprocess.run([sys.executable, "-c", burn], stdout=subprocess.PIPE, text=True, check=True)
            pids.append(int(started.stdout))
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


def test_a_run_that_waits_beside_busy_neighbours_is_told_so(tmp_path: Path) -> None:
    """One batch at a time through two stages that take turns: the run waits, whoever fills the processors."""
    source = jsonl(tmp_path / "a.jsonl", [f"text {n}" for n in range(600)])
    stages = [stage(name, fake("Slow", seconds=0.05)) for name in ("first", "second", "third")]
    metrics = {"flush_interval": 0.2, "node_interval": 0.2}
    executor = {"batch_size": 20, "max_in_flight": 1, "metrics": metrics}
    pipe = Pipeline(tmp_path, source, stages, executor=executor)
    with busy_neighbours():
        result = pipe.run()
    assert_complete(result, 600)
    recording = Recording.read(MetricsReader(pipe.metrics), result.run["run_id"])
    said = {finding.kind: finding for finding in find(recording)}["bottleneck"]
    assert said.evidence["limit"] is None
    assert said.title.startswith("The run was mostly waiting")
    assert said.evidence["processors"] > 0.8
    assert said.evidence["own_processors"] < said.evidence["processors"] / 2
    assert "by this run" in said.detail
    assert "by other processes" in said.detail


@pytest.mark.parametrize("interval", [0, pytest.param(None, marks=pytest.mark.slow)])
def test_sampling_can_be_switched_off(tmp_path: Path, interval: float | None) -> None:
    """With 0 or null nothing is sampled and nothing written."""
    pipe = pipeline(tmp_path, rows=50, interval=interval)
    assert_complete(pipe.run(), 50)
    assert not (pipe.metrics / "nodes").exists()


def test_a_board_counts_what_living_processes_hold(tmp_path: Path) -> None:
    """A process that was killed holds nothing, whatever it has written last; nor does a file that is not finished.

    Processes that are no stage workers hold nothing either, and are known for processes of the run.
    """
    board = tmp_path / "board"
    mark, read = Mark(board), BatchBoard(board)
    dead = os.fork()
    if dead == 0:
        Mark(board)._byte[0] = 1
        os._exit(0)
    os.waitpid(dead, 0)
    (board / "1").touch()  # a worker that is about to write it
    (board / f"other-{dead}").touch()
    enter_process(board)
    assert (board / str(dead)).read_bytes() == b"\1"
    assert read.read() == (0, 1)
    with mark.held():
        assert read.read() == (1, 1)
    assert read.read() == (0, 1)
    assert not (board / str(dead)).exists()
    assert not (board / f"other-{dead}").exists()
    assert sorted(read.processes()) == sorted([1, os.getpid(), os.getpid()])
    read.remove()
    assert not board.exists()


def test_boards_of_killed_nodes_are_swept(tmp_path: Path) -> None:
    """An old board without a living process goes; a young one, a used one, and what is no board stay."""
    old, young, used = (board_of(f"run-{number}", "0123456789abcdef") for number in range(3))
    foreign = old.with_name("mdf-board-notes")
    for board in (old, young, foreign):
        board.mkdir()
    Mark(used)
    (foreign / "mine.txt").touch()
    for board in (old, used, foreign):
        os.utime(board, (0, 0))
    sweep_boards()
    assert [board.exists() for board in (old, young, used, foreign)] == [False, True, True, True]


# ── a cluster ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoNodes]:
    """A head and one more node."""
    with two_nodes(monkeypatch) as made:
        yield made


class Events:
    """Calls one function after the other, each once so many records have been read."""

    def __init__(self, **events: Any) -> None:
        self.happened: list[str] = []
        self._events = events

    def __call__(self, executor: Executor, progress: Progress) -> None:
        for name, (records, event) in self._events.items():
            if name not in self.happened and progress.records_read >= records:
                self.happened.append(name)
                event()


@pytest.mark.slow
@OLD_RAY
def test_every_node_of_a_cluster_is_sampled(tmp_path: Path, cluster: TwoNodes) -> None:
    """One that joins late too; one that dies is unhealthy until the end, nothing hangs and the books balance."""
    pipe = pipeline(tmp_path, rows=6000, interval=0.5, ray_address=cluster.cluster.address)
    pipe.engine = "ray"
    events = Events(
        joins=(500, lambda: cluster.cluster.add_node(num_cpus=2)),
        dies=(2500, lambda: cluster.cluster.remove_node(cluster.second, allow_graceful=False)),
    )
    result = pipe.run(events)
    assert events.happened == ["joins", "dies"]
    assert_complete(result, 6000)
    rows = nodes_of(pipe)
    by_node = {node: [row for row in rows if row["node_id"] == node] for node in {row["node_id"] for row in rows}}
    assert len(by_node) == 3
    dead = by_node.pop(cluster.second.node_id)
    assert dead[0]["status"] == "active"
    assert dead[-1]["status"] == "unhealthy"
    assert "dead" in dead[-1]["status_reason"] or "not heard of" in dead[-1]["status_reason"]
    assert {dead[-1][metric] for metric in (*METRICS, "partition_count", "object_store_memory")} == {None}
    assert (rows[-1]["timestamp"] - dead[-1]["timestamp"]).total_seconds() < 3
    late = max(by_node.values(), key=lambda own: own[0]["timestamp"])
    assert (late[0]["timestamp"] - rows[0]["timestamp"]).total_seconds() > 1
    for own in by_node.values():
        assert own[-1]["cpu_usage"] is not None
        assert own[-1]["object_store_memory"] is not None
        assert "unhealthy" not in {row["status"] for row in own}
    assert max(row["run_cpu_usage"] or 0.0 for row in rows) > 0.0
    held = [row["partition_count"] for row in rows if row["partition_count"] is not None]
    assert 1 <= max(held) <= 2
    left = [path.name for path in cluster.folder.glob("mdf-board-*")]
    assert all(name.endswith(cluster.second.node_id[:16]) for name in left), "boards of living nodes are removed"


@pytest.mark.slow
@OLD_RAY
def test_a_run_that_fails_ends_what_samples(tmp_path: Path, cluster: TwoNodes) -> None:
    """No actor of it is left on the cluster, and what was sampled is there."""
    pipe = pipeline(tmp_path, rows=3000, interval=0.2, ray_address=cluster.cluster.address)
    pipe.engine = "ray"
    executor = Executor(pipe.config())
    steps = executor.execute()
    for progress in steps:
        if progress.records_read >= 500:
            break
    assert in_folder("NodeActor", cluster.folder)
    steps.close()
    assert len({row["node_id"] for row in nodes_of(pipe)}) == 2
    assert MetricsReader(pipe.metrics).run("latest")["status"] == "interrupted"
    ray = import_ray()
    ray.init(address=cluster.cluster.address, log_to_driver=False, logging_level="ERROR")
    deadline = time.monotonic() + 90
    while living := in_folder("NodeActor", cluster.folder):
        assert time.monotonic() < deadline, living
        time.sleep(0.1)
    assert list(cluster.folder.glob("mdf-board-*")) == []
