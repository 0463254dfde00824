"""How far a run is, and whether its errors have become too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mega_data_factory.errors import ErrorLimitExceeded, InputError, OutputError
from mega_data_factory.framework.batch import Batch, CommitRecord, Exclusion, StagedBatch
from mega_data_factory.framework.config import ExecutorConfig
from mega_data_factory.framework.contracts import LOADER_STAGE, WRITER_STAGE
from mega_data_factory.framework.reading import SourceSize

_SHARE_MEANS_SOMETHING_FROM = 1000
"""Records to have seen before a share of errors may stop the run; at the end it is checked whatever their number."""


@dataclass(frozen=True)
class StageLoad:
    """What a stage has on its hands.

    Attributes:
        workers: workers that it has now.
        backlog: batches that wait for it or that its workers hold.
    """

    workers: int
    backlog: int


@dataclass(frozen=True)
class StageProgress:
    """How far a stage is, by the batches that have passed the last stage.

    Attributes:
        name: of the stage.
        input_records: records offered to its first operator.
        output_records: records that its last operator passed on.
        rejected: records that its filters rejected.
        errors: records that raised in it.
        workers: workers that it has now.
        backlog: batches that wait for it or that its workers hold; None where the engine does not know.
    """

    name: str
    input_records: int = 0
    output_records: int = 0
    rejected: int = 0
    errors: int = 0
    workers: int = 0
    backlog: int | None = None


@dataclass(frozen=True)
class Progress:
    """How far a run is; yielded by `Executor.execute`.

    Attributes:
        records_read: records that have passed all stages or left on the way.
        records_passed: of these, records that are still in and wait for the writer, or are written.
        records_written: records in finished files.
        batches_committed: batches in the books.
        records_rejected: records rejected by filters.
        record_errors: records that raised, the loader's included.
        dead_lettered: records set aside because they killed their worker.
        elapsed: seconds since the start.
        share: how much of the source has passed all stages, 0 to 1; None while that cannot be told.
        share_unit: what that is a share of: `records`, `bytes` or `splits` of the source.
        stages: how far every stage is, in plan order; empty where metrics are off.
        reasons: records rejected so far, by reason; goes on counting.
        last_error: the record that raised last; None where none has.
    """

    records_read: int = 0
    records_passed: int = 0
    records_written: int = 0
    batches_committed: int = 0
    records_rejected: int = 0
    record_errors: int = 0
    dead_lettered: int = 0
    elapsed: float = 0.0
    share: float | None = None
    share_unit: str = "records"
    stages: tuple[StageProgress, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    last_error: Exclusion | None = None

    @property
    def records_waiting(self) -> int:
        """Records that have passed all stages and are in no finished file yet."""
        return max(0, self.records_passed - self.records_written)


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
        """Return how much of the source is done, 0 to 1; None where that cannot be told yet.

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


def _share(
    settled: int, total: int, settled_records: int, open_splits: Mapping[int, int], weights: Sequence[int] | None
) -> float | None:
    """Return how much of the source is done; an open split counts by the usual number of records of its weight.

    Args:
        settled: weight of the splits that are done.
        total: weight of all splits.
        settled_records: records of the splits that are done.
        open_splits: records so far of every other split that was begun.
        weights: of each split; None where all weigh 1.
    """
    if not settled:
        return None
    done = float(settled)
    for split, records in open_splits.items():
        weight = 1 if weights is None else weights[split]
        usual = max(1.0, settled_records * weight / settled)
        done += weight * min(1.0, records / usual)
    return min(1.0, done / total)


@dataclass(frozen=True)
class SourceShare:
    """How much of the source has passed all stages.

    Attributes:
        value: 0 to 1.
        unit: what it is a share of: `records`, `bytes` or `splits`.
    """

    value: float
    unit: str


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
        """Return how much of the source has passed all stages; None while that cannot be told.

        Args:
            size: of the source.
            wanted: records to read at most, where that is limited.
        """
        by_limit = SourceShare(self.read / wanted, "records") if wanted else None
        share = self.source.share(size)
        by_size = None if share is None else SourceShare(share, size.unit)
        return max((found for found in (by_limit, by_size) if found), key=lambda found: found.value, default=None)

    def stage_progress(self, name: str, load: StageLoad | None) -> StageProgress:
        """How far a stage is.

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


@dataclass(frozen=True)
class ErrorPolicy:
    """What `executor.on_error` and `executor.max_errors` ask for.

    Attributes:
        settings: the `executor` section.
        errors_path: where the records that raised are, for the message.
    """

    settings: ExecutorConfig
    errors_path: str

    def check_batch(self, staged: StagedBatch) -> None:
        """Stop at a record that the loader could not read, where any error is fatal.

        Operators stop by themselves; what the loader skips is known here first.

        Raises:
            InputError: there is one.
        """
        if self.settings.on_error == "fail" and staged.batch.loader_errors:
            skipped = next(e for e in staged.batch.exclusions if e.stage == LOADER_STAGE)
            raise InputError(
                f"data_loader, record `{skipped.record_id}`: {skipped.reason}",
                hint="executor.on_error: skip sets such records aside and goes on",
            )

    def check_commit(self, record: CommitRecord) -> None:
        """Stop at a record that the writer could not write, where any error is fatal.

        Raises:
            OutputError: there is one.
        """
        if self.settings.on_error == "fail" and record.writer_errors:
            failed = next(e for e in record.batch.exclusions if e.stage == WRITER_STAGE)
            raise OutputError(
                f"data_writer, record `{failed.record_id}`: {failed.reason}",
                hint="executor.on_error: skip sets such records aside and continues",
            )

    def check_limit(self, tally: Tally, *, final: bool) -> None:
        """Stop when more records raised than allowed.

        Args:
            tally: of the run so far.
            final: whether the run is at its end.

        Raises:
            ErrorLimitExceeded: too many have.
        """
        limit = self.settings.max_errors
        if limit is None:
            return
        if 0 < limit < 1:
            known_enough = final or tally.read >= _SHARE_MEANS_SOMETHING_FROM
            if known_enough and tally.errors > limit * tally.read:
                share = tally.errors / tally.read
                raise self._too_many(f"{tally.errors:,} of {tally.read:,} records ({share:.1%}) raised", f"{limit:.1%}")
        elif tally.errors > limit:
            raise self._too_many(f"{tally.errors:,} records raised", f"{limit:,.0f}")

    def _too_many(self, what: str, limit: str) -> ErrorLimitExceeded:
        return ErrorLimitExceeded(
            f"{what}, more than executor.max_errors allows ({limit})",
            hint=f"the records and their errors are in {self.errors_path}",
        )
