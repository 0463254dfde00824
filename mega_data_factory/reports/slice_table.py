"""Tables of slices, as terminal, report and dashboard show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mega_data_factory.analytics.runs.slices import SliceTotals, by_operator, shown_value
from mega_data_factory.formats import count, percent, plural
from mega_data_factory.reports.operator_table import TOP_REASON, UNIT_COLUMNS, unit_text

_COLUMNS = ("in", "out", "rejected", "errors", "pass")

NOTE = "Slices are of the records that came in to the operator; the heaviest have rows of their own."


@dataclass(frozen=True)
class SliceTable:
    """Slices of one column in one operator.

    Attributes:
        by: What the slices are of.
        stage, operator: Where.
        columns: Headings of all columns but the first, which has the value.
        rows: A value, and a cell for each column.
        note: What the rows leave out; empty if nothing.
    """

    by: str
    stage: str
    operator: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    @property
    def title(self) -> str:
        """Stage and operator."""
        return f"{self.stage} / {self.operator}"


def slice_tables(slices: Sequence[SliceTotals], *, most: int = 0, deciding: bool = False) -> list[SliceTable]:
    """Return a table for each column in each operator.

    Args:
        slices: Of a run.
        most: Rows of each table; the lightest slices are left out. 0 for all.
        deciding: Whether to leave out operators in which every record passed.
    """
    groups = list(by_operator(slices))
    if deciding:
        groups = [group for group in groups if any(found.rejected or found.errors for found in group)]
    return [_table(group, most or len(group)) for group in groups]


def _table(group: Sequence[SliceTotals], most: int) -> SliceTable:
    units = [
        heading for heading, unit in UNIT_COLUMNS.items() if any(getattr(found, unit) is not None for found in group)
    ]
    shown, left_out = group[:most], group[most:]
    notes = []
    if left_out:
        records = count(sum(found.input for found in left_out))
        notes.append(
            f"{plural(sum(found.slices for found in left_out), 'lighter slice')} of {records} records not shown"
        )
    if missed := max((found.missed for found in shown), default=0):
        notes.append(f"a row may lack up to {plural(missed, 'record')}, which are in `other`")
    first = group[0]
    return SliceTable(
        first.by,
        first.stage,
        first.operator,
        (*_COLUMNS, *units, TOP_REASON),
        tuple((slice_name(found), *_cells(found, units)) for found in shown),
        "; ".join(notes),
    )


def slice_name(found: SliceTotals) -> str:
    """Return the value of a slice as it is shown; a value on one line, without characters that a terminal obeys."""
    if found.kind == "other":
        return f"other ({plural(found.slices, 'slice')})"
    return "(null)" if found.value is None else shown_value(found.value)


def _cells(found: SliceTotals, units: Sequence[str]) -> list[str]:
    share = None if found.pass_share is None else 100 * found.pass_share
    counts = [count(number) for number in (found.input, found.output, found.rejected, found.errors)]
    sizes = [unit_text(heading, getattr(found, UNIT_COLUMNS[heading])) for heading in units]
    return [*counts, percent(share), *sizes, found.top_reason]
