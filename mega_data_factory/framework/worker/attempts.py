"""Runs of an operator on the records of a batch: those that raise are isolated, missing columns are mended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.errors import ColumnError, ConfigError, MdfError, OperatorError
from mega_data_factory.framework.config.condition import ConditionError
from mega_data_factory.framework.contracts import RECORD_ID, Filter
from mega_data_factory.framework.plan import OperatorPlan
from mega_data_factory.framework.tables import with_text
from mega_data_factory.framework.worker.applying import Outcome, Step, is_record_error
from mega_data_factory.framework.worker.time_limit import RecordTimeout
from mega_data_factory.redaction import described


@dataclass(frozen=True)
class Attempts:
    """Runs operators of a stage on batches.

    Attributes:
        stage: Name of the stage, for errors.
        on_error: `skip` sets a record aside that raises, `fail` raises `OperatorError` for it.
        custom_metrics: Whether to keep what operators report.
        is_first: Whether the batch is the first of the source: what is wrong with all of it is a mistake of the
            configuration.
    """

    stage: str
    on_error: str
    custom_metrics: bool
    is_first: bool

    def outcomes(self, step: Step, table: pa.Table) -> list[Outcome]:
        """Return what an operator makes of a table, in calls of at most the size that its time limit allows."""
        outcomes: list[Outcome] = []
        start = 0
        while start < table.num_rows:
            part = table.slice(start, step.pace.size(table.num_rows - start))
            outcomes += self._attempt(step, part)
            start += part.num_rows
        return outcomes

    def too_slow(self, step: Step, table: pa.Table) -> list[Outcome]:
        """Return that every record of a table takes too long in an operator."""
        error = RecordTimeout(step.plan.record_timeout)
        return [self._failed(step, table.slice(row, 1), error) for row in range(table.num_rows)]

    def _attempt(self, step: Step, table: pa.Table) -> Iterator[Outcome]:
        """Run the operator; where it raises, run it on halves until the records that raise are isolated."""
        try:
            outcome = self._apply_mending_columns(step, table)
            reported = step.operator.take_reported(only_noticed=not self.custom_metrics)
            yield replace(outcome, reported=reported)
            return
        except MdfError as error:
            kind = ConfigError if isinstance(error, ColumnError) else type(error)
            raise kind(f"{self._place(step.plan)}: {error.message}", hint=error.hint) from error
        except BaseException as error:
            if not is_record_error(error):
                raise
            failure = error
        step.operator.take_reported()  # what a failed call had reported is not counted
        if table.num_rows > 1:
            half = table.num_rows // 2
            yield from self._attempt(step, table.slice(0, half))
            yield from self._attempt(step, table.slice(half))
        else:
            yield self._failed(step, table, failure)

    def _failed(self, step: Step, row: pa.Table, failure: BaseException) -> Outcome:
        """Return that a record is set aside, where the run does not end with it."""
        if self.on_error == "fail":
            record_id = row.column(RECORD_ID)[0].as_py()
            raise OperatorError(
                f"{self._place(step.plan)}, record `{record_id}`: {described(failure)}",
                hint="executor.on_error: skip sets such records aside and continues",
            ) from failure
        return Outcome(row, row.slice(0, 0), error=failure)

    def _place(self, plan: OperatorPlan) -> str:
        return f"stage `{self.stage}`, operator `{plan.name}`"

    def _apply_mending_columns(self, step: Step, table: pa.Table) -> Outcome:
        """Apply an operator, also where a column is missing or holds no text.

        In the first batch of the source that is a mistake of the configuration. In a later one it is what the same
        records would be among others: null, or JSON text. So where a batch ends decides nothing.

        Raises:
            ColumnError: it is a mistake, or text in its place does not help either.
            ConfigError: the condition cannot be asked of the first batch.
            ConditionError: the condition cannot be asked of these records, though of the first batch it could.
        """
        given = table
        mended: set[str] = set()
        while True:
            try:
                outcome = step.apply(given)
            except ConditionError as error:
                if self.is_first:
                    raise ConfigError(str(error)) from error
                raise  # of the records: in an earlier batch it could be asked
            except ColumnError as error:
                if self.is_first or not error.column or error.column in mended:
                    raise
                mended.add(error.column)
                given = _with_text_column(given, error.column)
                continue
            if not mended:
                return outcome
            if isinstance(step.operator, Filter):
                passed = table if outcome.reason is None else table.filter(pc.is_null(outcome.reason))
                return replace(outcome, offered=table, passed=passed)
            return replace(
                outcome, offered=table, passed=_without_empty(outcome.passed, mended - {*table.column_names})
            )


def _with_text_column(table: pa.Table, name: str) -> pa.Table:
    if name in table.column_names:
        return with_text(table, [name])
    return table.append_column(name, pa.nulls(table.num_rows, pa.string()))


def _without_empty(table: pa.Table, names: set[str]) -> pa.Table:
    """Drop the columns that hold nothing."""
    empty = [name for name in names if name in table.column_names and table.column(name).null_count == table.num_rows]
    return table.drop_columns(empty) if empty else table
