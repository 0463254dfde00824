"""Tasks of Ray Data, in a worker: the name of the one that a thread works on, and accounts delivered when it ends.

Ray Data keeps a `TaskContext` in a thread-local while the generator of a task runs. Its end, after the last block and
before the reply of the task, clears the thread-local. So a copy of the context is put there that nothing else refers
to: when it is cleared, the copy dies, and with it an object of ours that delivers what the task has counted. A worker
that is killed before has not replied, and its task is tried again.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import ray
from ray.data import DataContext

from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.rows import RowTally, Spec
from mega_data_factory.observe.engines.engine import FINGERPRINT, Task, this_worker
from mega_data_factory.observe.engines.executions import WorkName

try:  # not public, but nothing public says when a task ends
    from ray.data._internal.execution.interfaces.task_context import TaskContext
except ImportError:
    TaskContext = None  # type: ignore[assignment,misc]

_PROGRESS_SECONDS = 2.0
"""Seconds from one delivery of what a task has counted to the next, before its end."""

_RECORDS_BETWEEN_LOOKS = 256
"""Records that a step is called with before the clock is asked whether it is time for that."""

_ATTRIBUTE = "mdf_accounts"


class TaskAccounts:
    """Accounts of the steps in one attempt at one task, delivered together every few seconds and when it ends.

    Args:
        deliver: delivers an account; returns when it would survive this process.

    Attributes:
        task: as calls of steps name it.
    """

    def __init__(self, deliver: Callable[[Account], None]) -> None:
        self._deliver = deliver
        context = DataContext.get_current()
        self._execution = context.dataset_logger_id or "-"
        self._id = ray.get_runtime_context().get_task_id() or "-"
        self._attempt = attempt_number()
        self._totals: dict[str, Account] = {}
        self._inputs: dict[str, str] = {}
        self._tallies: dict[str, RowTally] = {}
        self._started = time.time()
        self._delivered = time.monotonic()
        self._piece = 0
        self._by_input = bool(context.retried_map_errors)  # then Ray starts the task again without a new attempt
        key = FINGERPRINT if self._by_input else self._id
        self.task = Task(key, f"{self._id}/{self._attempt}", this_worker(), self._note_input)

    def _note_input(self, step: str, fingerprint: Callable[[], str | None]) -> None:
        """Keep the fingerprint of the first input of a step."""
        if step not in self._inputs:
            self._inputs[step] = fingerprint() or ""

    def add(self, account: Account) -> None:
        """Add the account of a call; one of a call in progress is left out."""
        if self._by_input:
            self._deliver(account)
            return
        if not account.final:
            return
        total = self._totals.get(account.step)
        if total is None:
            total = self._totals[account.step] = self._empty(account)
        total.include(account)
        total.set_aside += account.set_aside
        total.rejects += account.rejects
        if time.monotonic() - self._delivered > _PROGRESS_SECONDS:
            self._next_piece()

    def tally(self, spec: Spec) -> RowTally | None:
        """Return what counts calls on single records; None before the first call of the step in this task."""
        tally = self._tallies.get(spec.id)
        if tally is None:
            total = self._totals.get(spec.id)
            if total is not None:
                tally = self._tallies[spec.id] = RowTally(spec, total, self.task)
        elif tally.calls % _RECORDS_BETWEEN_LOOKS == 0 and time.monotonic() - self._delivered > _PROGRESS_SECONDS:
            self._next_piece()
        return tally

    def _empty(self, account: Account) -> Account:
        name = WorkName(
            self._execution, self._id, self._attempt, self._started, self._piece, self._inputs.get(account.step, "")
        )
        return Account(account.step, account.worker, name.to_key(), account.attempt, account.engine, account.at)

    def _next_piece(self) -> None:
        """Deliver what was counted since the last piece, and begin another."""
        self.deliver()
        self._piece += 1
        self._totals = {step: self._empty(total) for step, total in self._totals.items()}
        for step, tally in self._tallies.items():
            tally.account = self._totals[step]
        self._delivered = time.monotonic()

    def deliver(self) -> None:
        """Deliver what was counted since the last piece."""
        for tally in self._tallies.values():
            tally.settle()
        for total in self._totals.values():
            if total.calls or total.input_records:
                self._deliver(total)


class _Held:
    """Accounts of the task of a thread, by run; they are delivered when this object dies: when the task ends."""

    def __init__(self) -> None:
        self.by_run: dict[int, TaskAccounts] = {}

    def __del__(self) -> None:
        for accounts in self.by_run.values():
            accounts.deliver()


_carried: ContextVar[_Held | None] = ContextVar("mdf_ray_task", default=None)
"""Accounts of the task that has called into this thread, if that is another thread's."""


def accounts_of_task(run: int, deliver: Callable[[Account], None]) -> TaskAccounts | None:
    """Return the accounts of the task that this thread works on; None if it works on none of Ray Data.

    Args:
        run: number of the run, of those in this process.
        deliver: delivers an account.
    """
    held = _held()
    if held is None:
        return None
    accounts = held.by_run.get(run)
    if accounts is None:
        accounts = held.by_run[run] = TaskAccounts(deliver)
    return accounts


def _held() -> _Held | None:
    context = None if TaskContext is None else TaskContext.get_current()
    if context is None:
        return _carried.get()
    held: _Held | None = vars(context).get(_ATTRIBUTE)
    if held is None:
        own = copy.copy(context)
        held = _Held()
        setattr(own, _ATTRIBUTE, held)
        TaskContext.set_current(own)
    return held


def call_for_task() -> Callable[..., Any] | None:
    """Return a function that calls another for the task of this thread, in whatever thread; None without a task.

    The actors of Ray Data call the user's class in a thread of their own.
    """
    held = _held()
    if held is None:
        return None

    def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        token = _carried.set(held)
        try:
            return function(*args, **kwargs)
        finally:
            _carried.reset(token)

    return call


def attempt_number() -> int:
    """Return how often the task of this thread was tried before; 0 where Ray does not tell."""
    try:  # not public; without it, the last to arrive of two attempts counts
        worker: Any = ray._private.worker.global_worker
        return int(worker.core_worker.get_current_task_attempt_number())
    except AttributeError:
        return 0
