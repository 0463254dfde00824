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

from mega_data_factory.observe.counting import wire
from mega_data_factory.observe.counting.account import Account

_SHARED = 0.25
"""Share of the inputs of the smaller execution that make two executions those of one input."""


class WorkName(NamedTuple):
    """What an account is of: a piece of the work of a task.

    Attributes:
        execution: names the execution of the plan.
        task: names the task; a retry of it has the same name.
        attempt: number of the attempt, from 0; 0 for all where the engine does not tell.
        started: when the attempt was, seconds since 1970.
        piece: number of the piece, from 0; a task delivers one every few seconds, and the last at its end.
        input: fingerprint of the first batch or record that the step was given in the task; empty if it has none.
    """

    execution: str
    task: str
    attempt: int
    started: float
    piece: int
    input: str

    def to_key(self) -> str:
        """Return the name as the key of an account on its way to the driver."""
        return " ".join(map(str, self))

    @classmethod
    def from_key(cls, key: str) -> WorkName:
        """Return the name that `to_key` was called on."""
        execution, task, attempt, started, piece, first = key.rsplit(" ", 5)  # a dataset may be named with spaces
        return cls(execution, task, int(attempt), float(started), int(piece), first)


@dataclass(slots=True)
class _Attempt:
    """Latest attempt at a task.

    Attributes:
        order: number and start of the attempt.
        pieces: number of a piece → its account.
    """

    order: tuple[int, float]
    pieces: dict[int, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class _Part:
    """What one execution did in one step.

    Attributes:
        attempts: task → its latest attempt.
        arrived: pieces whose accounts are new, as (task, number).
        replaced: accounts of earlier attempts, likewise.
        inputs: fingerprints of the first inputs of tasks.
        records: input records of the latest attempts.
        counted: whether it is in the ledger.
    """

    attempts: dict[str, _Attempt] = field(default_factory=dict)
    arrived: dict[tuple[str, int], Account] = field(default_factory=dict)
    replaced: dict[tuple[str, int], bytes] = field(default_factory=dict)
    inputs: set[str] = field(default_factory=set)
    records: int = 0
    counted: bool = False

    def enter(self, name: WorkName, account: Account) -> bool:
        """Enter the account of a piece; return whether it is of the latest attempt at its task."""
        order = name.attempt, name.started
        latest = self.attempts.get(name.task)
        if latest is not None and order < latest.order:
            return False
        if latest is None or order > latest.order:
            if latest is not None:
                self._drop(name.task, latest)
            latest = self.attempts[name.task] = _Attempt(order)
        latest.pieces[name.piece] = wire.to_bytes(account)
        self.arrived[name.task, name.piece] = account
        self.records += account.input_records
        return True

    def _drop(self, task: str, attempt: _Attempt) -> None:
        for piece, line in attempt.pieces.items():
            self.records -= wire.from_bytes(line).input_records
            self.replaced.setdefault((task, piece), line)
            self.arrived.pop((task, piece), None)

    def changes(self, counts: bool) -> Iterator[Account]:
        """Yield what the ledger has to learn: accounts that count by now, and empty ones in place of those that do not.

        Args:
            counts: whether this execution counts.
        """
        if counts or self.counted:
            for (task, piece), line in self.replaced.items():
                if self.counted and piece not in self.attempts[task].pieces:
                    yield wire.from_bytes(line).named_alike()
        if counts and self.counted:
            yield from self.arrived.values()
        elif counts or self.counted:
            for task, attempt in self.attempts.items():
                for piece, line in attempt.pieces.items():
                    account = self.arrived.get((task, piece)) or wire.from_bytes(line)
                    yield account if counts else account.named_alike()
        self.counted = counts
        self.arrived.clear()
        self.replaced.clear()


class Executions:
    """Accounts of tasks by execution, and which of them count. For the driver's thread that collects."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, _Part]] = {}  # step → execution → part, in the order of arrival
        self._seen: dict[tuple[str, str], list[str]] = {}  # (step, input) → executions
        self._shared: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)  # step → two executions → inputs

    def enter(self, account: Account) -> None:
        """Enter an account, whose key is that of a `WorkName`; one of an earlier attempt at a task is left out."""
        assert account.key is not None
        name = WorkName.from_key(account.key)
        account.key = f"{name.execution}/{name.task}/{name.piece}"
        part = self._parts.setdefault(account.step, {}).setdefault(name.execution, _Part())
        if part.enter(name, account) and name.input and name.input not in part.inputs:
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
                for account in part.changes((step, execution) in counting):
                    take(account)

    def _best(self) -> Iterator[tuple[str, str, int]]:
        """Yield what counts: step, execution, and how often the step was executed over that input."""
        group = self._groups()
        for step, parts in self._parts.items():
            best: dict[str, str] = {}
            times: Counter[str] = Counter()
            for execution, part in parts.items():
                if not part.attempts:
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
