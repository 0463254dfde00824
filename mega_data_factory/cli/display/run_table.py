"""The report of a run on the screen: a table of stages and operators, the books, and where to look next."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mega_data_factory.analytics.findings.uncommitted import COLUMN, NOTE, uncommitted_cell, uncommitted_words
from mega_data_factory.analytics.performance.overhead import overhead_share
from mega_data_factory.cli.display.columns import fitted, left_out_note, plain_table, width_of, width_of_column, wrapped
from mega_data_factory.cli.display.summary import RunReport
from mega_data_factory.formats import NOTHING, count, number, percent, plural, rate, seconds, size
from mega_data_factory.framework.metrics.models import OperatorMetrics, StageMetrics


@dataclass(frozen=True)
class _Column:
    """A column: its heading, how rows fill it, and when it goes where the screen is narrow (0: never)."""

    heading: str
    operator: Callable[[OperatorMetrics], str]
    stage: Callable[[StageMetrics], str]
    goes: int = 0


def _nothing(_: StageMetrics) -> str:
    return ""


_COLUMNS = (
    _Column("in", lambda o: count(o.input_records), lambda s: count(s.input_records)),
    _Column("out", lambda o: count(o.output_records), lambda s: count(s.output_records)),
    _Column("rejected", lambda o: count(o.rejected_records), lambda s: count(s.rejected_records)),
    _Column("errors", lambda o: count(o.error_count), lambda s: count(s.error_count), goes=8),
    _Column("pass", lambda o: percent(o.pass_rate), lambda s: percent(s.pass_rate), goes=9),
    _Column("busy", lambda o: seconds(o.total_time), lambda s: seconds(s.total_time), goes=7),
    _Column("per worker", lambda o: rate(o.throughput), lambda s: rate(s.avg_throughput), goes=6),
    _Column("p50", lambda o: seconds(o.p50_latency), _nothing, goes=2),
    _Column("p95", lambda o: seconds(o.p95_latency), _nothing, goes=3),
    _Column("p99", lambda o: seconds(o.p99_latency), _nothing, goes=4),
)
_CREATED = _Column("created", lambda o: count(o.created_records), lambda s: count(s.created_records))
_UNMATCHED = _Column("not matched", lambda o: count(o.unmatched_records), _nothing)
_UNCOMMITTED = _Column(
    COLUMN,
    lambda o: uncommitted_cell(o.uncommitted_input_records, o.uncommitted_output_records, o.uncommitted_time),
    lambda s: uncommitted_cell(s.uncommitted_input_records, s.uncommitted_output_records),
)
_COUNTS = 4
"""The first columns, which are counts."""

_EXPLAINED = {
    "busy": "busy: seconds over all workers, of a stage its busiest worker",
    "p99": "p50 to p99: time per record",
}
"""Heading → meaning of the column; a note below a table that shows it."""

_REASON = "top reason"
_LEAST_NAME = 16
"""Columns of the screen that names of stages and operators keep."""


def report_table(report: RunReport, width: int) -> RenderableType:
    """Stages and their operators; on a screen too narrow for all columns, it says which are left out.

    Args:
        report: the run.
        width: columns of the screen.
    """
    columns = list(_COLUMNS)
    notes = []
    if any(stage.uncommitted_input_records for stage in report.stages):
        columns.insert(_COUNTS, _UNCOMMITTED)
        notes.append(NOTE)
    if any(row.unmatched_records for row in report.operators):
        columns.insert(2, _UNMATCHED)
        notes.append("not matched: records of `out` that passed untouched because of the operator's `when`")
    if any(stage.created_records for stage in report.stages):
        columns.insert(1, _CREATED)
        notes.append("created: records made beside those that came in; in + created = out + rejected + errors")
    table = _table(report, columns)
    left_out: list[str] = []
    if width_of(table) > width:  # reasons may then take several lines, so that more columns have room
        reason = max([len(_REASON), *(len(word) for row in report.operators for word in top_reason(row).split())])
        table, left_out = fitted(columns, lambda columns: _table(report, columns, reason), width)
    if (missing := width_of(table) - width) > 0:  # no number is cut: names give way
        table.columns[0].max_width = max(_LEAST_NAME, width_of_column(table, 0) - missing)
    if explained := [text for heading, text in _EXPLAINED.items() if heading not in left_out]:
        notes.append("; ".join(explained))
    notes += left_out_note(left_out)
    return Group(table, *(Text(note, style="dim") for note in notes))


def _table(report: RunReport, columns: Sequence[_Column], reason: int | None = None) -> Table:
    table = plain_table()
    table.add_column("stage / operator", no_wrap=True, overflow="ellipsis")
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    table.add_column(_REASON, overflow="fold", no_wrap=reason is None, max_width=reason, min_width=len(_REASON))
    for stage in report.stages:
        workers = plural(stage.num_workers, "worker")
        name = f"[bold]{escape(stage.stage_name)}[/bold] [dim]{workers}[/dim]"
        table.add_row(name, *(f"[bold]{column.stage(stage)}[/bold]" for column in columns), "")
        for row in report.operators_of(stage.stage_name):
            cells = (column.operator(row) for column in columns)
            table.add_row(f"  {escape(row.operator_name)}", *cells, escape(top_reason(row)))
    return table


def top_reason(row: OperatorMetrics) -> str:
    """Return the reason that most rejects carry, and how many of all: `too_short 1,203 of 1,500`."""
    if not row.rejected_reasons:
        return NOTHING if row.rejected_records else ""
    reason, number = max(row.rejected_reasons.items(), key=lambda item: (item[1], item[0]))
    return reason if number == row.rejected_records else f"{reason} {count(number)} of {count(row.rejected_records)}"


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
    if run.source_share is not None and run.status != "completed":
        yield Text(f"{percent(100 * run.source_share)} of the {run.source_unit} of the source have passed all stages")
    if waiting := uncommitted_words(asdict(run)):
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


def _custom(report: RunReport) -> Iterator[Text]:
    """Yield what operators reported: sums over all batches and workers, and the mean per record."""
    for row in report.operators:
        numbers = {
            name: value
            for name, value in row.custom_metrics.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        }
        if numbers and row.input_records:
            parts = (f"{name} {number(v)} ({number(v / row.input_records)} a record)" for name, v in numbers.items())
            yield Text(f"{row.operator_name} in {row.stage_name}: {', '.join(parts)}")


_SHARES = 5
"""Number of the most expensive parts that are named."""

_LOOK = {
    "output": "the records",
    "metrics": "the metrics, as Parquet",
    "report": "the report, one HTML file",
    "rejected_samples": "samples of rejected records",
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
    if "metrics" in report.paths and "report" not in report.paths:
        command = f"mdf report {report.run.run_id} --metrics {shlex.quote(report.paths['metrics'])}"
        yield Text.assemble("the whole of it as one page:\n  ", (command, "cyan"))


def print_report(report: RunReport, console: Console) -> None:
    """Print the whole report."""
    if report.stages:
        console.print()
        console.print(report_table(report, console.width))
    console.print()
    for line in summary(report):
        console.print(line)
    for line in standing_out(report, console.width):
        console.print(line, soft_wrap=True)
    console.print("\nlook at")
    for line in where_to_look(report):
        console.print(line, soft_wrap=True)
