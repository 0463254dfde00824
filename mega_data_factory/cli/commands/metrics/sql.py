"""`mdf metrics sql`: a question in SQL, the answer as a table, JSON or CSV."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mega_data_factory.cli.display.columns import plain_table, width_of
from mega_data_factory.cli.display.console import stdout
from mega_data_factory.cli.failures import SUCCESS, UsageError, print_json
from mega_data_factory.cli.metrics_folder import open_store
from mega_data_factory.formats import count, plural

MOST_ROWS = 500
"""Rows that are shown on a screen; --json and --csv give all."""

_LONGEST = 60  # letters of a cell: a histogram or a configuration would push everything else off the screen


def sql(metrics: str, query: str, *, as_json: bool, as_csv: bool) -> int:
    """Ask the metrics in SQL.

    JSON: `{columns: [{name, type}], rows: [{name: value}]}`; times are ISO 8601, and numbers that JSON does not have
    null. CSV has a line of names; lists and structs are JSON in it.

    Raises:
        MetricsError: the query is wrong.
    """
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other")
    answer = open_store(metrics).sql(query)
    if as_json:
        names = distinct(answer.column_names)
        columns = [{"name": name, "type": str(field.type)} for name, field in zip(names, answer.schema, strict=True)]
        rows = [{name: plain(value) for name, value in zip(names, row, strict=True)} for row in _rows(answer)]
        print_json({"columns": columns, "rows": rows})
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(answer.column_names)
        writer.writerows([_csv_cell(value) for value in row] for row in _rows(answer))
    else:
        print_answer(answer, stdout())
    return SUCCESS


def _rows(answer: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Yield row after row; columns by place, because their names need not be distinct."""
    for batch in answer.to_batches():
        yield from zip(*map(_values, batch.columns), strict=True)


def _values(column: pa.Array) -> list[Any]:
    try:
        return column.to_pylist()  # type: ignore[no-any-return]
    except (ValueError, OverflowError):  # a time that Python cannot hold
        return [_value(scalar) for scalar in column]


def _value(scalar: pa.Scalar) -> Any:
    """Return a value; a time beyond the years 1 to 9999 as the text that DuckDB shows."""
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        pass
    kind = scalar.type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return str(scalar)
    unit: Any = "D" if pa.types.is_date32(kind) else "ms" if pa.types.is_date(kind) else kind.unit
    bits = 31 if pa.types.is_date32(kind) else 63
    if abs(scalar.value) == (1 << bits) - 1:
        return "infinity" if scalar.value > 0 else "-infinity"
    return str(np.datetime64(scalar.value, unit))


def distinct(names: Sequence[str]) -> list[str]:
    """Return names for the keys of an object: the second `a` is `a_2`."""
    found: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in found:
            number += 1
            candidate = f"{name}_{number}"
        found.append(candidate)
    return found


def plain(value: Any) -> Any:
    """Return a value as JSON has it: times as ISO 8601, durations as seconds, null for NaN and infinities."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _csv_cell(value: Any) -> Any:
    value = plain(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


# ── on the screen ─────────────────────────────────────────────────────────────────────────────────────────────────────


def print_answer(answer: pa.Table, console: Console) -> None:
    """Print a table; if the terminal is too narrow, print every row as a block of lines with name and value."""
    shown = answer.slice(0, MOST_ROWS)
    table = plain_table()
    for field in answer.schema:
        number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type)
        table.add_column(escape(field.name), justify="right" if number else "left", no_wrap=True)
    rows = [tuple(_cell(value) for value in row) for row in _rows(shown)]
    for row in rows:
        table.add_row(*row)
    if width_of(table) <= console.width:
        console.print(table)
    else:
        for number, row in enumerate(rows, 1):
            console.print(Text(f"── row {number} ──", style="dim"))
            console.print(_block(answer.column_names, row))
    console.print(Text(_note(len(rows), len(answer)), style="dim"))


def _block(names: list[str], row: tuple[str, ...]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in zip(names, row, strict=True):
        grid.add_row(escape(name), value)
    return grid


def _note(shown: int, there: int) -> str:
    if shown == there:
        return plural(there, "row")
    return f"the first {count(shown)} of {plural(there, 'row')}; --json or --csv gives all"


def _cell(value: Any) -> str:
    if value is None:
        return "[dim]null[/dim]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.1f}"
    if isinstance(value, datetime):
        return value.isoformat(" ", "milliseconds" if value.microsecond else "seconds")
    text = str(_csv_cell(value))
    return escape(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")
