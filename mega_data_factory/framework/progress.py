"""How far a run is, and whether its errors have become too many."""

from __future__ import annotations

from dataclasses import dataclass

from mega_data_factory.errors import ErrorLimitExceeded, InputError
from mega_data_factory.framework.batch import StagedBatch
from mega_data_factory.framework.config import ExecutorConfig
from mega_data_factory.framework.contracts import LOADER_STAGE

_SHARE_MEANS_SOMETHING_FROM = 1000
"""Records to have seen before a share of errors may stop the run; at the end it is checked whatever their number."""


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
    """

    records_read: int = 0
    records_passed: int = 0
    records_written: int = 0
    batches_committed: int = 0
    records_rejected: int = 0
    record_errors: int = 0
    dead_lettered: int = 0
    elapsed: float = 0.0


@dataclass
class Tally:
    """Counts batches as they leave the last stage, before they are committed.

    Attributes:
        read: records that the loader accounted for.
        passed: records that are still in.
        errors: records that raised, or could not be read.
        dead: records that were dead-lettered.
    """

    read: int = 0
    passed: int = 0
    errors: int = 0
    dead: int = 0

    def add(self, staged: StagedBatch) -> None:
        """Count a batch."""
        self.read += staged.batch.records
        self.passed += staged.records
        self.errors += sum(exclusion.kind == "error" for exclusion in staged.batch.exclusions)
        self.dead += staged.batch.dead_lettered

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
