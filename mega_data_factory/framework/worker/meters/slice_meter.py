"""Meter of slices: what operators do with the records of each value of a column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mega_data_factory.framework.judgement import as_array
from mega_data_factory.framework.metrics.details.detail import Detail
from mega_data_factory.framework.metrics.details.slice_counts import COUNTS, Integers, SliceCounts
from mega_data_factory.framework.metrics.details.slices import StageSlices
from mega_data_factory.framework.plan import OperatorPlan
from mega_data_factory.framework.slice_columns import SliceColumn
from mega_data_factory.framework.units import UnitColumns
from mega_data_factory.framework.worker.applying import Outcome

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Codes:
    """Slice of every record.

    Attributes:
        values: Distinct values.
        of_record: Shape (records,): number of each record's value.
        present: Whether the records have the column.
    """

    values: list[str | None]
    of_record: Integers
    present: bool


@dataclass(frozen=True)
class _Fate:
    """What became of the records that came to an operator.

    Attributes:
        passed: Shape (records,).
        failed: Shape (records,): whether it raised.
        reasons: Reasons of rejected records.
        reason: Shape (records,): number of its reason, -1 if it was not rejected.
    """

    passed: Bools
    failed: Bools
    reasons: list[str]
    reason: Integers


class SliceMeter:
    """Counts records, bytes of text and tokens by slice.

    The slices of the records that an operator passes on are those of the next one, unless it has changed the column: so
    the values of a batch are looked at once a stage.

    Args:
        columns: What to slice by.
        units: Columns that the units of records are counted by.
        shown: Slices of each column that have rows of their own.
    """

    def __init__(self, columns: Sequence[SliceColumn], units: UnitColumns, shown: int) -> None:
        self._columns = columns
        self._units = units
        self._shown = shown
        self._codes: dict[SliceColumn, _Codes] = {}
        self._found: dict[SliceColumn, StageSlices] = {}
        self._sizes: list[Integers | None] = []

    def start(self) -> None:
        """Forget what was measured."""
        self._codes, self._sizes, self._found = {}, [], {}

    def measure(self, stage: str, operator: OperatorPlan, outcomes: Sequence[Outcome]) -> None:
        """Count the records of an operator in the slices of every column."""
        if not any(outcome.offered.num_rows for outcome in outcomes):
            self._codes, self._sizes = {}, []
            return
        fate = _fate(outcomes)
        sizes = self._sizes or self._sizes_of([outcome.offered for outcome in outcomes])
        self._sizes = self._sizes_after(outcomes, sizes, fate)
        for column in self._columns:
            codes = self._codes.get(column) or _codes(column, [outcome.offered for outcome in outcomes])
            counts = _counts(operator.index, codes, fate, sizes, self._sizes)
            if column in self._found:
                self._found[column].add_operator(operator.name, codes.values, counts)
            else:
                found = StageSlices.measured(stage, column.text, self._shown, operator.name, codes.values, counts)
                self._found[column] = found
            self._codes[column] = _codes_after(column, outcomes, codes, fate)

    def details(self) -> tuple[Detail, ...]:
        """Return the slices of every column, where an operator was given records."""
        return tuple(self._found.values())

    def _sizes_of(self, tables: Sequence[pa.Table]) -> list[Integers | None]:
        """Return bytes of text and tokens of every record; None for each where one of the tables has none."""
        each = [self._units.count_each(table) for table in tables]
        return [_joined([texts for texts, _ in each]), _joined([tokens for _, tokens in each])]

    def _sizes_after(
        self, outcomes: Sequence[Outcome], sizes: list[Integers | None], fate: _Fate
    ) -> list[Integers | None]:
        if _only_filtered(outcomes):
            return [None if size is None else size[fate.passed] for size in sizes]
        return self._sizes_of([outcome.passed for outcome in outcomes if outcome.error is None])


def without_records(details: Iterable[Detail], lost: pa.Table, units: UnitColumns) -> Iterator[Detail]:
    """Yield details as if some records had never come in, which passed all operators that the details are of.

    Args:
        details: Of earlier stages; what is not of slices stays as it is.
        lost: The records.
        units: Columns that the units of records are counted by.
    """
    known = units.count_each(lost)
    for detail in details:
        if isinstance(detail, StageSlices):
            values, codes = SliceColumn(detail.column).values_of(lost)
            for row, code in enumerate(codes.tolist()):
                sizes = (0 if numbers is None else int(numbers[row]) for numbers in known)
                detail = detail.without_record(values[code], *sizes)
        yield detail


def _fate(outcomes: Sequence[Outcome]) -> _Fate:
    failed = np.concatenate([np.full(o.offered.num_rows, o.error is not None) for o in outcomes])
    if all(outcome.reason is None for outcome in outcomes):
        return _Fate(~failed, failed, [], np.full(len(failed), -1))
    chunks = [pa.nulls(o.offered.num_rows, pa.string()) if o.reason is None else as_array(o.reason) for o in outcomes]
    reasons = chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)
    rejected = reasons.is_valid().to_numpy(zero_copy_only=False)
    encoded = reasons.drop_null().dictionary_encode()
    reason = np.full(len(failed), -1)
    reason[rejected] = encoded.indices.to_numpy()
    return _Fate(~(rejected | failed), failed, encoded.dictionary.to_pylist(), reason)


def _counts(
    index: int, codes: _Codes, fate: _Fate, offered: Sequence[Integers | None], passed: Sequence[Integers | None]
) -> SliceCounts:
    """Return the counts of every slice.

    Args:
        index: Place of the operator in its stage.
        codes: Slices of the records offered.
        fate: What became of them.
        offered: Bytes of text and tokens of the records offered.
        passed: The same of those passed on.
    """
    slices, of_record = len(codes.values), codes.of_record
    result = SliceCounts(index, codes.present, np.zeros((len(COUNTS), slices), np.int64))
    of_passed = of_record[fate.passed]
    result.counts[0] = np.bincount(of_record, minlength=slices)
    result.counts[1] = np.bincount(of_passed, minlength=slices)
    if fate.failed.any():
        result.counts[2] = np.bincount(of_record[fate.failed], minlength=slices)
    for row, sizes, places in (
        (3, offered[0], of_record),
        (4, passed[0], of_passed),
        (5, offered[1], of_record),
        (6, passed[1], of_passed),
    ):
        if sizes is not None:
            result.known.add(COUNTS[row])
            result.counts[row] = np.bincount(places, weights=sizes, minlength=slices)
    for number, reason in enumerate(fate.reasons):
        result.reasons[reason] = np.bincount(of_record[fate.reason == number], minlength=slices)
    result.bound_reasons()
    return result


def _codes(column: SliceColumn, tables: Sequence[pa.Table]) -> _Codes:
    """Return the slices of the records of tables, one after the other."""
    numbers: dict[str | None, int] = {}
    parts: list[Integers] = []
    for table in tables:
        values, codes = column.values_of(table)
        places = [numbers.setdefault(value, len(numbers)) for value in values]
        parts.append(codes if places == list(range(len(places))) else np.array(places, np.int64)[codes])
    return _Codes(list(numbers), np.concatenate(parts), any(column.column in table.column_names for table in tables))


def _codes_after(column: SliceColumn, outcomes: Sequence[Outcome], codes: _Codes, fate: _Fate) -> _Codes:
    """Return the slices of the records that were passed on."""
    if _only_filtered(outcomes) or all(_has_same(column.column, outcome) for outcome in outcomes):
        return codes if fate.passed.all() else _Codes(codes.values, codes.of_record[fate.passed], codes.present)
    passed = [outcome.passed for outcome in outcomes if outcome.error is None]
    return _codes(column, passed) if passed else _Codes([], np.zeros(0, np.int64), False)


def _only_filtered(outcomes: Sequence[Outcome]) -> bool:
    """Return whether the records passed on are as they were offered."""
    return all(o.error is not None or o.reason is not None or o.passed is o.offered for o in outcomes)


def _has_same(column: str, outcome: Outcome) -> bool:
    """Return whether a column of the records passed on is that of the records offered."""
    if outcome.error is not None:
        return True
    before, after = outcome.offered.schema.get_field_index(column), outcome.passed.schema.get_field_index(column)
    if before < 0 or after < 0:
        return bool(before == after)
    same: bool = outcome.passed.column(after).equals(outcome.offered.column(before))
    return same


def _joined(sizes: Sequence[Integers | None]) -> Integers | None:
    known = [size for size in sizes if size is not None]
    return np.concatenate(known) if known and len(known) == len(sizes) else None
