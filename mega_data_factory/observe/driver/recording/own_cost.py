"""Seconds that observing itself takes, for the run row."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Iterable

from mega_data_factory.framework.metrics.rows.operator import OperatorMetrics
from mega_data_factory.observe.connection import Connection
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.single_call import SingleCall
from mega_data_factory.observe.engines.engine import Engine, Task, this_worker
from mega_data_factory.observe.engines.plain import PlainPython
from mega_data_factory.observe.steps.spec import RunRef, StepSpec
from mega_data_factory.observe.steps.step import Step

_CALLS = 100
_ROUNDS = 5


def seconds_in_steps(rows: Iterable[OperatorMetrics]) -> float:
    """Return the seconds that calls of steps took beside the functions of the user.

    Args:
        rows: of the run; those of other processes than this one have delivered by bytes.
    """
    here = this_worker()
    return sum(row.batches * cost_of_call(delivers=row.worker_id != here) for row in rows)


@functools.cache
def cost_of_call(*, delivers: bool) -> float:
    """Return seconds of CPU that a call of a step on a batch takes here, beside the function of the user.

    Measured once, in about 10 ms, when it is first asked for: the median of several rounds with a step of its own.

    Args:
        delivers: whether the account is made into bytes, as in the process of a worker.
    """
    arrived: list[Account | SingleCall] = []
    spec = StepSpec(_Calibration(arrived), "0", "step", "stage", reason="reason")
    step, batch = Step(spec, _most), [{"id": at} for at in range(10)]
    rounds = []
    for _ in range(_ROUNDS):
        started = time.thread_time()
        for _ in range(_CALLS):
            step(batch)
            if delivers:
                call = arrived[-1]
                assert isinstance(call, SingleCall)
                SingleCall.from_bytes(call.to_bytes())
        rounds.append((time.thread_time() - started) / _CALLS)
    return statistics.median(rounds)


def _most(batch: list[dict[str, int]]) -> list[dict[str, int]]:
    return batch[1:]


class _PlainConnection(Connection):
    """A connection that asks no engine whose task it is.

    Args:
        arrived: takes the accounts.
    """

    def __init__(self, arrived: list[Account | SingleCall]) -> None:
        super().__init__("run_calibration", arrived.append, dict)
        engine = PlainPython()
        self._here = engine, engine.task()

    def current(self) -> tuple[Engine, Task]:
        """Return plain Python, and this process as its task."""
        return self._here


class _Calibration(RunRef):
    """A run that no engine and no file knows.

    Args:
        arrived: takes the accounts.
    """

    def __init__(self, arrived: list[Account | SingleCall]) -> None:
        super().__init__("run_calibration", {})
        self._connection = _PlainConnection(arrived)

    def connect(self) -> Connection:
        """Return the connection."""
        return self._connection
