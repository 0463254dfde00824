"""`mdf runs compare`: what differs between runs, how sure that is, and what it is made of."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from mega_data_factory.analytics.comparison import Comparison, compare
from mega_data_factory.analytics.comparison.as_json import comparison_json
from mega_data_factory.analytics.comparison.baselines import read_baseline
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.cli.display.columns import RowColumn, fitted, left_out_note, row_table, width_of, wrapped
from mega_data_factory.cli.display.console import stdout
from mega_data_factory.cli.failures import SUCCESS, UsageError, print_json
from mega_data_factory.cli.metrics_folder import open_store
from mega_data_factory.reports.comparison import (
    DIFFERENCE_COLUMNS,
    ComparedTable,
    comparison_sentences,
    comparison_tables,
    difference_rows,
)

_COLOURS = {"slower": "bold red", "faster": "green", "new": "cyan", "gone": "cyan"}
_LEAST_NAME = 20


def compare_runs(metrics: str, first: str | None, second: str | None, *, last: int | None, as_json: bool) -> int:
    """Compare two runs, or one with those before it.

    JSON: see `comparison_json`.

    Args:
        metrics: The metrics folder.
        first: What is compared with where `second` is given; else the run itself, the latest by default.
        second: The run.
        last: Compare with the last N runs before; 1 if no two runs are named.
        as_json: Print JSON.

    Raises:
        MetricsError: There is no such run, or several.
        UsageError: Two runs and `last` are given.
    """
    if second is not None and last is not None:
        raise UsageError("--last is for one run: it takes the runs before it", hint="mdf runs compare RUN --last N")
    reader = open_store(metrics)
    run = (first or "latest") if second is None else second
    against = f"last:{last or 1}" if second is None else str(first)
    recording = Recording.read(reader, run)
    found = compare(read_baseline(reader, recording, against), recording)
    if as_json:
        print_json(comparison_json(found))
    else:
        print_comparison(found, stdout())
    return SUCCESS


def print_comparison(found: Comparison, console: Console) -> None:
    """Print a comparison: sentences, then tables that fit the screen."""
    console.print(Text(found.after.run_id, style="bold"))
    for sentence in comparison_sentences(found):
        for line in wrapped(sentence, console.width):
            console.print(line, markup=False)
    tables = comparison_tables(found)
    for table in tables[:1]:
        _print_table(table, console)
    _print_speed(found, console)
    for table in tables[1:]:
        _print_table(table, console)
    for change in found.changes:
        line = f"{change.key}: {change.before} → {change.after}"
        console.print(Text(line, style="" if change.matters else "dim"), soft_wrap=True)
    if not found.changes:
        console.print(Text("no key of the configuration differs", style="dim"))


def _print_speed(found: Comparison, console: Console) -> None:
    rows = [
        dict(zip(("name", *DIFFERENCE_COLUMNS), (row.name, *row.cells), strict=True)) for row in difference_rows(found)
    ]
    if not rows:
        return
    goes = {"before": 1, "95 % interval": 3, "pass before": 2, "pass": 4}
    columns = [
        _column("name", "speed of operators", right=False),
        *(_column(name, name, goes.get(name, 0), right=name != "verdict") for name in DIFFERENCE_COLUMNS),
    ]
    _print(rows, columns, console)
    if any(d.measure == "cpu" for d in found.operators):
        console.print(Text("CPU: seconds of CPU", style="dim"))
    if any(d.corrected for d in found.operators):
        note = "change: other programs took the CPU; what they changed in all operators is taken out"
        for line in wrapped(note, console.width):
            console.print(Text(line, style="dim"))


def _print_table(table: ComparedTable, console: Console) -> None:
    rows = [dict(zip(("name", *table.columns), row, strict=True)) for row in table.rows]
    columns = [_column("name", table.title.lower(), right=False)]
    columns += [
        _column(name, name, goes=1 if name == "before" and not table.words else 0, right=not table.words)
        for name in table.columns
    ]
    _print(rows, columns, console)
    if table.note:
        for line in wrapped(table.note, console.width):
            console.print(Text(line, style="dim"))


def _print(rows: list[dict[str, str]], columns: list[RowColumn], console: Console) -> None:
    console.print()
    made, left_out = fitted(columns, lambda columns: row_table(rows, columns), console.width)
    if (missing := width_of(made) - console.width) > 0:  # no number is cut: names give way
        made.columns[0].overflow = "fold"
        made.columns[0].no_wrap = False
        longest = max(len(row["name"]) for row in rows)
        made.columns[0].max_width = max(_LEAST_NAME, longest - missing)
        for column in made.columns[1:]:
            column.no_wrap = False
    console.print(made)
    for note in left_out_note(left_out):
        console.print(Text(note, style="dim"))


def _column(key: str, heading: str, goes: int = 0, *, right: bool = True) -> RowColumn:
    def cell(row: object) -> str:
        assert isinstance(row, dict)
        text = escape(row[key])
        colour = _COLOURS.get(row[key]) if key == "verdict" else None
        return f"[{colour}]{text}[/]" if colour else text

    return RowColumn(heading, cell, goes, right)
