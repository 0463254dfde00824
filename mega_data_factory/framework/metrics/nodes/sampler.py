"""Samples of one node: what its counters did since the sample before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from mega_data_factory.clock import utc_now
from mega_data_factory.framework.metrics.nodes.models import NodeMetrics
from mega_data_factory.framework.metrics.nodes.probes.health import Health
from mega_data_factory.framework.metrics.nodes.probes.machine import Probe, Reading


class HeldBatches(NamedTuple):
    """Batches that the stage workers of a node hold.

    Attributes:
        batches: batches that they work on.
        workers: how many workers there are.
    """

    batches: int
    workers: int


class NodeSampler:
    """Turns readings of a probe into rows.

    Args:
        run_id: the run.
        node_id: the node.
        probe: reads the machine.
        held: asks for the batches of its stage workers.
        hostname: name of the machine.
        now: the time of day, naive UTC.
    """

    def __init__(
        self,
        run_id: str,
        node_id: str,
        probe: Probe,
        held: Callable[[], HeldBatches],
        *,
        hostname: str | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._run_id = run_id
        self._node_id = node_id
        self._probe = probe
        self._held = held
        self._hostname = hostname
        self._now = now
        self._health = Health()
        self._last: Reading | None = None

    def sample(self) -> NodeMetrics:
        """Sample the node. Rates and `cpu_usage` are over the time since the last call: None in the first one.

        A counter that is lower than before (the machine was restarted, a counter has wrapped, an interface went)
        gives no rate this time.
        """
        new, old = self._probe.read(), self._last
        self._last = new
        held = self._held()
        row = NodeMetrics(
            self._run_id,
            self._node_id,
            self._now(),
            memory_usage=_percent(new.memory_used, new.memory_total),
            disk_usage=new.disk_usage,
            partition_count=held.batches,
            hostname=self._hostname,
            num_workers=held.workers,
            cpu_count=new.cpu_count,
            memory_total=new.memory_total,
            disk_total=new.disk_total,
        )
        if new.gpu is not None:
            row.gpu_count = new.gpu.count
            row.gpu_usage, row.gpu_memory_usage = new.gpu.usage, new.gpu.memory_usage
        if old is not None:
            capacity = _growth(new.cpu_capacity, old.cpu_capacity)
            usage = _percent(_growth(new.cpu_busy, old.cpu_busy), capacity)
            row.cpu_usage = None if usage is None else min(100.0, usage)  # a quota may be overdrawn for a moment
            own = _percent(_growth(new.run_cpu, old.run_cpu), capacity)
            row.run_cpu_usage = None if own is None else min(100.0, own)
            seconds = new.clock - old.clock
            row.network_io = _rate(new.network_bytes, old.network_bytes, seconds)
            row.disk_io = _rate(new.disk_bytes, old.disk_bytes, seconds)
            row.iops = _rate(new.disk_operations, old.disk_operations, seconds)
        row.status, row.status_reason = self._health.judge(
            {"cpu_usage": row.cpu_usage, "memory_usage": row.memory_usage, "disk_usage": row.disk_usage}
        )
        return row


def _growth(new: float | None, old: float | None) -> float | None:
    """Return the growth of a counter; None if it is unknown, or has jumped back."""
    return None if new is None or old is None or new < old else new - old


def _rate(new: float | None, old: float | None, seconds: float) -> float | None:
    grown = _growth(new, old)
    return None if grown is None or seconds <= 0 else grown / seconds


def _percent(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else 100.0 * part / whole
