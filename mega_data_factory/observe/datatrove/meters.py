"""Meters of the steps of one task of datatrove: documents and seconds, of which accounts are made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.set_aside import SetAside
from mega_data_factory.observe.engines.engine import Task, this_worker
from mega_data_factory.observe.steps.spec import StepSpec

if TYPE_CHECKING:
    from mega_data_factory.observe.counting.survey.survey import Survey

_PROGRESS_SECONDS = 1.0
"""Seconds from one delivery of unfinished accounts to the next."""

_MEASURED_EVERY = 16
"""Of this many documents that come out of a pipeline, the CPU time of one is measured: it takes a system call."""

_SETTLE_SECONDS = 0.005
"""Seconds after which the documents since the last time are entered in the histogram together, as one batch."""


_current: ContextVar[Task | None] = ContextVar("mdf_datatrove_task", default=None)


def current_task() -> Task | None:
    """Return the task whose accounts the current thread delivers."""
    return _current.get()


def deliver(spec: StepSpec, task: Task, account: Account) -> None:
    """Deliver an account of a task.

    Args:
        spec: of the step.
        task: the task.
        account: of the step.
    """
    connection, token = spec.run.connect(), _current.set(task)
    try:
        engine, _ = connection.current()
        connection.deliver(engine, account)
    finally:
        _current.reset(token)


class Meter:
    """Counts what one step of a task yields, and the seconds until it does.

    The documents that a step has taken are those that the one before has yielded. The seconds of a step are those until
    it yields, without those of the steps before it.

    Args:
        chain: of the task.
        upstream: meter of the step before; None for the first.
        spec: of the step; None for a step that is not observed.
        traits: what is known of the step.
    """

    def __init__(self, chain: Chain, upstream: Meter | None, spec: StepSpec | None, traits: Traits) -> None:
        self.upstream = upstream
        self.spec = spec
        self.traits = traits
        self.yielded = 0
        self.elapsed = 0.0
        self.measured_cpu = self.measured_elapsed = 0.0  # of the documents whose CPU time is measured
        self.due = time.perf_counter() + _SETTLE_SECONDS
        self.failed = False
        self.samples: list[SetAside] = []
        self.survey = None if spec is None else spec.survey()
        self.takes: Survey | None = None  # of the step behind, which takes what this one yields
        self.chain = chain
        self._before = dict(traits.totals())
        self._latencies = Account("")
        self._settled_records = 0
        self._settled_seconds = 0.0
        chain.add(self)
        if upstream is not None and not traits.reads:
            upstream.takes = self.survey

    def measured(self, items: Iterator[Any]) -> Iterator[Any]:
        """Yield what the step yields, counted and timed; end the task's accounts with the last step's end."""
        clock = time.perf_counter
        try:
            while True:
                self.chain.begin(self)
                cpu = time.thread_time() if self.chain.measuring else None
                started = clock()
                try:
                    item = next(items)
                except StopIteration:
                    self.elapsed += clock() - started
                    break
                except BaseException:
                    self.elapsed += clock() - started
                    self.failed = True
                    raise
                now = clock()
                self.elapsed += now - started
                if cpu is not None:
                    self.measured_cpu += time.thread_time() - cpu
                    self.measured_elapsed += now - started
                self.yielded += 1
                if self.survey is not None or self.takes is not None:
                    self._look_at(item)
                if now >= self.due:
                    self.settle(now)
                yield item
        except BaseException:
            self.chain.ended(self, complete=False)
            raise
        self.chain.ended(self, complete=True)

    def _look_at(self, item: Any) -> None:
        """Enter a document in the survey of the step that yields it, and of the one that takes it."""
        if self.survey is not None:
            if self.traits.reads or self.upstream is None:
                self.survey.offer(item, None)
            self.survey.pass_on(item, None)
        if self.takes is not None:
            self.takes.offer(item, None)

    @property
    def taken(self) -> int:
        """Documents that the step has taken; those that it yields, for one that reads them itself."""
        return self.yielded if self.upstream is None or self.traits.reads else self.upstream.yielded

    @property
    def seconds(self) -> float:
        """Seconds spent in the step, without the steps before it."""
        return max(0.0, self.elapsed - (0.0 if self.upstream is None else self.upstream.elapsed))

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of the step, by the documents of which they were measured."""
        cpu, wall = self.measured_cpu, self.measured_elapsed
        if self.upstream is not None:
            cpu, wall = cpu - self.upstream.measured_cpu, wall - self.upstream.measured_elapsed
        return min(1.0, max(0.0, cpu / wall)) * self.seconds if wall > 0 else 0.0

    def settle(self, now: float) -> None:
        """Enter the latency of the documents since the last time; deliver the task's accounts once a second.

        Args:
            now: the clock.
        """
        records, seconds = self.taken - self._settled_records, self.seconds - self._settled_seconds
        if records > 0 and seconds >= 0:
            self._latencies.add_latency(seconds / records, records)
            self._settled_records += records
            self._settled_seconds += seconds
        self.due = now + _SETTLE_SECONDS
        self.chain.report(now)

    def account(self, *, final: bool, complete: bool) -> Account:
        """Return the account of the step in this task.

        Args:
            final: whether the task has ended.
            complete: whether it has processed all its documents. Else documents that the step has taken, and not yet
                yielded or dropped, count as errors where the step has raised, and are left out elsewhere.
        """
        assert self.spec is not None
        self.settle(time.perf_counter())
        change = {name: n - self._before.get(name, 0) for name, n in self.traits.totals().items()}
        errors = sum(change.get(name, 0) for name in self.traits.errors)
        reasons = {n.removeprefix("dropped_"): c for n, c in change.items() if c and n.startswith("dropped_")}
        dropped = max(change.get("dropped", 0), sum(reasons.values()))
        taken, yielded = self.taken, self.yielded
        has_raised = self.failed and not (self.upstream is not None and self.upstream.failed)
        if not yielded and not dropped and not errors and not self.traits.filters:
            yielded = taken - has_raised if taken else 0  # it writes its documents, and yields none
        if not complete:
            if has_raised:
                errors += max(0, taken - yielded - dropped - errors)
            taken = min(taken, yielded + dropped + errors)
        account = self.chain.new_account(self.spec, final=final)
        account.add_flow(taken, yielded, errors=errors, reasons=reasons, reason=self.spec.reason)
        account.calls, account.seconds, account.cpu_seconds = taken, self.seconds, self.cpu_seconds
        account.include(self._latencies)
        account.set_aside = self.samples if final else []
        if self.survey is not None and self.yielded >= yielded:
            self._summarise_survey(account, errors if final else 0)
        return account

    def _summarise_survey(self, account: Account, errors: int) -> None:
        """Add the slices and tokens of the documents to an account.

        Args:
            account: gets them.
            errors: documents that the step has not yielded, at the end of the task, as they raised.
        """
        survey = self.survey
        assert survey is not None
        survey.fail_last(errors)
        account.details = tuple(survey.details())
        account.input_tokens, account.output_tokens = survey.tokens_in, survey.tokens_out
        account.input_bytes, account.output_bytes = survey.bytes_in, survey.bytes_out
        if account.final:
            account.rejects = survey.reject_rows(account.rejected_records)


@dataclass
class Traits:
    """What is known of a step.

    Attributes:
        reads: whether it makes documents that no step before it had.
        filters: whether it is there to drop documents.
        errors: names of its statistics that count documents which raised and were left out.
        totals: gives its statistics as they are now.
    """

    reads: bool = False
    filters: bool = False
    errors: tuple[str, ...] = ()
    totals: Callable[[], Mapping[str, int]] = field(default=dict)


class Chain:
    """The meters of one task, from the first observed step to the last.

    Args:
        rank: of the task.
        world_size: number of tasks.
    """

    def __init__(self, rank: int, world_size: int) -> None:
        worker = this_worker()
        self.rank = rank
        self.task = Task(f"{rank}/{world_size}", f"{worker}/{time.time_ns()}", worker)
        self.at_end: Callable[[list[Account]], None] | None = None
        self.measuring = False
        self._documents = 0
        self._meters: list[Meter] = []
        self._reported = time.perf_counter()
        self._over = False

    def begin(self, meter: Meter) -> None:
        """Choose whether the CPU time of the next document that the last step yields is measured: of one in some."""
        if meter is self._meters[-1]:
            self.measuring = self._documents % _MEASURED_EVERY == 0
            self._documents += 1

    def add(self, meter: Meter) -> None:
        """Add the meter of the next step."""
        self._meters.append(meter)

    def report(self, now: float) -> None:
        """Deliver the accounts as work in progress, about once a second."""
        if now - self._reported >= _PROGRESS_SECONDS and not self._over:
            self._reported = now
            self._deliver(final=False, complete=False)

    def ended(self, meter: Meter, *, complete: bool) -> None:
        """Deliver the accounts as final when the last step has ended.

        Args:
            meter: of the step that has ended.
            complete: whether it has yielded all its documents.
        """
        if meter is self._meters[-1] and not self._over:
            self._over = True
            accounts = self._deliver(final=True, complete=complete)
            if complete and self.at_end is not None:
                self.at_end(accounts)

    def new_account(self, spec: StepSpec, *, final: bool) -> Account:
        """Return an empty account of this task."""
        task = self.task
        return Account(spec.id, task.worker, task.key, task.attempt, "datatrove", time.time(), final)

    def _deliver(self, *, final: bool, complete: bool) -> list[Account]:
        accounts = []
        for meter in self._meters:
            if meter.spec is not None:
                account = meter.account(final=final, complete=complete)
                deliver(meter.spec, self.task, account)
                accounts.append(account)
        return accounts
