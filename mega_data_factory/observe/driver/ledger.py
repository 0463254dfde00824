"""Ledger of a run, on the driver: accounts by key, of which the last one counts, summed up to rows of operators."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from mega_data_factory.framework.metrics.rows.histogram import LatencyHistogram
from mega_data_factory.framework.metrics.rows.operator import OperatorMetrics
from mega_data_factory.observe.counting.account import Account, SetAside
from mega_data_factory.observe.driver.defined_steps import DefinedStep


class Ledger:
    """Keeps the accounts of a run.

    Any thread may enter accounts: `take` appends to a queue. They are merged by `settle`.

    An account without a key adds. Of those with one the last counts: an earlier one is the account of an attempt that
    was lost, of a step that the engine executes again, or of work in progress. Kept accounts take about 300 bytes each.

    Attributes:
        repeated: final accounts that replaced one of another attempt.
        unknown: calls whose values could not be counted.
        engines: names of the engines that have delivered, in that order.
    """

    def __init__(self) -> None:
        self.repeated = 0
        self.unknown = 0
        self.engines: dict[str, None] = {}
        self._arrived: deque[Account] = deque()
        self._lock = threading.Lock()
        self._kept: dict[str, dict[str, tuple[str, bytes]]] = {}  # step → key → attempt and final account
        self._open: dict[tuple[str, str], Account] = {}  # (step, key) → account of work in progress
        self._sums: dict[str, dict[str, Account]] = {}  # step → worker → sum of final accounts with a key
        self._plain: dict[str, dict[str, Account]] = {}  # step → worker → sum of accounts without a key
        self._set_aside: list[tuple[str, SetAside]] = []

    def take(self, account: Account) -> None:
        """Enter an account; it must not change any more. Never blocks."""
        self._arrived.append(account)

    def settle(self) -> list[Account]:
        """Merge what has arrived; return what counts for the first time, to be sampled by time."""
        new: list[Account] = []
        with self._lock:
            stale: set[str] = set()
            for _ in range(len(self._arrived)):  # not "while": workers may deliver faster than this merges
                account = self._arrived.popleft()
                self.engines.setdefault(account.engine)
                self._enter(account, stale, new)
            for step in stale:
                self._rebuild(step)
        return new

    def _enter(self, account: Account, stale: set[str], new: list[Account]) -> None:
        """Enter one account.

        Args:
            account: what has arrived.
            stale: takes its step, where the sum of that step must be made again.
            new: takes what it adds to all that was seen of its piece of work before; nothing, of a repetition.
        """
        if account.key is None:
            self._add(self._plain, account)
            self._keep_set_aside(account)
            new.append(account)
            return
        place = account.step, account.key
        kept = self._kept.setdefault(account.step, {})
        before = kept.get(account.key)
        if before is None:
            new.append(account.since(self._open.get(place)))
        if not account.final:
            self._open[place] = account
            self._sums.setdefault(account.step, {}).setdefault(
                account.worker, Account(account.step, account.worker, at=account.at)
            )  # shown from now on, also when another worker finishes the work
            return
        self._open.pop(place, None)
        if before is None:
            self._keep_set_aside(account)
            self._add(self._sums, account)
        else:
            self.repeated += before[0] != account.attempt
            stale.add(account.step)
        account.set_aside = []
        kept[account.key] = account.attempt, account.to_bytes()

    def _keep_set_aside(self, account: Account) -> None:
        self.unknown += account.unknown
        self._set_aside += [(account.step, record) for record in account.set_aside]

    @staticmethod
    def _add(sums: dict[str, dict[str, Account]], account: Account) -> None:
        workers = sums.setdefault(account.step, {})
        total = workers.get(account.worker)
        if total is None:
            total = workers[account.worker] = Account(account.step, account.worker)
        total.include(account)

    def _rebuild(self, step: str) -> None:
        """Sum a step up again: an account that was in the sum has been replaced.

        A worker of which nothing counts any more keeps a sum of zeros, which replaces what was shown of it.
        """
        workers = {worker: Account(step, worker, at=total.at) for worker, total in self._sums.get(step, {}).items()}
        sums = {step: workers}
        for _, line in self._kept.get(step, {}).values():
            self._add(sums, Account.from_bytes(line))
        self._sums[step] = sums[step]

    def forget(self, step: str) -> None:
        """Drop every account of a step."""
        with self._lock:
            for accounts in (self._kept, self._sums, self._plain):
                accounts.pop(step, None)
            self._open = {place: account for place, account in self._open.items() if place[0] != step}

    def take_set_aside(self) -> list[tuple[str, SetAside]]:
        """Return and clear the records that were set aside since the last call, with the ids of their steps."""
        with self._lock:
            taken, self._set_aside = self._set_aside, []
        return taken

    def totals(self) -> list[Account]:
        """Return the sums by step and worker, work in progress included, unless a final account of it is there."""
        with self._lock:
            sums: dict[str, dict[str, Account]] = {}
            for workers in (*self._sums.values(), *self._plain.values()):
                for account in workers.values():
                    self._add(sums, account)
            for (step, key), account in self._open.items():
                if key not in self._kept.get(step, {}):
                    self._add(sums, account)
        return [account for workers in sums.values() for account in workers.values()]


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
    return OperatorMetrics(
        run_id=run_id,
        stage_name=place.stage,
        operator_name=place.name,
        worker_id=account.worker,
        timestamp=datetime.fromtimestamp(account.at, UTC),
        input_records=account.input_records,
        output_records=account.output_records,
        total_time=max(0.0, account.seconds),
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
    )
