"""Protocol between the executor and an engine: settings of a run, events, and the engine itself."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mega_data_factory import storage
from mega_data_factory.framework.batch import Batch, CommitRecord, StagedBatch
from mega_data_factory.framework.commit.output import OutputFolder
from mega_data_factory.framework.driver.progress import StageLoad
from mega_data_factory.framework.metrics import NodeBuffer
from mega_data_factory.framework.worker.reading import ReadTask
from mega_data_factory.framework.worker.stage import StageSettings


@dataclass(frozen=True)
class RunSettings:
    """Settings of an engine beside the plan.

    Attributes:
        stage: settings that every stage gets.
        output: where the run writes.
        lock_fd: file descriptor of the run's lock, which processes hold that write its files; None if there is none.
        nodes: takes samples of the nodes that the engine uses; None when they are not wanted.
    """

    stage: StageSettings
    output: OutputFolder
    lock_fd: int | None = None
    nodes: NodeBuffer | None = None

    def folders(self, spool: Path) -> list[Path]:
        """Return the folders of the run on a node: the spool, and the output if it is local."""
        return [spool, *([storage.local_path(self.output.path)] if storage.is_local(self.output.path) else [])]


@dataclass(frozen=True)
class SplitsListed:
    """The loader has listed its last split."""


@dataclass(frozen=True)
class WorkersReady:
    """All workers that the pools start with are set up.

    Attributes:
        seconds: from the start of the first worker's process; batches may have moved between those that were ready.
    """

    seconds: float


@dataclass(frozen=True)
class StagePassed:
    """A batch has passed a stage that is not the last.

    Attributes:
        batch: its account so far, without details; its table is empty. Where a later stage dead-letters a record, the
            account that follows differs in the stages before, too.
    """

    batch: Batch


Event = StagePassed | StagedBatch | CommitRecord | SplitsListed | WorkersReady


class Engine(Protocol):
    """Moves batches: nothing else. Both engines run the same stages and give the same events."""

    def run(self, splits: Iterator[ReadTask]) -> Generator[Event, None, None]:
        """Move every batch that is wanted of the splits through the stages and the writer.

        Yields:
            `StagePassed` when a batch has passed another stage, where the engine sees that, `StagedBatch` when it has
            passed the last one, `CommitRecord` when it is committed, `SplitsListed` once,
            and `WorkersReady` once where the engine starts workers itself. Ends when everything is committed;
            closing the iterator ends all workers.

        Raises:
            MdfError: what ended the run.
        """
        ...

    def loads(self) -> Mapping[str, StageLoad]:
        """Return the load of every stage, by name, without stages whose load the engine does not know."""
        ...

    def salvage(self) -> Iterator[CommitRecord]:
        """Commit what had passed the last stage when `run` was closed or raised."""
        ...

    def close(self) -> None:
        """Give back everything the engine holds; the last call."""
        ...
