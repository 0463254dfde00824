"""The nodes under the Ray engine: an actor on each samples it, the driver gathers, and knows who is silent or dead.

Actors keep their samples until the driver has them, so a call that is lost loses none. The driver waits for no node:
it looks at the answers that have come, and asks again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mega_data_factory.clock import utc_now
from mega_data_factory.framework.metrics.nodes import NodeBuffer, NodeMetrics
from mega_data_factory.framework.metrics.nodes.probes.health import (
    DEGRADED_AT_MISSED,
    UNHEALTHY,
    missed_heartbeats,
    of_silence,
)
from mega_data_factory.framework.metrics.nodes.ray_node import NodeActor
from mega_data_factory.framework.metrics.nodes.ticker import Ticker
from mega_data_factory.host import host_name

_CALLS_PER_SECOND = 1.0
"""Questions to nodes that the driver asks at most: each costs it about a millisecond of CPU time. So if there are
several each is asked less often; their samples come all the same, some at a time."""

_MAX_INTERVAL = 5.0
"""Seconds between two questions to one node, where `metrics.node_interval` is not longer, however many there are."""

_START_PATIENCE = 60.0
"""Seconds that an actor may take to start before its node counts as silent."""

_RESTART_DELAY = 15.0
"""Seconds before an actor that died is replaced: one that cannot live there is not to be started all the time."""

_DRAINED_IDLE = 4
"""Ray's reason of a death that is none: the autoscaler has taken an idle node away (AUTOSCALER_DRAIN_IDLE)."""


@dataclass
class _Node:
    """State of a node in the driver."""

    id: str
    hostname: str
    folders: list[Path]
    store: int
    met: float
    may_start: float = 0.0
    actor: Any = None
    answer: Any = None
    number: int = 0
    heard: float | None = None
    dead: str | None = None
    left: bool = False

    def take(self, rows: list[tuple[int, NodeMetrics]], now: float) -> list[NodeMetrics]:
        """Return the rows that are new, and remember them."""
        new = [row for number, row in rows if number > self.number]
        if new:
            self.number, self.heard = rows[-1][0], now
        return new


class RayNodes:
    """Samples every node of the cluster, those that join later too, until it is closed.

    Args:
        folders: returns where work of the run lies on a node, given the session folder of Ray there.
        buffer: takes the samples, and says how often.
        start_id: distinct for every start of a run.
        clock: seconds, monotonic.

    Attributes:
        board: names the run on the boards of the nodes.
    """

    def __init__(
        self,
        folders: Callable[[Path], list[Path]],
        buffer: NodeBuffer,
        start_id: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.board = f"{buffer.run_id}-{start_id}"
        self._folders = folders
        self._buffer = buffer
        self._clock = clock
        self._nodes: dict[str, _Node] = {}
        self._used: dict[str, int] = {}
        self._ticker = Ticker(f"nodes-of-{buffer.run_id}", buffer.interval, self._gather)

    def start(self) -> None:
        """Begin, on a thread."""
        self._ticker.start()

    def close(self, patience: float = 5.0) -> None:
        """Gather the last samples and end the actors; a node that is silent is not waited for.

        Args:
            patience: seconds to wait for the others.
        """
        self._ticker.end(patience)
        now = self._clock()
        living = [node for node in list(self._nodes.values()) if node.actor is not None]
        actors = [node.actor for node in living]
        answers = {node.actor.finish.remote(node.number): node for node in living if self._missed(node, now) == 0}
        done = ray.wait(list(answers), num_returns=len(answers), timeout=patience)[0] if answers else []
        for answer in done:
            self._take(answers[answer], answer)
        for actor in actors:
            ray.kill(actor)

    # ── one beat ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _gather(self) -> None:
        started = time.thread_time()
        self._look_around()
        self._used = _object_store_used(self._nodes)
        for node in self._nodes.values():
            if node.answer is not None and ray.wait([node.answer], timeout=0)[0]:
                answer, node.answer = node.answer, None
                self._take(node, answer)
            if node.actor is not None and node.answer is None:
                node.answer = node.actor.rows_after.remote(node.number)
        self._buffer.add_samples([row for node in self._nodes.values() if (row := self._of_silence(node)) is not None])
        asked = sum(node.actor is not None for node in self._nodes.values())
        self._ticker.interval = max(self._buffer.interval, min(asked / _CALLS_PER_SECOND, _MAX_INTERVAL))
        self._buffer.seconds += time.thread_time() - started

    def _look_around(self) -> None:
        """Detect nodes that joined or left, and give every living node an actor."""
        now = self._clock()
        for seen in ray.nodes():
            node = self._nodes.get(seen["NodeID"])
            if node is None and seen["Alive"]:
                node = self._nodes[seen["NodeID"]] = self._met(seen, now)
            if node is None:
                continue
            if not seen["Alive"] and node.dead is None:
                node.dead = seen.get("DeathReasonMessage") or "the node has died"
                node.left = seen.get("DeathReason") == _DRAINED_IDLE
                node.actor = node.answer = None
            elif node.dead is None and node.actor is None and now >= node.may_start:
                node.actor, node.number = self._start_actor(node), 0
                node.may_start = now + _RESTART_DELAY

    def _met(self, seen: dict[str, Any], now: float) -> _Node:
        session = Path(seen["RayletSocketName"]).parents[1]  # there Ray spills to
        store = int(seen["Resources"].get("object_store_memory", 0))
        return _Node(seen["NodeID"], seen["NodeManagerHostname"], self._folders(session), store, now)

    def _start_actor(self, node: _Node) -> Any:
        pinned = NodeAffinitySchedulingStrategy(node.id, soft=False)
        actor = ray.remote(NodeActor).options(num_cpus=0, max_restarts=0, scheduling_strategy=pinned)
        here = node.id == ray.get_runtime_context().get_node_id() and node.hostname == host_name()
        driver = os.getpid() if here else None
        return actor.remote(self._buffer.run_id, node.id, self._buffer.interval, node.folders, self.board, driver)

    def _take(self, node: _Node, answer: Any) -> None:
        try:
            rows = node.take(ray.get(answer), self._clock())
        except RayError:  # the actor has died; whether the node has, Ray says elsewhere
            node.actor = None
            return
        for row in rows:
            row.object_store_memory = self._used.get(node.id)
        self._buffer.add_samples(rows)

    # ── silence ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _missed(self, node: _Node, now: float) -> int:
        return missed_heartbeats(self._silence(node, now), self._ticker.interval)

    def _silence(self, node: _Node, now: float) -> float:
        """Return seconds since a node was heard of; before it was for the first time, since it should have been."""
        if node.heard is None:
            return max(0.0, now - node.met - _START_PATIENCE)
        return now - node.heard

    def _of_silence(self, node: _Node) -> NodeMetrics | None:
        """Return a placeholder for the sample of a silent node: nothing measured, and why."""
        now = self._clock()
        if node.left:
            return None
        status, reason = UNHEALTHY, f"dead: {node.dead}"
        if node.dead is None:
            missed = self._missed(node, now)
            if missed < DEGRADED_AT_MISSED:
                return None
            status, reason = of_silence(missed, self._silence(node, now))
        run_id, host = self._buffer.run_id, node.hostname
        return NodeMetrics(run_id, node.id, utc_now(), status=status, status_reason=reason, hostname=host)


def _object_store_used(nodes: dict[str, _Node]) -> dict[str, int]:
    """Return bytes used of the object store of every node, from one question to the cluster's head; 0.2 ms.

    Ray has no public name for this question; `available_resources` sums up over nodes.
    """
    from ray._private.state import available_resources_per_node

    free: dict[str, dict[str, float]] = available_resources_per_node()
    return {
        node: max(0, nodes[node].store - int(resources["object_store_memory"]))
        for node, resources in free.items()
        if node in nodes and "object_store_memory" in resources
    }
