"""`mdf runs show RUN --columns`: the columns of a run's output."""

from __future__ import annotations

from rich.markup import escape

from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.cli.display.columns import Row, RowColumn, fitted, left_out_note, row_table
from mega_data_factory.cli.display.console import stdout
from mega_data_factory.cli.failures import SUCCESS, print_json
from mega_data_factory.cli.metrics_folder import open_store
from mega_data_factory.reports.output_columns import COLUMNS, NOTE, column_rows, drift_since_before

_GOES = {"type": 5, "least": 4, "5 %": 2, "95 %": 3, "largest": 6}
"""Order in which columns are dropped where the screen is narrow; the others stay."""


def show_columns(metrics: str, run: str, *, as_json: bool) -> int:
    """Show the columns of a run's output, and how they differ from the run before.

    JSON: `run_id`, `before` (null if there is none), `columns`, `drift`.

    Raises:
        MetricsError: there is no such run, or several.
    """
    reader = open_store(metrics)
    recording = Recording.read(reader, run)
    past = EarlierRuns.read(reader, recording, limit=1)
    drift = drift_since_before(recording, past)
    if as_json:
        print_json(
            {
                "run_id": recording.run_id,
                "before": None if past.previous is None else past.previous.run_id,
                "columns": [column.as_dict() for column in recording.output_columns],
                "drift": [difference.as_dict() for difference in drift],
            }
        )
        return SUCCESS
    console = stdout()
    if not recording.output_columns:
        console.print(
            f"{recording.run_id}: the columns of its output were not measured: nothing was written, or "
            "executor.metrics.column_statistics is false"
        )
        return SUCCESS
    rows: list[Row] = [dict(zip(_NAMES, row, strict=True)) for row in column_rows(recording.output_columns)]
    table, hidden = fitted(_SHOWN, lambda columns: row_table(rows, columns), console.width)
    console.print(table)
    for line in (*left_out_note(hidden), NOTE):
        console.print(line, style="dim")
    if past.previous is not None:
        known = past.previous.output_columns
        unlike = "" if drift else "; no column differs" if known else ", whose columns were not measured"
        console.print(f"\ncompared with the run before, {past.previous.run_id}{unlike}")
    for difference in drift:
        console.print(f"- {difference.text}", markup=False, soft_wrap=True)
    return SUCCESS


def _column(name: str) -> RowColumn:
    words = name in ("column", "type")
    return RowColumn(name, lambda row: escape(row[name]), _GOES.get(name, 0), right=not words)


_NAMES = ("column", *COLUMNS)
_SHOWN = tuple(_column(name) for name in _NAMES[:-1])
