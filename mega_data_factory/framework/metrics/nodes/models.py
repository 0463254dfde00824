"""Metrics of a node at one moment: a row of the table `nodes`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mega_data_factory.clock import naive


@dataclass(slots=True)
class NodeMetrics:
    """One sample of one node; what could not be measured is None.

    Attributes:
        run_id: the run.
        node_id: the node: Ray's id of it, or, in the local engine, the name of the machine.
        timestamp: when, by the clock of the node, naive UTC.
        cpu_usage: percent of the CPU time there was since the sample before.
        memory_usage: percent of memory that is not available.
        disk_usage: percent used of the fullest file system that holds work of the run.
        network_io: bytes per second received and sent since the sample before, without loopback.
        disk_io: bytes per second read and written since the sample before.
        iops: read and write operations per second since the sample before.
        partition_count: batches that stage workers of this node held.
        status: `active`, `degraded` or `unhealthy`.
        object_store_memory: bytes used of the object store of the node; None if the engine has none.
        gpu_usage: percent of the time that kernels ran, mean over the GPUs.
        gpu_memory_usage: percent of GPU memory in use, over the GPUs.
        hostname: name of the machine.
        status_reason: why it is not active, in words.
        num_workers: stage workers of the run on this node.
        cpu_count: cores that 100 % of `cpu_usage` are.
        memory_total: bytes that 100 % of `memory_usage` are.
        disk_total: bytes of the file system that `disk_usage` is of.
        gpu_count: GPUs that answered.
        run_cpu_usage: percent of the CPU time there was that the processes of the run used; at most `cpu_usage`, but
            for rounding.
    """

    run_id: str
    node_id: str
    timestamp: datetime
    cpu_usage: float | None = None
    memory_usage: float | None = None
    disk_usage: float | None = None
    network_io: float | None = None
    disk_io: float | None = None
    iops: float | None = None
    partition_count: int | None = None
    status: str = "active"
    object_store_memory: int | None = None
    gpu_usage: float | None = None
    gpu_memory_usage: float | None = None
    hostname: str | None = None
    status_reason: str | None = None
    num_workers: int | None = None
    cpu_count: float | None = None
    memory_total: int | None = None
    disk_total: int | None = None
    gpu_count: int | None = None
    run_cpu_usage: float | None = None

    def __post_init__(self) -> None:
        self.timestamp = naive(self.timestamp)
