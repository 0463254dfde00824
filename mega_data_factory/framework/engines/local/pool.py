"""Worker pools of the local engine: who is idle, what waits, and who takes a dead worker's place."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

from mega_data_factory.errors import WorkerLostError
from mega_data_factory.framework.driver.progress import StageLoad
from mega_data_factory.framework.engines.local.messages import Answer, Job
from mega_data_factory.framework.engines.local.processes.forking import ForkServer
from mega_data_factory.framework.engines.local.processes.process import WorkerProcess
from mega_data_factory.framework.engines.local.tasks import ReadSplit, Task

_MAX_FAILED_STARTS = 3
"""Workers of a pool that may die in a row before they are ready."""

TaskT = TypeVar("TaskT", bound=Task)


@dataclass
class Worker(Generic[TaskT]):
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
    task: TaskT | None = None
    wants_more: bool = False

    @property
    def connection(self) -> Connection:
        """Connection to the worker."""
        return self.process.connection

    @property
    def idle(self) -> bool:
        """Whether it can take a task."""
        return self.ready and self.task is None

    def receive(self) -> Answer | None:
        """Return its next message; None when it is dead."""
        return self.process.receive()

    def give(self, task: TaskT) -> None:
        """Give it a task."""
        self.task = task
        self.process.send(task.message())

    def request_batch(self) -> None:
        """Ask a reader for the next batch of its split."""
        assert isinstance(self.task, ReadSplit)
        self.wants_more = False
        self.task.has_credit = True
        self.process.send({"kind": "next"})

    def take_task(self) -> TaskT:
        """Return the task that it has finished; it is idle then."""
        assert self.task is not None
        task, self.task = self.task, None
        return task


class Pool(Generic[TaskT]):
    """Workers that do the same.

    Args:
        name: for messages.
        min_size: workers to start with.
        max_size: workers to grow to while work piles up.
        job: the first message of the worker in a slot.
        cpu: cores that a worker may use.
        lock_fd: file descriptor of the run's lock, which every worker holds as long as it lives.

    Attributes:
        queue: tasks that wait for a worker.
        workers: the workers.
    """

    def __init__(
        self,
        name: str,
        min_size: int,
        max_size: int,
        job: Callable[[int], Job],
        cpu: float = 1.0,
        lock_fd: int | None = None,
    ) -> None:
        self.name = name
        self.max_size = max_size
        self.queue: deque[TaskT] = deque()
        self.workers: list[Worker[TaskT]] = []
        self._min_size = min_size
        self._job = job
        self._cpu = cpu
        self._lock_fd = lock_fd
        self._forks: ForkServer | None = None
        self._failed_starts = 0

    def start(self, forks: ForkServer | None = None) -> None:
        """Start the smallest pool.

        Args:
            forks: forks its workers; they are fresh interpreters when None.
        """
        self._forks = forks
        while len(self.workers) < self._min_size:
            self._start_worker(len(self.workers))

    def _start_worker(self, slot: int) -> None:
        self.workers.append(Worker(slot, WorkerProcess(self._job(slot), self._cpu, self._lock_fd, self._forks)))

    def grow(self) -> None:
        """Add a worker when more work waits than there are workers, all of them busy, and the pool may grow."""
        piled_up = len(self.queue) > len(self.workers) and all(worker.task is not None for worker in self.workers)
        if piled_up and len(self.workers) < self.max_size:
            self._start_worker(len(self.workers))

    def hand_out(self) -> None:
        """Give waiting tasks to idle workers."""
        for worker in self.workers:
            if not self.queue:
                return
            if worker.idle:
                worker.give(self.queue.popleft())

    def done(self) -> bool:
        """Return whether no task waits and no worker is busy."""
        return not self.queue and all(worker.task is None for worker in self.workers)

    def load(self) -> StageLoad:
        """Return the number of workers, and of tasks that wait or run."""
        busy = sum(worker.task is not None for worker in self.workers)
        return StageLoad(len(self.workers), len(self.queue) + busy)

    def replace(self, dead: Worker[TaskT]) -> tuple[TaskT | None, str]:
        """Start another worker in the slot of a dead one.

        Returns:
            The task that the dead one held, if any, and how it ended.

        Raises:
            WorkerLostError: workers of this pool die before they are ready, again and again.
        """
        reason = dead.process.exit_reason()
        if dead.task is not None:
            dead.task.timed_out |= dead.process.timed_out()
        dead.process.discard()
        self.workers.remove(dead)
        self._failed_starts = 0 if dead.ready else self._failed_starts + 1
        if self._failed_starts >= _MAX_FAILED_STARTS:
            raise WorkerLostError(
                f"{self.name}: {self._failed_starts} workers in a row died while they started ({reason})"
            )
        self._start_worker(dead.slot)
        return dead.task, reason

    def ask_to_stop(self) -> None:
        """Tell the workers to end, without waiting for it."""
        for worker in self.workers:
            worker.process.send({"kind": "stop"})

    def stop(self, deadline: float) -> None:
        """Let the workers end by themselves until the deadline (monotonic seconds), then kill them."""
        for worker in self.workers:
            worker.process.stop(max(0.1, deadline - time.monotonic()))
        self.workers = []

    def kill(self) -> None:
        """End the workers at once."""
        for worker in self.workers:
            worker.process.kill()
        self.workers = []
