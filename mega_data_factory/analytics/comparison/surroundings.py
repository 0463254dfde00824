"""Surroundings of two runs, side by side: versions, engine, input, machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.formats import count, moment, percent, seconds, size


@dataclass(frozen=True)
class Surrounding:
    """One thing about two runs that is not a result of theirs.

    Attributes:
        name: What.
        before, after: The values as text; `-` where one is not known.
    """

    name: str
    before: str
    after: str

    @property
    def differs(self) -> bool:
        """Whether the runs differ in it."""
        return self.before != self.after


def surroundings(before: Recording, after: Recording) -> list[Surrounding]:
    """Return what stands beside the numbers of two runs; what neither of them knows is left out."""
    sides = [dict(_surroundings(recording)) for recording in (before, after)]
    return [
        Surrounding(name, sides[0].get(name, "-"), sides[1].get(name, "-"))
        for name in dict.fromkeys([*sides[1], *sides[0]])
    ]


def _surroundings(recording: Recording) -> Iterator[tuple[str, str]]:
    run, config = recording.run, recording.config
    loader: Mapping[str, Any] = config.get("data_loader") or {}
    found = {
        "status": run.get("status"),
        "started (UTC)": moment(run["start_time"]) if run.get("start_time") else None,
        "duration": seconds(recording.seconds),
        "mega-data-factory": run.get("mdf_version"),
        "engine": run.get("engine"),
        "driver": run.get("hostname"),
        "input": _input(loader),
        "records read": count(run.get("total_input_records")),
        "batch size": (config.get("executor") or {}).get("batch_size"),
        "workers": ", ".join(f"{stage.name} {stage.num_workers}" for stage in recording.stages) or None,
    }
    yield from ((name, str(value)) for name, value in found.items() if value is not None)


def _input(loader: Mapping[str, Any]) -> str | None:
    params = loader.get("params") or {}
    where = next((params[key] for key in ("path", "paths", "dataset", "name", "url") if params.get(key)), None)
    if not loader.get("type"):
        return None
    return str(loader["type"]) if where is None else f"{loader['type']} {where}"


@dataclass(frozen=True)
class NodeUse:
    """Use of a node in one run.

    Attributes:
        cpu: Mean percent of its CPU in use; `own` of it by the run. None if that was not sampled.
        own: Mean percent of its CPU that the run used.
        memory: Highest percent of its memory in use.
        cores: Cores that 100 percent are.
        memory_total: Bytes of memory.
    """

    cpu: float | None
    own: float | None
    memory: float | None
    cores: float | None
    memory_total: float | None

    @property
    def text(self) -> str:
        """Return the use in words."""
        parts = [f"CPU {percent(self.cpu)}"]
        if self.own is not None:
            parts.append(f"own {percent(self.own)}")
        parts.append(f"memory {percent(self.memory)}")
        if self.cores is not None:
            parts.append(f"{self.cores:g} cores, {size(self.memory_total)}")
        return "; ".join(parts)


@dataclass(frozen=True)
class NodeDifference:
    """A node in two runs; of the same name they are taken for the same machine.

    Attributes:
        name: Host name of the node.
        before, after: Its use; None if a run did not have it.
    """

    name: str
    before: NodeUse | None
    after: NodeUse | None


def node_differences(before: Recording, after: Recording) -> list[NodeDifference]:
    """Return the nodes of two runs, by name; empty if none was sampled."""
    sides = [_nodes(recording) for recording in (before, after)]
    names = sorted({*sides[0], *sides[1]})
    return [NodeDifference(name, sides[0].get(name), sides[1].get(name)) for name in names]


def _nodes(recording: Recording) -> dict[str, NodeUse]:
    rows: dict[str, list[dict[str, Any]]] = {}
    if not len(recording.nodes):
        return {}
    wanted = ("cpu_usage", "run_cpu_usage", "memory_usage", "cpu_count", "memory_total", "hostname", "node_id")
    known = [name for name in wanted if name in recording.nodes.column_names]
    for row in recording.nodes.select(known).to_pylist():
        rows.setdefault(str(row.get("hostname") or row["node_id"]), []).append(row)
    return {
        name: NodeUse(
            _mean(own, "cpu_usage"),
            _mean(own, "run_cpu_usage"),
            max((row["memory_usage"] for row in own if row.get("memory_usage") is not None), default=None),
            next((row["cpu_count"] for row in own if row.get("cpu_count") is not None), None),
            next((row["memory_total"] for row in own if row.get("memory_total") is not None), None),
        )
        for name, own in rows.items()
    }


def _mean(rows: list[dict[str, Any]], column: str) -> float | None:
    values = [row[column] for row in rows if row.get(column) is not None]
    return float(np.mean(values)) if values else None
