"""When failed records end a run."""

from __future__ import annotations

from dataclasses import dataclass

from mega_data_factory.errors import ErrorLimitExceeded, InputError, OutputError
from mega_data_factory.framework.batch import CommitRecord, StagedBatch
from mega_data_factory.framework.config.pipeline import ExecutorConfig
from mega_data_factory.framework.contracts import LOADER_STAGE, WRITER_STAGE
from mega_data_factory.framework.driver.tally import Tally

_SHARE_MEANS_SOMETHING_FROM = 1000
"""Records to have seen before a share of errors may stop the run; at the end it is checked for any number."""


@dataclass(frozen=True)
class ErrorPolicy:
    """Policy of `executor.on_error` and `executor.max_errors`.

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
                hint="executor.on_error: skip sets such records aside and continues",
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
