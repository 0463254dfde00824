"""Worker pools of the local engine: who is idle, what waits, and who takes a dead worker's place."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from mega_data_factory.errors import WorkerLostError
from mega_data_factory.framework.batch import StagedBatch
from mega_data_factory.framework.driver.progress import StageLoad
from mega_data_factory.framework.engines.local.process import WorkerProcess

_STILLBORN_ALLOWED = 3


@dataclass
class Task:
    """A piece of work for a worker.

    Attributes:
        message: what is sent.
        quarantine_after: attempts after which a stage looks for poison records; None where nothing can be set aside.
        attempt: 1 for the first.
        timed_out: Whether a worker ended over it since a record took too long; a stage looks for the record at once.
        has_credit: of a split: whether its next batch is counted as on its way already.
        staged: of a file: the batches in it.
    """

    message: Mapping[str, Any]
    quarantine_after: int | None = None
    attempt: int = 1
    timed_out: bool = False
    has_credit: bool = False
    staged: list[StagedBatch] = field(default_factory=list)

    def to_send(self) -> Mapping[str, Any]:
        """Return the message of this attempt."""
        if self.quarantine_after is None:
            return self.message
        quarantine = self.timed_out or self.attempt > self.quarantine_after
        return {**self.message, "attempt": self.attempt, "quarantine": quarantine, "timed_out": self.timed_out}

    def describe(self) -> str:
        """Return a description of the work, for an error."""
        if "read" in self.message:
            return f"reading {dict(self.message['read']['split']['params'])} from batch {self.message['skip']}"
        if self.staged:
            return f"writing batches {self.staged[0].batch.id} to {self.staged[-1].batch.id}"
        return "running a batch"


@dataclass
class Worker:
    """A worker and what it is doing.

    Attributes:
        slot: its number in the pool; its replacement gets the same.
        process: the process.
        ready: whether it has reported that it is set up.
        task: what it works on.
        wants_more: whether a reader waits for the request of the next batch of its split.
    """

    slot: int
    process: WorkerProcess
    ready: bool = False
    task: Task | None = None
    wants_more: bool = False

    @property
    def connection(self) -> Connection:
        """Connection to the worker."""
        return self.process.connection

    @property
    def idle(self) -> bool:
        """Whether it can take a task."""
        return self.ready and self.task is None

    def receive(self) -> dict[str, Any] | None:
        """Its next message; None when it is dead."""
        return self.process.receive()

    def give(self, task: Task) -> None:
        """Give it a task."""
        self.task = task
        self.process.send(task.to_send())

    def go_on(self, message: Mapping[str, Any]) -> None:
        """Let it continue its task."""
        assert self.task is not None
        self.wants_more = False
        self.task.has_credit = True
        self.process.send(message)

    def take_task(self) -> Task:
        """Return the task it has finished."""
        assert self.task is not None
        task, self.task = self.task, None
        return task


class Pool:
    """Workers that do the same.

    Args:
        name: for messages.
        min_size: workers to start with.
        max_size: workers to grow to while work piles up.
        job: the first message of the worker in a slot.
        cpu: cores that a worker may use.
        holds: an open file that every worker holds as long as it lives.
    """

    def __init__(
        self,
        name: str,
        min_size: int,
        max_size: int,
        job: Callable[[int], Mapping[str, Any]],
        cpu: float = 1.0,
        holds: int | None = None,
    ) -> None:
        self.name = name
        self.max_size = max_size
        self.queue: deque[Task] = deque()
        self.workers: list[Worker] = []
        self.lost: list[Task] = []
        self._min_size = min_size
        self._job = job
        self._cpu = cpu
        self._holds = holds
        self._stillborn = 0

    def start(self) -> None:
        """Start the smallest pool."""
        while len(self.workers) < self._min_size:
            self._add(len(self.workers))

    def _add(self, slot: int) -> None:
        self.workers.append(Worker(slot, WorkerProcess(self._job(slot), self._cpu, self._holds)))

    def grow(self) -> None:
        """Add a worker when more work waits than there are workers, all of them busy, and the pool may grow."""
        piled_up = len(self.queue) > len(self.workers) and all(worker.task is not None for worker in self.workers)
        if piled_up and len(self.workers) < self.max_size:
            self._add(len(self.workers))

    def hand_out(self) -> None:
        """Give waiting tasks to idle workers."""
        for worker in self.workers:
            if not self.queue:
                return
            if worker.idle:
                worker.give(self.queue.popleft())

    def done(self) -> bool:
        """Whether no task waits and no worker is busy."""
        return not self.queue and all(worker.task is None for worker in self.workers)

    def load(self) -> StageLoad:
        """Return the number of workers, and of tasks that wait or run."""
        busy = sum(worker.task is not None for worker in self.workers)
        return StageLoad(len(self.workers), len(self.queue) + busy)

    def replace(self, dead: Worker) -> tuple[Task | None, str]:
        """Start another worker in the slot of a dead one.

        Returns:
            The task that the dead one held, if any, and how it ended.

        Raises:
            WorkerLostError: workers of this pool die before they are ready, again and again.
        """
        epitaph = dead.process.epitaph()
        if dead.task is not None:
            dead.task.timed_out |= dead.process.timed_out()
        dead.process.discard()
        self.workers.remove(dead)
        self._stillborn = 0 if dead.ready else self._stillborn + 1
        if self._stillborn >= _STILLBORN_ALLOWED:
            raise WorkerLostError(
                f"{self.name}: {self._stillborn} workers in a row died while they started ({epitaph})"
            )
        self._add(dead.slot)
        return dead.task, epitaph

    def stop(self, deadline: float) -> None:
        """Let the workers end by themselves until the deadline (monotonic seconds), then kill them."""
        for worker in self.workers:
            worker.process.send({"stop": True})
        for worker in self.workers:
            worker.process.stop(max(0.1, deadline - time.monotonic()))
        self.workers = []

    def kill(self) -> None:
        """End the workers at once; what they were doing is in `lost`."""
        for worker in self.workers:
            worker.process.kill()
        self.lost += [worker.task for worker in self.workers if worker.task is not None]
        self.workers = []
