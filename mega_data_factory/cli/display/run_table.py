"""The report of a run on the screen: a table of stages and operators, the books, and where to look next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mega_data_factory.analytics.findings.uncommitted import COLUMN, uncommitted_text
from mega_data_factory.analytics.performance.overhead import overhead_share
from mega_data_factory.analytics.runs.custom_metrics import custom_metrics_of
from mega_data_factory.cli.display.columns import fitted, left_out_note, plain_table, width_of, width_of_column, wrapped
from mega_data_factory.cli.display.summary import RunReport
from mega_data_factory.formats import count, number, percent, plural, rate, seconds, size
from mega_data_factory.framework.metrics.models import RunMetrics
from mega_data_factory.reports import tracked_stages
from mega_data_factory.reports.operator_table import (
    TOP_REASON,
    UNIT_COLUMNS,
    Row,
    explanations,
    operator_table,
    unit_text,
)


@dataclass(frozen=True)
class _Column:
    """A column of the table of operators, and its turn to go where the screen is narrow (0: never)."""

    heading: str
    at: int
    goes: int = 0


_GOES = {
    **dict.fromkeys(UNIT_COLUMNS, 1),
    "p50": 2,
    "p95": 3,
    "p99": 4,
    "not matched": 5,
    "changed": 5,
    "per worker": 6,
    "busy": 7,
    "errors": 8,
    "pass": 9,
    "created": 10,
    COLUMN: 11,
}
"""Heading → its turn to go where the screen is narrow."""

_LEAST_NAME = 16
"""Columns of the screen that names of stages and operators keep."""


def report_table(report: RunReport, width: int) -> RenderableType:
    """Return stages and their operators; on a screen too narrow for all columns, it says which are left out.

    Args:
        report: the run.
        width: columns of the screen.
    """
    headings, rows = operator_table(report.totals)
    columns = [_Column(heading, at, _GOES.get(heading, 0)) for at, heading in enumerate(headings[:-1])]
    table = _table(rows, columns)
    left_out: list[str] = []
    if width_of(table) > width:  # reasons may then take several lines, so that more columns have room
        reason = max([len(TOP_REASON), *(len(word) for row in rows for word in row.cells[-1].split())])
        table, left_out = fitted(columns, lambda columns: _table(rows, columns, reason), width)
    if (missing := width_of(table) - width) > 0:  # no number is cut: names give way
        table.columns[0].max_width = max(_LEAST_NAME, width_of_column(table, 0) - missing)
    notes = explanations([heading for heading in headings if heading not in left_out]) + left_out_note(left_out)
    return Group(table, *(Text(note, style="dim") for note in notes))


def _table(rows: Sequence[Row], columns: Sequence[_Column], reason: int | None = None) -> Table:
    table = plain_table()
    table.add_column("stage / operator", no_wrap=True, overflow="ellipsis")
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    table.add_column(TOP_REASON, overflow="fold", no_wrap=reason is None, max_width=reason, min_width=len(TOP_REASON))
    for row in rows:
        name = f"[bold]{escape(row.name)}[/bold] [dim]{row.workers}[/dim]" if row.stage else f"  {escape(row.name)}"
        cells = (row.cells[column.at] for column in columns)
        table.add_row(name, *(f"[bold]{cell}[/bold]" if row.stage else cell for cell in cells), escape(row.cells[-1]))
    return table


def tracked_table(report: RunReport) -> RenderableType | None:
    """Return the stages that were timed as a whole, without operators; None without any."""
    rows = tracked_stages.tracked_rows(stage.to_dict() for stage in report.tracked_stages)
    if not rows:
        return None
    table = plain_table()
    table.add_column(tracked_stages.TITLE.lower(), no_wrap=True, overflow="ellipsis")
    for heading in tracked_stages.COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, *cells in rows:
        table.add_row(escape(name), *cells)
    return Group(table, Text(tracked_stages.NOTE, style="dim"))


def summary(report: RunReport) -> Iterator[Text]:
    """Yield the lines below the table: what came of it, the books, what measuring cost, where everything is."""
    run = report.run
    observed = run.config is not None and "observed" in run.config
    into = "out of the last step" if observed else f"in {plural(run.output_files, 'file')}, {size(run.output_bytes)}"
    yield Text(
        f"{run.run_id} {run.status} in {seconds(run.duration)}: {count(run.total_input_records)} records read, "
        f"{count(run.total_output_records)} {'' if observed else 'written '}({percent(run.overall_pass_rate)}) "
        f"{into}; {rate(run.avg_throughput)}"
    )
    if units := _units(run):
        yield Text(units)
    if run.source_share is not None and run.status != "completed":
        yield Text(f"{percent(100 * run.source_share)} of the {run.source_unit} of the source have passed all stages")
    if waiting := uncommitted_text(run.to_dict()):
        yield Text(waiting, style="yellow")
    yield Text(report.books(), style={True: "green", False: "bold red", None: "yellow"}[report.balanced])
    if shares := report.busy_shares():
        yield Text(f"time spent: {', '.join(f'{name} {percent(100 * s)}' for name, s in shares[:_SHARES])}")
    measured = [row for row in report.operators if row.avg_latency]
    if slowest := max(measured, key=lambda row: row.avg_latency or 0.0, default=None):
        yield Text(f"slowest: {slowest.operator_name} in {slowest.stage_name}, {seconds(slowest.avg_latency)} a record")
    busy = sum(row.total_time for row in report.operators) + run.loader_seconds + run.writer_seconds
    if busy:
        yield from _custom(report)
        share = overhead_share(run.instrumentation_seconds, busy)
        of_work = "" if share is None else f" ({percent(100 * share)} of busy time)"
        yield Text(f"metrics overhead {seconds(run.instrumentation_seconds)}{of_work}", style="dim")
    if run.startup_seconds is not None:
        yield Text(
            f"start-up {seconds(run.startup_seconds)} until all workers were ready, in no busy time", style="dim"
        )


def _units(run: RunMetrics) -> str:
    """Return bytes of text and tokens, in and out, in words; empty if neither was counted."""
    parts = []
    for unit, of_run in (("text", "text_bytes"), ("tokens", "tokens")):
        counts = {"in": getattr(run, f"input_{of_run}"), "out": getattr(run, f"output_{of_run}")}
        known = [f"{unit_text(unit, number)} {way}" for way, number in counts.items() if number is not None]
        if known:
            parts.append(f"{unit} {', '.join(known)}")
    return "; ".join(parts)


def _custom(report: RunReport) -> Iterator[Text]:
    """Yield what operators reported: sums over all batches and workers, and the mean per record."""
    for stage in report.totals:
        for operator in stage.operators:
            parts = [
                f"{metric.name} {number(metric.total)} ({number(metric.per_record)} a record)"
                for metric in custom_metrics_of(operator)
                if not metric.text
            ]
            if parts and operator.input:
                yield Text(f"{operator.name} in {stage.name}: {', '.join(parts)}")


_SHARES = 5
"""Number of the most expensive parts that are named."""

_LOOK = {
    "output": "the records",
    "metrics": "the metrics, as Parquet",
    "report": "the report, one HTML file",
    "rejected_samples": "samples of rejected records",
    "rejects": "all rejected records",
    "errors": "records that failed, with their errors",
    "dead_letters": "records that killed their worker",
}


def standing_out(report: RunReport, width: int) -> Iterator[Text]:
    """Yield what stands out, what to do about it and where to see it, in lines of at most `width` columns."""
    if report.findings:
        yield Text("\nwhat stands out")
    for finding in report.findings:
        for at, line in enumerate(wrapped(finding.title, width - 2)):
            yield Text(f"{'  ' if at else '- '}{line}")
        for line in wrapped(finding.suggestion or "", width - 2):
            yield Text(f"  {line}", style="dim")
        if finding.see:
            yield Text(f"  see {finding.see} in the report (mdf report)", style="dim")


def where_to_look(report: RunReport) -> Iterator[Text]:
    """Yield the paths of output, metrics and records set aside: each on a line that can be copied."""
    for key, path in report.paths.items():
        yield Text.assemble(f"{_LOOK[key]}: ", (path, "cyan"))
    if "metrics" not in report.paths:
        return
    of_run = f"{report.run.run_id} --metrics {shlex.quote(report.paths['metrics'])}"
    if "rejects" in report.paths:
        yield Text.assemble("every rejected record, with its scores:\n  ", (f"mdf rejects {of_run}", "cyan"))
    if "report" not in report.paths:
        yield Text.assemble("the whole of it as one page:\n  ", (f"mdf report {of_run}", "cyan"))


def print_report(report: RunReport, console: Console) -> None:
    """Print the whole report."""
    for table in (report_table(report, console.width) if report.totals else None, tracked_table(report)):
        if table is not None:
            console.print()
            console.print(table)
    console.print()
    for line in summary(report):
        console.print(line)
    for line in standing_out(report, console.width):
        console.print(line, soft_wrap=True)
    console.print("\nlook at")
    for line in where_to_look(report):
        console.print(line, soft_wrap=True)
