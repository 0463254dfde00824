"""Tables that fit the screen: where it is narrow, the columns that matter least go, and a note says which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from rich import box
from rich.console import Console
from rich.table import Table


class FittingColumn(Protocol):
    """A column that knows its heading and when it goes."""

    @property
    def heading(self) -> str:
        """What stands above it."""

    @property
    def goes(self) -> int:
        """Its turn to go where the screen is too narrow, from 1; 0: it never goes."""


Column = TypeVar("Column", bound=FittingColumn)


def plain_table() -> Table:
    """An empty table with a rule below its head and nothing around it."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)


def fitted(
    columns: Sequence[Column], build: Callable[[Sequence[Column]], Table], width: int
) -> tuple[Table, list[str]]:
    """The table with as many of its columns as there is room for.

    Args:
        columns: all columns, in order.
        build: makes the table of some of them.
        width: columns of the screen.

    Returns:
        The table, and the headings of the columns that were left out, in the order of going.
    """
    left = list(columns)
    table = build(left)
    left_out = []
    for column in sorted((c for c in columns if c.goes), key=lambda c: c.goes):
        if width_of(table) <= width:
            break
        left.remove(column)
        left_out.append(column.heading)
        table = build(left)
    return table, left_out


def left_out_note(headings: Sequence[str]) -> list[str]:
    """The line that says what `fitted` left out; none where that is nothing."""
    return [f"hidden (terminal too narrow): {', '.join(headings)} (wider terminal, or --json)"] if headings else []


def width_of(table: Table) -> int:
    """The columns of the screen that a table fills where nothing wraps it."""
    unlimited = Console(width=100_000)
    return unlimited.measure(table).maximum
