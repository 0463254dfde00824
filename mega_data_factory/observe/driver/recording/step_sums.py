"""Sums of the accounts of one step, from which an account can be taken back exactly."""

from __future__ import annotations

from collections.abc import Iterator

from mega_data_factory.observe.counting import wire
from mega_data_factory.observe.counting.account import Account

_GROUP = 256
"""Accounts that are added up again when one of them is replaced."""


class StepSums:
    """Sums of the accounts of a step, by worker.

    Accounts without a key add. Those with one are kept, as bytes, so that one that is replaced can be taken out of the
    sum; minima and maxima cannot be subtracted, nor can floats without a rest. The kept accounts of a worker are in
    groups: a replacement adds up one group again, and the sums of the groups. The first replacement of a worker adds
    up all of its groups.

    Args:
        step: id of the step.
    """

    def __init__(self, step: str) -> None:
        self._step = step
        self._kept: dict[str, _Kept] = {}
        self._workers: dict[str, _Worker] = {}
        self._plain: dict[str, Account] = {}

    def add(self, sum_of_accounts: Account, *, keyed: bool) -> None:
        """Add accounts of one worker to its sum; those with a key have been given to `keep` too."""
        worker = sum_of_accounts.worker
        if keyed:
            self._worker(worker).total.include(sum_of_accounts)
            return
        if worker not in self._plain:
            self._plain[worker] = Account(self._step, worker)
        self._plain[worker].include(sum_of_accounts)

    def attempt_of(self, key: str | None) -> str | None:
        """Return the attempt whose account is kept for a key; None if no account is."""
        kept = None if key is None else self._kept.get(key)
        return None if kept is None else kept.attempt

    def keep(self, account: Account) -> None:
        """Keep a final account by its key, in place of the one that is there.

        The sums are right when `restore` has been called; of an account whose key is new, when `add` has been.
        """
        assert account.key is not None
        before = self._kept.get(account.key)
        if before is not None:
            before.group.keys.pop(account.key)
            before.group.total = None
            self._workers[before.group.worker].stale = self._worker(account.worker).stale = True
        same = before is not None and before.group.worker == account.worker
        group = before.group if before is not None and same else self._worker(account.worker).open_group()
        group.keys[account.key] = None
        group.total = None
        self._kept[account.key] = _Kept(account.attempt, wire.to_bytes(account), group)

    def show(self, worker: str, at: float) -> None:
        """Let a worker have a sum from now on, of zeros if need be."""
        self._worker(worker, at)

    def restore(self) -> None:
        """Add up again what has been replaced.

        A worker of which nothing counts any more keeps a sum of zeros, which replaces what was shown of it.
        """
        for worker in self._workers.values():
            if worker.stale:
                worker.total = Account(self._step, worker.total.worker, at=worker.total.at)
                for group in worker.groups:
                    worker.total.include(self._total_of(group))
                worker.stale = False

    def totals(self) -> Iterator[Account]:
        """Yield the sums; more than one of a worker add."""
        yield from (worker.total for worker in self._workers.values())
        yield from self._plain.values()

    def _total_of(self, group: _Group) -> Account:
        if group.total is None:
            group.total = Account(self._step, group.worker)
            for key in group.keys:
                group.total.include(wire.from_bytes(self._kept[key].line))
        return group.total

    def _worker(self, name: str, at: float = 0.0) -> _Worker:
        worker = self._workers.get(name)
        if worker is None:
            worker = self._workers[name] = _Worker(Account(self._step, name, at=at))
        return worker


class _Group:
    """Some of the kept accounts of a worker.

    Attributes:
        worker: name of the worker.
        keys: of the accounts, in the order in which they came.
        total: their sum; None if it must be made again.
    """

    __slots__ = ("keys", "total", "worker")

    def __init__(self, worker: str) -> None:
        self.worker = worker
        self.keys: dict[str, None] = {}
        self.total: Account | None = None


class _Kept:
    """An account that is kept.

    Attributes:
        attempt: who delivered it.
        line: the account as bytes.
        group: that it is in.
    """

    __slots__ = ("attempt", "group", "line")

    def __init__(self, attempt: str, line: bytes, group: _Group) -> None:
        self.attempt = attempt
        self.line = line
        self.group = group


class _Worker:
    """Sums of one worker.

    Attributes:
        total: sum of its kept accounts.
        groups: of these.
        stale: whether an account has been replaced since the sum was made.
    """

    __slots__ = ("groups", "stale", "total")

    def __init__(self, total: Account) -> None:
        self.total = total
        self.groups: list[_Group] = []
        self.stale = False

    def open_group(self) -> _Group:
        """Return the group that the next account comes into."""
        if not self.groups or len(self.groups[-1].keys) >= _GROUP:
            self.groups.append(_Group(self.total.worker))
        return self.groups[-1]
