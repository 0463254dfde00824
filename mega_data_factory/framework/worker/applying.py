"""One operator on one table: what it passes on, what it rejects, and what its condition keeps from it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.errors import OperatorError
from mega_data_factory.framework.config.condition import Condition
from mega_data_factory.framework.contracts import RECORD_ID, Deduplicator, Filter, Judgement, Operator, Refiner
from mega_data_factory.framework.plan import OperatorPlan
from mega_data_factory.framework.tables import concat
from mega_data_factory.framework.worker.time_limit import Pace
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory")

_TIMED_EXAMPLES = 64
"""Records of the run that an operator's first pace is learnt from: the first batch need not be cut into small calls."""


@dataclass(frozen=True)
class Outcome:
    """What an operator made of some consecutive records, or the error that one record raised.

    Attributes:
        offered: The records.
        passed: Those that it passed on, in order.
        reason: Of every record offered, why it is rejected; null if it is not. None if none is.
        score: Of every record offered, the number that decided, if any.
        threshold: Of every record offered, what that number was compared with, if anything.
        judged: The records that a filter was given: those offered that match its condition. None for a refiner.
        judgement: What it decided on them.
        error: What the one record raised.
        reported: Custom metrics of the call.
        unmatched: Records that the condition kept from the operator; they are passed on.
    """

    offered: pa.Table
    passed: pa.Table
    reason: pa.Array | None = None
    score: pa.Array | None = None
    threshold: pa.Array | None = None
    judged: pa.Table | None = None
    judgement: Judgement | None = None
    error: BaseException | None = None
    reported: Mapping[str, float] = field(default_factory=dict)
    unmatched: int = 0


class Step:
    """An operator of a stage, and the condition that decides which records it is given.

    Args:
        plan: The operator.
        operator: Built and set up.
    """

    def __init__(self, plan: OperatorPlan, operator: Operator) -> None:
        self.plan = plan
        self.operator = operator
        self.pace = Pace(plan.record_timeout)
        self._condition = None if plan.when is None else Condition(plan.when.text, plan.when.at)
        self._added: dict[str, pa.DataType] | None = None

    def warm_up(self) -> None:
        """Run the operator on its examples, if it has some, and learn from a second run how fast it is.

        There is no limit of time. Where a subclass raises on the examples of its base, its first batch is slow instead.
        """
        examples = self.operator.examples()
        if examples is None:
            return
        run = self.operator.keys if isinstance(self.operator, Deduplicator) else partial(_apply, self.operator)
        many = pa.concat_tables([examples] * -(-_TIMED_EXAMPLES // examples.num_rows))
        try:
            run(examples)
            started = time.perf_counter()
            run(many)
            self.pace.learn(many.num_rows, time.perf_counter() - started)
        except BaseException as error:
            if not is_record_error(error):
                raise
            _log.debug("operator `%s` raised on its examples: %s", self.plan.name, error)
        finally:
            self.operator.take_reported()

    def apply(self, table: pa.Table) -> Outcome:
        """Apply the operator to the records that match; the others are passed on as they are.

        A call that takes longer than the operator's limit for one record ends this process.

        Raises:
            ColumnError: The condition names a column that is not there.
            ConditionError: The condition cannot be asked of these columns.
            OperatorError: The operator broke its contract.
        """
        with self.pace.kept(table.num_rows):
            return self._apply_where(table)

    def _apply_where(self, table: pa.Table) -> Outcome:
        if self._condition is None:
            return _apply(self.operator, table)
        matches = self._condition(table)
        matched = matches.true_count
        if matched == table.num_rows:
            return self._learn_columns(_apply(self.operator, table))
        if matched == 0:
            return Outcome(table, self._with_added(table), unmatched=table.num_rows)
        outcome = self._learn_columns(_apply(self.operator, table.filter(matches)))
        spread = _spread_rejects if isinstance(self.operator, Filter) else _spread_refined
        return replace(spread(outcome, table, matches), unmatched=table.num_rows - matched)

    def _learn_columns(self, outcome: Outcome) -> Outcome:
        """Remember the columns that a refiner has added; the records that do not match have null there."""
        before = outcome.offered.schema.names
        added = {column.name: column.type for column in outcome.passed.schema if column.name not in before}
        self._added = {**(self._added or {}), **added}
        return outcome

    def _with_added(self, table: pa.Table) -> pa.Table:
        """Return a table without a match with the columns that it would have beside records that match."""
        if self._added is None:
            self._added = {}
            if isinstance(self.operator, Refiner):
                self._learn_from_no_records(table.slice(0, 0))
        for name, kind in self._added.items():
            if name not in table.column_names and not pa.types.is_null(kind):
                table = table.append_column(name, pa.nulls(table.num_rows, kind))
        return table

    def _learn_from_no_records(self, empty: pa.Table) -> None:
        try:
            self._learn_columns(_apply(self.operator, empty))
        except Exception:  # noqa: BLE001 - no operator must cope with an empty table: its columns come with a match
            return
        finally:
            self.operator.take_reported()


def is_record_error(error: BaseException) -> bool:
    """Return whether an exception is about the records: all that operators raise, and a panic of a Rust library."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _apply(operator: Operator, table: pa.Table) -> Outcome:
    if isinstance(operator, Refiner):
        refined = operator.refine(table)
        if refined.num_rows != table.num_rows or not _same_ids(refined, table):
            raise OperatorError(
                f"a refiner must return the same records in the same order with their {RECORD_ID}; "
                f"it was given {table.num_rows} and returned {refined.num_rows}",
                hint="to leave records out, write a Filter"
                if refined.num_rows < table.num_rows
                else "a pipeline cannot make more records of one: split them before the run, in the source",
            )
        return Outcome(table, refined)
    assert isinstance(operator, Filter)
    judgement = operator.judge(table)
    if len(judgement.reason) != table.num_rows:
        raise OperatorError(
            f"a filter must judge every record; it was given {table.num_rows} and judged {len(judgement.reason)}"
        )
    if judgement.reason.null_count == table.num_rows:
        return Outcome(table, table, judged=table, judgement=judgement)
    passed = table.filter(judgement.kept)
    return Outcome(table, passed, judgement.reason, judgement.score, judgement.threshold, table, judgement)


def _same_ids(one: pa.Table, other: pa.Table) -> bool:
    return RECORD_ID in one.column_names and bool(one.column(RECORD_ID).equals(other.column(RECORD_ID)))


def _spread_rejects(outcome: Outcome, table: pa.Table, matches: pa.Array) -> Outcome:
    """Return what a filter decided on the records that match as what it decided on all: the others stay."""
    if outcome.reason is None:
        return replace(outcome, offered=table, passed=table)
    places = pc.if_else(matches, _ordinals(matches), None)
    reason, score, threshold = (
        None if values is None else values.take(places) for values in (outcome.reason, outcome.score, outcome.threshold)
    )
    passed = table.filter(pc.is_null(reason))
    return replace(outcome, offered=table, passed=passed, reason=reason, score=score, threshold=threshold)


def _spread_refined(outcome: Outcome, table: pa.Table, matches: pa.Array) -> Outcome:
    """Return refined records and the others in the order of the table; columns that the refiner left are shared."""
    before, refined = outcome.offered, outcome.passed
    names = list(dict.fromkeys([*refined.column_names, *table.column_names]))
    left = [n for n in names if _has(refined, n) and _has(before, n) and refined.column(n).equals(before.column(n))]
    changed = [RECORD_ID, *(name for name in names if name not in left)]
    others = table.filter(pc.invert(matches))
    parts = [part.select([name for name in changed if _has(part, name)]) for part in (refined, others)]
    order = pc.if_else(
        matches, _ordinals(matches), pc.add(_ordinals(pc.invert(matches)), pa.scalar(refined.num_rows, pa.int64()))
    )
    merged = concat(parts).take(order)
    columns = {name: (table if name in left else merged).column(name) for name in names}
    return Outcome(table, pa.table(columns))


def _has(table: pa.Table, name: str) -> bool:
    return name in table.column_names


def _ordinals(chosen: pa.Array) -> pa.Array:
    """Return for every chosen entry its number among the chosen, from 0; of the others anything."""
    return pc.subtract(pc.cumulative_sum(chosen.cast(pa.int64())), 1)
