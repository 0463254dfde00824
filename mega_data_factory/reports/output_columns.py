"""Table of the columns of the output, in report, dashboard and terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from mega_data_factory.analytics.output_columns import ColumnDrift, ColumnSummary, column_drift
from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.formats import NOTHING, count, moment, number, percent, seconds

TITLE = "Columns of the output"

COLUMNS = ("type", "nulls", "distinct", "least", "5 %", "median", "95 %", "largest", "against the run before")

NOTE = (
    "Numbers of text columns are characters, of lists items, of binary columns bytes. "
    "Distinct values are estimated (1.6 % standard error), quantiles come from histograms."
)


def column_rows(columns: Sequence[ColumnSummary], drift: Sequence[ColumnDrift] = ()) -> list[tuple[str, ...]]:
    """Return a row for each column of the output: its name and `COLUMNS`; then one for each that vanished.

    Args:
        columns: of the run.
        drift: how they differ from those of the run before.
    """
    rows = []
    for column in columns:
        differences = [_said(d) for d in drift if d.column == column.name]
        rows.append((column.name, column.type, *_numbers(column), "; ".join(differences)))
    gone = [d for d in drift if d.what == "vanished"]
    return [*rows, *((d.column, str(d.before), *[""] * 7, _said(d)) for d in gone)]


def drift_since_before(recording: Recording, past: EarlierRuns) -> list[ColumnDrift]:
    """Return what differs from the columns of the run before; an empty list if there is none."""
    return [] if past.previous is None else column_drift(past.previous.output_columns, recording.output_columns)


def _said(difference: ColumnDrift) -> str:
    """Return a difference without the name of its column, which is in the row."""
    return difference.text.removeprefix(difference.column).lstrip(": ")


def _numbers(column: ColumnSummary) -> tuple[str, ...]:
    nulls = percent(100 * column.null_share) if column.nulls else "0"
    distinct = NOTHING if column.distinct is None else count(column.distinct)
    if column.kind == "boolean":
        share = column.true_share
        return (nulls, distinct, "", "", NOTHING if share is None else f"{percent(100 * share)} true", "", "")
    quantiles = (column.quantiles[name] for name in ("p05", "p50", "p95"))
    return (nulls, distinct, *(_value(column, v) for v in (column.minimum, *quantiles, column.maximum)))


def _value(column: ColumnSummary, value: float | None) -> str:
    if value is None:
        return NOTHING
    if column.kind != "time":
        return number(value)
    if column.type.startswith(("time", "duration")) and not column.type.startswith("timestamp"):
        return seconds(value)
    return _date(value)


def _date(since_1970: float) -> str:
    """Return a point in time as text; one that no calendar has, as seconds."""
    try:
        return moment(datetime.fromtimestamp(since_1970, UTC).replace(tzinfo=None))
    except (OverflowError, ValueError, OSError):
        return number(since_1970)
