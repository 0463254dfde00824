"""Tasks of the workers of the local engine, as the driver keeps them: until they are done, also when a worker dies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from mega_data_factory.framework.engines.commits import FileGroup
from mega_data_factory.framework.engines.local.messages import ReadWork, StageWork, Work, WriteWork
from mega_data_factory.framework.worker.reading import ReadTask


@dataclass
class Task(ABC):
    """A piece of work for a worker.

    Attributes:
        attempt: 1 for the first.
        timed_out: whether a worker has ended over it since a record took too long.
    """

    attempt: int = field(default=1, kw_only=True)
    timed_out: bool = field(default=False, kw_only=True)

    @abstractmethod
    def message(self) -> Work:
        """Return the message of this attempt."""

    @abstractmethod
    def describe(self) -> str:
        """Return a description of the work, for an error."""


@dataclass
class ReadSplit(Task):
    """Read a split, one batch after the other.

    Attributes:
        split: what to read.
        skip: batches that are read already.
        has_credit: whether its next batch is counted as in flight already.
    """

    split: ReadTask
    skip: int = 0
    has_credit: bool = False

    def message(self) -> ReadWork:
        """Return the message of this attempt."""
        return {"kind": "read", "task": self.split.to_json(), "skip": self.skip}

    def note_batch(self, number: int) -> None:
        """Continue behind a batch that was read: what comes now is new, and has its own attempts and credit."""
        self.skip = number + 1
        self.attempt = 1
        self.has_credit = False

    def describe(self) -> str:
        """Return a description of the work, for an error."""
        return f"reading {dict(self.split.split.params)} from batch {self.skip}"


@dataclass
class RunStage(Task):
    """Run a stage on a batch.

    Attributes:
        batch: header of the batch.
        path: its table in the spool.
        quarantine_after: attempts after which the worker looks for the records that kill; after a timeout it does so
            at once.
    """

    batch: str
    path: str
    quarantine_after: int

    def message(self) -> StageWork:
        """Return the message of this attempt."""
        return {
            "kind": "stage",
            "batch": self.batch,
            "path": self.path,
            "attempt": self.attempt,
            "quarantine": self.timed_out or self.attempt > self.quarantine_after,
            "timed_out": self.timed_out,
        }

    def describe(self) -> str:
        """Return a description of the work, for an error."""
        return "running a batch"


@dataclass
class WriteFile(Task):
    """Write a group of batches as one file.

    Attributes:
        group: the batches.
    """

    group: FileGroup

    def message(self) -> WriteWork:
        """Return the message of this attempt."""
        return {"kind": "write", "members": self.group.members()}

    def describe(self) -> str:
        """Return a description of the work, for an error."""
        return self.group.describe()
