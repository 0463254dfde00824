"""Plain Python: loops, threads, asyncio, `multiprocessing`, `concurrent.futures`, joblib; also pandas and polars.

In the driver's process accounts go straight to the ledger. In a process of a pool they travel with the result: when
the pool itself has called the step, the step returns its result together with its accounts, and what unpickles them in
the driver enters the accounts and gives the pool the bare result. So an account counts exactly when its result has
arrived. A step that user code calls inside a worker delivers through a file: each execution counts.
"""

from __future__ import annotations

import functools
import os
import platform
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import FrameType
from typing import Any, ClassVar

from mega_data_factory.observe.counting import wire
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.single_call import SingleCall
from mega_data_factory.observe.delivery import FileDelivery, ledgers
from mega_data_factory.observe.engines.engine import NO_RESULT, Engine, Task, this_worker

_POOLS = frozenset(
    {
        "multiprocessing.pool",
        "multiprocess.pool",
        "concurrent.futures.process",
        "joblib.parallel",
        "joblib.externals.loky.process_executor",
        "loky.process_executor",
    }
)
"""Modules that call a function in a worker process and pickle what it returns."""


class PlainPython(Engine):
    """The engine of code that runs on none of the others."""

    name: ClassVar[str] = "python"
    guarantees: ClassVar[Mapping[str, str]] = {
        "worker kill": "exact for a step that is given to a pool; a step inside the function of a pool counts every "
        "execution, unless run.task wraps the function",
        "driver kill": "what was counted up to the last flush stays, and the run is shown as aborted",
        "speculative attempt": "there are none",
        "re-execution": "counts again: the work was done again",
    }

    adds: ClassVar[bool] = True

    _file: FileDelivery | None = None

    @classmethod
    def version(cls) -> str:
        """Return the version of Python."""
        return platform.python_version()

    def task(self) -> Task:
        """Return a task whose accounts add up."""
        worker = this_worker()
        return Task(None, worker, worker)

    def deliver(self, account: Account | SingleCall, result: Any) -> Any:
        """Send the account with the result where a pool returns it, through a file where it does not."""
        parcel = _parcel.get()
        if parcel is not None:
            parcel.append((self, account))
            return result
        if result is not NO_RESULT and _called_by_pool(3):  # through a connection, for a work
            return Reply(self._run_id, [account], result)
        self.deliver_by_file(account)
        return result

    def deliver_by_file(self, account: Account | SingleCall) -> None:
        """Deliver an account whose result does not go to the driver, or will not arrive."""
        if self._file is None:
            self._file = self.delivery(self._address)
        self._file.deliver(account)

    @property
    def _run_id(self) -> str:
        return str(self._address["run_id"])

    def address(self) -> dict[str, str]:
        """Return the folder of account files, and the run that replies are for."""
        assert self.place is not None
        return {"folder": super().address(), "run_id": self.place.run_id}

    def delivery(self, address: Any) -> FileDelivery:
        """Return the way through files."""
        return FileDelivery(address["folder"])


_parcel: ContextVar[list[tuple[PlainPython, Account | SingleCall]] | None] = ContextVar("parcel", default=None)
"""Accounts of the steps inside the function that a pool has called, where it was wrapped by `run.task`."""


class PoolTask:
    """A function for a pool, whose steps count exactly when its result has arrived; made by `ObservedRun.task`.

    Args:
        run_id: the run.
        function: the user's function.
    """

    def __init__(self, run_id: str, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function, updated=())
        self._run_id = run_id
        self._function = function

    def __reduce__(self) -> tuple[Any, ...]:
        return PoolTask, (self._run_id, self._function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; in a pool's worker the accounts of its steps travel with the result."""
        if (self._run_id, os.getpid()) in ledgers or not _called_by_pool(1):
            return self._function(*args, **kwargs)
        parcel: list[tuple[PlainPython, Account | SingleCall]] = []
        token = _parcel.set(parcel)
        try:
            result = self._function(*args, **kwargs)
        except Exception:
            for engine, account in parcel:
                engine.deliver_by_file(account)
            raise
        finally:
            _parcel.reset(token)
        return Reply(self._run_id, [account for _, account in parcel], result)


class Reply:
    """A result on its way from a worker process, with the accounts of the work; unpickled it is the bare result.

    Args:
        run_id: the run.
        accounts: of the work.
        result: of the user's function.
    """

    def __init__(self, run_id: str, accounts: list[Account | SingleCall], result: Any) -> None:
        self._run_id = run_id
        self._accounts = accounts
        self._result = result

    def __reduce__(self) -> tuple[Any, ...]:
        if len(self._accounts) == 1 and isinstance(call := self._accounts[0], SingleCall):
            return _receive_call, (self._run_id, call.to_bytes(), self._result)
        accounts = [(isinstance(a, SingleCall), _to_bytes(a)) for a in self._accounts]
        return _receive, (self._run_id, accounts, self._result)


def _to_bytes(account: Account | SingleCall) -> bytes:
    return account.to_bytes() if isinstance(account, SingleCall) else wire.to_bytes(account)


def _receive_call(run_id: str, call: bytes, result: Any) -> Any:
    """Enter a call in the ledger of the run, where this is the process of the run, and return the result."""
    take = ledgers.get((run_id, os.getpid()))
    if take is not None:
        take(SingleCall.from_bytes(call))
    return result


def _receive(run_id: str, accounts: list[tuple[bool, bytes]], result: Any) -> Any:
    """Enter accounts in the ledger of the run, where this is the process of the run, and return the result."""
    take = ledgers.get((run_id, os.getpid()))
    if take is not None:
        for is_call, account in accounts:
            take(SingleCall.from_bytes(account) if is_call else wire.from_bytes(account))
    return result


def _called_by_pool(depth: int) -> bool:
    """Return whether the first caller outside of this package is a pool, which pickles what it is given.

    Args:
        depth: callers that are known to be in this package, beginning with the one that asks.
    """
    frame: FrameType | None = sys._getframe(depth + 1)
    while frame is not None:
        if (name := frame.f_globals.get("__name__", "")) not in _ours:
            if not name.startswith("mega_data_factory.observe"):
                return name in _POOLS
            _ours.add(name)
        frame = frame.f_back
    return False


_ours: set[str] = set()
"""Modules of this package that were seen as callers."""
