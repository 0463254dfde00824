"""Accounts of a run: everything that the driver derives from staged batches and commit records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mega_data_factory import storage
from mega_data_factory.framework.batch import Batch, CommitRecord, StagedBatch
from mega_data_factory.framework.commit.exclusion_files import write_exclusions
from mega_data_factory.framework.driver.books import Books
from mega_data_factory.framework.driver.error_policy import ErrorPolicy
from mega_data_factory.framework.driver.progress import Progress, StageLoad
from mega_data_factory.framework.driver.recorder import Recorder
from mega_data_factory.framework.driver.source_share import SourceShare
from mega_data_factory.framework.driver.tally import Tally
from mega_data_factory.framework.metrics import MetricsCollector, OperatorMetrics
from mega_data_factory.framework.plan import Plan
from mega_data_factory.framework.worker.accounts.rejected_samples import RejectedSamples


class Accounts:
    """Keeps the books, the totals, the metrics and the rejected samples of a run, and stops it at too many errors.

    Args:
        plan: what runs.
        collector: takes the metrics.
        errors_path: where the records that raised are, for messages.

    Attributes:
        books: what was planned and what is committed.
        recorder: of the metrics.
    """

    def __init__(self, plan: Plan, collector: MetricsCollector, errors_path: str) -> None:
        self.books = Books()
        self.recorder = Recorder(plan, collector, self.books)
        self._plan = plan
        self._run_id = collector.run_id
        self._tally = Tally()
        self._errors = ErrorPolicy(plan.executor, errors_path)
        self._samples = RejectedSamples(plan.executor.rejected_samples.samples_per_reason)
        self._shown = (0, 0)
        self._between_stages: dict[str, Sequence[OperatorMetrics]] = {}  # rows that are entered, by id of the batch

    def enter_stage_passed(self, batch: Batch) -> None:
        """Enter a batch that has passed a stage and has others before it."""
        before = self._between_stages.get(batch.id, ())
        self._between_stages[batch.id] = batch.metrics
        self._tally.add_stage_passed(batch, before)
        self.recorder.note_stage_passed(batch, before)

    def enter_staged(self, staged: StagedBatch) -> None:
        """Enter a batch that has passed the last stage.

        Raises:
            InputError: the loader could not read a record of it, and any error is fatal.
        """
        before = self._between_stages.pop(staged.batch.id, ())
        self._tally.add(staged, before)
        self.recorder.note_passed(staged, self._share(), before)
        self._errors.check_batch(staged)

    def enter_commit(self, record: CommitRecord, *, salvaged: bool = False) -> None:
        """Enter a committed batch; one that is entered already changes nothing.

        Args:
            record: of the commit.
            salvaged: whether the run has ended already, so that no error of the batch is to end it.

        Raises:
            OutputError: the writer could not write a record of it, and any error is fatal.
        """
        if self.books.commit(record):
            # A batch that is salvaged may not have been seen to pass the last stage.
            self.recorder.commit(record, self._between_stages.pop(record.batch.id, ()))
            self._samples.add(record.batch.exclusions)
            self._tally.add_commit(record)
            if not salvaged:
                self._errors.check_commit(record)

    def check_error_limit(self, *, final: bool) -> None:
        """Stop when more records raised than `executor.max_errors` allows.

        Args:
            final: whether the run is at its end.

        Raises:
            ErrorLimitExceeded: too many have.
        """
        self._errors.check_limit(self._tally, final=final)

    def progress(self, loads: Mapping[str, StageLoad], elapsed: float) -> Progress:
        """Return the progress of the run, and let exporters see the batches that wait for each stage.

        Args:
            loads: load of every stage, as far as the engine knows.
            elapsed: seconds since the start.
        """
        self.recorder.backlogs = {name: load.backlog for name, load in loads.items()}
        stages = self._plan.stages if self._plan.executor.metrics.enabled else ()
        share = self._share()
        before, self._shown = self._shown, (self._tally.read, self._tally.passed)
        return Progress(
            records_read=self._tally.read,
            records_passed=self._tally.passed,
            records_written=self.books.written,
            batches_committed=self.books.batches,
            records_rejected=self._tally.rejected,
            record_errors=self._tally.errors,
            dead_lettered=self._tally.dead,
            elapsed=elapsed,
            share=share.value if share else None,
            share_unit=share.unit if share else "records",
            stages=tuple(self._tally.stage_progress(stage.name, loads.get(stage.name)) for stage in stages),
            reasons=self._tally.reasons,
            last_error=self._tally.last_error,
            step=(self._shown[0] - before[0], self._shown[1] - before[1]),
        )

    def write_rejected_samples(self) -> None:
        """Write the rejected samples, if there are some.

        Raises:
            OutputError: they cannot be written.
        """
        samples = self._samples.samples()
        if samples:
            folder = self._plan.executor.rejected_samples.output_path
            write_exclusions(storage.join(folder, f"{self._run_id}.jsonl"), samples)

    def _share(self) -> SourceShare | None:
        return self._tally.share(self.recorder.columns.source, self._plan.executor.max_samples)
