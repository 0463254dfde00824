"""Sheets: of every record of a value what is counted by, as an Arrow table, whatever the form of the records.

A sheet has the columns `number` (int64, null if it has none), `id` (string), `bytes` and `tokens` (int64), and
`slice_0`, `slice_1`, … (string), one for each entry of `slice_by`. What a record does not have is null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa

from mega_data_factory.framework.contracts import RECORD_ID
from mega_data_factory.framework.judgement import as_array
from mega_data_factory.framework.slice_columns import SliceColumn
from mega_data_factory.framework.units import UnitColumns
from mega_data_factory.observe.counting.forms.columns import arrow_column
from mega_data_factory.observe.counting.forms.form import Form
from mega_data_factory.observe.counting.forms.record_text import record_name
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.observe")

SliceBy: TypeAlias = str | Callable[[Any], Any]
"""A column, `domain(column)`, `source_file()`, or a function of a record."""

Row: TypeAlias = list[Any]
"""Of one record: the values of its columns, its id, its number, and what each function of `slice_by` says of it."""

_IDS = (RECORD_ID, "id")


@dataclass(frozen=True)
class Watch:
    """What is looked at of every record.

    Attributes:
        slice_by: what records are sliced by.
        names: of these, as the table of slices has them.
        text: column of the text; None for no such column.
        tokens: column with the number of tokens of each record; None for no such column.
        rejects: whether a row of every rejected record is kept.
        shown: slices of each column that have rows of their own.
    """

    slice_by: tuple[SliceBy, ...] = ()
    names: tuple[str, ...] = ()
    text: str | None = None
    tokens: str | None = None
    rejects: bool = False
    shown: int = 50


class SheetMaker:
    """Makes the sheets of a step.

    Args:
        watch: what is looked at.

    Attributes:
        present: for each entry of `slice_by`, whether any record had the column.
        has_text, has_tokens: whether any record had these columns.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._columns = [SliceColumn(s) if isinstance(s, str) else None for s in watch.slice_by]
        entries = zip(watch.names, watch.slice_by, strict=True)
        self._functions = [(name, entry) for name, entry in entries if not isinstance(entry, str)]
        self._units = UnitColumns(watch.text or "", watch.tokens)
        wanted = {column.column for column in self._columns if column is not None}
        self._wanted = sorted(wanted | {name for name in (watch.text, watch.tokens) if name is not None})
        self.present = [False] * len(self._columns)
        self.has_text = self.has_tokens = False

    def sheet(self, value: Any, form: Form, first: int | None = None) -> pa.Table:
        """Return the sheet of a batch.

        Args:
            value: the batch.
            form: of the batch.
            first: number of its first record; None for records without numbers.
        """
        found = {name: _column(value, form, name) for name in self._wanted}
        called = [_texts(_answers(name, ask, form.records(value))) for name, ask in self._functions]
        ids = (_column(value, form, name) for name in (_IDS if self._watch.rejects else ()))
        count, id_column = form.count(value), next((i for i in ids if i is not None), None)
        numbers = pa.nulls(count, pa.int64()) if first is None else pa.array(range(first, first + count), pa.int64())
        return self._sheet(count, found, id_column, numbers, called)

    def row(self, record: Any, number: int | None = None) -> Row:
        """Return what a sheet needs of a single record, as it is now."""
        values = [_field(record, name) for name in self._wanted]
        values += [record_name(record) or None if self._watch.rejects else None, number]
        for name, ask in self._functions:
            values += _answers(name, ask, [record])
        return values

    def changed_sheet(self, before: pa.Table, value: Any, form: Form) -> pa.Table:
        """Return the sheet of a batch with the text and the tokens that it has after a step, else as it came in."""
        names = [name for name in (self._watch.text, self._watch.tokens) if name is not None]
        sizes = self._sizes({name: _column(value, form, name) for name in names}, before.num_rows)
        columns = [sizes[name] if name in sizes else before.column(name) for name in before.column_names]
        return pa.Table.from_arrays(columns, names=before.column_names)

    def _sizes(self, found: Mapping[str, pa.Array | pa.ChunkedArray | None], count: int) -> dict[str, pa.Array]:
        """Return the columns `bytes` and `tokens`."""
        table = pa.table({name: c for name, c in found.items() if c is not None} or {"": pa.nulls(count)})
        texts, tokens = self._units.count_each(table)
        self.has_text |= texts is not None
        self.has_tokens |= tokens is not None
        return {
            name: pa.nulls(count, pa.int64()) if numbers is None else pa.array(numbers.copy(), pa.int64())
            for name, numbers in (("bytes", texts), ("tokens", tokens))  # copied: the step may change what it was given
        }

    def changed_row(self, before: Row, after: Row) -> Row:
        """Return a record with the text and the tokens that it has after a step, and else as it came in."""
        sizes = {self._watch.text, self._watch.tokens}
        names = [*self._wanted, *(None for _ in before[len(self._wanted) :])]
        return [a if name in sizes and name is not None else b for name, b, a in zip(names, before, after, strict=True)]

    def sheet_of_rows(self, rows: Sequence[Row]) -> pa.Table:
        """Return the sheet of single records, at least one."""
        columns = list(zip(*rows, strict=True))
        found = {name: _of_values(column) for name, column in zip(self._wanted, columns, strict=False)}
        ids, numbers, *called = columns[len(self._wanted) :]
        return self._sheet(len(rows), found, _texts(ids), pa.array(numbers, pa.int64()), [*map(_texts, called)])

    def _sheet(
        self,
        count: int,
        found: Mapping[str, pa.Array | pa.ChunkedArray | None],
        ids: pa.Array | pa.ChunkedArray | None,
        numbers: pa.Array,
        called: list[pa.Array],
    ) -> pa.Table:
        """Return a sheet.

        Args:
            count: number of records.
            found: columns of the records by name; None for a column that is missing.
            ids: their ids; None if they have none.
            numbers: their numbers.
            called: what each function of `slice_by` says of them.
        """
        table = pa.table({name: c for name, c in found.items() if c is not None} or {"": pa.nulls(count)})
        columns = [numbers, _ids(ids, count), *self._sizes(found, count).values()]
        answers = iter(called)
        for place, column in enumerate(self._columns):
            if column is None:
                self.present[place] = True
                columns.append(next(answers))
            else:
                self.present[place] |= column.column in table.column_names
                values, codes = column.values_of(table)
                columns.append(pa.array(values, pa.string()).take(pa.array(codes)))
        return pa.Table.from_arrays(columns, names=self.names)

    def include(self, other: SheetMaker) -> None:
        """Take over which columns the records of another had."""
        self.present = [mine or its for mine, its in zip(self.present, other.present, strict=True)]
        self.has_text |= other.has_text
        self.has_tokens |= other.has_tokens

    @property
    def wanted(self) -> list[str]:
        """Columns of the records that are looked at, where they have them."""
        return [*self._wanted, *(_IDS if self._watch.rejects else ())]

    @property
    def names(self) -> list[str]:
        """Names of the columns of a sheet."""
        return ["number", "id", "bytes", "tokens", *(f"slice_{place}" for place in range(len(self._columns)))]


def _ids(ids: pa.Array | pa.ChunkedArray | None, count: int) -> pa.Array:
    if ids is None:
        return pa.nulls(count, pa.string())
    ids = as_array(ids)
    try:
        return ids.cast(pa.string())
    except pa.ArrowException:
        return _texts(ids.to_pylist())


def _answers(name: str, function: Callable[[Any], Any], records: Iterable[Any]) -> list[Any]:
    """Return what a function of that name says of each record; None if it raises."""
    found: list[Any] = []
    for record in records:
        try:
            found.append(function(record))
        except Exception as error:  # noqa: BLE001 - the user's function; counting must not fail their work
            found.append(None)
            _log_once(name, error)
    return found


_logged: set[str] = set()


def _log_once(name: str, error: Exception) -> None:
    if name not in _logged:
        _logged.add(name)
        _log.warning("slice_by: %s raised, its records are null: %s: %s", name, type(error).__name__, error)


def _column(value: Any, form: Form, name: str) -> pa.Array | pa.ChunkedArray | None:
    """Return a column of a batch as Arrow has it; None if there is no such column."""
    if form.name == "list":
        return _of_values([_field(record, name) for record in value])
    if form.name in ("arrow", "pandas", "polars", "columns", "lazy-columns"):
        try:
            column = form.column(value, name)
            found = arrow_column(column)
            return _array(column) if found is None else found
        except (KeyError, IndexError):
            return None
        except Exception as error:
            if type(error).__name__ != "ColumnNotFoundError":  # of polars
                raise
    return None


def _of_values(values: Sequence[Any]) -> pa.Array | None:
    if all(value is _ABSENT for value in values):
        return None
    return _array([None if value is _ABSENT else value for value in values])


_ABSENT = object()


def _field(record: Any, name: str) -> Any:
    if isinstance(record, Mapping):
        return record.get(name, _ABSENT)
    if isinstance(record, str | bytes):
        return record if name == "text" else _ABSENT
    found = getattr(record, name, _ABSENT)
    if found is _ABSENT and isinstance(metadata := getattr(record, "metadata", None), Mapping):
        return metadata.get(name, _ABSENT)  # a document of datatrove
    return found


def _array(values: Any) -> pa.Array:
    """Return values as an array; as texts where their types differ."""
    try:
        return pa.array(values)
    except (ValueError, TypeError, OverflowError):  # Arrow's own errors are among them
        return _texts(values)


def _texts(values: Iterable[Any]) -> pa.Array:
    """Return values as texts; half a surrogate pair, which UTF-8 cannot hold, as an escape."""
    texts = [None if value is None else str(value) for value in values]
    return pa.array([None if t is None else t.encode("utf-8", "backslashreplace").decode() for t in texts], pa.string())
