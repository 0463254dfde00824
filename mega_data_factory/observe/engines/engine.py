"""Protocol of an engine: what `observe` asks of Ray Data, Spark, Dask and the others.

One class per engine, in a file of its own below `observe/engines/`, and one line in `engines/__init__.py` that says
which of the user's modules makes it relevant. The class has two halves, which never meet in one object:

- on the **driver** one instance per run: `address` (sent to workers inside every step), `collect`, `notes`, `nodes` and
  `stop`;
- in a **worker** one instance per process and run, made from the address: `task`, `deliver` and `records`. The driver's
  process has such an instance too (steps may run in its threads): of that only `task` and `records` are asked, and the
  account goes straight to the ledger.

The life of an account:

1. The user's engine calls a step in a worker. `task()` names the piece of work that the call belongs to.
2. The step runs the user's function and counts.
3. `deliver(account, result)` is called before the result is returned to the engine. It returns when the account would
   survive the death of the worker.
4. On the driver `collect(take)` is called before every write of the metrics (every five seconds, by default), and a
   last time when the run ends. It hands every new account to `take`: the ledger. Of accounts of one step with the same
   key the last one counts; how many were replaced by another attempt is reported with the run.

A step over an iterator (Spark's `mapInArrow`) is one call: its account names the whole stream. It is delivered about
every second with all counts so far (`Account.final` is False), and a last time before the engine sees the end.

An engine module is imported only where its engine is loaded already (`sys.modules`): it may import it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mega_data_factory.host import host_name
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.rows import RowTally, Spec
from mega_data_factory.observe.delivery import AccountFiles, Delivery, FileDelivery, make_folder

if TYPE_CHECKING:
    from mega_data_factory.framework.metrics.nodes import NodeBuffer

FINGERPRINT = "fingerprint"
"""As `Task.key`: the account is named by a fingerprint of the input of the call (xxh3, 128 bits)."""


NO_RESULT = object()
"""As the result of `deliver`: nothing is about to be returned, for the step raises, or is a generator at its end."""


@dataclass(frozen=True, slots=True)
class Task:
    """The piece of work that a call of a step belongs to, as the engine names it.

    Attributes:
        key: a name that a retry of the task has too. The calls of a step within the task are numbered, and
            `key/number` is the key of the account. `FINGERPRINT` where the engine has no such name: the input itself
            names the account. None if nothing is ever retried: accounts add.
        attempt: a name that differs between two attempts at the task (and between two executions of the same plan).
            The numbering of calls restarts with every attempt.
        worker: name of the worker; becomes `worker_id` of the metrics.
        note_input: called with the id of the step and a function that fingerprints the input, for every call; None
            where the engine does not want to know.
    """

    key: str | None
    attempt: str
    worker: str
    note_input: Callable[[str, Callable[[], str | None]], None] | None = None

    @property
    def seed(self) -> str | None:
        """What names the work of the task, and all attempts at it share; None if nothing does."""
        return None if self.key == FINGERPRINT else self.key


@dataclass(frozen=True, slots=True)
class RunPlace:
    """What an engine on the driver knows of the run.

    Attributes:
        run_id: id of the run.
        folder: local or shared folder for account files of this run; it need not exist yet.
        step_name: gives `stage/name` of a step by its id, for notes.
    """

    run_id: str
    folder: Path
    step_name: Callable[[str], str] = str


class Engine:
    """Base of the engines; its methods are right for an engine whose workers share a file system with the driver.

    Class attributes:
        name: as in the run row: `ray-data`, `spark`, `datasets` …
        guarantees: what holds under a worker kill, a driver kill, a speculative attempt, a re-execution; one sentence
            each. It goes to the configuration in the run row.
        collects_by_time: whether accounts are collected by the time of their work, over all files: for engines whose
            tasks are tried again in another process of the same machine.
        calls_per_record: whether it calls steps once for every record, so that `tally` is worth while.
        adds: whether its accounts have no key, and need not know the input: most calls travel as a `SingleCall`.
        signs: whether it has a signature for what a step is given: see `content`.
        straight: whether accounts of the driver's own process go straight to the ledger; False if they take the way of
            those of workers, because the driver's half sorts them out.
    """

    adds: ClassVar[bool] = False
    straight: ClassVar[bool] = True
    signs: ClassVar[bool] = False
    name: ClassVar[str] = ""
    collects_by_time: ClassVar[bool] = False
    calls_per_record: ClassVar[bool] = False
    guarantees: ClassVar[Mapping[str, str]] = {}

    # ── on the driver ─────────────────────────────────────────────────────────────────────────────────────────────

    def __init__(self, place: RunPlace | None = None, *, address: Any = None) -> None:
        """Make the driver's half with `place`, a worker's half with `address`: never both.

        The driver's half is made when a step is defined or the run starts and the user's module is loaded by then.
        The engine itself may not be running yet (`ray.init` may follow): wait for `address` to use it.
        """
        self.place = place
        self._address = address
        self._folder = None if place is None else place.folder / self.name  # each engine reads its own
        self._files = None if self._folder is None else AccountFiles(self._folder)
        self._made = False
        self._delivery: Delivery | None = None

    @classmethod
    def version(cls) -> str:
        """Return the version of the engine, for the run row."""
        return ""

    def address(self) -> Any:
        """Return what workers need to deliver; called on the driver whenever a step is pickled, so it must be cheap.

        The value must be picklable by pickle, and must not depend on anything that changes during the run. The first
        call may start something (an actor). The default is the folder of account files, which the first call makes.
        """
        assert self._folder is not None
        if not self._made:
            make_folder(self._folder)
            self._made = True
        return str(self._folder.absolute())

    def collect(self, take: Callable[[Account], None]) -> None:
        """Hand every account that has arrived since the last call to `take`; called on a thread of the driver.

        Accounts of one task must come in the order of their delivery. The default reads the account files.
        """
        assert self._files is not None
        arrived = self._files.read_new()
        for account in sorted(arrived, key=lambda a: a.at) if self.collects_by_time else arrived:
            take(account)

    def stop(self) -> None:
        """End what `address` has started, after the last `collect`; called on the driver, once, also after errors."""
        if self._files is not None:
            self._files.remove()
            with contextlib.suppress(OSError):  # it is not there, or another engine's files are in it
                self._files.folder.parent.rmdir()

    def notes(self) -> list[str]:
        """Return what a reader of the metrics should know of this run, a sentence each; called at the end."""
        return []

    def nodes(self, buffer: NodeBuffer) -> AbstractContextManager[object] | None:
        """Return a context that samples the nodes of the cluster into `buffer`; None if this machine is all.

        It is asked when the run starts, and whenever accounts are collected until it gives one; so it must be cheap.
        """
        del buffer
        return None

    # ── in a worker ───────────────────────────────────────────────────────────────────────────────────────────────

    def task(self) -> Task | None:
        """Return the task of this engine that the current thread works on; None if it works on none.

        It is called for every call of a step, so it must take microseconds. The engines whose modules are loaded are
        asked in turn, and the first that answers is it; plain Python always answers.
        """
        raise NotImplementedError

    def carrier(self) -> Callable[..., Any] | None:
        """Return a function that calls another (its first argument) for the task of the current thread, in any thread.

        It is asked for where the `__call__` of an observed class is looked up, which an engine may do in the thread of
        the task, before it calls it in another. None if a call belongs to the thread that makes it.
        """
        return None

    def tally(self, spec: Spec) -> RowTally | None:
        """Return what counts calls of a step on single records in the task of this thread, with an account for all.

        None if the call is to be counted by itself: the first of a task, say.
        """
        del spec
        return None

    def deliver(self, account: Account, result: Any) -> Any:
        """Deliver an account, then return the result, which is about to be returned to the engine.

        An engine may return the result wrapped, where its own code unwraps it on the driver: not `NO_RESULT`.
        """
        if self._delivery is None:
            self._delivery = self.delivery(self._address)
        self._delivery.deliver(account)
        return result

    def delivery(self, address: Any) -> Delivery:
        """Return the way to the driver; called once in a worker."""
        return FileDelivery(address)

    def content(self, value: Any) -> int | None:
        """Return a signature of a batch or record that a step is given (see `signatures`); None if none is needed.

        It is asked of every batch of an iterator too; the signatures come with the account, as `Account.content`.
        """
        del value
        return None

    def records(self, value: Any) -> int | None:
        """Return the number of records in a value that only this engine knows; None leaves it to `counting.forms`.

        Asked for the input and for the output of every call of this engine's tasks.
        """
        del value
        return None


def this_worker() -> str:
    """Return a name for this process: `host-pid`."""
    return f"{_HOST}-{os.getpid()}"


_HOST = host_name() or "localhost"
