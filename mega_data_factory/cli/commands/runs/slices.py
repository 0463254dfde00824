"""`mdf runs show --by`: a run by the values of a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.cli.display.columns import fitted, left_out_note, plain_table
from mega_data_factory.cli.display.console import stdout
from mega_data_factory.cli.failures import SUCCESS, print_json
from mega_data_factory.cli.metrics_folder import open_store
from mega_data_factory.errors import MetricsQueryError, did_you_mean
from mega_data_factory.reports.operator_table import TOP_REASON, UNIT_COLUMNS
from mega_data_factory.reports.slice_table import SliceTable, slice_tables


def show_slices(metrics: str, run: str, by: str, *, as_json: bool) -> int:
    """Show what operators did with the records of each value of a column.

    JSON: `{run_id, slice_by, slices: [stage, operator, kind, value and counts of each slice]}`.

    Args:
        metrics: The metrics folder.
        run: Id, unique beginning of one, or `latest`.
        by: One of the run's `metrics.slice_by`.
        as_json: Print JSON instead of tables.

    Raises:
        MetricsQueryError: There is no such run, or several, or it was not sliced by this.
    """
    reader = open_store(metrics)
    levels = reader.levels(run)
    run_id = levels.run["run_id"]
    recording = Recording(levels.run, levels.operators, slice_rows=reader.details("slices", run_id))
    found = [one for one in recording.slices if one.by == by]
    if not found:
        known = list(dict.fromkeys(one.by for one in recording.slices))
        raise MetricsQueryError(
            f"{run_id} has no slices by {by!r}"
            + (f"; it has some by {', '.join(known)}" if known else "; it was not sliced by anything"),
            hint=did_you_mean(by, known) if known else "name columns in executor.metrics.slice_by",
        )
    if as_json:
        print_json({"run_id": run_id, "slice_by": by, "slices": [asdict(one) for one in found]})
        return SUCCESS
    for table in slice_tables(found):
        _print(table)
    return SUCCESS


@dataclass(frozen=True)
class _Column:
    """A column of the table of slices, and its turn to go where the screen is narrow (0: never)."""

    heading: str
    at: int
    goes: int = 0


_GOES = {**{heading: place for place, heading in enumerate(UNIT_COLUMNS, 1)}, TOP_REASON: 5, "errors": 6}
"""Heading → its turn to go where the screen is narrow."""


def _print(table: SliceTable) -> None:
    console = stdout()
    columns = [_Column(heading, at, _GOES.get(heading, 0)) for at, heading in enumerate(table.columns, 1)]
    made, left_out = fitted(columns, lambda columns: _made(table, columns), console.width)
    console.print()
    console.print(made)
    for note in (*([table.note] if table.note else []), *left_out_note(left_out)):
        console.print(Text(note, style="dim"))


def _made(table: SliceTable, columns: Sequence[_Column]) -> Table:
    made = plain_table()
    made.title = Text(table.title, style="bold")
    made.title_justify = "left"
    made.add_column(escape(table.by), no_wrap=True, overflow="ellipsis")
    for column in columns:
        is_reason = column.heading == TOP_REASON
        made.add_column(column.heading, justify="left" if is_reason else "right", no_wrap=True)
    for row in table.rows:
        made.add_row(escape(row[0]), *(escape(row[column.at]) for column in columns))
    return made
