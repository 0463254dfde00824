"""Pieces of work: a shard of a dataset, or an iteration over a stream, with the account of its step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mega_data_factory.observe.connection import Connection
from mega_data_factory.observe.counting import calls
from mega_data_factory.observe.counting.account import Account, add_counts
from mega_data_factory.observe.counting.calls import Call
from mega_data_factory.observe.counting.cpu import CpuShare
from mega_data_factory.observe.counting.sampling import Sampler
from mega_data_factory.observe.engines.engine import NO_RESULT, Engine, Task
from mega_data_factory.observe.steps.spec import RunRef, StepSpec

_PROGRESS_SECONDS = 1.0
"""Seconds from one delivery of an unfinished account to the next."""

_current: ContextVar[Task | None] = ContextVar("mdf_datasets_task", default=None)


def current_task() -> Task | None:
    """Return the piece that the current thread works on, as a task of the engine."""
    return _current.get()


@contextmanager
def working_on(task: Task) -> Iterator[None]:
    """Let the engine know that this thread works on a piece."""
    token = _current.set(task)
    try:
        yield
    finally:
        _current.reset(token)


class Piece(Connection):
    """A piece of work, and the sum of what a step's calls count on it.

    Steps of a piece are connected to it in place of the run. It delivers the sum about every second while the work is
    in progress, and once more as final. The sum is named by the piece: a second attempt at it replaces the first.

    Args:
        spec: of the step, connected to the run.
        task: the piece; its key names the account.

    Attributes:
        task: the piece.
        flow: counts of records that were processed one by one, which have no account of their own.
        call: what the user's function says while it processes them.
        sampler: chooses examples of records that the function rejects one by one; None if no examples are kept.
        summed: the final account; None before the end.
    """

    def __init__(self, spec: StepSpec, task: Task) -> None:
        super().__init__(spec.run.run_id, None, dict)
        self.task = task
        self.flow = Flow()
        self.call = Call(self.samplers, spec.id, spec.samples, spec.survey(), task)
        keeps = spec.samples and spec.reason is not None
        self.sampler = Sampler(spec.samples, f"{task.seed}/{spec.id}") if keeps else None
        self.summed: Account | None = None
        self._spec = spec
        self._run = spec.run.connect()
        with self.entered():
            self._datasets, _ = self._run.current()
        self._batches = Account(spec.id, task.worker, task.key, task.attempt, self._datasets.name)
        self._reported = time.monotonic()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let the engine and the user's function know that this thread works on the piece."""
        token = calls.current.set(self.call)
        try:
            with working_on(self.task):
                yield
        finally:
            calls.current.reset(token)

    def current(self) -> tuple[Engine, Task]:
        """Return the engine and this piece."""
        return self._datasets, self.task

    def account(self, step: str, engine: Engine, task: Task, fingerprint: Callable[[], str | None]) -> Account:
        """Return an empty account for a call on a batch; `deliver` adds it to the sum."""
        del fingerprint
        return Account(step, task.worker, task.key, task.attempt, engine.name)

    def deliver(self, engine: Engine, account: Account, result: Any = NO_RESULT) -> Any:
        """Add the account of a call to the sum; return the result."""
        del engine
        self._batches.include(account)
        self._batches.set_aside += account.set_aside
        self._batches.rejects += account.rejects
        self.report()
        return result

    @property
    def records_in(self) -> int:
        """Records offered to the step up to now."""
        self.flow.settle()
        return self._batches.input_records + self.flow.records_in

    def report(self) -> None:
        """Deliver the sum as work in progress, about once a second."""
        if time.monotonic() - self._reported >= _PROGRESS_SECONDS:
            self._reported = time.monotonic()
            self._run.deliver(self._datasets, self._sum(final=False))

    def finish(self, *, deliver: bool = True) -> Account:
        """Deliver the sum as final, once; return it."""
        if self.summed is None:
            self.summed = self._sum(final=True)
            if deliver:
                self._run.deliver(self._datasets, self.summed)
        return self.summed

    def _sum(self, *, final: bool) -> Account:
        self.flow.settle()
        account = self._batches.named_alike()
        account.include(self._batches)
        account.final, account.at = final, time.time()
        account.rejects = list(self._batches.rejects) if final else []
        self.flow.enter(account, self._spec, self.call)
        account.set_aside = self._batches.set_aside + self.call.samples if final else []
        return account


class Flow:
    """Counts of records that a step processes one by one.

    Attributes:
        settle: enters the records that the step has counted since the last time.
        cpu: share of the CPU in their seconds.
    """

    def __init__(self) -> None:
        self.records_in = 0
        self.records_out = 0
        self.errors = 0
        self.seconds = 0.0
        self.cpu = CpuShare()
        self.input_bytes = 0
        self.output_bytes = 0
        self.settle: Callable[[], None] = _nothing
        self._latencies = Account("")

    def add(self, records_in: int, records_out: int, seconds: float, *, errors: int = 0) -> None:
        """Add records that took `seconds` together.

        Args:
            records_in: records offered.
            records_out: records passed on.
            seconds: time spent in the step.
            errors: records that raised.
        """
        self.records_in += records_in
        self.records_out += records_out
        self.errors += errors
        self.seconds += seconds
        if records_in:
            self._latencies.add_latency(seconds / records_in, records_in)

    def enter(self, account: Account, spec: StepSpec, call: Call) -> None:
        """Add these counts to an account.

        Args:
            account: gets the counts.
            spec: of the step.
            call: what the user's function has said.
        """
        rejected = account.rejected_records
        account.add_flow(
            self.records_in, self.records_out, errors=self.errors, reasons=call.reasons, reason=spec.reason
        )
        account.calls += self.records_in
        account.seconds += self.seconds
        account.cpu_seconds += self.cpu.of(self.seconds)
        account.input_bytes += self.input_bytes
        account.output_bytes += self.output_bytes
        add_counts(account.custom, call.custom)
        call.summarise(account, spec.stage, spec.name, account.rejected_records - rejected)
        if call.survey is not None:
            account.input_bytes += call.survey.bytes_in
            account.output_bytes += call.survey.bytes_out
        account.include(self._latencies)


def _nothing() -> None:
    """Settle nothing: the step works on batches."""


class PieceRef(RunRef):
    """Leads the calls of a step to the piece of work that they belong to.

    Args:
        run: the run.
        piece: of this process.
    """

    def __init__(self, run: RunRef, piece: Piece) -> None:
        super().__init__(run.run_id, {})
        self._piece = piece

    def connect(self) -> Connection:
        """Return the piece."""
        return self._piece
