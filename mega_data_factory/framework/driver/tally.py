"""Counts of a run while it is running."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mega_data_factory.framework.batch import Batch, CommitRecord, Exclusion, StagedBatch
from mega_data_factory.framework.driver.progress import StageLoad, StageProgress
from mega_data_factory.framework.driver.source_share import SourceShare, SourceTally
from mega_data_factory.framework.driver.splits import SourceSize
from mega_data_factory.framework.metrics import OperatorMetrics
from mega_data_factory.framework.metrics.rows.reasons import MOST_REASONS, OTHER_REASONS, bounded


@dataclass
class StageTally:
    """Counts what a stage did with the batches that have left it."""

    input_records: int = 0
    output_records: int = 0
    rejected: int = 0
    errors: int = 0
    workers: set[str] = field(default_factory=set)


@dataclass
class Tally:
    """Counts batches as they leave stages, before they are committed; the totals are of those that left the last one.

    Attributes:
        read: records that the loader accounted for.
        passed: records that are still in.
        errors: records that raised, or could not be read.
        dead: records that were dead-lettered.
        source: the splits that they were read from.
        stages: records by stage, in plan order.
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

    def add(self, staged: StagedBatch, before: Sequence[OperatorMetrics] = ()) -> None:
        """Count a batch that has passed the last stage.

        Args:
            staged: the batch.
            before: its rows that were counted when it passed an earlier stage.
        """
        self.read += staged.batch.records
        self.passed += staged.records
        self.errors += sum(exclusion.kind == "error" for exclusion in staged.batch.exclusions)
        self.dead += staged.batch.dead_lettered
        self.source.add(staged.batch)
        for exclusion in staged.batch.exclusions:
            if exclusion.kind == "error":
                self.last_error = exclusion
        self._count_stages(before, -1)
        self._count_stages(staged.batch.metrics)

    def add_stage_passed(self, batch: Batch, before: Sequence[OperatorMetrics]) -> None:
        """Count a batch that has passed a stage which is not the last.

        Args:
            batch: the batch.
            before: its rows that were counted when it passed an earlier stage.
        """
        self._count_stages(before, -1)
        self._count_stages(batch.metrics)

    def _count_stages(self, rows: Sequence[OperatorMetrics], sign: int = 1) -> None:
        """Add rows of a batch, in the order in which operators saw it; take them out again with the sign -1."""
        entered = None
        for row in rows:
            if row.stage_name != entered:
                entered = row.stage_name
                stage = self.stages.setdefault(entered, StageTally())
                stage.workers.add(row.worker_id)
                stage.input_records += sign * row.input_records
                stage.output_records += sign * row.input_records
            stage.output_records -= sign * (row.input_records - row.output_records)
            stage.errors += sign * row.error_count
            if rejected := row.rejected_records:
                stage.rejected += sign * rejected
                self._count_reasons(row.rejected_reasons, sign)

    def _count_reasons(self, reasons: Mapping[str, int], sign: int) -> None:
        for reason, number in reasons.items():
            apart = number if sign > 0 else min(number, self.reasons[reason])
            if apart:
                self.reasons[reason] += sign * apart
            if rest := number - apart:  # added up as `other` since it was counted
                self.reasons[OTHER_REASONS] -= rest
        if len(self.reasons) > MOST_REASONS:
            self.reasons = Counter(bounded(self.reasons))

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
            wanted: records to read at most, if that is limited.
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
