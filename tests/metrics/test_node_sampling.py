"""Samples of a node: what a machine's counters say, as rates, percent and a status."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from mega_data_factory.framework.metrics.nodes.models import NodeMetrics
from mega_data_factory.framework.metrics.nodes.probes.gpu import GpuReading, Gpus
from mega_data_factory.framework.metrics.nodes.probes.health import RELIEF, Health, missed_heartbeats, of_silence
from mega_data_factory.framework.metrics.nodes.probes.machine import MachineProbe, Reading
from mega_data_factory.framework.metrics.nodes.probes.processes import RunProcesses, children
from mega_data_factory.framework.metrics.nodes.sampler import HeldBatches, NodeSampler
from mega_data_factory.testing import FakeClock

START = Reading(
    clock=100.0,
    cpu_busy=50.0,
    cpu_capacity=400.0,
    cpu_count=4.0,
    memory_used=300,
    memory_total=1000,
    disk_usage=27.5,
    disk_total=8000,
    network_bytes=1000,
    disk_bytes=2000,
    disk_operations=30,
)


class Machine:
    """A machine whose readings are written down."""

    def __init__(self, *readings: Reading) -> None:
        self._readings: Iterator[Reading] = iter(readings)

    def read(self) -> Reading:
        return next(self._readings)


def samples(*readings: Reading) -> list[NodeMetrics]:
    """What a sampler makes of the readings."""
    sampler = NodeSampler("run_a", "node-1", Machine(*readings), lambda: HeldBatches(3, 4), now=FakeClock().now)
    return [sampler.sample() for _ in readings]


def later(seconds: float = 2.0, **changes: Any) -> Reading:
    """The machine some seconds later."""
    return replace(START, clock=START.clock + seconds, **changes)


def test_rates_are_over_the_time_since_the_sample_before() -> None:
    """Levels are there at once; CPU and rates from the second sample on, by the monotonic clock."""
    first, second = samples(
        START, later(cpu_busy=54.0, cpu_capacity=408.0, network_bytes=1500, disk_bytes=2900, disk_operations=40)
    )
    assert (first.memory_usage, first.disk_usage, first.partition_count, first.num_workers) == (30.0, 27.5, 3, 4)
    assert (first.cpu_count, first.memory_total, first.disk_total) == (4.0, 1000, 8000)
    assert {first.cpu_usage, first.network_io, first.disk_io, first.iops} == {None}
    assert (second.cpu_usage, second.network_io, second.disk_io, second.iops) == (50.0, 250.0, 450.0, 5.0)
    assert first.timestamp == FakeClock().now()


def test_a_counter_that_jumps_back_gives_no_rate() -> None:
    """A machine that was started anew, a counter that has wrapped: None for that sample, not a negative number."""
    fallen = later(cpu_busy=1.0, cpu_capacity=402.0, network_bytes=999, disk_bytes=5, disk_operations=1)
    _, second, third = samples(START, fallen, replace(fallen, clock=103.0, network_bytes=1099, cpu_capacity=404.0))
    assert {second.cpu_usage, second.network_io, second.disk_io, second.iops} == {None}
    assert (third.cpu_usage, third.network_io, third.iops) == (0.0, 100.0, 0.0)


def test_what_cannot_be_read_is_none() -> None:
    """Neither a missing counter nor a clock that stands still is a zero."""
    nothing = Reading(clock=1.0)
    assert {samples(START, nothing)[1].cpu_usage, samples(nothing, START)[1].disk_io} == {None}
    assert samples(nothing)[0].memory_usage is None
    _, stopped = samples(START, later(seconds=0.0, network_bytes=2000))
    assert stopped.network_io is None


def test_a_quota_that_is_overdrawn_is_full() -> None:
    """A group may use a little more than its share for a moment; percent end at 100."""
    assert samples(START, later(cpu_busy=59.0, cpu_capacity=408.0))[1].cpu_usage == 100.0


def test_the_cpu_of_the_run_is_told_from_that_of_the_machine() -> None:
    """Both are percent of the same CPU time; unknown where no process of the run is known."""
    known = replace(START, run_cpu=5.0)
    _, second = samples(known, later(cpu_busy=54.0, cpu_capacity=408.0, run_cpu=7.0))
    assert (second.cpu_usage, second.run_cpu_usage) == (50.0, 25.0)
    assert samples(START, later(cpu_busy=54.0, cpu_capacity=408.0))[1].run_cpu_usage is None


_BURN = "import time\nwhile time.process_time() < {0}: pass"


def _burn(seconds: float) -> list[str]:
    return [sys.executable, "-c", _BURN.format(seconds)]


def test_processes_of_the_run_count_with_all_they_start() -> None:
    """Children and grandchildren, living or ended, count once in the tree of their parent, and in no other."""
    run = RunProcesses(lambda: [os.getpid()])
    neighbour = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    shell = f"import subprocess; subprocess.run({_burn(0.3)!r}); input()"
    try:
        apart = RunProcesses(lambda: [neighbour.pid])
        before = sum(os.times()[:4])
        assert run.cpu_seconds() == 0.0
        assert apart.cpu_seconds() == 0.0
        child = subprocess.Popen([sys.executable, "-c", shell], stdin=subprocess.PIPE)
        while run.cpu_seconds() < 0.3 and child.poll() is None:
            time.sleep(0.02)
        alive = run.cpu_seconds()
        assert child.poll() is None
        child.communicate(b"\n")
        assert run.cpu_seconds() >= alive >= 0.3
        assert apart.cpu_seconds() < 0.2
    finally:
        neighbour.communicate(b"\n")
    assert run.cpu_seconds() == pytest.approx(sum(os.times()[:4]) - before, abs=0.1)


def test_a_parent_that_ignores_its_children_takes_nothing_back() -> None:
    """Of children that are never waited for, what was counted stays, and the parent goes on counting."""
    shell = "import signal, subprocess, sys, time; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
    shell += f"child = subprocess.Popen({_burn(0.3)!r}); input(); "
    shell += "start = time.process_time()\nwhile time.process_time() < start + 0.3: pass\ninput()"
    parent = subprocess.Popen([sys.executable, "-c", shell], stdin=subprocess.PIPE)
    assert parent.stdin is not None
    try:
        counter = RunProcesses(lambda: [parent.pid])
        counter.cpu_seconds()
        while len(children(parent.pid)) == 0 and parent.poll() is None:
            time.sleep(0.02)
        while children(parent.pid):
            before = counter.cpu_seconds()
            time.sleep(0.02)
        parent.stdin.write(b"\n")
        parent.stdin.flush()
        while counter.cpu_seconds() < before + 0.25:
            time.sleep(0.02)
    finally:
        parent.communicate(b"\n")
    assert before > 0.1


def test_a_process_that_ends_elsewhere_takes_nothing_back() -> None:
    """A counter never falls: what a process that is no child used stays counted after its end."""
    child = subprocess.Popen(_burn(0.2))
    roots = [child.pid]
    counter = RunProcesses(lambda: roots)
    counter.cpu_seconds()
    while child.poll() is None:
        counted = counter.cpu_seconds()
        time.sleep(0.02)
    assert counter.cpu_seconds() == counted > 0.0


def test_this_machine_can_be_read(tmp_path: Path) -> None:
    """All of it within its bounds; a folder that is not there yet counts as the nearest that is."""
    probe = MachineProbe([tmp_path, tmp_path / "not" / "there", Path("/")])
    sampler = NodeSampler("run_a", "here", probe, lambda: HeldBatches(0, 0))
    sampler.sample()
    row = sampler.sample()
    assert 0 <= (row.memory_usage or -1) <= 100
    assert 0 <= (row.disk_usage or -1) <= 100
    assert row.cpu_usage is None or 0 <= row.cpu_usage <= 100
    assert 0 < (row.cpu_count or 0) <= (psutil.cpu_count() or 0)
    assert psutil.disk_usage(str(tmp_path)).percent <= (row.disk_usage or 0) + 1


def test_loopback_is_no_network() -> None:
    """What goes from this machine to itself is not counted."""
    probe = MachineProbe()
    data = b"x" * 1_000_000
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as sender:
        receiver, _ = server.accept()
        before = probe.read().network_bytes
        loop_before = psutil.net_io_counters(pernic=True)["lo"].bytes_sent
        for _ in range(20):
            sender.sendall(data[:50_000])
            assert receiver.recv(50_000, socket.MSG_WAITALL)
        receiver.close()
        assert psutil.net_io_counters(pernic=True)["lo"].bytes_sent - loop_before >= 1_000_000
        after = probe.read().network_bytes
    assert before is None or after is None or after - before < 500_000


# ── health ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def statuses(metric: str, *values: float | None) -> list[str]:
    health = Health()
    return [health.judge({metric: value})[0] for value in values]


def test_memory_and_disk_make_a_node_ill_at_once() -> None:
    """Degraded from 90 %, unhealthy from 98 %; left only well below, so that a status does not flicker."""
    for metric in ("memory_usage", "disk_usage"):
        assert statuses(metric, 89.9, 90.0, 98.0) == ["active", "degraded", "unhealthy"]
        assert statuses(metric, 98.0, 98.0 - RELIEF, 95.9) == ["unhealthy", "unhealthy", "degraded"]
        assert statuses(metric, 90.0, 90.0 - RELIEF, 87.9) == ["degraded", "degraded", "active"]
        assert statuses(metric, 99.0, None, 50.0) == ["unhealthy", "active", "active"]


def test_a_busy_cpu_is_no_illness() -> None:
    """A node whose cores are all at work, for however long, is active: that is what they are for."""
    assert set(statuses("cpu_usage", *[100] * 20)) == {"active"}


def test_reasons_name_every_metric() -> None:
    """In words, with its value; None when there is nothing to tell."""
    health = Health()
    assert health.judge({"memory_usage": 93.4, "disk_usage": 98.2}) == ("unhealthy", "memory 93 %, disk 98 %")
    assert health.judge({"memory_usage": 50.0, "disk_usage": 50.0}) == ("active", None)
    (row,) = samples(replace(START, memory_used=930))
    assert (row.status, row.status_reason) == ("degraded", "memory 93 %")


@pytest.mark.parametrize(("silence", "missed"), [(0, 0), (1.9, 0), (2.0, 1), (3.9, 2), (4.0, 3), (60, 59)])
def test_a_heartbeat_is_missed_when_the_next_is_due(silence: float, missed: int) -> None:
    """One missed makes a node degraded, three unhealthy."""
    assert missed_heartbeats(silence, 1.0) == missed
    if missed:
        status, reason = of_silence(missed, silence)
        assert status == ("degraded" if missed < 3 else "unhealthy")
        assert reason == f"not heard of for {silence:.1f} s"


# ── GPUs: there is none where this was written, so what NVML answers is written down ──────────────────────────────────


class NvmlError(Exception):
    """What NVML raises."""


def nvml(*devices: tuple[float | None, tuple[int, int] | None], driver: bool = True) -> SimpleNamespace:
    """The functions of NVML that are used, over devices of (percent busy, (bytes used, bytes)); None is not told."""

    def init() -> None:
        if not driver:
            raise NvmlError("driver not loaded")

    def told(value: object) -> object:
        if value is None:
            raise NvmlError("not supported")
        return value

    return SimpleNamespace(
        NVMLError=NvmlError,
        nvmlInit=init,
        nvmlDeviceGetCount=lambda: len(devices),
        nvmlDeviceGetHandleByIndex=lambda index: devices[index],
        nvmlDeviceGetUtilizationRates=lambda device: SimpleNamespace(gpu=told(device[0])),
        nvmlDeviceGetMemoryInfo=lambda device: SimpleNamespace(used=told(device[1])[0], total=device[1][1]),  # type: ignore[index]
    )


def test_gpus_are_added_up() -> None:
    """The mean of how busy they are, and the share of all their memory; a divided one tells its memory only."""
    assert Gpus.from_library(nvml((80, (30, 100)), (40, (10, 300)))).read() == GpuReading(2, 60.0, 10.0)
    assert Gpus.from_library(nvml((80, (30, 100)), (None, (10, 100)))).read() == GpuReading(2, 80.0, 20.0)
    (row,) = samples(replace(START, gpu=GpuReading(2, 60.0, 10.0)))
    assert (row.gpu_count, row.gpu_usage, row.gpu_memory_usage) == (2, 60.0, 10.0)


def test_a_machine_without_gpus_has_none() -> None:
    """No library, no driver, no device, or none that answers: None, not zero."""
    assert Gpus().read() is None
    assert Gpus.from_library(nvml(driver=False)).read() is None
    assert Gpus.from_library(nvml()).read() is None
    assert Gpus.from_library(nvml((None, None))).read() is None
    (row,) = samples(START)
    assert {row.gpu_count, row.gpu_usage, row.gpu_memory_usage} == {None}
