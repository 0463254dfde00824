"""Page of one operator of a run: workers, latency, rejects, errors and custom metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow.compute as pc
from dash import html
from dash.development.base_component import Component

from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.series import operator_series
from mega_data_factory.analytics.runs.totals import OperatorTotals
from mega_data_factory.dashboard import parts, thresholds
from mega_data_factory.dashboard.context import View
from mega_data_factory.dashboard.pages.stage import stage_of
from mega_data_factory.dashboard.private_paths import without_paths
from mega_data_factory.errors import MetricsError, did_you_mean
from mega_data_factory.formats import count, number, percent, rate, seconds
from mega_data_factory.reports import excluded, slice_table, tables
from mega_data_factory.reports.operator_table import UNIT_COLUMNS, unit_text
from mega_data_factory.reports.tables import Tile
from mega_data_factory.reports.thresholds import shown_thresholds
from mega_data_factory.visualization.charts import latency, timeline

MOST_RULES = 30
"""Rules whose scores are shown; those that fail most records come first."""

WORKER_COLUMNS = ("in", "out", "rejected", "errors", "pass", "busy", "records / s busy", "p50", "p95", "p99")


def show(view: View, run_id: str, stage_name: str, name: str) -> tuple[str, Component]:
    """Return the page of an operator.

    Raises:
        MdfError: There is no such run, stage or operator.
    """
    recording = view.store.recording(run_id)
    operator = _operator_of(recording, stage_name, name)
    above = parts.run_path(recording.run_id)
    trail = [
        ("Runs", "/"),
        (recording.run_id, above),
        (stage_name, parts.run_path(recording.run_id, "stage", stage_name)),
    ]
    note = parts.cut(recording.operators.filter(_here(operator)).num_rows, "worker", "slowest")
    page = [
        parts.heading(operator.name, trail=trail),
        parts.tiles(_tiles(operator)),
        *_figures(view, recording, operator),
        _thresholds(view, recording, operator),
        _reasons(operator),
        *_slices(recording, operator),
        _errors(recording, operator),
        _custom_totals(recording, operator),
        parts.section("Workers", _workers(recording, operator), note=note),
        _custom(recording, operator),
    ]
    return f"{operator.name} of {recording.run_id}", html.Article([part for part in page if part is not None])


def _operator_of(recording: Recording, stage_name: str, name: str) -> OperatorTotals:
    operators = stage_of(recording, stage_name).operators
    names = [operator.name for operator in operators]
    if name not in names:
        raise MetricsError(f"the stage {stage_name} has no operator {name}", hint=did_you_mean(name, names))
    return operators[names.index(name)]


def _tiles(operator: OperatorTotals) -> list[Tile]:
    passed = None if operator.pass_share is None else 100 * operator.pass_share
    return [
        Tile("in", count(operator.input), "records"),
        *([Tile("created", count(operator.created), "beside those in")] if operator.created else []),
        Tile("out", count(operator.output), f"{percent(passed)} passed"),
        *([Tile("not matched", count(operator.unmatched), "passed untouched")] if operator.unmatched else []),
        *([Tile("changed", count(operator.changed_records), "of those out")] if operator.changed_records else []),
        Tile("rejected", count(operator.rejected), "with a reason each"),
        Tile("errors", count(operator.errors), "set aside", "warning" if operator.errors else ""),
        *_unit_tiles(operator),
        Tile("busy", seconds(operator.busy), "over all workers"),
        Tile("per record", seconds(operator.cost), "mean"),
    ]


def _unit_tiles(operator: OperatorTotals) -> Iterator[Tile]:
    """Yield bytes of text and tokens, in and out, as far as they were counted."""
    for heading, unit in UNIT_COLUMNS.items():
        if (number := getattr(operator, unit)) is not None:
            yield Tile(heading, unit_text(heading, number), "bytes of text" if heading.startswith("text") else "tokens")


def _figures(view: View, recording: Recording, operator: OperatorTotals) -> list[Component]:
    sections = []
    key = (operator.stage, operator.name)
    series = {found: values for found, values in operator_series(recording).items() if found == key}
    if series:
        figure = timeline.operator_cost_over_time(series, view.theme)
        shown = parts.graph("operator-cost", figure, "Seconds per record over time", recording.run_id)
        sections.append(parts.section("Over time", shown))
    if operator.counts.sum():
        figure = latency.latency_ridges([operator], view.theme)
        shown = parts.graph("operator-latency", figure, "Distribution of seconds per record", recording.run_id)
        sections.append(parts.section("Latency", shown))
    return sections


def _thresholds(view: View, recording: Recording, operator: OperatorTotals) -> Component | None:
    """Return the scores of the operator's rules, each with a threshold that can be moved."""
    shown = shown_thresholds(recording, (operator.stage, operator.name), MOST_RULES)
    if not shown:
        return None
    note = "Scores of all records that a rule judged. Move a threshold to see what another one would do."
    rules = [
        thresholds.rule(number, rule, view.theme, f"{recording.run_id} {operator.label}")
        for number, rule in enumerate(shown)
    ]
    return parts.section("Thresholds", *rules, note=note)


def _reasons(operator: OperatorTotals) -> Component | None:
    if not operator.reasons:
        return None
    rows = [
        (without_paths(reason), count(records), percent(100 * records / max(1, operator.rejected)))
        for reason, records in operator.reasons.items()
    ]
    return parts.section(
        "Rejects by reason", parts.table("Reasons", ("records", "of its rejects"), rows, first="reason")
    )


def _slices(recording: Recording, operator: OperatorTotals) -> Iterator[Component]:
    """Yield a section for each column that the run is sliced by."""
    own = [found for found in recording.slices if (found.stage, found.operator) == (operator.stage, operator.name)]
    for slices in slice_table.slice_tables(own):
        shown = parts.table(
            f"Slices by {slices.by}", slices.columns, slices.rows, first=slices.by, words=slices.columns[-1:]
        )
        yield parts.section(f"Slices by {slices.by}", shown, note=slices.note)


def _errors(recording: Recording, operator: OperatorTotals) -> Component | None:
    if not operator.errors:
        return None
    return parts.section("Errors", parts.error_table(excluded.errors(recording, operator.label)))


def _custom_totals(recording: Recording, operator: OperatorTotals) -> Component | None:
    rows = [row[1:] for row in tables.custom_rows(recording) if row[0] == operator.label]
    if not rows:
        return None
    shown = parts.table("Custom metrics", tables.CUSTOM_COLUMNS[1:], rows, first=tables.CUSTOM_COLUMNS[0])
    return parts.section("Custom metrics", shown)


def _here(operator: OperatorTotals) -> pc.Expression:
    return (pc.field("stage_name") == operator.stage) & (pc.field("operator_name") == operator.name)


def _rows(recording: Recording, operator: OperatorTotals) -> list[Mapping[str, Any]]:
    """Return all workers by name; of more than `MOST_ROWS` the slowest, the slowest first."""
    rows: list[Mapping[str, Any]] = recording.operators.filter(_here(operator)).sort_by("throughput").to_pylist()
    slowest = rows[: parts.MOST_ROWS]
    return slowest if len(rows) > parts.MOST_ROWS else sorted(rows, key=lambda row: parts.natural(row["worker_id"]))


def _workers(recording: Recording, operator: OperatorTotals) -> Component:
    rows = [
        (
            row["worker_id"],
            *(count(row[name]) for name in ("input_records", "output_records", "rejected_records", "error_count")),
            percent(row["pass_rate"]),
            seconds(row["total_time"]),
            rate(row["throughput"]),
            *(seconds(row[name]) for name in ("p50_latency", "p95_latency", "p99_latency")),
        )
        for row in _rows(recording, operator)
    ]
    return parts.table("Workers", WORKER_COLUMNS, rows, first="worker")


def _custom(recording: Recording, operator: OperatorTotals) -> Component | None:
    """Return the custom metrics of each worker."""
    rows = [
        (row["worker_id"], name, number(value) if isinstance(value, int | float) else str(value))
        for row in _rows(recording, operator)
        for name, value in sorted(json.loads(row["custom_metrics"] or "{}").items())
    ]
    if not rows:
        return None
    shown = parts.table("Custom metrics by worker", ("metric", "value"), rows, first="worker", words=("metric",))
    return parts.section("Custom metrics by worker", shown)
