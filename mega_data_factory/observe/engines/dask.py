"""Dask: `map_partitions`, bags, `delayed`, `Client.submit`; on `distributed` and on the schedulers of one machine.

The key of a Dask task survives a retry, and a second `compute` where Dask makes the same task of it. Optimisation may
fuse a partition into another task each time, so that accounts are sorted out by the records too: see `stage_accounts`.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from types import CodeType
from typing import Any, ClassVar

from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.engines.engine import Task
from mega_data_factory.observe.engines.stage_engine import StageEngine

_TRIAL = -1
"""Number of the attempt where Dask calls a function on made-up records, to see what it returns (no `meta`)."""

_running: dict[int, tuple[object, object, int]] = {}
"""Thread → key, inputs and number of the attempt that it works on, for schedulers that do not number attempts."""


class Dask(StageEngine):
    """The engine of Dask."""

    name: ClassVar[str] = "dask"
    title: ClassVar[str] = "Dask"
    keeping: ClassVar[str] = "persist()"
    guarantees: ClassVar[Mapping[str, str]] = {
        "worker kill": "exact: a retry of a task has its key, and replaces it",
        "driver kill": "what was counted up to the last flush stays, and the run is shown as aborted",
        "speculative attempt": "there are none; where work stealing executes a task twice, it counts once",
        "re-execution": "a second compute counts once where Dask gives the step the same records in the same "
        "partition; the notes of the run name it",
    }

    @classmethod
    def version(cls) -> str:
        """Return the version of Dask."""
        return str(sys.modules["dask"].__version__)

    def stop(self) -> None:
        """Remove the account files, and let go of the inputs of the last tasks."""
        super().stop()
        _running.clear()

    def task(self) -> Task | None:
        """Return the task that this thread executes, on a worker of `distributed` or for a scheduler of one machine."""
        found = _distributed_task() or _local_task()
        if found is None:
            return None
        key, attempt = found
        if isinstance(key, tuple):  # of a collection: name and number of the partition
            return self.task_of(str(key[0]), ",".join(map(str, key[1:])), attempt)
        return self.task_of(str(key), str(key), attempt)  # equal inputs of two of these are two pieces of work

    def deliver(self, account: Account, result: Any) -> Any:
        """Deliver an account, unless the call was a trial."""
        return result if account.attempt == str(_TRIAL) else super().deliver(account, result)


def _distributed_task() -> tuple[Any, int] | None:
    """Return the key of the task of this thread, and the scheduler's number of the attempt."""
    module = sys.modules.get("distributed.worker")
    if module is None:
        return None
    try:
        worker = module.get_worker()
        key = worker.get_current_task()
    except (ValueError, KeyError):  # not on a worker; not in a task
        return None
    state = worker.state.tasks.get(key)
    return None if state is None else (key, state.run_id)


def _codes() -> set[CodeType]:
    """Return the code that executes a task on one machine, and that which calls a function on made-up records."""
    local, frames = sys.modules.get("dask.local"), sys.modules.get("dask.dataframe.dask_expr._expr")
    found = {local.execute_task.__code__} if local is not None else set()
    emulate = getattr(frames, "emulate", None)
    return found if emulate is None else found | {emulate.__code__}


def _local_task() -> tuple[Any, int] | None:
    """Return the key of the task that a scheduler of one machine executes in this thread, and a number of the attempt.

    A frame below us executes it. Its inputs are a dictionary that is made for each attempt: as long as it is held here
    no other attempt can have the same.
    """
    codes = _codes()
    frame = sys._getframe(1).f_back
    while frame is not None and frame.f_code not in codes:
        frame = frame.f_back
    if frame is None:
        return None
    if "udf" in frame.f_code.co_varnames:
        return "trial", _TRIAL
    variables = frame.f_locals
    key, inputs = variables["key"], variables["data"]
    thread = threading.get_ident()
    running = _running.get(thread)
    if running is None or running[0] != key or running[1] is not inputs:
        running = _running[thread] = key, inputs, time.time_ns()
    return key, running[2]
