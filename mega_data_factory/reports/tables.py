"""Tables of a report: rows of formatted cells in the order of the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mega_data_factory.analytics.comparison import Comparison, OperatorDifference
from mega_data_factory.analytics.findings.uncommitted import COLUMN
from mega_data_factory.analytics.runs.custom_metrics import custom_metrics
from mega_data_factory.analytics.runs.exits import ExitDifference
from mega_data_factory.analytics.runs.flow import Flow, flow_of
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.totals import OperatorTotals
from mega_data_factory.formats import count, moment, number, percent, plural, rate, seconds, size
from mega_data_factory.reports.operator_table import Row

MOST_REASONS = 60


@dataclass(frozen=True)
class Tile:
    """One number of the summary.

    Attributes:
        label: what it is.
        value: the number with its unit.
        note: what it is to be seen with; empty where there is nothing to say.
        tone: `good`, `warning`, `bad`, or empty.
    """

    label: str
    value: str
    note: str = ""
    tone: str = ""


def reason_rows(flow: Flow) -> list[tuple[str, str, str, str]]:
    """Return operator, reason, records and share of all that left; the largest first, at most 60."""
    left = sum(exit.records for exit in flow.exits)
    exits = sorted(flow.exits, key=lambda exit: -exit.records)[:MOST_REASONS]
    return [
        (
            exit.operator.label if exit.operator else "-",
            exit.reason if exit.kind == "rejected" else f"{exit.kind.replace('_', ' ')}: {exit.reason}",
            count(exit.records),
            percent(100 * exit.records / left),
        )
        for exit in exits
    ]


CUSTOM_COLUMNS = ("metric", "sum", "per record")


def custom_rows(recording: Recording) -> list[tuple[str, str, str, str]]:
    """Return operator, name, sum and value per record of each custom metric; other values are not changed."""
    return [
        (f"{m.stage} / {m.operator}", m.name, m.text or number(m.total), number(m.per_record))
        for m in custom_metrics(recording.stages)
    ]


def tiles(recording: Recording) -> list[Tile]:
    """Return the numbers of the summary."""
    run = recording.run
    flow = flow_of(recording)
    read, written = flow.read, flow.written
    errors, dead = run.get("total_errors") or 0, run.get("dead_lettered_records") or 0
    busy = sum(stage.busy for stage in recording.stages)
    balanced = run.get("balanced")
    difference = run.get("unbalanced_records")
    waiting = run.get("uncommitted_input_records")
    apart = f"passed all stages, {count(run.get('uncommitted_output_records'))} to be written"
    return [
        Tile("read", count(read), _planned(run.get("planned_records"), read)),
        Tile("kept", count(written), f"{percent(100 * written / read if read else None)} of what was read"),
        *_share_tile(run),
        *([Tile(COLUMN, f"+ {count(waiting)}", apart)] if waiting else []),
        Tile("throughput", rate(run.get("avg_throughput")), "records read, whole run"),
        Tile("duration", seconds(recording.seconds), f"{seconds(busy)} of work in stages"),
        Tile(
            "errors",
            count(errors),
            f"{count(dead)} dead-lettered" if dead else "none set aside" if not errors else "set aside",
            "warning" if errors or dead else "",
        ),
        Tile(
            "books",
            {True: "balance", False: "do not balance", None: "not checked"}[balanced],
            "every record accounted for"
            if balanced
            else f"{count(difference)} not accounted for"
            if difference
            else "",
            {True: "good", False: "bad", None: ""}[balanced],
        ),
        *_output_tile(recording),
        Tile("batches", count(run.get("batches")), f"{count(run.get('retried_batches'))} retried"),
    ]


def _output_tile(recording: Recording) -> list[Tile]:
    """Return the size of the output; of an observed run another engine has written it."""
    run = recording.run
    if recording.is_observed:
        return []
    return [Tile("output", size(run.get("output_bytes")), plural(run.get("output_files") or 0, "file"))]


def _share_tile(run: Mapping[str, Any]) -> list[Tile]:
    """Return how much of the source is done, of a run that has not come to its end."""
    share = run.get("source_share")
    if share is None or run.get("status") == "completed":
        return []
    return [Tile("done", percent(100 * share), f"of the source, by {run.get('source_unit')}")]


def _planned(planned: int | None, read: int) -> str:
    if planned is None or planned == read:
        return "records"
    return f"of {count(planned)} planned"


def environment(recording: Recording, schema_version: int) -> list[tuple[str, str]]:
    """Return names and values of the environment of a run."""
    run = recording.run
    nodes = sorted(set(recording.nodes["node_id"].to_pylist())) if len(recording.nodes) else []
    found = [
        ("run", recording.run_id),
        ("pipeline", run.get("pipeline")),
        ("status", run.get("status")),
        ("started (UTC)", moment(run.get("start_time"))),
        ("ended (UTC)", moment(run.get("end_time")) if run.get("end_time") else None),
        ("engine", run.get("engine")),
        ("driver", run.get("hostname")),
        ("process", run.get("pid")),
        ("nodes", len(nodes) or None),
        ("mega-data-factory", run.get("mdf_version")),
        ("metrics schema", schema_version),
        (
            "start-up of workers",
            seconds(run["startup_seconds"]) if run.get("startup_seconds") is not None else None,
        ),
        (
            "metrics overhead",
            seconds(run.get("instrumentation_seconds")) if run.get("instrumentation_seconds") else None,
        ),
    ]
    return [(name, str(value)) for name, value in found if value is not None]


# ── comparison ────────────────────────────────────────────────────────────────────────────────────────────────────────

DIFFERENCE_COLUMNS = ("seconds / record", "before", "change", "95 % interval", "verdict", "pass", "pass before")

_EXITS_SHOWN = 3

_LEAST_POINTS = 0.1
"""Percentage points that one decimal shows."""

_VERDICTS = {"same": "no clear difference", "unclear": "too few samples"}


def difference_rows(comparison: Comparison) -> list[Row]:
    """Return a row for each operator of two runs."""
    return [Row(d.operator.label, _difference_cells(d)) for d in comparison.operators]


def _difference_cells(d: OperatorDifference) -> list[str]:
    if d.before is None or d.after is None:
        return ["", "", "", "", "new" if d.before is None else "gone", _passed(d.after), _passed(d.before)]
    ratio = d.cost
    times = f"{ratio.value:.2f} times" if ratio else ""
    within = f"{ratio.low:.2f} to {ratio.high:.2f}" if ratio and ratio.low and ratio.high else ""
    changed = " (changed)" if d.pass_changed else ""
    verdict = _VERDICTS.get(d.speed, d.speed)
    passes = [f"{_passed(d.after)}{changed}", _passed(d.before)]
    return [seconds(d.after.cost), seconds(d.before.cost), times, within, verdict, *passes]


def _passed(operator: OperatorTotals | None) -> str:
    share = operator.pass_share if operator else None
    return percent(None if share is None else 100 * share)


def _pass_words(comparison: Comparison) -> Iterator[str]:
    """Yield how many records were kept in both runs, and where another number of them left."""
    if comparison.pass_points is None:
        return
    kept = [
        f"{count(run.get('total_output_records') or 0)} of {count(run.get('total_input_records'))}"
        for run in (comparison.after.run, comparison.before.run)
    ]
    source = ", read from the same source" if comparison.same_source else ""
    yield f"Kept {kept[0]} records, before {kept[1]}{source}: {_points(comparison.pass_points)}."
    if comparison.exits:
        yield f"{'; '.join(_exit_words(d) for d in comparison.exits[:_EXITS_SHOWN])}."
    if comparison.by_chance and not any(d.pass_changed for d in comparison.operators):
        yield "Two samples of the same data, of the sizes of these two runs, differ as much by chance."


def _points(points: float) -> str:
    """Return a difference of pass rates in words; a small one is not rounded to none."""
    if points and abs(points) < _LEAST_POINTS:
        return f"{'more' if points > 0 else 'less'} by under {_LEAST_POINTS} percentage points"
    return f"{points:+.1f} percentage points" if points else "the same pass rate"


def _exit_words(d: ExitDifference) -> str:
    what = {"rejected": f"Rejected for {d.reason}", "error": "Errors", "dead_letter": "Dead letters"}[d.kind]
    where = f" in {d.place}" if d.place else " in the loader" if d.kind == "error" else ""
    return f"{what}{where}: {count(d.after)}, before {count(d.before)}"


def comparison_sentences(comparison: Comparison) -> list[str]:
    """Return the differences of two runs as sentences."""
    before: Mapping[str, Any] = comparison.before.run
    words = [f"Compared with {comparison.before.run_id}, started {moment(before.get('start_time'))} UTC."]
    ratio = comparison.throughput
    if ratio is not None:
        within = f", 95 % interval {ratio.low:.2f} to {ratio.high:.2f}" if ratio.low and ratio.high else ""
        verdict = {"same": ": no clear difference", "unclear": ": too few samples to tell"}
        words.append(f"Throughput while working: {ratio.value:.2f} times{within}{verdict.get(comparison.speed, '')}.")
    words += _pass_words(comparison)
    matter = sum(change.matters for change in comparison.changes)
    words.append(
        f"{plural(matter, 'key')} of the configuration {'was' if matter == 1 else 'were'} changed."
        if matter
        else "Both were configured to do the same."
    )
    return words
