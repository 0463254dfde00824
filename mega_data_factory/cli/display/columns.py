"""Tables that fit the screen: on a narrow one the least important columns are dropped, and a note says which."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from rich import box
from rich.console import Console
from rich.table import Table


class FittingColumn(Protocol):
    """A column that knows its heading and when it goes."""

    @property
    def heading(self) -> str:
        """Header of the column."""

    @property
    def goes(self) -> int:
        """Its turn to go where the screen is too narrow, from 1; 0: it never goes."""


Column = TypeVar("Column", bound=FittingColumn)


Row = Mapping[str, Any]


@dataclass(frozen=True)
class RowColumn:
    """A column of a table of rows.

    Attributes:
        heading: header of the column.
        cell: Returns the text of a row, as Rich markup.
        goes: see `FittingColumn`.
        right: whether it is aligned to the right.
        always: whether it is shown even if no row has a value.
        folds: whether a text that is too long continues on the next line, so that it leaves its neighbours their room.
    """

    heading: str
    cell: Callable[[Row], str]
    goes: int = 0
    right: bool = True
    always: bool = True
    folds: bool = False


def row_table(rows: Sequence[Row], columns: Sequence[RowColumn]) -> Table:
    """Return a table with a line for every row."""
    table = plain_table()
    for column in columns:
        justify: Literal["right", "left"] = "right" if column.right else "left"
        overflow: Literal["fold", "ellipsis"] = "fold" if column.folds else "ellipsis"
        table.add_column(column.heading, justify=justify, no_wrap=not column.folds, overflow=overflow)
    for row in rows:
        table.add_row(*(column.cell(row) for column in columns))
    return table


def plain_table() -> Table:
    """Return an empty table with a rule below its head and nothing around it."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)


def fitted(
    columns: Sequence[Column], build: Callable[[Sequence[Column]], Table], width: int
) -> tuple[Table, list[str]]:
    """Return the table with as many of its columns as there is room for.

    Args:
        columns: all columns, in order.
        build: makes the table of some of them.
        width: columns of the screen.

    Returns:
        The table, and the headings of the columns that were left out, in the order of going.
    """
    left = list(columns)
    table = build(left)
    left_out: list[Column] = []
    for column in sorted((c for c in columns if c.goes), key=lambda c: c.goes):
        if width_of(table) <= width:
            break
        left.remove(column)
        left_out.append(column)
        table = build(left)
    for column in reversed(left_out[:-1]):  # a wide one that went late may have made room for others again
        more = [one for one in columns if one in left or one is column]
        if width_of(wider := build(more)) <= width:
            left, table = more, wider
    return table, [column.heading for column in left_out if column not in left]


def left_out_note(headings: Sequence[str]) -> list[str]:
    """Return the line that says what `fitted` left out; none if that is nothing."""
    return [f"hidden (terminal too narrow): {', '.join(headings)} (wider terminal, or --json)"] if headings else []


def wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a text, broken between words only.

    Text between backticks is one word, so that a command can be copied: a word longer than `width` has a line of
    its own, which the terminal breaks without putting an end of line into it.
    """
    words = [word.replace(" ", _KEPT) if at % 2 else word for at, word in enumerate(text.split("`"))]
    joined = "`".join(words)
    lines = (
        textwrap.wrap(line, max(width, 1), break_long_words=False, break_on_hyphens=False) or [""]
        for line in joined.splitlines()
    )
    return [line.replace(_KEPT, " ") for one in lines for line in one]


_KEPT = "\N{NULL}"
"""Takes the place of a space at which no line may end; no text that is shown holds one."""


def width_of(table: Table) -> int:
    """Return the columns of the screen that a table fills where nothing wraps it."""
    unlimited = Console(width=100_000)
    return unlimited.measure(table).maximum


def width_of_column(table: Table, at: int) -> int:
    """Return the columns of the screen that one column of a table fills where nothing wraps it."""
    unlimited = Console(width=100_000)
    return max(unlimited.measure(cell).maximum for cell in (table.columns[at].header, *table.columns[at].cells))
