"""Committed work by split of the source: what a resumed run need not read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mega_data_factory.framework.batch import CommitRecord


@dataclass
class CommittedSplit:
    """Committed work of one split.

    Attributes:
        source: digest of the split, so that a source that has changed is noticed.
        batches: numbers of the committed batches.
        records: records in them.
        expected: how many batches the split has; None while its last one is not committed.
    """

    source: str
    batches: set[int] = field(default_factory=set)
    records: int = 0
    expected: int | None = None

    @property
    def whole(self) -> bool:
        """Whether every batch of the split is committed."""
        return len(self.batches) == self.expected


def commits_by_split(records: Sequence[CommitRecord]) -> dict[int, CommittedSplit]:
    """Return the committed work of each split, from commit records."""
    splits: dict[int, CommittedSplit] = {}
    for record in records:
        batch = record.batch
        split = splits.setdefault(batch.split, CommittedSplit(batch.source))
        split.batches.add(batch.number)
        split.records += batch.records
        if batch.split_end is not None:
            split.expected = batch.split_end.batches
    return splits
