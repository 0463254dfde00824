"""What an engine is told about a run, and what it tells of it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from mega_data_factory.framework.batch import CommitRecord, StagedBatch
from mega_data_factory.framework.output import OutputFolder
from mega_data_factory.framework.progress import StageLoad
from mega_data_factory.framework.reading import ReadTask
from mega_data_factory.framework.stage import StageSettings


@dataclass(frozen=True)
class RunSettings:
    """What an engine needs to know beside the plan.

    Attributes:
        stage: settings that every stage gets.
        output: where the run writes.
        lock: the open file of the run's lock, which processes hold that write its files; None where there is none.
    """

    stage: StageSettings
    output: OutputFolder
    lock: int | None = None


@dataclass(frozen=True)
class SplitsListed:
    """The loader has listed its last split."""


Event = StagedBatch | CommitRecord | SplitsListed


class Engine(Protocol):
    """Moves batches: nothing else. Both engines run the same stages and give the same events."""

    def run(self, splits: Iterator[ReadTask]) -> Generator[Event, None, None]:
        """Move every batch that is wanted of the splits through the stages and the writer.

        Yields:
            `StagedBatch` when a batch has passed the last stage, `CommitRecord` when it is committed, `SplitsListed`
            once. Ends when everything is committed; closing the iterator ends all workers.

        Raises:
            MdfError: what ended the run.
        """
        ...

    def loads(self) -> Mapping[str, StageLoad]:
        """What every stage has on its hands, by name; without the stages of which the engine does not know."""
        ...

    def salvage(self) -> Iterator[CommitRecord]:
        """After `run` was closed or has raised: commit what had passed the last stage."""
        ...

    def close(self) -> None:
        """Give back everything the engine holds; the last call."""
        ...
