"""`mdf runs list` and `mdf runs show`."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.markup import escape
from rich.text import Text

from mega_data_factory.analytics.findings.uncommitted import COLUMN, NOTE, uncommitted_cell
from mega_data_factory.analytics.runs.recording import run_seconds
from mega_data_factory.cli.advice import advice
from mega_data_factory.cli.ages import parse_since
from mega_data_factory.cli.commands.runs.cost import print_cost_line
from mega_data_factory.cli.display.columns import Row, RowColumn, fitted, left_out_note, row_table
from mega_data_factory.cli.display.console import stdout
from mega_data_factory.cli.display.run_table import print_report
from mega_data_factory.cli.display.summary import RunReport
from mega_data_factory.cli.failures import SUCCESS, UsageError, print_json
from mega_data_factory.cli.metrics_folder import how_to_fill, open_store
from mega_data_factory.errors import did_you_mean
from mega_data_factory.formats import count, plural
from mega_data_factory.framework.config.pipeline import RejectedSamplesConfig
from mega_data_factory.framework.metrics import MetricsReader, schema
from mega_data_factory.framework.metrics.levels import Levels
from mega_data_factory.framework.worker.without_pandas import keep_pandas_out
from mega_data_factory.reports.run_figures import RUN_FIGURES
from mega_data_factory.storage import join

STATUSES = {"completed": "green", "failed": "bold red", "interrupted": "yellow", "aborted": "red", "running": "cyan"}
"""Statuses of a run, with their colours."""

_ROW_COLUMNS = [name for name in schema.RUNS.names if name != "config"]
"""Columns of a run that a list may show."""


@dataclass(frozen=True)
class RunFilter:
    """Filter of the runs to list.

    Attributes:
        pipeline: pattern of the pipeline's name; any where None.
        statuses: which statuses; all if empty.
        since: when they started at the earliest, naive UTC.
    """

    pipeline: str | None = None
    statuses: frozenset[str] = frozenset()
    since: datetime | None = None

    @classmethod
    def from_options(cls, *, pipeline: str | None, statuses: Iterable[str], since: str | None) -> RunFilter:
        """Return the same from the words of the command line.

        Raises:
            UsageError: a status or a time is not one.
        """
        for status in statuses:
            if status not in STATUSES:
                raise UsageError(f"--status {status}: no run has this status", hint=did_you_mean(status, STATUSES))
        return cls(pipeline, frozenset(statuses), None if since is None else parse_since(since))

    def among(self, runs: pa.Table) -> pa.Table:
        """Return the rows of the given runs, in their order.

        Args:
            runs: rows with the columns `pipeline`, `status` and `start_time`.
        """
        if self.pipeline is not None:
            names = {name for name in runs["pipeline"].unique().to_pylist() if name is not None}
            wanted = pa.array(fnmatch.filter(sorted(names), self.pipeline), pa.string())
            runs = runs.filter(pc.field("pipeline").isin(wanted))
        if self.statuses:
            runs = runs.filter(pc.field("status").isin(sorted(self.statuses)))
        if self.since is not None:
            runs = runs.filter(pc.field("start_time") >= pa.scalar(self.since, pa.timestamp("us")))
        return runs


# ── list ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def list_runs(metrics: str, wanted: RunFilter, *, limit: int, as_json: bool) -> int:
    """List runs, the newest first.

    JSON: `{metrics, total, matching, runs: [the run's row, without its configuration]}`.

    Args:
        metrics: the metrics folder.
        wanted: which runs.
        limit: runs to show at most; 0 for all.
        as_json: print JSON instead of a table.
    """
    keep_pandas_out()
    runs = open_store(metrics).runs(columns=_ROW_COLUMNS)
    matching = wanted.among(runs)
    newest = matching.take(pa.array(range(len(matching) - 1, -1, -1), pa.int64())).slice(0, limit or None)
    shown = newest.to_pylist()
    if as_json:
        print_json({"metrics": metrics, "total": len(runs), "matching": len(matching), "runs": shown})
        return SUCCESS
    console = stdout()
    if not len(runs):
        console.print(f"there are no runs in {escape(metrics)} yet\n  hint: {escape(how_to_fill())}")
        return SUCCESS
    if not len(matching):
        console.print(f"no matching run ({count(len(runs))} in {escape(metrics)})")
        return SUCCESS
    columns: Sequence[RowColumn] = _COLUMNS
    if any(row["uncommitted_input_records"] for row in shown):
        columns = (*_COLUMNS[:_COUNTED], _UNCOMMITTED, *_COLUMNS[_COUNTED:])
    made, left_out = fitted(columns, lambda columns: row_table(shown, columns), console.width)
    console.print(made)
    for row in shown:
        if row["error"]:
            console.print(Text.assemble((f"{row['run_id']}: ", "dim"), row["error"]), soft_wrap=True)
    notes = [*([] if columns is _COLUMNS else [NOTE]), *left_out_note(left_out)]
    if len(shown) < len(matching):
        notes.insert(0, f"the newest {count(len(shown))} of {plural(len(matching), 'run')}; --limit 0 lists all")
    for note in notes:
        console.print(Text(note, style="dim"))
    return SUCCESS


_COLUMNS = (
    RowColumn("run", lambda row: escape(row["run_id"]), right=False),
    RowColumn("pipeline", lambda row: escape(row["pipeline"] or ""), goes=5, right=False),
    RowColumn("status", lambda row: _status(row["status"]), right=False),
    RowColumn("started (UTC)", RUN_FIGURES["started (UTC)"], goes=6, right=False),
    RowColumn("duration", RUN_FIGURES["duration"], goes=7),
    RowColumn("read", RUN_FIGURES["read"]),
    RowColumn("written", RUN_FIGURES["written"]),
    RowColumn("pass", RUN_FIGURES["pass"], goes=4),
    RowColumn("throughput", RUN_FIGURES["throughput"], goes=3),
    RowColumn("errors", RUN_FIGURES["errors"], goes=2),
    RowColumn("engine", lambda row: escape(row["engine"] or ""), goes=1, right=False),
)
_COUNTED = 7
"""The columns up to the counts of records."""

_UNCOMMITTED = RowColumn(
    COLUMN, lambda row: uncommitted_cell(row["uncommitted_input_records"], row["uncommitted_output_records"])
)


def _status(status: str | None) -> str:
    return f"[{STATUSES[status]}]{status}[/]" if status in STATUSES else escape(status or "")


# ── show ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def show_run(metrics: str, run: str, *, as_json: bool) -> int:
    """Show a run on three levels.

    JSON: `run`, `stages` with their `operators`, `books`, `paths`, `findings`, as `mdf run --json` prints them.

    Raises:
        MetricsError: there is no such run, or several.
    """
    keep_pandas_out()
    reader = open_store(metrics)
    levels = reader.levels(run)
    report = replace(stored_report(reader, levels), findings=advice(reader, levels))
    if as_json:
        print_json(report.as_json())
    else:
        console = stdout()
        print_report(report, console)
        print_cost_line(reader, levels, console)
        if report.run.error:
            console.print(Text(f"\nwhat ended it: {report.run.error}", style="bold red"))
    return SUCCESS


def stored_report(reader: MetricsReader, levels: Levels) -> RunReport:
    """Return the report of a run that is read from its metrics.

    Args:
        reader: the metrics.
        levels: what was read of the run.
    """
    row = levels.run
    totals = levels.run_metrics()
    if totals.end_time is None:
        totals.duration = run_seconds(row) or 0.0
    return RunReport.from_rows(
        run=totals,
        stages=levels.stage_metrics(),
        operators=levels.operators_over_workers(),
        differences=(),
        paths=_paths(reader, row),
    )


def _paths(reader: MetricsReader, row: Row) -> dict[str, str]:
    """Return where to look: what the run has noted, and only what is there."""
    noted: dict[str, str] = row.get("paths") or _configured_paths(row["config"] or {})
    there = {
        "output": row["output_files"],
        "rejected_samples": row["rejected_records"],
        "rejects": row["rejected_records"],
        "errors": row["total_errors"],
        "dead_letters": row["dead_lettered_records"],
    }
    paths = {name: noted[name] for name, records in there.items() if records and name in noted}
    if "rejected_samples" in paths:
        paths["rejected_samples"] = join(paths["rejected_samples"], f"{row['run_id']}.jsonl")
    if "rejects" in paths:
        paths["rejects"] = join(paths["rejects"], row["run_id"])
    return {"metrics": os.fspath(reader.path), **paths}


def _configured_paths(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the places that a configuration names, for a run of an older version: relative ones, and variables."""
    executor = config.get("executor") or {}
    samples = executor.get("rejected_samples") or {}
    output = ((config.get("data_writer") or {}).get("params") or {}).get("output_path")
    found = {"output": output, "errors": executor.get("errors_path"), "dead_letters": executor.get("dead_letter_path")}
    if output:
        found["errors"] = found["errors"] or join(str(output), "_errors")
        found["dead_letters"] = found["dead_letters"] or join(str(output), "_dead_letter")
    if samples.get("enabled"):
        found["rejected_samples"] = samples.get("output_path") or RejectedSamplesConfig().output_path
    return {name: str(path) for name, path in found.items() if path}
