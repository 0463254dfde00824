"""Cost of a run: what its nodes cost while it ran, shared among its parts.

A run costs the nodes that it was given for as long as it ran: hours x (cores x price + GPUs x price + GB of memory x
price), or hours x the price of the node. Parts (reading, every operator, writing) share that by their busy seconds, so
they add up to the run; the time in which the cores of the run did nothing is in it, shared in the same proportion, and
is also given by itself. What other programs do on a node is not taken off: a node that is shared is paid for all the
same. Without samples of nodes, or without a price, there is no cost.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mega_data_factory.analytics.performance.filter_order import better_orders
from mega_data_factory.analytics.performance.stations import LOADER, WRITER
from mega_data_factory.analytics.runs.recording import Recording

_GB = 1e9
_HOUR = 3600.0


@dataclass(frozen=True)
class NodePrice:
    """Prices of a node for an hour; None if one is not charged, or not known.

    Attributes:
        node_hour: The whole node; then the others do not count.
        cpu_hour: A core.
        gpu_hour: A GPU.
        memory_gb_hour: A gigabyte (10^9 bytes) of its memory.
    """

    node_hour: float | None = None
    cpu_hour: float | None = None
    gpu_hour: float | None = None
    memory_gb_hour: float | None = None

    def hourly(self, cores: float, gpus: int, memory: float) -> float:
        """Return the price of a node for an hour.

        Args:
            cores: Its cores.
            gpus: Its GPUs.
            memory: Bytes of its memory.
        """
        if self.node_hour is not None:
            return self.node_hour
        parts = ((self.cpu_hour, cores), (self.gpu_hour, gpus), (self.memory_gb_hour, memory / _GB))
        return sum(price * amount for price, amount in parts if price is not None)

    @property
    def is_known(self) -> bool:
        """Whether there is a price at all."""
        return any(price is not None for price in vars(self).values())


@dataclass(frozen=True)
class Prices:
    """Prices of CPU, GPU and memory.

    Attributes:
        currency: In which they are, as text.
        default: Of nodes that none of `nodes` is for.
        nodes: Pattern of host names (`*`, `?`) → price; the first that matches counts.
    """

    currency: str
    default: NodePrice
    nodes: Mapping[str, NodePrice] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Prices:
        """Return the prices of a section `metrics.prices` that was checked when it was read."""
        names = ("node_hour", "cpu_hour", "gpu_hour", "memory_gb_hour")

        def price(section: Mapping[str, Any]) -> NodePrice:
            return NodePrice(**{name: section[name] for name in names if section.get(name) is not None})

        nodes = {str(pattern): price(section) for pattern, section in (values.get("nodes") or {}).items()}
        return cls(str(values.get("currency") or "USD"), price(values), nodes)

    @classmethod
    def of_run(cls, recording: Recording) -> Prices | None:
        """Return the prices that the configuration of a run names; None without any."""
        metrics = (recording.config.get("executor") or {}).get("metrics") or {}
        section = metrics.get("prices") or (recording.config.get("observed") or {}).get("prices")
        return cls.from_mapping(section) if section else None

    def of_node(self, hostname: str) -> NodePrice:
        """Return the price of a node."""
        for pattern, price in self.nodes.items():
            if fnmatch.fnmatchcase(hostname, pattern):
                return price
        return self.default


@dataclass(frozen=True)
class PartCost:
    """Cost of one part of a run.

    Attributes:
        stage, operator: Which; an empty operator for a whole stage, for reading and for writing.
        busy: Seconds that it was busy, over all workers.
        money: Its share of the cost of the run.
    """

    stage: str
    operator: str
    busy: float
    money: float


@dataclass(frozen=True)
class RunCost:
    """Cost of a run.

    Attributes:
        currency: Of all amounts.
        money: The whole run.
        idle: The part of `money` in which cores did nothing for the run.
        node_hours: Hours of nodes that were paid for.
        parts: Reading, every operator, writing; they add up to `money`. Empty where nothing was busy.
        stages: The same by stage.
        per: `million records read`, `GB kept`, … → money; only what is known.
        saved: What the cheapest order of filters would save; 0 if there is no better order.
    """

    currency: str
    money: float
    idle: float
    node_hours: float
    parts: tuple[PartCost, ...]
    stages: tuple[PartCost, ...]
    per: Mapping[str, float]
    saved: float

    def as_dict(self) -> dict[str, Any]:
        """Return the cost as JSON values."""
        lists = {name: [dict(vars(part)) for part in getattr(self, name)] for name in ("parts", "stages")}
        return {**vars(self), **lists, "per": dict(self.per)}


def cost_of_run(recording: Recording, prices: Prices | None) -> RunCost | None:
    """Return what a run cost; None without prices, or where its nodes were not sampled.

    Args:
        recording: The run.
        prices: What an hour costs; `Prices.of_run` for those of its configuration.
    """
    if prices is None:
        return None
    nodes = _nodes(recording)
    hours = recording.seconds / _HOUR
    charged = [(node, price) for node in nodes if (price := prices.of_node(node.hostname)).is_known]
    if not charged or not hours:
        return None
    money = hours * sum(price.hourly(node.cores, node.gpus, node.memory) for node, price in charged)
    cores = sum(node.cores for node, _ in charged)
    busy = _busy(recording)
    total = sum(busy.values())
    parts = tuple(PartCost(*place, spent, money * spent / total) for place, spent in busy.items() if spent)
    stages: dict[str, list[PartCost]] = {}
    for part in parts:
        stages.setdefault(part.stage, []).append(part)
    return RunCost(
        prices.currency,
        money,
        money * max(0.0, 1 - total / (cores * recording.seconds)) if cores else 0.0,
        hours * len(charged),
        parts,
        tuple(
            PartCost(stage, "", sum(part.busy for part in own), sum(part.money for part in own))
            for stage, own in stages.items()
        ),
        _per(recording, money),
        money * sum(order.saved for order in better_orders(recording.stages)) / total if total else 0.0,
    )


@dataclass(frozen=True)
class _Node:
    hostname: str
    cores: float
    gpus: int
    memory: float


_SIZES = ("node_id", "hostname", "cpu_count", "gpu_count", "memory_total")


def _nodes(recording: Recording) -> list[_Node]:
    table = recording.nodes
    if not len(table):
        return []
    found: dict[str, _Node] = {}
    wanted = [name for name in _SIZES if name in table.column_names]
    for row in table.select(wanted).to_pylist():
        if row.get("cpu_count") is not None:
            name = str(row.get("hostname") or row["node_id"])
            sizes = float(row["cpu_count"]), int(row.get("gpu_count") or 0), float(row.get("memory_total") or 0)
            found[str(row["node_id"])] = _Node(name, *sizes)
    return list(found.values())


def _busy(recording: Recording) -> dict[tuple[str, str], float]:
    run = recording.run
    found = {(LOADER, ""): float(run.get("loader_seconds") or 0.0)}
    for operator in recording.operator_totals:
        found[operator.stage, operator.name] = operator.busy
    for row in recording.tracked_stages:
        found[row["stage_name"], ""] = float(row["total_time"] or 0.0)
    return {**found, (WRITER, ""): float(run.get("writer_seconds") or 0.0)}


def _per(recording: Recording, money: float) -> dict[str, float]:
    """Return the cost of what was read and kept; what is 0 or not known is left out."""
    run = recording.run
    units = {
        "million records read": (run.get("total_input_records"), 1e6),
        "million records kept": (run.get("total_output_records"), 1e6),
        "GB of text read": (run.get("input_text_bytes"), _GB),
        "GB of text kept": (run.get("output_text_bytes"), _GB),
        "GB written": (run.get("output_bytes"), _GB),
        "million tokens read": (run.get("input_tokens"), 1e6),
        "million tokens kept": (run.get("output_tokens"), 1e6),
    }
    return {name: money * unit / amount for name, (amount, unit) in units.items() if amount}
