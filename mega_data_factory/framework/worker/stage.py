"""A stage: a callable from batch to batch, which runs its operators and counts what they do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.errors import ColumnError, ConfigError, MdfError, OperatorError
from mega_data_factory.framework.batch import Batch, Exclusion
from mega_data_factory.framework.config.condition import ConditionError
from mega_data_factory.framework.contracts import RECORD_ID, Filter, NamedClaims, OperatorContext
from mega_data_factory.framework.exclusion_text import record_json
from mega_data_factory.framework.metrics.collector import MetricsCollector
from mega_data_factory.framework.plan import OperatorPlan, StagePlan
from mega_data_factory.framework.tables import concat, with_text
from mega_data_factory.framework.units import UnitColumns, Units, is_count
from mega_data_factory.framework.worker.applying import Outcome, Step, is_record_error
from mega_data_factory.framework.worker.meters import Readings, build_meters
from mega_data_factory.framework.worker.reject_rows import reject_rows
from mega_data_factory.framework.worker.rejected_samples import RejectedSampler
from mega_data_factory.framework.worker.time_limit import RecordTimeout
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


@dataclass(frozen=True)
class _Counts:
    """The count of one operator on one batch."""

    offered: int
    passed: int
    errors: int
    reasons: dict[str, int]
    reported: dict[str, float]
    unmatched: int


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
        # Of the whole process: an operator may use threads of a library, and a worker runs nothing beside its stage.
        self._collector = MetricsCollector(run_id=settings.run_id, cpu_clock=time.process_time)
        self._sampler = RejectedSampler(settings.samples_per_reason)
        self._columns = settings.unit_columns
        self._meters = build_meters(settings)
        self._is_first = False
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
        self._is_first = batch.split == 0 and batch.number == 0 and table.num_rows > 1
        exclusions: list[Exclusion] = []
        rejects = [] if batch.rejects is None else [batch.rejects]
        units = self._count_units(table)
        readings = Readings(self._meters, self.plan.name)
        for step in self._steps[:operators]:
            table, units = self._run(step, self._outcomes, table, units, exclusions, rejects, readings)
        if too_slow and operators is not None:
            table, units = self._run(
                self._steps[operators], self._too_slow, table, units, exclusions, rejects, readings
            )
        return replace(
            batch,
            table=table,
            metrics=batch.metrics + tuple(self._collector.drain_operator_metrics()),
            exclusions=batch.exclusions + tuple(exclusions),
            rejects=concat(rejects) if rejects else None,
            details=readings.added_to(batch.details),
            meter_seconds=batch.meter_seconds + readings.seconds,
        )

    def close(self) -> None:
        """Close every operator."""
        for step in self._steps:
            step.operator.close()

    def _count_units(self, table: pa.Table) -> Units:
        """Return the units of the records of a table.

        Raises:
            ConfigError: in the first batch of the source, the column of tokens does not hold numbers.
        """
        if not self.settings.measure:
            return Units()
        column = self._columns.tokens
        if self._is_first and column in table.column_names and not is_count(kind := table.schema.field(column).type):
            raise ConfigError(
                f"executor.metrics.token_column: column `{column}` holds {kind}, not numbers",
                hint="name a column that holds the number of tokens of each record",
            )
        return self._columns.count(table)

    def _run(
        self,
        step: Step,
        work: _Work,
        table: pa.Table,
        offered: Units,
        exclusions: list[Exclusion],
        rejects: list[pa.Table],
        readings: Readings,
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
        """
        plan = step.plan
        # Of the first operator only: adding up the buffers of a table takes longer than all the rest of measuring.
        offered_bytes = table.nbytes if self.settings.measure and plan.index == 0 else 0
        if not self.settings.measure:
            outcomes = work(step, table)
            result, units = _passed(outcomes, table), offered
        else:
            with self._collector.track_operator(
                plan.name,
                self.plan.name,
                self.worker_id,
                stage_index=self.plan.index,
                operator_index=plan.index,
            ) as tracked:
                outcomes = work(step, table)
                account = _count(outcomes)
                result = _passed(outcomes, table)
                units = offered if result is table else self._count_units(result)
                tracked.records(
                    input=account.offered,
                    output=account.passed,
                    errors=account.errors,
                    reasons=account.reasons,
                    custom=account.reported,
                    unmatched=account.unmatched,
                    input_bytes=offered_bytes,
                    text_bytes=(offered.text_bytes, units.text_bytes),
                    tokens=(offered.tokens, units.tokens),
                )
        readings.take(plan, outcomes)
        for outcome in outcomes:
            exclusions.extend(self._excluded(plan, outcome))
            if self.settings.keep_rejects and (rows := self._reject_rows(step, outcome)) is not None:
                rejects.append(rows)
        return result, units

    def _outcomes(self, step: Step, table: pa.Table) -> list[Outcome]:
        outcomes: list[Outcome] = []
        start = 0
        while start < table.num_rows:
            part = table.slice(start, step.pace.size(table.num_rows - start))
            outcomes += self._attempt(step, part)
            start += part.num_rows
        return outcomes

    def _too_slow(self, step: Step, table: pa.Table) -> list[Outcome]:
        error = RecordTimeout(step.plan.record_timeout)
        return [self._failed(step, table.slice(row, 1), error) for row in range(table.num_rows)]

    def _attempt(self, step: Step, table: pa.Table) -> Iterator[Outcome]:
        """Run the operator; where it raises, run it on halves until the records that raise are isolated."""
        try:
            outcome = self._apply_mending_columns(step, table)
            reported = step.operator.take_reported(only_noticed=not self.settings.custom_metrics)
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
        if self.settings.on_error == "fail":
            record_id = row.column(RECORD_ID)[0].as_py()
            raise OperatorError(
                f"{self._place(step.plan)}, record `{record_id}`: {described(failure)}",
                hint="executor.on_error: skip sets such records aside and continues",
            ) from failure
        return Outcome(row, row.slice(0, 0), error=failure)

    def _place(self, plan: OperatorPlan) -> str:
        return f"stage `{self.plan.name}`, operator `{plan.name}`"

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
                if self._is_first:
                    raise ConfigError(str(error)) from error
                raise  # of the records: in an earlier batch it could be asked
            except ColumnError as error:
                if self._is_first or not error.column or error.column in mended:
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

    def _reject_rows(self, step: Step, outcome: Outcome) -> pa.Table | None:
        content = self.settings.reject_content
        return reject_rows(self.plan.name, step.plan.name, step.operator, outcome, content=content)

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


def _passed(outcomes: list[Outcome], offered: pa.Table) -> pa.Table:
    passed = [outcome.passed for outcome in outcomes if outcome.error is None]
    return concat(passed) if passed else offered.slice(0, 0)


def _with_text_column(table: pa.Table, name: str) -> pa.Table:
    if name in table.column_names:
        return with_text(table, [name])
    return table.append_column(name, pa.nulls(table.num_rows, pa.string()))


def _without_empty(table: pa.Table, names: set[str]) -> pa.Table:
    """Drop the columns that hold nothing."""
    empty = [name for name in names if name in table.column_names and table.column(name).null_count == table.num_rows]
    return table.drop_columns(empty) if empty else table


def _count(outcomes: list[Outcome]) -> _Counts:
    reasons: dict[str, int] = {}
    reported: dict[str, float] = {}
    for outcome in outcomes:
        if outcome.reason is not None:
            for entry in pc.value_counts(outcome.reason.drop_null()).to_pylist():
                reasons[entry["values"]] = reasons.get(entry["values"], 0) + entry["counts"]
        for metric, value in outcome.reported.items():
            reported[metric] = reported.get(metric, 0) + value
    return _Counts(
        offered=sum(o.offered.num_rows for o in outcomes),
        passed=sum(o.passed.num_rows for o in outcomes),
        errors=sum(o.error is not None for o in outcomes),
        reasons=reasons,
        reported=reported,
        unmatched=sum(o.unmatched for o in outcomes),
    )
