"""Ray Data: accounts of tasks, whether Ray runs them as tasks or as calls of an actor pool.

A task of Ray Data has an identity that its retries share, also when Ray makes lost blocks again; its account holds all
calls of a step in it, and is delivered before the task ends (see `ray_task`). Workers on the driver's node append it
to a file there. Those on other nodes send it to an actor on that node (see `ray_sink`), which exists where the cluster
has several nodes. What a plan executes again counts once (see `executions`).
"""

from __future__ import annotations

import itertools
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import ray
from ray.exceptions import RayError

from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.rows import RowTally, Spec
from mega_data_factory.observe.delivery import Delivery, FileDelivery
from mega_data_factory.observe.engines.engine import FINGERPRINT, Engine, RunPlace, Task, this_worker
from mega_data_factory.observe.engines.executions import Executions
from mega_data_factory.observe.engines.ray_sink import SinkDelivery, start_sink
from mega_data_factory.observe.engines.ray_task import accounts_of_task, call_for_task
from mega_data_factory.redaction.loggers import logger

if TYPE_CHECKING:
    from mega_data_factory.framework.metrics.nodes import NodeBuffer

_log = logger("mega_data_factory.observe")

_ASK_AGAIN = 2.0
"""Seconds for which the number of nodes is believed."""

_numbers = itertools.count()


class RayData(Engine):
    """The engine of steps that are given to Ray Data."""

    name: ClassVar[str] = "ray-data"
    calls_per_record: ClassVar[bool] = True
    guarantees: ClassVar[Mapping[str, str]] = {
        "worker kill": "exact, for tasks and actor pools: a retry of a task replaces its account, which is delivered "
        "before the task ends",
        "node kill": "exact, unless it is the driver's node: blocks that Ray makes again count once",
        "driver kill": "what was counted up to the last flush stays, and the run is shown as aborted",
        "speculative attempt": "there are none",
        "re-execution": "a dataset that several actions execute counts once, and is noted: executions are known by the "
        "first inputs of their tasks",
    }

    def __init__(self, place: RunPlace | None = None, *, address: Any = None) -> None:
        super().__init__(place, address=address)
        self._number = next(_numbers)
        self._executions = Executions()
        self._start_id = secrets.token_hex(4)
        self._sink: Any = None
        self._asked, self._several = -math.inf, False
        self._starting = threading.Lock()
        self._reached: dict[str, Any] | None = None

    @classmethod
    def version(cls) -> str:
        """Return the version of Ray."""
        return str(ray.__version__)

    # ── on the driver ─────────────────────────────────────────────────────────────────────────────────────────────

    def address(self) -> dict[str, Any]:
        """Return the folder of account files, its node, and the name of the actor that other nodes send to."""
        assert self.place is not None
        if self._reached is None:
            known = {
                "folder": super().address(),
                "node": None,
                "sink": f"mdf-accounts-{self.place.run_id}",
                "board": None,
            }
            if not ray.is_initialized():
                return known
            known["node"] = ray.get_runtime_context().get_node_id()
            if self._is_cluster():
                known["board"] = f"{self.place.run_id}-{self._start_id}"
                threading.Thread(target=self._start_sink, daemon=True).start()  # not while a step is being pickled
            self._reached = known
        return self._reached

    def _is_cluster(self) -> bool:
        """Return whether there are several nodes; asked of the cluster every few seconds at most."""
        if time.monotonic() - self._asked > _ASK_AGAIN:
            self._asked = time.monotonic()
            self._several = sum(node["Alive"] for node in ray.nodes()) > 1
        return self._several

    def _start_sink(self) -> None:
        with self._starting:
            if self._sink is None and self._reached is not None:
                self._sink = start_sink(self._reached["sink"], self._reached["folder"])

    def collect(self, take: Callable[[Account], None]) -> None:
        """Hand on what has arrived, and of a plan that was executed again what counts."""
        if self._reached is not None and self._sink is None and ray.is_initialized() and self._is_cluster():
            self._start_sink()
        super().collect(self._enter(take))
        self._executions.settle(take)

    def _enter(self, take: Callable[[Account], None]) -> Callable[[Account], None]:
        def enter(account: Account) -> None:
            if account.key is not None and " " in account.key:
                self._executions.enter(account)
            else:
                take(account)

        return enter

    def stop(self) -> None:
        """End the actor, and remove the files."""
        if self._sink is not None and ray.is_initialized():
            ray.kill(self._sink)
        super().stop()

    def notes(self) -> list[str]:
        """Say which steps a lazy dataset has executed more than once."""
        repeated = self._executions.repetitions()
        if not repeated:
            return []
        assert self.place is not None
        steps = ", ".join(f"{self.place.step_name(step)} ({times} times)" for step, times in repeated)
        return [
            f"steps were executed more than once over the same input: {steps}. Every action on a lazy dataset executes "
            "it again; the records count once. ds.materialize() keeps the result of the first execution"
        ]

    def nodes(self, buffer: NodeBuffer) -> AbstractContextManager[object] | None:
        """Return a context that samples every node of the cluster; None if it has one."""
        return sampled_cluster(buffer, self._start_id) if ray.is_initialized() and self._is_cluster() else None

    # ── in a worker ───────────────────────────────────────────────────────────────────────────────────────────────

    def task(self) -> Task | None:
        """Return the task of Ray Data that this thread works on.

        In a worker of Ray without such a task (a thread of the user's, an asynchronous class) the input itself names
        the account.
        """
        if self.place is not None:
            return None
        accounts = accounts_of_task(self._number, self._deliver)
        if accounts is not None:
            return accounts.task
        in_worker = ray.is_initialized() and ray.get_runtime_context().worker.mode == ray.WORKER_MODE
        return Task(FINGERPRINT, this_worker(), this_worker()) if in_worker else None

    def tally(self, spec: Spec) -> RowTally | None:
        """Return what counts records of a step in the task of this thread; None before its first."""
        accounts = accounts_of_task(self._number, self._deliver)
        return None if accounts is None else accounts.tally(spec)

    def carrier(self) -> Callable[..., Any] | None:
        """Return what calls a function for the task of this thread."""
        return call_for_task()

    def deliver(self, account: Account, result: Any) -> Any:
        """Add the account to those of its task; deliver it at once where it has none."""
        accounts = accounts_of_task(self._number, self._deliver)
        if accounts is None:
            self._deliver(account)
        else:
            accounts.add(account)
        return result

    def _deliver(self, account: Account) -> None:
        super().deliver(account, None)

    def delivery(self, address: Any) -> Delivery:
        """Return the files, on the driver's node, or the way to the actor there."""
        node = ray.get_runtime_context().get_node_id()
        if address["board"] is not None:
            from mega_data_factory.framework.metrics.nodes.batch_board import board_of, enter_process

            enter_process(board_of(address["board"], node))
        return FileDelivery(address["folder"]) if address["node"] in (None, node) else SinkDelivery(address["sink"])


@contextmanager
def sampled_cluster(buffer: NodeBuffer, start_id: str) -> Iterator[None]:
    """Sample every node of the cluster as long as the context lasts.

    Args:
        buffer: takes the samples.
        start_id: distinct for every start of a run.
    """
    from mega_data_factory.framework.metrics.nodes.ray_cluster import RayNodes

    nodes = RayNodes(lambda session: [session], buffer, start_id)
    nodes.start()
    try:
        yield
    finally:
        if ray.is_initialized():
            try:
                nodes.close()
            except RayError as error:
                _log.warning("the nodes of the cluster were not sampled to the end: %s", error)
