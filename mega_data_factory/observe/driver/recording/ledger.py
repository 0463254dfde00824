"""Ledger of a run, on the driver: accounts by key, of which the last one counts, summed up to rows of operators."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from mega_data_factory.framework.metrics.rows.histogram import LatencyHistogram
from mega_data_factory.framework.metrics.rows.operator import OperatorMetrics
from mega_data_factory.observe.counting.account import Account, merged
from mega_data_factory.observe.counting.set_aside import SetAside
from mega_data_factory.observe.counting.single_call import SingleCall
from mega_data_factory.observe.driver.definitions.defined_steps import DefinedStep
from mega_data_factory.observe.driver.recording.reject_files import NewRejects
from mega_data_factory.observe.driver.recording.step_sums import StepSums


class Ledger:
    """Keeps the accounts of a run.

    Any thread may enter accounts: `take` appends to a queue. They are merged by `settle`.

    An account without a key adds. Of those with one the last counts: an earlier one is the account of an attempt that
    was lost, of a step that the engine executes again, or of work in progress. Kept accounts take about 400 bytes each.

    Args:
        interval: seconds of an interval of samples.
        keeps_rejects: whether rows of rejected records are kept, to be taken.

    Attributes:
        repeated: final accounts that replaced one of another attempt.
        unknown: calls whose values could not be counted.
        engines: names of the engines that have delivered, in that order.
    """

    def __init__(self, interval: float = 5.0, *, keeps_rejects: bool = False) -> None:
        self.repeated = 0
        self.unknown = 0
        self.engines: dict[str, None] = {}
        self._interval = interval
        self._keeps_rejects = keeps_rejects
        self._arrived: deque[Account | SingleCall] = deque()
        self._lock = threading.Lock()
        self._steps: dict[str, StepSums] = {}
        self._open: dict[tuple[str, str], Account] = {}  # (step, key) → account of work in progress
        self._set_aside: list[tuple[str, SetAside]] = []
        self._examples: dict[tuple[str, str], list[SetAside]] = {}  # (step, key) → rejected records
        self._rejects: list[NewRejects] = []

    def take(self, account: Account | SingleCall) -> None:
        """Enter an account; it must not change any more. Never blocks."""
        self._arrived.append(account)

    def settle(self) -> list[Account]:
        """Merge what has arrived.

        Returns:
            What counts for the first time, summed up by step, worker and interval of samples; more than one of these
            add.
        """
        new: list[Account] = []
        with self._lock:
            sums: dict[tuple[str, str, bool, float], Account] = {}
            stale: set[str] = set()
            for _ in range(len(self._arrived)):  # not "while": workers may deliver faster than this merges
                self._enter(self._arrived.popleft(), sums, stale, new)
            for (step, _, keyed, _), total in sums.items():
                self._step(step).add(total, keyed=keyed)
            for step in stale:
                self._steps[step].restore()
        return [*new, *sums.values()]

    def _enter(
        self,
        account: Account | SingleCall,
        sums: dict[tuple[str, str, bool, float], Account],
        stale: set[str],
        new: list[Account],
    ) -> None:
        """Enter one account.

        Args:
            account: what has arrived.
            sums: takes it where it counts from now on: by step, worker, whether it has a key, and interval.
            stale: takes its step, where it replaces another.
            new: takes what it adds to what was seen of unfinished work; nothing, of a repetition.
        """
        if account.engine not in self.engines:
            self.engines[account.engine] = None
        if isinstance(account, SingleCall):
            account.add_to(self._sum(sums, account, keyed=False))
            return
        if account.key is None:
            self._add(sums, account, keyed=False)
            if account.set_aside or account.unknown:
                self._keep_set_aside(account)
            if self._keeps_rejects:
                self._keep_rejects(account)
            return
        place = account.step, account.key
        step = self._step(account.step)
        before = step.attempt_of(account.key)
        earlier = self._open.get(place)
        if before is None and (earlier is not None or not account.final):
            new.append(account.since(earlier))
        if not account.final:
            self._open[place] = account
            step.show(account.worker, account.at)  # from now on, also when another worker finishes the work
            return
        if before is not None:
            self.repeated += before != account.attempt
            stale.add(account.step)
        elif earlier is not None:
            step.add(account, keyed=True)
        else:
            self._add(sums, account, keyed=True)
        self._keep_set_aside(account, replaces=before is not None)
        if earlier is not None:
            del self._open[place]
        if self._keeps_rejects:
            self._keep_rejects(account, replaces=before is not None)
        account.set_aside, account.rejects = [], []
        step.keep(account)

    def _add(self, sums: dict[tuple[str, str, bool, float], Account], account: Account, *, keyed: bool) -> None:
        self._sum(sums, account, keyed=keyed).include(account)

    def _sum(
        self, sums: dict[tuple[str, str, bool, float], Account], account: Account | SingleCall, *, keyed: bool
    ) -> Account:
        """Return the sum that an account adds to."""
        place = account.step, account.worker, keyed, account.at // self._interval
        total = sums.get(place)
        if total is None:
            total = sums[place] = Account(account.step, account.worker)
        return total

    def _keep_set_aside(self, account: Account, *, replaces: bool = False) -> None:
        """Keep records that raised, of the first account of a key; examples of rejected records, of the last one."""
        rejected = [record for record in account.set_aside if record.kind == "rejected"]
        if account.key is not None and (rejected or replaces):
            self._examples[account.step, account.key] = rejected
        elif rejected:
            self._set_aside += [(account.step, record) for record in rejected]
        if not replaces:
            self.unknown += account.unknown
            self._set_aside += [(account.step, record) for record in account.set_aside if record.kind != "rejected"]

    def _keep_rejects(self, account: Account, *, replaces: bool = False) -> None:
        if account.rejected_records or replaces:
            new = NewRejects(account.step, account.key, account.rejects, account.rejected_records, account.reasons)
            self._rejects.append(new)

    def take_rejects(self) -> list[NewRejects]:
        """Return and clear the rows of rejected records since the last call, those of one key in order of arrival."""
        with self._lock:
            taken, self._rejects = self._rejects, []
        return taken

    def _step(self, step: str) -> StepSums:
        sums = self._steps.get(step)
        if sums is None:
            sums = self._steps[step] = StepSums(step)
        return sums

    def forget(self, step: str) -> None:
        """Drop every account of a step."""
        with self._lock:
            self._steps.pop(step, None)
            self._examples = {place: kept for place, kept in self._examples.items() if place[0] != step}
            self._open = {place: account for place, account in self._open.items() if place[0] != step}

    def take_set_aside(self) -> list[tuple[str, SetAside]]:
        """Return and clear the records that were set aside since the last call, with the ids of their steps.

        Examples that a later account may replace are not among them: see `examples`.
        """
        with self._lock:
            taken, self._set_aside = self._set_aside, []
        return taken

    def examples(self) -> list[tuple[str, SetAside]]:
        """Return rejected records of the accounts with a key that count, with the ids of their steps."""
        with self._lock:
            return [(step, record) for (step, _), records in self._examples.items() for record in records]

    def totals(self) -> list[Account]:
        """Return the sums by step and worker, work in progress included, unless a final account of it is there."""
        with self._lock:
            accounts = [account for step in self._steps.values() for account in step.totals()]
            accounts += [
                account for (step, key), account in self._open.items() if self._step(step).attempt_of(key) is None
            ]
            return list(merged(accounts).values())


def to_rows(accounts: Iterable[Account], run_id: str, places: Mapping[str, DefinedStep]) -> list[OperatorMetrics]:
    """Return accounts as rows of operators; those of steps that are not there are left out.

    Args:
        accounts: one for each step and worker, or more.
        run_id: the run.
        places: of the steps, by their ids.
    """
    return [_row(account, run_id, places[account.step]) for account in accounts if account.step in places]


def _row(account: Account, run_id: str, place: DefinedStep) -> OperatorMetrics:
    counted = bool(account.input_bytes or account.output_bytes)  # else no step names a column of text
    weighed = bool(account.input_tokens or account.output_tokens)
    return OperatorMetrics(
        run_id=run_id,
        stage_name=place.stage,
        operator_name=place.name,
        worker_id=account.worker,
        timestamp=datetime.fromtimestamp(account.at, UTC),
        input_records=account.input_records,
        output_records=account.output_records,
        total_time=max(0.0, account.seconds),
        cpu_time=max(0.0, account.cpu_seconds),
        min_latency=account.least,
        max_latency=account.most,
        error_count=account.error_count,
        custom_metrics=account.custom,
        stage_index=place.stage_index,
        operator_index=place.operator_index,
        rejected_records=account.rejected_records,
        batches=account.calls,
        rejected_reasons=account.reasons,
        latency_histogram=LatencyHistogram(account.histogram),
        created_records=account.created_records,
        input_text_bytes=account.input_bytes if counted else None,
        output_text_bytes=account.output_bytes if counted else None,
        input_tokens=account.input_tokens if weighed else None,
        output_tokens=account.output_tokens if weighed else None,
    )
