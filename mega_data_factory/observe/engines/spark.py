"""Spark: `mapInArrow`, `mapInPandas`, `applyInPandas`, pandas and Arrow UDFs, Python UDFs, `foreachPartition`, RDDs.

A step runs in a Python worker of an executor, as part of a task: an attempt at a partition of a stage. Accounts are
named by stage and partition, go to files in a folder that driver and executors share, and are sorted out on the
driver: see `executions`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from mega_data_factory.observe.account import Account
from mega_data_factory.observe.delivery import Delivery
from mega_data_factory.observe.engines.engine import Engine, RunPlace, Task, this_worker
from mega_data_factory.observe.engines.stage_accounts import Piece, StageAccounts
from mega_data_factory.observe.signatures import signature_of


class Spark(Engine):
    """The engine of PySpark."""

    name: ClassVar[str] = "spark"
    guarantees: ClassVar[Mapping[str, str]] = {
        "worker kill": "exact: an attempt at a partition replaces the others, also where an executor is lost and "
        "stages are computed again",
        "driver kill": "what was counted up to the last flush stays, and the run is shown as aborted",
        "speculative attempt": "exact: of all attempts at a partition one counts",
        "re-execution": "a second action on a plan that is not cached, or a stage that is computed again, counts once "
        "where Spark gives the step the same records in the same partition; the notes of the run name it",
    }

    def __init__(self, place: RunPlace | None = None, *, address: Any = None) -> None:
        super().__init__(place, address=address)
        self._accounts = StageAccounts()

    @classmethod
    def version(cls) -> str:
        """Return the version of PySpark."""
        return str(sys.modules["pyspark"].__version__)

    # ── on the driver ─────────────────────────────────────────────────────────────────────────────────────────────

    def address(self) -> dict[str, str]:
        """Return the folder of account files, and the application: its stages are numbered from 0."""
        context = getattr(sys.modules["pyspark"], "SparkContext", None)
        active = None if context is None else context._active_spark_context
        return {"folder": super().address(), "application": "" if active is None else str(active.applicationId)}

    def notes(self) -> list[str]:
        """Return a sentence for each step that was executed again."""
        assert self.place is not None
        return [
            f"Spark gave {self.place.step_name(step)} {records:,} records again, in {partitions:,} "
            f"{'partition' if partitions == 1 else 'partitions'}; they count once. An action computes a plan again "
            "unless it is cached (`df.cache()`)"
            for step, (partitions, records) in self._accounts.again().items()
        ]

    def collect(self, take: Callable[[Account], None]) -> None:
        """Hand over the accounts that count of what has arrived."""
        assert self._files is not None
        for account in self._files.read_new():
            self._accounts.enter(account, _piece(account))
        for account in self._accounts.changes():
            take(account)

    # ── in a worker ───────────────────────────────────────────────────────────────────────────────────────────────

    def task(self) -> Task | None:
        """Return the task of this Python worker, as Spark's `TaskContext` names it."""
        context = sys.modules["pyspark"].TaskContext.get()
        if context is None:
            return None
        key = f"{self._address['application']}/{context.stageId()}/{context.partitionId()}"
        return Task(key, str(context.taskAttemptId()), _worker())

    def delivery(self, address: Any) -> Delivery:
        """Return the way through files."""
        return super().delivery(address["folder"])

    def content(self, value: Any) -> int:
        """Return a signature that the records of a batch have in any order: a second execution may reorder them."""
        return signature_of(value)


def _worker() -> str:
    """Return a name for this Python worker; where Spark starts one for every task, for the executor that starts it."""
    worker = this_worker()
    return worker if os.environ.get("SPARK_REUSE_WORKER") else f"{worker.rpartition('-')[0]}-{os.getppid()}"


def _piece(account: Account) -> Piece:
    assert account.key is not None
    stage, partition, number = account.key.rsplit("/", 2)
    return Piece(stage, partition, int(account.attempt), int(number))
