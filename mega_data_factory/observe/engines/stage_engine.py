"""Base of engines that execute stages of partitions, and may do so again: Spark, Dask."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, ClassVar

from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.forms.signatures import Content, signature_of
from mega_data_factory.observe.engines.engine import Engine, RunPlace, Task, this_worker
from mega_data_factory.observe.engines.stage_accounts import Piece, StageAccounts

_ATTEMPTS_REMEMBERED = 64
"""Attempts whose single records are summed up at the same time, at most: as many as a process has threads, and more."""


class StageEngine(Engine):
    """An engine whose accounts are sorted out by stage, partition and attempt (`stage_accounts`).

    Its accounts go through files, also those of threads of the driver's process.

    Class attributes:
        title: name of the engine in notes.
        keeping: what makes the engine keep what it has computed, as the user writes it.
    """

    straight: ClassVar[bool] = False
    signs: ClassVar[bool] = True
    title: ClassVar[str] = ""
    keeping: ClassVar[str] = ""

    def __init__(self, place: RunPlace | None = None, *, address: Any = None) -> None:
        super().__init__(place, address=address)
        self._accounts = StageAccounts()
        self._rows: OrderedDict[tuple[str, str], Account] = OrderedDict()
        self._lock = threading.Lock()

    # ── on the driver ─────────────────────────────────────────────────────────────────────────────────────────────

    def collect(self, take: Callable[[Account], None]) -> None:
        """Hand over the accounts that count of what has arrived."""
        assert self._files is not None
        for account in self._files.read_new():
            assert account.key is not None
            stage, partition, number = account.key.rsplit("/", 2)
            self._accounts.enter(account, Piece(stage, partition, int(account.attempt), int(number)))
        for account in self._accounts.changes():
            take(account)

    def notes(self) -> list[str]:
        """Return a sentence for each step that was executed again."""
        assert self.place is not None
        return [
            f"{self.title} gave {self.place.step_name(step)} {records:,} records again, in {partitions:,} "
            f"{'partition' if partitions == 1 else 'partitions'}; they count once. A plan is computed again each time "
            f"that its result is asked for, unless it is kept (`{self.keeping}`)"
            for step, (partitions, records) in self._accounts.again().items()
        ]

    # ── in a worker ───────────────────────────────────────────────────────────────────────────────────────────────

    @staticmethod
    def task_of(stage: str, partition: str, attempt: int, worker: str | None = None) -> Task:
        """Return the task of an attempt at a partition of a stage; a later attempt has a greater number."""
        return Task(f"{stage}/{partition.replace('/', '|')}", str(attempt), worker or this_worker())

    def content(self, value: Any) -> int:
        """Return a signature that the records of a batch have in any order: a second execution may reorder them."""
        return signature_of(value)

    def deliver(self, account: Account, result: Any) -> Any:
        """Deliver an account; calls on single records of an attempt are one account, which grows."""
        if account.calls == 1 and account.input_records == 1 and account.final and not account.rejects:
            account = self._row(account)
        return super().deliver(account, result)

    def _row(self, account: Account) -> Account:
        place = account.step, account.attempt
        with self._lock:
            rows = self._rows.pop(place, None)
            if rows is None:
                rows = account.named_alike()
            content = Content.from_list(rows.content)
            content.add(account.content[1])
            rows.include(account)
            rows.content = content.to_list()
            self._rows[place] = rows
            if len(self._rows) > _ATTEMPTS_REMEMBERED:
                self._rows.popitem(last=False)
            grown = rows.named_alike()
            grown.include(rows)
        grown.content, grown.set_aside = rows.content, account.set_aside
        return grown
