"""`mdf rejects`: counts, filters, shows and exports the rejected records of a run that kept all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from mega_data_factory import storage
from mega_data_factory.analytics.runs.rejects import open_rejects, other_failed_rules
from mega_data_factory.cli.display.columns import Row, RowColumn, fitted, left_out_note, row_table
from mega_data_factory.cli.display.console import printable, stdout
from mega_data_factory.cli.failures import SUCCESS, UsageError, print_json, refuse_bytes
from mega_data_factory.cli.metrics_folder import open_store
from mega_data_factory.errors import MetricsQueryError, did_you_mean
from mega_data_factory.formats import count, percent, plural, size
from mega_data_factory.framework.metrics.run_ids import match_run
from mega_data_factory.rejects import RejectFilter, RejectLedger
from mega_data_factory.rejects.exporting import FORMATS, export_rejects

_HOW_TO_KEEP = "executor.rejected_samples.keep: all keeps one"

_LONGEST_NAME = 300
"""Characters of a name or an id in a table."""

_MOST_ROWS = 100
"""Rows of counts on a screen, of those with the most records."""

_LONGEST_TEXT = 300
"""Characters of a record's text that are shown."""


def rejects(
    metrics: str,
    run: str,
    only: RejectFilter,
    *,
    config: Path | None = None,
    around: int | None = None,
    export: str | None = None,
    as_json: bool = False,
) -> int:
    """Count rejected records; show those nearest to the thresholds, or write them to a file, if asked for.

    JSON: `{run_id, records, bytes, counts: [{stage, operator, reason, slice, records, alone, bytes}]}`; with `around`
    also `nearest`, rows of the ledger; with `export` also `exported: {path, records}`; where a name of the filter is
    that of no rejected record, `hints`.

    Args:
        metrics: the metrics folder.
        run: id, unique beginning of one, or `latest`.
        only: which records.
        config: find the ledger where this configuration puts it, and ask no metrics.
        around: show this many records of every rule, those nearest to its threshold.
        export: file to write the records to.
        as_json: print JSON instead of tables.

    Raises:
        MetricsError: there is no such run, or several, or it kept no ledger.
        UsageError: the name of the file has no known ending, a name is not UTF-8, or a range of scores is empty.
    """
    _check(only)
    if export is not None and not export.lower().endswith(tuple(FORMATS)):
        raise UsageError(f"--export {export}: the name must end in one of {', '.join(FORMATS)}")
    run_id, ledger = _from_metrics(metrics, run) if config is None else _from_config(config, run)
    counts = ledger.counts(only).to_pylist()
    answer: dict[str, Any] = {
        "run_id": run_id,
        "records": sum(row["records"] for row in counts),
        "bytes": sum(row["bytes"] or 0 for row in counts),
        "counts": counts,
    }
    if not counts and (hints := _hints(ledger, only)):
        answer["hints"] = hints
    if around is not None:
        answer["nearest"] = ledger.nearest(around, only).to_pylist()
    if export is not None:
        answer["exported"] = {"path": export, "records": export_rejects(export, ledger.batches(only))}
    if as_json:
        print_json(answer)
    else:
        _print(answer, stdout())
    return SUCCESS


def _check(only: RejectFilter) -> None:
    """Refuse a filter that no record can pass.

    Raises:
        UsageError: says which option is wrong.
    """
    for name in ("stage", "operator", "reason", "slice"):
        refuse_bytes(f"--{name}", getattr(only, name) or "")
    if only.score_between is not None and not only.score_between[0] <= only.score_between[1]:
        least, greatest = only.score_between
        raise UsageError(f"--score-between {least:g} {greatest:g}: the first number must be at most the second")


def _hints(ledger: RejectLedger, only: RejectFilter) -> list[str]:
    """Return which names of a filter no rejected record of the run has, each with those that may be meant."""
    everything = ledger.counts().to_pylist()
    hints = []
    for name in ("stage", "operator", "reason", "slice"):
        known = sorted({str(row[name]) for row in everything if row[name] is not None})
        wanted = getattr(only, name)
        if everything and wanted is not None and wanted not in known:
            meant = did_you_mean(wanted, known) if known else f"no rejected record of this run has a {name}"
            hints.append(f"no rejected record has the {name} `{wanted}`; {meant}")
    return hints


def _from_metrics(metrics: str, run: str) -> tuple[str, RejectLedger]:
    row = open_store(metrics).run(run)
    return row["run_id"], open_rejects(row)


def _from_config(config: Path, run: str) -> tuple[str, RejectLedger]:
    """Find a ledger of which no metrics are kept: in the folder that the configuration names.

    Raises:
        ConfigError: the configuration is wrong.
        MetricsQueryError: there is no ledger of this run.
    """
    from mega_data_factory.framework.commit.log import COMMITS
    from mega_data_factory.framework.config.pipeline import PipelineConfig
    from mega_data_factory.framework.plan import make_plan

    plan = make_plan(PipelineConfig.from_yaml(config))
    folder = storage.absolute(plan.executor.rejected_samples.output_path)
    names = [name for name in storage.list_dir(folder) if not name.endswith(".jsonl")]
    found = match_run(run, sorted(names), MetricsQueryError)
    if found is None:
        raise MetricsQueryError(
            f"there is no ledger of {run} in {folder}", hint=did_you_mean(run, names) or _HOW_TO_KEEP
        )
    commit_log = storage.join(plan.paths()["output"], COMMITS, found)
    return found, RejectLedger.open(storage.join(folder, found), commit_log)


# ── on a screen ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _print(answer: dict[str, Any], console: Console) -> None:
    counts, records = answer["counts"], answer["records"]
    notes = []
    if not counts:
        console.print("no rejected record matches")
        for hint in answer.get("hints", ()):
            console.print(Text(printable(hint)), soft_wrap=True)
    else:
        columns = _count_columns(records, sliced=any(row["slice"] is not None for row in counts))
        notes += _print_table(counts[:_MOST_ROWS], columns, console)
        if more := counts[_MOST_ROWS:]:
            rest = sum(row["records"] for row in more)
            console.print(f"and {count(len(more))} rows more, of {plural(rest, 'record')}; --json has all of them")
        console.print(f"\n{plural(records, 'rejected record')}, {size(answer['bytes'])} of text, in {answer['run_id']}")
    if answer.get("nearest"):
        console.print(Text("\nnearest to their thresholds\n", style="bold"))
        notes += _print_table(answer["nearest"], _NEAREST, console)
        _print_texts(answer["nearest"], console)
    elif "nearest" in answer and counts:
        console.print("none of them has a score: there is no threshold that it is near to")
    if exported := answer.get("exported"):
        console.print(Text(f"{exported['path']}: {plural(exported['records'], 'record')}"), soft_wrap=True)
    for note in notes:
        console.print(Text(note, style="dim"))


def _print_table(rows: Sequence[Row], columns: Sequence[RowColumn], console: Console) -> list[str]:
    made, left_out = fitted(columns, lambda columns: row_table(rows, columns), console.width)
    console.print(made)
    return left_out_note(left_out)


def _count_columns(total: int, *, sliced: bool) -> list[RowColumn]:
    columns = [
        RowColumn("stage", lambda row: _name(row["stage"]), goes=2, right=False),
        RowColumn("operator", lambda row: _name(row["operator"]), right=False, folds=True),
        RowColumn("reason", lambda row: _name(row["reason"]), right=False, folds=True),
        RowColumn("slice", lambda row: "(null)" if row["slice"] is None else _name(row["slice"]), right=False),
        RowColumn("records", lambda row: count(row["records"])),
        RowColumn("share", lambda row: percent(100 * row["records"] / total), goes=1),
        RowColumn("for it alone", lambda row: "" if row["alone"] is None else count(row["alone"]), goes=4),
        RowColumn("text", lambda row: "" if row["bytes"] is None else size(row["bytes"]), goes=3),
    ]
    return columns if sliced else [column for column in columns if column.heading != "slice"]


_NEAREST = (
    RowColumn("operator", lambda row: _name(row["operator"]), goes=3, right=False),
    RowColumn("reason", lambda row: _name(row["reason"]), right=False),
    RowColumn("score", lambda row: f"{row['score']:.6g}"),
    RowColumn("threshold", lambda row: f"{row['threshold']:.6g}"),
    RowColumn("also fails", lambda row: _name(", ".join(other_failed_rules(row))), goes=1, right=False),
    RowColumn("text", lambda row: "" if row["bytes"] is None else size(row["bytes"]), goes=2),
    RowColumn("record", lambda row: _name(row["record_id"] or ""), right=False, folds=True),
)


def _print_texts(rows: Sequence[Row], console: Console) -> None:
    for row in rows:
        if row["content"]:
            console.print(Text(f"\n{printable(row['record_id'] or '')}", style="bold"), soft_wrap=True)
            console.print(Text(_text_of(row["content"])))


def _text_of(content: str) -> str:
    """Return the beginning of a record's text on one line; the whole record where it has no text."""
    try:
        record = json.loads(content)
    except ValueError:
        record = None
    text = record.get("text") if isinstance(record, dict) else None
    text = " ".join((text if isinstance(text, str) else content).split())
    return printable(text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…")


def _name(text: str) -> str:
    """Return a name or an id for a cell, as markup; of a very long one its beginning and its end."""
    return escape(printable(text if len(text) <= _LONGEST_NAME else f"{text[:200]}…{text[-99:]}"))
