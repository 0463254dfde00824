"""Counts of a run while it is running."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from mega_data_factory.framework.batch import Batch, CommitRecord, Exclusion, StagedBatch
from mega_data_factory.framework.driver.progress import SourceShare, StageLoad, StageProgress, _share
from mega_data_factory.framework.worker.reading import SourceSize


@dataclass
class StageTally:
    """Counts what a stage did with the batches that have left the last stage."""

    input_records: int = 0
    output_records: int = 0
    rejected: int = 0
    errors: int = 0
    workers: set[str] = field(default_factory=set)


@dataclass
class SourceTally:
    """Counts the splits of the source that have left the last stage, to tell how much of it is done."""

    settled: int = 0
    settled_records: int = 0
    open: dict[int, int] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    _to_weigh: list[int] = field(default_factory=list)
    _settled_bytes: int = 0

    def add(self, batch: Batch) -> None:
        """Count a batch."""
        records = self.open.get(batch.split, 0) + batch.records
        if batch.split_end is not None:
            self.ends[batch.split] = batch.split_end.records
        if records == self.ends.get(batch.split):
            self.settled += 1
            self.settled_records += records
            self._to_weigh.append(batch.split)
            self.open.pop(batch.split, None)
            del self.ends[batch.split]
        else:
            self.open[batch.split] = records

    def share(self, size: SourceSize) -> float | None:
        """Return how much of the source is done, 0 to 1; None where that is not known yet.

        Where the source knows its records, these are counted. Else splits count by their bytes, or alike, and one that
        is open by the mean number of records of those that are done.

        Args:
            size: of the source.
        """
        if not size.complete or not size.splits:
            return None
        if size.records is not None:
            records = self.settled_records + sum(self.open.values())
            return min(1.0, records / size.records) if size.records else 1.0
        if not self.settled:
            return None
        if size.unit == "bytes":
            self._settled_bytes += sum(size.num_bytes[split] for split in self._to_weigh)
            self._to_weigh.clear()
            return _share(self._settled_bytes, size.total_bytes, self.settled_records, self.open, size.num_bytes)
        return _share(self.settled, size.splits, self.settled_records, self.open, None)


@dataclass
class Tally:
    """Counts batches as they leave the last stage, before they are committed.

    Attributes:
        read: records that the loader accounted for.
        passed: records that are still in.
        errors: records that raised, or could not be read.
        dead: records that were dead-lettered.
        source: the splits that they were read from.
        stages: the same by stage, in plan order.
        reasons: records rejected, by reason.
        last_error: the record that raised last.
    """

    read: int = 0
    passed: int = 0
    errors: int = 0
    dead: int = 0
    source: SourceTally = field(default_factory=SourceTally)
    stages: dict[str, StageTally] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    last_error: Exclusion | None = None

    def add(self, staged: StagedBatch) -> None:
        """Count a batch."""
        self.read += staged.batch.records
        self.passed += staged.records
        self.errors += sum(exclusion.kind == "error" for exclusion in staged.batch.exclusions)
        self.dead += staged.batch.dead_lettered
        self.source.add(staged.batch)
        for exclusion in staged.batch.exclusions:
            if exclusion.kind == "error":
                self.last_error = exclusion
        entered = None
        for row in staged.batch.metrics:  # in the order in which operators saw the batch
            stage = self.stages.setdefault(row.stage_name, StageTally())
            if row.stage_name != entered:
                entered = row.stage_name
                stage.workers.add(row.worker_id)
                stage.input_records += row.input_records
                stage.output_records += row.input_records
            stage.output_records -= row.input_records - row.output_records
            stage.rejected += row.rejected_records
            stage.errors += row.error_count
            self.reasons.update(row.rejected_reasons or {})

    def add_commit(self, record: CommitRecord) -> None:
        """Count what the writer could not write of a batch."""
        if record.writer_errors:
            self.passed -= record.writer_errors
            self.errors += record.writer_errors
            self.last_error = record.batch.exclusions[-1]

    def share(self, size: SourceSize, wanted: int | None) -> SourceShare | None:
        """Return how much of the source has passed all stages; None while that is unknown.

        Args:
            size: of the source.
            wanted: records to read at most, where that is limited.
        """
        by_limit = SourceShare(self.read / wanted, "records") if wanted else None
        share = self.source.share(size)
        by_size = None if share is None else SourceShare(share, size.unit)
        return max((found for found in (by_limit, by_size) if found), key=lambda found: found.value, default=None)

    def stage_progress(self, name: str, load: StageLoad | None) -> StageProgress:
        """Return the progress of a stage.

        Args:
            name: of the stage.
            load: what it has on its hands, where the engine knows.
        """
        tally = self.stages.get(name, StageTally())
        return StageProgress(
            name=name,
            input_records=tally.input_records,
            output_records=tally.output_records,
            rejected=tally.rejected,
            errors=tally.errors,
            workers=len(tally.workers) if load is None else load.workers,
            backlog=None if load is None else load.backlog,
        )

    @property
    def rejected(self) -> int:
        """Records that filters rejected."""
        return self.read - self.passed - self.errors - self.dead
