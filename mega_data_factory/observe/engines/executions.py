"""Executions of a lazy plan: records that a step sees again because the plan was executed again count once.

A lazy dataset is executed again by every action on it (`count`, `take`, `write_parquet`), and nothing in a worker says
whether the action before had the same input. The input itself does: two executions are of the same input where, in a
step that both ran, at least a quarter of the tasks of the smaller one began with the same batch or record. Of such
executions the one with most input records counts, step by step; of equal ones the first. Executions of other inputs
add: a loop over files may use one step for all of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from mega_data_factory.observe.account import Account

_SHARED = 0.25
"""Share of the inputs of the smaller execution that make two executions those of one input."""


class WorkName(NamedTuple):
    """What an account of a task is of.

    Attributes:
        execution: names the execution of the plan.
        task: names the task; a retry of it has the same name.
        attempt: number of the attempt, from 0.
        input: fingerprint of the first batch or record that the step was given in the task; empty where it has none.
    """

    execution: str
    task: str
    attempt: int
    input: str

    def to_key(self) -> str:
        """Return the name as the key of an account on its way to the driver."""
        return " ".join((self.execution, self.task, str(self.attempt), self.input))

    @classmethod
    def from_key(cls, key: str) -> WorkName:
        """Return the name that `to_key` was called on."""
        execution, task, attempt, first = key.rsplit(" ", 3)  # a dataset may be named with spaces
        return cls(execution, task, int(attempt), first)


@dataclass(slots=True)
class _Part:
    """What one execution did in one step.

    Attributes:
        accounts: task → (attempt, time) and the account.
        arrived: tasks whose accounts are new.
        inputs: fingerprints of the first inputs of tasks.
        counted: whether it is in the ledger.
    """

    accounts: dict[str, tuple[tuple[int, float], bytes]] = field(default_factory=dict)
    arrived: dict[str, Account] = field(default_factory=dict)
    inputs: set[str] = field(default_factory=set)
    records: int = 0
    counted: bool = False


class Executions:
    """Accounts of tasks by execution, and which of them count. For the driver's thread that collects."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, _Part]] = {}  # step → execution → part, in the order of arrival
        self._seen: dict[tuple[str, str], list[str]] = {}  # (step, input) → executions
        self._shared: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)  # step → two executions → inputs
        self._in_progress: list[tuple[str, Account]] = []

    def enter(self, account: Account) -> None:
        """Enter an account, whose key is that of a `WorkName`; one of an earlier attempt at a task is left out."""
        assert account.key is not None
        name = WorkName.from_key(account.key)
        account.key = f"{name.execution}/{name.task}"
        part = self._parts.setdefault(account.step, {}).setdefault(name.execution, _Part())
        if not account.final:
            self._in_progress.append((name.execution, account))
            return
        order = name.attempt, account.at
        before = part.accounts.get(name.task)
        if before is not None:
            if order < before[0]:
                return
            part.records -= Account.from_bytes(before[1]).input_records
        part.records += account.input_records
        part.accounts[name.task] = order, account.to_bytes()
        part.arrived[name.task] = account
        if name.input and name.input not in part.inputs:
            self._note_input(account.step, name, part)

    def _note_input(self, step: str, name: WorkName, part: _Part) -> None:
        part.inputs.add(name.input)
        others = self._seen.setdefault((step, name.input), [])
        for other in others:
            self._shared[step][other, name.execution] += 1
        others.append(name.execution)

    def settle(self, take: Callable[[Account], None]) -> None:
        """Hand on the accounts that count by now, and withdraw those that no longer do: an empty account replaces them.

        Args:
            take: takes an account.
        """
        counting = {(step, execution) for step, execution, _ in self._best()}
        for step, parts in self._parts.items():
            for execution, part in parts.items():
                counts = (step, execution) in counting
                if counts and part.counted:
                    accounts = list(part.arrived.values())
                elif counts:
                    accounts = [part.arrived.get(task) or _account(part, task) for task in part.accounts]
                elif part.counted:
                    accounts = [_account(part, task).named_alike() for task in part.accounts]
                else:
                    accounts = []
                part.counted = counts
                part.arrived.clear()
                for account in accounts:
                    take(account)
        for execution, account in self._in_progress:
            if self._parts[account.step][execution].counted or len(self._parts[account.step]) == 1:
                take(account)
        self._in_progress.clear()

    def _best(self) -> Iterator[tuple[str, str, int]]:
        """Yield what counts: step, execution, and how often the step was executed over that input."""
        group = self._groups()
        for step, parts in self._parts.items():
            best: dict[str, str] = {}
            times: Counter[str] = Counter()
            for execution, part in parts.items():
                if not part.accounts:
                    continue
                own = group.get(execution, execution)
                times[own] += 1
                if own not in best or part.records > parts[best[own]].records:
                    best[own] = execution
            for own, execution in best.items():
                yield step, execution, times[own]

    def _groups(self) -> dict[str, str]:
        """Return for every execution that shares its input with others the first of them."""
        first: dict[str, str] = {}

        def root(execution: str) -> str:
            while execution in first:
                execution = first[execution]
            return execution

        for step, pairs in self._shared.items():
            parts = self._parts[step]
            for (a, b), shared in pairs.items():
                if shared >= _SHARED * min(len(parts[a].inputs), len(parts[b].inputs)) and root(a) != root(b):
                    first[root(b)] = root(a)
        return {execution: root(execution) for execution in first}

    def repetitions(self) -> list[tuple[str, int]]:
        """Return the steps that were executed more than once over the same input, and how often each was."""
        most: Counter[str] = Counter()
        for step, _, times in self._best():
            most[step] = max(most[step], times)
        return [(step, times) for step, times in most.items() if times > 1]


def _account(part: _Part, task: str) -> Account:
    return Account.from_bytes(part.accounts[task][1])
