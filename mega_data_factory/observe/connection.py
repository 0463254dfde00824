"""Connection of a process to a run: in the driver to its ledger, in a worker to the engine that delivers."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol
from weakref import WeakSet

from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.forms.forms import fingerprint
from mega_data_factory.observe.counting.sampling import Samplers
from mega_data_factory.observe.counting.single_call import SingleCall
from mega_data_factory.observe.delivery import Takes, ledgers
from mega_data_factory.observe.engines import loaded_engines
from mega_data_factory.observe.engines.engine import FINGERPRINT, NO_RESULT, Engine, Task
from mega_data_factory.observe.engines.plain import PlainPython
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.observe")

_TASKS_REMEMBERED = 4096
"""Attempts whose calls are numbered at the same time, at most; the oldest is forgotten."""


class Stream(Protocol):
    """Records that pass through a step one after the other."""

    def deliver_unfinished(self) -> None:
        """Deliver what has passed so far, unless the stream has ended."""


Addresses = Mapping[str, Any]
"""Name of an engine → what its workers need to deliver."""


class Connection:
    """Names and delivers the accounts of one run in one process.

    Args:
        run_id: the run.
        take: takes accounts in the driver's process; None in a worker.
        addresses: gives the addresses of the engines.

    Attributes:
        samplers: choose the rejected records that are kept as examples.
    """

    def __init__(self, run_id: str, take: Takes | None, addresses: Callable[[], Addresses]) -> None:
        self.run_id = run_id
        self._take = take
        self._all_addresses = addresses
        self._addresses: Addresses = {} if take is not None else addresses()
        self._engines: dict[type[Engine], Engine] = {}
        plain = self._engine(PlainPython)
        assert isinstance(plain, PlainPython)
        self._plain: tuple[PlainPython, Task] = plain, plain.task()  # the same for all calls in this process
        self.samplers = Samplers()
        self._numbers: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._lock = threading.Lock()
        self._streams: WeakSet[Stream] = WeakSet()
        self._closed = False

    def _engine(self, kind: type[Engine]) -> Engine:
        engine = self._engines.get(kind)
        if engine is None:
            if self._take is not None and not kind.straight:
                self._addresses = self._all_addresses()
            engine = self._engines.setdefault(kind, kind(address=self._addresses.get(kind.name)))  # of all threads
        return engine

    def current(self) -> tuple[Engine, Task]:
        """Return the engine that the current thread works for, and its task."""
        if not self._closed:
            for kind in loaded_engines():
                engine = self._engine(kind)
                if (self._take is not None or kind.name in self._addresses) and (task := engine.task()) is not None:
                    return engine, task
        return self._plain

    def account(self, step: str, engine: Engine, task: Task, value: Any) -> Account:
        """Return an empty account for a call, named by what it accounts for.

        Args:
            step: id of the step.
            engine: the engine of the call.
            task: the task of the call.
            value: what the step was given.
        """
        if task.note_input is not None:
            task.note_input(step, partial(fingerprint, value))
        key = task.key
        if key == FINGERPRINT:
            key = fingerprint(value)
        elif key is not None:
            key = f"{key}/{self._number(step, task.attempt)}"
        return Account(step, task.worker, key, task.attempt, engine.name, time.time())

    def _number(self, step: str, attempt: str) -> int:
        with self._lock:
            number = self._numbers.pop((step, attempt), 0)
            self._numbers[step, attempt] = number + 1
            if len(self._numbers) > _TASKS_REMEMBERED:
                self._numbers.popitem(last=False)
        return number

    def deliver(self, engine: Engine, account: Account, result: Any = NO_RESULT) -> Any:
        """Deliver an account; return the result, as the engine wants it."""
        if self._take is not None and (engine.straight or self._closed):
            self._take(account)
            return result
        return engine.deliver(account, result)

    def deliver_call(self, call: SingleCall, result: Any) -> Any:
        """Deliver a call of plain Python; return the result, as a pool wants it."""
        if self._take is not None:
            self._take(call)
            return result
        return self._plain[0].deliver(call, result)

    def note_stream(self, stream: Stream) -> None:
        """Enter a stream that has begun, in the driver's process: it is counted at the end of the run at the latest."""
        if self._take is not None:
            with self._lock:
                self._streams.add(stream)

    def finish_streams(self) -> None:
        """Let the streams that have begun and not ended deliver what has passed through them."""
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.deliver_unfinished()

    def close(self) -> Takes:
        """Drop what is delivered from now on, with one warning; return what drops it."""
        warned = False

        def drop(account: Account | SingleCall) -> None:
            nonlocal warned
            if not warned and (isinstance(account, SingleCall) or account.calls):
                warned = True
                _log.warning("%s has ended: calls of its steps are no longer counted", self.run_id)

        self._take, self._closed = drop, True
        return drop


_connections: dict[tuple[str, int], Connection] = {}


def register(run_id: str, take: Takes, addresses: Callable[[], Addresses]) -> None:
    """Make this process the driver of a run."""
    _connections[run_id, os.getpid()] = Connection(run_id, take, addresses)
    ledgers[run_id, os.getpid()] = take


def finish_streams(run_id: str) -> None:
    """Let the unfinished streams of the driver's process deliver.

    Args:
        run_id: the run.
    """
    connection = _connections.get((run_id, os.getpid()))
    if connection is not None:
        connection.finish_streams()


def close(run_id: str) -> None:
    """End the connection of the driver to a run; what steps count from now on is dropped, with one warning.

    Args:
        run_id: the run.
    """
    connection = _connections.get((run_id, os.getpid()))
    if connection is not None:
        ledgers[run_id, os.getpid()] = connection.close()


def connect(run_id: str, addresses: Callable[[], Addresses]) -> Connection:
    """Return the connection of this process to a run.

    Args:
        run_id: the run.
        addresses: gives the addresses of its engines, when a worker asks for the first time.
    """
    connection = _connections.get((run_id, os.getpid()))  # a forked child is not the driver
    if connection is None:
        connection = _connections.setdefault((run_id, os.getpid()), Connection(run_id, None, addresses))
    return connection
