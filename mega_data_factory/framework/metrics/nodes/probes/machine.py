"""The machine as its counters show it at one moment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

from mega_data_factory.framework.metrics.nodes.probes.cgroup import cpu_limit, memory_limit
from mega_data_factory.framework.metrics.nodes.probes.gpu import GpuReading, Gpus
from mega_data_factory.framework.metrics.nodes.probes.processes import RunProcesses

_SYS = Path("/sys")

_IDLE = ("idle", "iowait")
_NOT_BUSY = (*_IDLE, "guest", "guest_nice")
"""Kinds of CPU time: that of guests is part of `user` and `nice`."""


@dataclass(frozen=True)
class Reading:
    """Counters and levels of a machine; what cannot be read is None. Counters only ever grow, until the machine starts.

    Attributes:
        clock: seconds, monotonic.
        cpu_busy: CPU seconds used so far.
        cpu_capacity: CPU seconds that could have been used so far.
        cpu_count: cores that may be used.
        run_cpu: CPU seconds that the processes of the run used so far.
        memory_used: bytes that are not available.
        memory_total: bytes that may be used.
        disk_usage: percent used of the fullest of the file systems.
        disk_total: bytes of that one.
        network_bytes: received and sent so far.
        disk_bytes: read and written so far.
        disk_operations: reads and writes so far.
        gpu: what the GPUs say.
    """

    clock: float
    cpu_busy: float | None = None
    cpu_capacity: float | None = None
    cpu_count: float | None = None
    run_cpu: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    disk_usage: float | None = None
    disk_total: int | None = None
    network_bytes: int | None = None
    disk_bytes: int | None = None
    disk_operations: int | None = None
    gpu: GpuReading | None = None


class Probe(Protocol):
    """Source of a machine's counters."""

    def read(self) -> Reading:
        """Return the machine now."""
        ...


class MachineProbe:
    """Asks the operating system about the machine, or the container, that this process runs on.

    CPU and memory are those of the container where control groups limit them, and of the cores that this process may
    run on. Network is that of the physical interfaces, or, where they are unknown (in a container), of all but the
    loopback; disks are the physical ones, so that partitions, loops and mappings do not count twice.

    Args:
        folders: work of the run lies in these; those on one file system count as one.
        gpus: the GPUs; found with NVML when None.
        clock: seconds, monotonic.
        processes: The processes of the run here; None if it has none.
    """

    def __init__(
        self,
        folders: Iterable[Path] = (),
        *,
        gpus: Gpus | None = None,
        clock: Callable[[], float] = time.monotonic,
        processes: RunProcesses | None = None,
    ) -> None:
        self._folders = _by_file_system(folders)
        self._gpus = Gpus.find() if gpus is None else gpus
        self._clock = clock
        self._processes = processes
        self._cpu_limit = cpu_limit()
        self._memory_limit = memory_limit()
        self._cores = _own_cores()
        self._physical: dict[str, bool] = {}

    def read(self) -> Reading:
        """Return the machine now; takes about 0.2 ms without GPUs, and about 0.05 ms for each process of the run."""
        clock = self._clock()
        busy, capacity, cores = self._cpu(clock)
        memory_used, memory_total = self._memory()
        disk_usage, disk_total = self._file_systems()
        disk_bytes, operations = self._disks()
        return Reading(
            clock=clock,
            cpu_busy=busy,
            cpu_capacity=capacity,
            cpu_count=cores,
            run_cpu=None if self._processes is None else self._processes.cpu_seconds(),
            memory_used=memory_used,
            memory_total=memory_total,
            disk_usage=disk_usage,
            disk_total=disk_total,
            network_bytes=self._network(),
            disk_bytes=disk_bytes,
            disk_operations=operations,
            gpu=self._gpus.read(),
        )

    def _cpu(self, clock: float) -> tuple[float | None, float | None, float]:
        limit = self._cpu_limit
        if limit is not None and limit.cores < len(self._cores):
            return limit.seconds(), clock * limit.cores, limit.cores
        if len(self._cores) == (psutil.cpu_count() or 1):
            cores = [psutil.cpu_times()]
        else:
            every = psutil.cpu_times(percpu=True)
            cores = [every[core] for core in self._cores if core < len(every)]
        busy = sum(_total(core, lambda kind: kind not in _NOT_BUSY) for core in cores)
        return busy, busy + sum(_total(core, _IDLE.__contains__) for core in cores), float(len(self._cores))

    def _memory(self) -> tuple[int | None, int]:
        host = psutil.virtual_memory()
        limit = self._memory_limit
        if limit is not None and limit.limit < host.total:
            return limit.used(), limit.limit
        return host.total - host.available, host.total

    def _file_systems(self) -> tuple[float | None, int | None]:
        found = []
        for folder in self._folders:
            try:
                usage = psutil.disk_usage(str(folder))
            except OSError:  # removed meanwhile, or its server does not answer
                continue
            found.append((float(usage.percent), int(usage.total)))
        return max(found, default=(None, None))

    def _network(self) -> int | None:
        counters = _chosen(psutil.net_io_counters(pernic=True, nowrap=False), self._is_physical("class/net"))
        counters = {name: counted for name, counted in counters.items() if not _is_loopback(name)}
        return sum(c.bytes_recv + c.bytes_sent for c in counters.values()) if counters else None

    def _disks(self) -> tuple[int | None, int | None]:
        every = psutil.disk_io_counters(perdisk=True, nowrap=False)
        disks = _chosen(every or {}, self._is_physical("block")).values()
        if not disks:
            return None, None
        return sum(d.read_bytes + d.write_bytes for d in disks), sum(d.read_count + d.write_count for d in disks)

    def _is_physical(self, kind: str) -> Callable[[str], bool]:
        """Return a test for hardware behind an interface or disk, as Linux knows it; cached, since it never changes."""

        def is_physical(name: str) -> bool:
            key = f"{kind}/{name}"
            if key not in self._physical:
                self._physical[key] = (_SYS / key / "device").exists()
            return self._physical[key]

        return is_physical


def _chosen(counters: Mapping[str, Any], is_physical: Callable[[str], bool]) -> Mapping[str, Any]:
    """Return the counters of physical things; all of them where no thing is known to be one."""
    return {name: counted for name, counted in counters.items() if is_physical(name)} or counters


def _total(times: Any, wanted: Callable[[str], bool]) -> float:
    """Return CPU seconds of some kinds, added up, not subtracted: an unchanged sum stays the same to the last bit."""
    return float(sum(seconds for kind, seconds in zip(times._fields, times, strict=True) if wanted(kind)))


def _is_loopback(name: str) -> bool:
    return name == "lo" or (name.startswith("lo") and name[2:].isdigit())


def _own_cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(psutil.cpu_count() or 1))


def _by_file_system(folders: Iterable[Path]) -> list[Path]:
    """Return one folder of every file system; of a folder that is not there yet, the nearest that is."""
    found: dict[int, Path] = {}
    for folder in folders:
        there = next((parent for parent in (folder, *folder.parents) if parent.exists()), None)
        if there is not None:
            found.setdefault(there.stat().st_dev, there)
    return list(found.values())
