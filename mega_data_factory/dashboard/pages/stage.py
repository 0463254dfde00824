"""Page of one stage of a run: operators, latency and workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.series import operator_series, stage_series
from mega_data_factory.analytics.runs.totals import StageTotals, WorkerTotals
from mega_data_factory.dashboard import parts
from mega_data_factory.dashboard.context import View
from mega_data_factory.errors import MetricsError, did_you_mean
from mega_data_factory.formats import count, percent, rate, seconds
from mega_data_factory.reports import tables
from mega_data_factory.reports.operator_table import operator_table
from mega_data_factory.visualization.charts import latency, timeline, workers

WORKER_COLUMNS = ("records", "batches", "busy", "records / s busy", "of the median")


def show(view: View, run_id: str, name: str) -> tuple[str, Component]:
    """Return the page of a stage.

    Raises:
        MdfError: There is no such run or stage.
    """
    recording = view.store.recording(run_id)
    stage = stage_of(recording, name)
    trail = [("Runs", "/"), (recording.run_id, parts.run_path(recording.run_id))]
    page = [
        parts.heading(stage.name, stage.workers_text, trail=trail),
        _operators(recording, stage),
        *_figures(view, recording, stage),
        parts.section("Workers", _workers(stage), note=parts.cut(len(stage.workers), "worker", "slowest")),
    ]
    return f"{stage.name} of {recording.run_id}", html.Article(page)


def stage_of(recording: Recording, name: str) -> StageTotals:
    """Return a stage by its name.

    Raises:
        MetricsError: The run has no such stage.
    """
    names = [stage.name for stage in recording.stages]
    if name not in names:
        raise MetricsError(f"the run {recording.run_id} has no stage {name}", hint=did_you_mean(name, names))
    return recording.stages[names.index(name)]


def _operators(recording: Recording, stage: StageTotals) -> Component:
    columns, rows = operator_table([stage], tables.own_cost(recording))
    way = parts.run_path(recording.run_id, "stage", stage.name)
    links = [None, *(f"{way}/operator/{parts.quoted(operator.name)}" for operator in stage.operators)]
    return parts.section("Operators", parts.stage_table("Operators", columns, rows, links))


def _figures(view: View, recording: Recording, stage: StageTotals) -> list[Component]:
    found = []
    own: dict[Any, Any] = {name: series for name, series in stage_series(recording).items() if name == stage.name}
    if own:
        figure = timeline.stages_over_time(own, view.theme)
        found.append(parts.graph("stage-time", figure, "Throughput and pass rate over time", recording.run_id))
    each = {key: series for key, series in operator_series(recording).items() if key[0] == stage.name}
    if each:
        figure = timeline.operator_cost_over_time(each, view.theme)
        found.append(parts.graph("stage-cost", figure, "Seconds per record over time", recording.run_id))
    sections = [parts.section("Over time", *found)] if found else []
    if any(operator.counts.sum() for operator in stage.operators):
        figure = latency.latency_ridges(stage.operators, view.theme)
        shown = parts.graph("stage-latency", figure, "Distribution of seconds per record", recording.run_id)
        sections.append(parts.section("Latency", shown))
    if sum(worker.rate is not None for worker in stage.workers) > 1:
        figure = workers.worker_spread([stage], view.theme)
        shown = parts.graph("stage-workers", figure, "Records per second of every worker", recording.run_id)
        sections.append(parts.section("Speed of the workers", shown))
    return sections


def _slowest(stage: StageTotals) -> Sequence[WorkerTotals]:
    """Return all workers by name; of more than `MOST_ROWS` the slowest, the slowest first."""
    if len(stage.workers) <= parts.MOST_ROWS:
        return sorted(stage.workers, key=lambda worker: parts.natural(worker.worker))
    pace = [(float("inf") if worker.rate is None else worker.rate, at) for at, worker in enumerate(stage.workers)]
    return [stage.workers[at] for _, at in sorted(pace)[: parts.MOST_ROWS]]


def _workers(stage: StageTotals) -> Component:
    rates = sorted(worker.rate for worker in stage.workers if worker.rate is not None)
    usual = rates[len(rates) // 2] if rates else None
    rows = [
        (
            worker.worker,
            count(worker.records),
            count(worker.batches),
            seconds(worker.busy),
            rate(worker.rate),
            percent(100 * worker.rate / usual) if usual and worker.rate is not None else "-",
        )
        for worker in _slowest(stage)
    ]
    return parts.table("Workers", WORKER_COLUMNS, rows, first="worker")
