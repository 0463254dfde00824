"""Check that the smallest worker pools of a plan fit, before anything starts and waits for ever."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

from mega_data_factory.errors import ResourceError
from mega_data_factory.framework.metrics.nodes.probes.cgroup import cpu_limit, memory_limit
from mega_data_factory.framework.plan import Plan

SPARE_CPU = 1.0
"""Kept free on a Ray cluster for the tasks that Ray Data starts by itself."""


@dataclass(frozen=True)
class Machine:
    """Resources of a machine or node.

    Attributes:
        cpu: cores.
        gpu: GPUs.
        memory: bytes.
        custom: custom resources by name.
    """

    cpu: float
    gpu: float = 0.0
    memory: float = 0.0
    custom: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Need:
    """Resources that one worker reserves, and its stage."""

    worker: str
    cpu: float
    gpu: float = 0.0
    memory: float = 0.0
    custom: tuple[tuple[str, float], ...] = ()


def this_machine() -> Machine:
    """Return what this process may use of the machine: affinity and control groups (Docker, Kubernetes) count."""
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    memory = float(psutil.virtual_memory().total)
    if (cpu_quota := cpu_limit()) is not None:
        cores = min(cores, cpu_quota.cores)
    if (memory_quota := memory_limit()) is not None:
        memory = min(memory, float(memory_quota.limit))
    return Machine(cpu=cores, memory=memory)


def cpu_share(plan: Plan, cpus: float) -> float:
    """Return the CPUs of each worker that does not say how many it needs: an equal share of the rest, at most 1."""
    reserved = sum(stage.min_workers * (stage.resources.cpu or 0.0) for stage in plan.stages)
    unspecified = plan.loader_workers + sum(s.min_workers for s in plan.stages if s.resources.cpu is None)
    share = (cpus - SPARE_CPU - reserved) / unspecified if unspecified else 0.0
    return max(0.0, min(1.0, int(share * 1000) / 1000))


def minimal_needs(plan: Plan, share: float) -> list[Need]:
    """Return the workers of the smallest pools."""
    needs = [Need("data_loader", share)] * plan.loader_workers
    for stage in plan.stages:
        wanted = stage.resources
        cpu = share if wanted.cpu is None else wanted.cpu
        custom = tuple(sorted(wanted.custom.items()))
        needs += [Need(f"stage `{stage.name}`", cpu, wanted.gpu, wanted.memory, custom)] * stage.min_workers
    return needs


def check_fit(plan: Plan, machines: Machine | Sequence[Machine]) -> None:
    """Check that all smallest pools can exist at the same time.

    On the local engine cores are shared by the operating system, so a worker may not ask for more cores than there
    are, but all together may; GPUs, memory and custom resources are reserved. On Ray everything is reserved, each
    worker on one node, and one CPU stays free for Ray Data's own tasks.

    Raises:
        ResourceError: they do not fit; says what is asked for, what there is, and what to change.
    """
    nodes = [machines] if isinstance(machines, Machine) else list(machines)
    local = plan.executor.engine == "local"
    share = 0.0 if local else cpu_share(plan, sum(node.cpu for node in nodes))
    needs = minimal_needs(plan, share)
    free = [_Free.from_machine(node) for node in nodes]
    if not local:
        needs = [Need("Ray Data's own tasks", SPARE_CPU), *needs]
    # The most demanding first: a worker that runs anywhere must not take the place of one that runs on few nodes.
    for need in sorted(needs, key=lambda n: (bool(n.custom), n.gpu, n.cpu, n.memory), reverse=True):
        if not any(node.reserve(need, share_cpu=local) for node in free):
            raise ResourceError(_message(need, needs, nodes), hint=_hint(need, nodes, local))


@dataclass
class _Free:
    """Remaining resources of a node."""

    cores: float
    cpu: float
    gpu: float
    memory: float
    custom: dict[str, float]

    @classmethod
    def from_machine(cls, machine: Machine) -> _Free:
        return cls(machine.cpu, machine.cpu, machine.gpu, machine.memory, dict(machine.custom))

    def reserve(self, need: Need, share_cpu: bool) -> bool:
        """Reserve what a worker needs, if it is there."""
        slack = 1e-6  # shares are rounded down to thousandths, their sum is not exact
        if need.cpu > (self.cores if share_cpu else self.cpu) + slack:
            return False
        if need.gpu > self.gpu + slack or need.memory > self.memory:
            return False
        if any(amount > self.custom.get(name, 0.0) + slack for name, amount in need.custom):
            return False
        self.cpu -= 0.0 if share_cpu else need.cpu
        self.gpu -= need.gpu
        self.memory -= need.memory
        for name, amount in need.custom:
            self.custom[name] -= amount
        return True


def _message(need: Need, needs: Sequence[Need], nodes: Sequence[Machine]) -> str:
    asked = _amounts(
        sum(n.cpu for n in needs), sum(n.gpu for n in needs), sum(n.memory for n in needs), _sum_custom(needs)
    )
    there = _amounts(
        sum(n.cpu for n in nodes),
        sum(n.gpu for n in nodes),
        sum(n.memory for n in nodes),
        _sum_custom([Need("", 0, custom=tuple(n.custom.items())) for n in nodes]),
    )
    one = _amounts(need.cpu, need.gpu, need.memory, dict(need.custom))
    where = f" on {len(nodes)} nodes" if len(nodes) > 1 else ""
    return (
        f"no room for a worker of {need.worker} ({one}): the smallest pools ask for {asked} in all, "
        f"there is {there}{where}"
    )


def _hint(need: Need, nodes: Sequence[Machine], local: bool) -> str:
    if need.gpu and need.gpu > max(node.gpu for node in nodes):
        return "lower `resources.gpu` of the stage (fractions share a GPU), or run it on nodes that have one"
    lacking = [name for name, amount in need.custom if amount > max(node.custom.get(name, 0.0) for node in nodes)]
    if lacking:
        return f"lower `resources.custom.{lacking[0]}` of the stage, or add nodes that offer it"
    if need.memory and need.memory > max(node.memory for node in nodes):
        return "lower `resources.memory` of the stage, or run it on nodes with more"
    if local:
        return "lower `resources` or `num_replicas` of the stage, or run it on a cluster with executor.engine: ray"
    return "lower `resources.cpu` (fractions such as 0.3 are fine), `num_replicas` or `data_loader.num_workers`"


def _amounts(cpu: float, gpu: float, memory: float, custom: dict[str, float]) -> str:
    parts = [f"{cpu:g} CPU"]
    if gpu:
        parts.append(f"{gpu:g} GPU")
    if memory:
        parts.append(f"{memory / 2**30:.1f} GiB memory")
    parts += [f"{amount:g} {name}" for name, amount in sorted(custom.items()) if not name.startswith("node:")]
    return ", ".join(parts)


def _sum_custom(needs: Sequence[Need]) -> dict[str, float]:
    total: dict[str, float] = {}
    for need in needs:
        for name, amount in need.custom:
            total[name] = total.get(name, 0.0) + amount
    return total
