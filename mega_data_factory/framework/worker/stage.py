"""A stage: a callable from batch to batch, which runs its operators and counts what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.batch import Batch, Exclusion
from mega_data_factory.framework.contracts import RECORD_ID, NamedClaims, OperatorContext, Refiner
from mega_data_factory.framework.exclusion_text import record_json
from mega_data_factory.framework.plan import OperatorPlan, StagePlan
from mega_data_factory.framework.slice_columns import SliceColumn
from mega_data_factory.framework.tables import concat
from mega_data_factory.framework.units import UnitColumns, Units, is_count
from mega_data_factory.framework.worker.accounts.batch_account import BatchAccount
from mega_data_factory.framework.worker.accounts.changes import changed_records
from mega_data_factory.framework.worker.accounts.reject_rows import reject_rows
from mega_data_factory.framework.worker.accounts.rejected_samples import RejectedSampler
from mega_data_factory.framework.worker.applying import Outcome, Step
from mega_data_factory.framework.worker.attempts import Attempts
from mega_data_factory.framework.worker.meters.meters import Readings, build_meters
from mega_data_factory.redaction import described


@dataclass(frozen=True)
class StageSettings:
    """Settings of a stage.

    Attributes:
        run_id: id of the run.
        on_error: `skip` sets a record aside that raises, `fail` raises `OperatorError` for it.
        measure: whether to collect metrics.
        custom_metrics: whether to keep what operators report.
        samples_per_reason: rejected records to keep for every operator and reason; 0 keeps none.
        keep_rejects: whether to keep a row of every rejected record.
        reject_content: whether these rows hold the records themselves.
        text_column: column whose bytes of text are counted.
        token_column: column that holds the number of tokens of each record; None for no such column.
        slice_by: what records are sliced by, see `SliceColumn`.
        slices_shown: slices of each column that have rows of their own.
        score_histograms: whether to keep the scores of all records that filters judge.
    """

    run_id: str
    on_error: str = "skip"
    measure: bool = True
    custom_metrics: bool = False
    samples_per_reason: int = 0
    keep_rejects: bool = False
    reject_content: bool = False
    text_column: str = "text"
    token_column: str | None = None
    slice_by: tuple[str, ...] = ()
    slices_shown: int = 50
    score_histograms: bool = False

    @property
    def unit_columns(self) -> UnitColumns:
        """Columns that the units of records are counted by."""
        return UnitColumns(self.text_column, self.token_column)


_Work = Callable[[Step, pa.Table], list[Outcome]]


class Stage:
    """The operators of one stage in one worker.

    Args:
        plan: the stage.
        worker_id: name of this worker; the metrics carry it.
        settings: of the run.
        claims: shared deduplication state, where the pipeline needs it.

    Attributes:
        settings: of the run.
    """

    def __init__(
        self, plan: StagePlan, worker_id: str, settings: StageSettings, claims: NamedClaims | None = None
    ) -> None:
        self.plan = plan
        self.worker_id = worker_id
        self.settings = settings
        self._sampler = RejectedSampler(settings.samples_per_reason)
        self._columns = settings.unit_columns
        self._meters = build_meters(settings)
        self._ledger_slice = SliceColumn(settings.slice_by[0]) if settings.slice_by else None
        self._steps: list[Step] = []
        for operator_plan in plan.operators:
            operator = operator_plan.component.build()
            named = claims if settings.keep_rejects else None
            operator.setup(OperatorContext(plan.name, operator_plan.name, worker_id, claims, named))
            step = Step(operator_plan, operator)
            step.warm_up()
            self._steps.append(step)

    def __call__(self, batch: Batch, operators: int | None = None, *, too_slow: bool = False) -> Batch:
        """Run the operators on the batch.

        Args:
            batch: As it comes to the stage.
            operators: Run only the first ones, this many; None for all.
            too_slow: Whether the records that pass these are known to take too long in the operator that follows: they
                are errors of it.

        Raises:
            OperatorError: a record raised and `on_error` is `fail`, or an operator broke its contract.
        """
        table = batch.table
        is_first = batch.split == 0 and batch.number == 0 and table.num_rows > 1
        attempts = Attempts(self.plan.name, self.settings.on_error, self.settings.custom_metrics, is_first)
        account = BatchAccount(self.settings.run_id, self.plan, self.worker_id)
        exclusions: list[Exclusion] = []
        rejects = [] if batch.rejects is None else [batch.rejects]
        units = Units()
        if self.settings.measure:
            if is_first:
                self._check_tokens(table)
            units = self._columns.count(table)
        readings = Readings(self._meters, self.plan.name)
        for step in self._steps[:operators]:
            table, units = self._run(step, attempts.outcomes, table, units, exclusions, rejects, readings, account)
        if too_slow and operators is not None:
            slow = self._steps[operators]
            table, units = self._run(slow, attempts.too_slow, table, units, exclusions, rejects, readings, account)
        return replace(
            batch,
            table=table,
            metrics=account.added_to(batch.metrics),
            exclusions=batch.exclusions + tuple(exclusions),
            rejects=concat(rejects) if rejects else None,
            details=readings.added_to(batch.details),
            meter_seconds=batch.meter_seconds + readings.seconds,
        )

    def close(self) -> None:
        """Close every operator."""
        for step in self._steps:
            step.operator.close()

    def _check_tokens(self, table: pa.Table) -> None:
        """Refuse a column of tokens that does not hold numbers.

        Raises:
            ConfigError: It does not.
        """
        column = self._columns.tokens
        if column in table.column_names and not is_count(kind := table.schema.field(column).type):
            raise ConfigError(
                f"executor.metrics.token_column: column `{column}` holds {kind}, not numbers",
                hint="name a column that holds the number of tokens of each record",
            )

    def _run(
        self,
        step: Step,
        work: _Work,
        table: pa.Table,
        offered: Units,
        exclusions: list[Exclusion],
        rejects: list[pa.Table],
        readings: Readings,
        account: BatchAccount,
    ) -> tuple[pa.Table, Units]:
        """Run one operator; return the records that it passed on, and their units.

        Args:
            step: the operator.
            work: how it is run.
            table: the records offered.
            offered: their units.
            exclusions: takes the records that left and are kept.
            rejects: takes rows of the records that were rejected, where they are kept.
            readings: takes what meters see.
            account: takes the row of the operator.
        """
        plan = step.plan
        units = offered
        if self.settings.measure:
            # Of the first operator only: adding up the buffers of a table takes longer than all the rest of measuring.
            offered_bytes = table.nbytes if plan.index == 0 else 0
            account.start()
            outcomes = work(step, table)
            result = _passed(outcomes, table)
            account.stop()
            if result is not table:
                units = self._columns.count(result)
            changed = _changed(outcomes) if isinstance(step.operator, Refiner) else None
            account.enter(plan, outcomes, offered, units, offered_bytes, changed)
        else:
            outcomes = work(step, table)
            result = _passed(outcomes, table)
        readings.take(plan, outcomes)
        for outcome in outcomes:
            exclusions.extend(self._excluded(plan, outcome))
            if self.settings.keep_rejects and (rows := self._reject_rows(step, outcome)) is not None:
                rejects.append(rows)
        return result, units

    def _reject_rows(self, step: Step, outcome: Outcome) -> pa.Table | None:
        content, slice_by = self.settings.reject_content, self._ledger_slice
        return reject_rows(self.plan.name, step.plan.name, step.operator, outcome, content=content, slice_by=slice_by)

    def _excluded(self, plan: OperatorPlan, outcome: Outcome) -> Iterator[Exclusion]:
        if outcome.error is not None:
            yield Exclusion(
                "error",
                outcome.offered.column(RECORD_ID)[0].as_py(),
                self.plan.name,
                plan.name,
                described(outcome.error),
                content=record_json(outcome.offered),
            )
        elif outcome.reason is not None:
            for row, reason in self._sampler.choose(plan.name, outcome.offered.column(RECORD_ID), outcome.reason):
                yield Exclusion(
                    "rejected",
                    outcome.offered.column(RECORD_ID)[row].as_py(),
                    self.plan.name,
                    plan.name,
                    reason,
                    score=outcome.score[row].as_py() if outcome.score is not None else None,
                    threshold=outcome.threshold[row].as_py() if outcome.threshold is not None else None,
                    content=record_json(outcome.offered.slice(row, 1), max_chars=2000),
                )


def _changed(outcomes: list[Outcome]) -> int:
    return sum(changed_records(outcome.offered, outcome.passed) for outcome in outcomes if outcome.error is None)


def _passed(outcomes: list[Outcome], offered: pa.Table) -> pa.Table:
    passed = [outcome.passed for outcome in outcomes if outcome.error is None]
    return concat(passed) if passed else offered.slice(0, 0)
