"""Accounts of stages: which of them count where Spark tries a partition again, a stage, or a whole plan.

Spark runs *stages* of *partitions*, and *attempts* at each. Three things repeat work: a failed or speculative attempt
at a partition, a stage that is computed again because its output was lost, and a second action on a plan that was not
cached. Only the first keeps the number of the stage, and after a shuffle a partition has its records in another order.

- Of the attempts at a partition of a stage the one that has seen the most records counts; of equal ones a final one,
  then the latest.
- Executions of a partition by different stages are the same work if they were given the same records, or one of them
  the beginning of what the other was given (`signatures.Content`). The one that has seen the most counts, of equal
  ones the latest. Executions on different records are different work, and add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mega_data_factory.observe.counting import wire
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.forms.signatures import Content


@dataclass(frozen=True, slots=True)
class Piece:
    """What an account of an execution is of.

    Attributes:
        stage: what is executed; another execution of the same plan has another name.
        partition: part of the data, the same in every execution.
        attempt: number of the attempt; a later one is greater.
        number: of the call in the attempt.
    """

    stage: str
    partition: str
    attempt: int
    number: int


class StageAccounts:
    """Accounts of all executions of the steps of a run, of which some count."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str], _Part] = {}  # (step, partition)
        self._changed: dict[tuple[str, str], None] = {}

    def enter(self, account: Account, piece: Piece) -> None:
        """Enter an account; a later one of the same piece replaces it."""
        place = account.step, piece.partition
        self._changed[place] = None
        part = self._parts.setdefault(place, _Part())
        part.stages.setdefault(piece.stage, {}).setdefault(piece.attempt, _Attempt()).enter(account, piece.number)

    def changes(self) -> Iterator[Account]:
        """Yield the accounts that count since the last call, as the ledger wants them: the last one with a key counts.

        An account that counts no longer is replaced by an empty one.
        """
        changed, self._changed = self._changed, {}
        for step, partition in changed:
            yield from self._parts[step, partition].changes(step, partition)

    def again(self) -> dict[str, tuple[int, int]]:
        """Return for each step that was executed again: partitions, and records that count once of all executions."""
        found: dict[str, tuple[int, int]] = {}
        for (step, _), part in self._parts.items():
            records = [attempt.records for group in part.groups() for _, attempt in group[1:]]
            if any(records):
                partitions, total = found.get(step, (0, 0))
                found[step] = partitions + 1, total + sum(records)
        return found


@dataclass(slots=True)
class _Attempt:
    """Accounts of an attempt at a partition, by the number of the call.

    Attributes:
        accounts: number → account as bytes; they are many, and few are needed again.
        contents: number → what the call was given.
        counts: number → records that the call was given.
        open: numbers of accounts that are not final.
        records: given to all calls.
        at: when the last account was made, seconds since 1970.
    """

    accounts: dict[int, bytes] = field(default_factory=dict)
    contents: dict[int, list[int]] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    records: int = 0
    at: float = 0.0

    def enter(self, account: Account, number: int) -> None:
        self.records += account.input_records - self.counts.get(number, 0)
        self.counts[number] = account.input_records
        self.at = max(self.at, account.at)
        self.contents[number] = account.content
        self.accounts[number] = wire.to_bytes(account)
        (self.open.discard if account.final else self.open.add)(number)

    def content(self) -> Content:
        """Return what the attempt was given, in the order of its calls."""
        if len(self.contents) == 1:
            return Content.from_list(next(iter(self.contents.values())))
        content = Content()
        for number in sorted(self.contents):
            given = Content.from_list(self.contents[number])
            if given.parts:
                content.add(given.total)
        return content


def _same_work(some: _Attempt, most: _Attempt) -> bool:
    """Return whether one attempt was given the records that another was given, or the first of them."""
    if not some.records:
        return True
    few, many = some.content(), most.content()
    if some.records == most.records:
        return few.total == many.total and bool(few.parts)
    return bool(few.parts) and few.begins_like(many)


@dataclass(slots=True)
class _Part:
    """All executions of one step on one partition.

    Attributes:
        stages: stage → number of attempt → attempt.
        entered: key → account as the ledger has it.
    """

    stages: dict[str, dict[int, _Attempt]] = field(default_factory=dict)
    entered: dict[str, bytes] = field(default_factory=dict)

    def groups(self) -> list[list[tuple[str, _Attempt]]]:
        """Return the executions, those of the same work together, the one that counts first."""
        best = [(stage, self._best(attempts)) for stage, attempts in self.stages.items()]
        groups: list[list[tuple[str, _Attempt]]] = []
        for stage, attempt in sorted(best, key=lambda entry: (entry[1].records, entry[1].at), reverse=True):
            for group in groups:
                if _same_work(attempt, group[0][1]):
                    group.append((stage, attempt))
                    break
            else:
                groups.append([(stage, attempt)])
        return groups

    @staticmethod
    def _best(attempts: dict[int, _Attempt]) -> _Attempt:
        return max(attempts.items(), key=lambda entry: (entry[1].records, not entry[1].open, entry[0]))[1]

    def changes(self, step: str, partition: str) -> Iterator[Account]:
        wanted: dict[str, bytes] = {}
        order = list(self.stages)
        for group in self.groups():
            first = min((stage for stage, _ in group), key=order.index)  # its key stays when another one counts
            for number, line in group[0][1].accounts.items():
                wanted[f"{first}/{partition}/{number}"] = line
        for key in self.entered.keys() - wanted.keys():
            before = wire.from_bytes(self.entered[key])
            yield Account(step, before.worker, key, before.attempt, before.engine, before.at)
        for key, line in wanted.items():
            if self.entered.get(key) != line:
                yield replace(wire.from_bytes(line), key=key)
        self.entered = wanted
