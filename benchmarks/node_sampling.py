"""What sampling the nodes costs: target under 0.2 % of one core at an interval of one second.

CPU time, not wall time: of the thread that samples, and, with `--ray`, of the driver that gathers and of the process
on each node. Read-outs are made in turn with doing nothing but the loop, so that the clock's own cost is seen.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import psutil

from mega_data_factory.framework.metrics import MetricsReader, MetricsWriter, NodeMetrics
from mega_data_factory.framework.metrics.nodes.batch_board import BatchBoard, Mark
from mega_data_factory.framework.metrics.nodes.probes.machine import MachineProbe
from mega_data_factory.framework.metrics.nodes.sampler import HeldBatches, NodeSampler

TARGET = 0.002


def microseconds(work: Callable[[], object], rounds: int) -> float:
    """Return CPU time of one call on this thread, median over rounds of 20, less that of an empty loop."""

    def timed(call: Callable[[], object]) -> float:
        started = time.thread_time()
        for _ in range(20):
            call()
        return (time.thread_time() - started) / 20 * 1e6

    work()
    pairs = [(timed(work), timed(lambda: None)) for _ in range(rounds)]
    return statistics.median(busy - empty for busy, empty in pairs)


def hold(board: str, ready: Barrier, done: Event) -> None:
    """Hold a batch, as a worker does, until told to end."""
    with Mark(Path(board)).held():
        ready.wait()
        done.wait()


def with_workers(folder: Path, workers: int, rounds: int) -> float:
    """Return the seconds of one sample of a node on which that number of workers hold a batch."""
    context = multiprocessing.get_context("fork")
    ready, done = context.Barrier(workers + 1), context.Event()
    board = folder / f"board-{workers}"
    processes = [context.Process(target=hold, args=(str(board), ready, done)) for _ in range(workers)]
    for process in processes:
        process.start()
    ready.wait()
    reader = BatchBoard(board)
    sampler = NodeSampler("run_bench", "node", MachineProbe([folder]), reader.read, hostname="node")
    assert sampler.sample().partition_count == workers
    cost = microseconds(sampler.sample, rounds)
    done.set()
    for process in processes:
        process.join()
    return cost


def stored(folder: Path, nodes: int, seconds: int) -> float:
    """Return the bytes that a sample takes in the finished file of a run, with rows as this machine gives them."""
    sampler = NodeSampler("run_bench", "node", MachineProbe([folder]), lambda: HeldBatches(2, 4), hostname="node")
    rows: list[NodeMetrics] = []
    for _ in range(seconds):
        for number in range(nodes):
            row = sampler.sample()
            row.node_id = f"{number:056x}"
            rows.append(row)
        time.sleep(0.002)
    log = MetricsWriter(folder).node_log("run_bench")
    log.append(rows)
    log.finish()
    (file,) = (folder / "nodes").iterdir()
    assert MetricsReader(folder).nodes("run_bench").num_rows == len(rows)
    return file.stat().st_size / len(rows)


def on_ray(seconds: int) -> None:
    """Print CPU of the driver that gathers from three nodes, and of the actor on each."""
    from mega_data_factory.framework.engines.ray.environment import prepare_ray

    prepare_ray(None)
    import ray
    from ray.cluster_utils import Cluster

    from mega_data_factory.framework.commit.output import OutputFolder
    from mega_data_factory.framework.engines.engine import RunSettings
    from mega_data_factory.framework.metrics import NodeBuffer
    from mega_data_factory.framework.metrics.nodes.ray_cluster import RayNodes
    from mega_data_factory.framework.worker.stage import StageSettings

    cluster = Cluster()
    try:
        for _ in range(3):
            cluster.add_node(num_cpus=1, include_dashboard=False)
        ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        with tempfile.TemporaryDirectory() as folder:
            output = OutputFolder(folder, ".parquet", folder, folder, "run_bench")
            buffer = NodeBuffer("run_bench", 1.0)
            idle: list[Any] = [ray.remote(Idle).options(num_cpus=0).remote() for _ in range(3)]
            ray.get([actor.__ray_ready__.remote() for actor in idle])
            time.sleep(5)
            alone = driver_share(seconds)
            nodes = RayNodes(RunSettings(StageSettings("run_bench"), output).folders, buffer, "bench")
            nodes.start()
            time.sleep(15)  # the actors start
            buffer.take_samples()
            shares = Shares("NodeActor"), Shares("Idle")
            busy = driver_share(seconds)
            rows = len(buffer.take_samples())
            print(f"Ray, 3 nodes, {seconds} s: driver {busy:.3%} of a core, {alone:.3%} without; {rows} samples")
            print(f"Ray, an actor: {shares[0]}; one that does nothing: {shares[1]}")
            nodes.close()
    finally:
        ray.shutdown()
        cluster.shutdown()


class Idle:
    """An actor that does nothing: what a process of Ray costs by itself."""


class Shares:
    """CPU that the processes of an actor class take from now on, and the memory that is theirs alone."""

    def __init__(self, name: str) -> None:
        self._processes = [
            process
            for process in psutil.process_iter(["cmdline"])
            if f"ray::{name}" in " ".join(process.info["cmdline"] or [])
        ]
        self._since = time.monotonic()
        self._before = [sum(process.cpu_times()[:2]) for process in self._processes]

    def __str__(self) -> str:
        seconds = time.monotonic() - self._since
        used = [sum(p.cpu_times()[:2]) - before for p, before in zip(self._processes, self._before, strict=True)]
        memory = statistics.median(process.memory_full_info().uss for process in self._processes)
        return f"{statistics.median(used) / seconds:.3%} of a core, {memory / 1e6:.0f} MB"


def driver_share(seconds: int) -> float:
    """Return the CPU of this process over some seconds, as a share of one core."""
    started = time.process_time()
    time.sleep(seconds)
    return (time.process_time() - started) / seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--ray", action="store_true", help="measure on a Ray cluster of three nodes, too")
    parser.add_argument("--seconds", type=int, default=30, help="of the measurement on Ray")
    arguments = parser.parse_args()
    print(f"target: under {TARGET:.1%} of a core, {TARGET * 1e6:.0f} us a sample at one second; {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        probe = MachineProbe([Path(folder)])
        print(f"reading the machine: {microseconds(probe.read, arguments.rounds):.0f} us")
        for workers in (0, 4, 64):
            cost = with_workers(Path(folder), workers, arguments.rounds)
            print(f"a sample, {workers} stage workers: {cost:.0f} us, {cost / 1e6:.3%} of a core at one second")
        mark = Mark(Path(folder) / "mark")

        def held() -> None:
            with mark.held():
                pass

        print(f"a mark, for each batch: {microseconds(held, arguments.rounds):.2f} us")
        print(f"stored: {stored(Path(folder), 3, 1200):.1f} bytes a sample")
    if arguments.ray:
        on_ray(arguments.seconds)


if __name__ == "__main__":
    main()
