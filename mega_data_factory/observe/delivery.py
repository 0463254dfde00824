"""Delivery of accounts from a worker to the driver."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mega_data_factory.host import host_name
from mega_data_factory.observe.counting import wire
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.single_call import SingleCall
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.observe")

SUFFIX = ".accounts"
"""Ending of a file of accounts."""


Takes = Callable[[Account | SingleCall], None]
"""What takes accounts."""

ledgers: dict[tuple[str, int], Takes] = {}
"""What takes the accounts of a run in the driver, by the id of the run and that of the driver's process."""


class Delivery(Protocol):
    """A way from a worker to the driver."""

    def deliver(self, account: Account) -> None:
        """Hand over an account; return once it would survive the death of this process.

        Steps call this before they return their result to the engine. It must not raise: a worker that cannot
        deliver must not fail the user's work. Any thread may call it.
        """
        ...


class FileDelivery:
    """Appends accounts to a file of this process: one line and one write each.

    A process that is killed leaves at most its last line cut, which readers drop; what was written before is in the
    page cache of the operating system, and survives the process. It is for workers on this machine, or with a shared
    file system. A forked child opens a file of its own.

    The driver makes the folder (`make_folder`) and a worker never does: where it is missing, the worker does not share
    it with the driver, and what it wrote there would never be read.

    Accounts without a key add, so of these a line holds the sum of the last ones: the reader takes one line for many
    calls. Such a line begins with the name of its sum, of which a later line replaces an earlier one. A space follows
    the name, and begins all other lines.

    Args:
        folder: where the files of a run are.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._lock = threading.Lock()
        self._pid = -1
        self._file = -1
        self._failed = False
        self._sums: dict[tuple[str, str], _Sum] = {}  # (step, worker) → sum that is open
        self._summed = 0

    def deliver(self, account: Account | SingleCall) -> None:
        """Append the account; an error is logged once, and the account is lost."""
        try:
            with self._lock:
                if self._pid != os.getpid():
                    self._open()
                if isinstance(account, SingleCall) or _only_adds(account):
                    total, name = self._sum(account)
                    line = b"%s %s\n" % (name, wire.to_line(total))
                else:
                    line = b" %s\n" % wire.to_line(account)
                os.write(self._file, line)  # one write on O_APPEND: lines of two processes do not mix
        except OSError as error:
            if not self._failed:
                _log.warning("records of this worker are not counted: %s", self._explained(error))
            self._failed = True

    def _explained(self, error: OSError) -> str:
        if not isinstance(error, FileNotFoundError):
            return f"{self._folder}: {error}"
        return (
            f"there is no {self._folder} on {host_name()}. Either the run has ended, or driver and workers do not "
            "share the folder of the metrics: name one that they share, mdf.observe(..., accounts=FOLDER)"
        )

    def _sum(self, account: Account | SingleCall) -> tuple[Account, bytes]:
        """Return the sum of the last accounts of a step and worker, this one included, and its name."""
        place = account.step, account.worker
        current = self._sums.get(place)
        if current is None or current.total.calls >= _SUM_CALLS or account.at >= current.ends:
            self._summed += 1
            total = Account(account.step, account.worker, engine=account.engine)
            current = self._sums[place] = _Sum(total, account.at + _SUM_SECONDS, b"%d" % self._summed)
        if isinstance(account, SingleCall):
            account.add_to(current.total)
        else:
            current.total.include(account)
        return current.total, current.name

    def _open(self) -> None:
        name = f"{os.getpid()}-{os.urandom(6).hex()}{SUFFIX}"  # a process id is not unique over machines
        self._file = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._pid = os.getpid()
        self._sums = {}


def _only_adds(account: Account) -> bool:
    return account.key is None and not account.set_aside and not account.details and not account.rejects


@dataclass(slots=True)
class _Sum:
    """Sum of some accounts without a key.

    Attributes:
        total: the sum.
        ends: when another sum begins, seconds since 1970: accounts keep their time, to be sampled by it.
        name: of the sum, within its file.
    """

    total: Account
    ends: float
    name: bytes


_SUM_CALLS = 16
"""Calls in a sum, at most: its histogram stays small, and a line short."""

_SUM_SECONDS = 1.0


def make_folder(folder: str | os.PathLike[str]) -> None:
    """Make the folder for files of accounts, on the driver; a failure is logged."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _log.warning("workers cannot deliver what they count: %s: %s", folder, error)


class AccountFiles:
    """Reader of a folder of account files, on the driver; every call reads what is new.

    Args:
        folder: as given to `FileDelivery`.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._read: dict[str, int] = {}  # file → bytes read
        self._sums: dict[tuple[str, str, str], tuple[bytes, Account]] = {}  # (file, step, worker) → name and last sum

    def read_new(self) -> Iterator[Account]:
        """Yield the accounts since the last call, file by file in the order of their names.

        A line without an end is left for the next call: its writer may still be writing, or was killed.
        """
        try:
            files = sorted(self.folder.glob(f"*{SUFFIX}"))
        except FileNotFoundError:
            return
        for file in files:
            yield from self._read_file(file.name)

    def _read_file(self, name: str) -> Iterator[Account]:
        sums: dict[bytes, bytes] = {}
        for line in self._new_lines(name):
            first, _, rest = line.partition(b" ")
            if first:
                sums[first] = rest
            elif (account := self._account(name, rest)) is not None:
                yield account
        for number, line in sums.items():
            account = self._account(name, line)
            if account is not None:
                place = name, account.step, account.worker
                earlier = self._sums.get(place)
                self._sums[place] = number, account
                yield account.since(earlier[1] if earlier is not None and earlier[0] == number else None)

    def _new_lines(self, name: str) -> Iterator[bytes]:
        read = self._read.get(name, 0)
        with (self.folder / name).open("rb") as file:
            file.seek(read)
            try:
                for line in file:
                    if not line.endswith(b"\n"):
                        return
                    read += len(line)
                    yield line[:-1]
            finally:
                self._read[name] = read

    @staticmethod
    def _account(name: str, line: bytes) -> Account | None:
        try:
            return wire.from_line(line)
        except ValueError as error:
            _log.warning("a line of %s is damaged and left out: %s", name, error)
            return None

    def remove(self) -> None:
        """Delete the files that were read, and the folder if nothing else is in it."""
        for name in self._read:
            (self.folder / name).unlink(missing_ok=True)
        try:
            self.folder.rmdir()
        except OSError:  # it is missing, or holds other files
            return
