"""Commit loop of both engines.

Staged batches are gathered, written as one file for each group, and reported as commit records. How and where a group
is written is the engine's matter; what is written, learnt, removed and left to salvage is decided here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pyarrow as pa

from mega_data_factory.framework.batch import Batch, CommitRecord, StagedBatch
from mega_data_factory.framework.commit.gatherer import Gatherer
from mega_data_factory.framework.commit.group_writing import write_group
from mega_data_factory.framework.commit.output import OutputFolder
from mega_data_factory.framework.contracts import Writer
from mega_data_factory.framework.parcel import Parcel
from mega_data_factory.framework.plan import Plan

GroupMember = tuple[str, str | None]
"""A batch of a group, for a message: its header, and the path of its tables, or None when there are none."""


class StagedTables(Protocol):
    """Tables of staged batches, where the engine keeps them."""

    def read(self, path: str) -> Parcel:
        """Return the tables of a batch."""
        ...

    def remove(self, path: str) -> None:
        """Remove tables that are no longer needed."""
        ...


@dataclass(frozen=True, eq=False)
class FileGroup:
    """Staged batches that become one output file.

    Attributes:
        batches: the batches, ordered by id.
    """

    batches: tuple[StagedBatch, ...]

    def members(self) -> list[GroupMember]:
        """Return the group for a message to the process that writes it, see `write_members`."""
        return [(staged.batch.header(), staged.path) for staged in self.batches]

    def describe(self) -> str:
        """Return a description of the work, for an error."""
        return f"writing batches {self.batches[0].batch.id} to {self.batches[-1].batch.id}"


class CommitLoop:
    """Gathers staged batches, has each group written, and keeps the commits until they are reported.

    Args:
        plan: says how large files become, how long a batch may wait, and which writer encodes.
        output: where files are written when a run was stopped.
        tables: the tables of the batches.
        start_write: starts to write a group in a process of the engine, which later calls `written`.
    """

    def __init__(
        self, plan: Plan, output: OutputFolder, tables: StagedTables, start_write: Callable[[FileGroup], None]
    ) -> None:
        options = plan.writer_options
        self._gatherer = Gatherer(options.target_file_mb * 1e6, options.max_file_seconds)
        self._plan = plan
        self._output = output
        self._tables = tables
        self._start_write = start_write
        self._writing: list[FileGroup] = []
        self._unreported: deque[CommitRecord] = deque()

    def add(self, staged: StagedBatch) -> None:
        """Add a batch that has passed the last stage; starts to write when a file is full."""
        self._write(self._gatherer.add_batch(staged))

    def write_overdue(self) -> None:
        """Start to write the batches that wait, if the oldest has waited long enough."""
        self._write(self._gatherer.take_overdue())

    def write_rest(self) -> None:
        """Start to write the batches that wait: no more will come."""
        self._write(self._gatherer.take_all())

    def _write(self, batches: Sequence[StagedBatch] | None) -> None:
        if batches:
            group = FileGroup(tuple(batches))
            self._writing.append(group)
            self._start_write(group)

    def written(self, group: FileGroup, commits: Sequence[Mapping[str, Any]]) -> None:
        """Learn from a group that is written, remove its tables, and keep its commits to be reported.

        Args:
            group: the group.
            commits: what `write_members` returned for it.
        """
        records = [
            _with_rows_of(staged, CommitRecord.from_json(values))
            for staged, values in zip(group.batches, commits, strict=True)
        ]
        self._writing.remove(group)
        file = next((record.output_file for record in records if record.output_file is not None), None)
        self._gatherer.learn_size(group.batches, file)
        for staged in group.batches:
            if staged.path is not None:
                self._tables.remove(staged.path)
        self._unreported += records

    def give_up(self, group: FileGroup) -> None:
        """Exclude a group from `salvage`: it has killed its writers, and would kill the driver."""
        self._writing.remove(group)

    def report(self) -> Iterator[CommitRecord]:
        """Yield commits that were not reported yet; where the caller stops, the rest is left to `salvage`."""
        while self._unreported:
            yield self._unreported.popleft()

    def salvage(self) -> Iterator[CommitRecord]:
        """Report what is left and write what has passed the last stage, in this process; the run was stopped."""
        yield from self.report()
        groups = list(self._writing)
        if rest := self._gatherer.take_all():
            groups.append(FileGroup(tuple(rest)))
        writer: Writer = self._plan.writer.build()
        for group in groups:
            parcels = [(staged.batch, _parcel(staged.path, self._tables.read)) for staged in group.batches]
            members = [(replace(batch, rejects=parcel.rejects), parcel.table) for batch, parcel in parcels]
            yield from write_group(self._output, writer, members)


def _with_rows_of(staged: StagedBatch, record: CommitRecord) -> CommitRecord:
    """Return the record with the rows of the batch as it was staged: the writer changes none, and these are decoded."""
    return replace(record, batch=replace(record.batch, metrics=staged.batch.metrics))


def write_members(
    writer: Writer, output: OutputFolder, members: Sequence[GroupMember], read: Callable[[str], Parcel]
) -> list[Mapping[str, Any]]:
    """Write a group as one file and commit it, in the process of a writer.

    Args:
        writer: encodes.
        output: where the file goes.
        members: the batches, ordered by id.
        read: reads the tables of a batch.

    Returns:
        A commit record for each batch, as plain values.
    """
    parcels = [(header, _parcel(path, read)) for header, path in members]
    group = [(Batch.from_header(header, p.table.slice(0, 0), p.rejects), p.table) for header, p in parcels]
    return [record.to_json() for record in write_group(output, writer, group)]


def _parcel(path: str | None, read: Callable[[str], Parcel]) -> Parcel:
    return Parcel(pa.table({})) if path is None else read(path)
