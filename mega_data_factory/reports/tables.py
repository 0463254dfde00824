"""Tables of a report: rows of formatted cells in the order of the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mega_data_factory.analytics.costs import Prices, RunCost, cost_of_run
from mega_data_factory.analytics.findings.uncommitted import COLUMN
from mega_data_factory.analytics.runs.custom_metrics import custom_metrics
from mega_data_factory.analytics.runs.flow import Flow, flow_of
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.formats import count, moment, money, number, percent, plural, rate, seconds, size

MOST_REASONS = 60


@dataclass(frozen=True)
class Tile:
    """One number of the summary.

    Attributes:
        label: what it is.
        value: the number with its unit.
        note: what it is to be seen with; empty if there is nothing to say.
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
        *_cost_tile(recording),
        Tile("batches", count(run.get("batches")), f"{count(run.get('retried_batches'))} retried"),
    ]


def _output_tile(recording: Recording) -> list[Tile]:
    """Return the size of the output; of an observed run another engine has written it."""
    run = recording.run
    if recording.is_observed:
        return []
    return [Tile("output", size(run.get("output_bytes")), plural(run.get("output_files") or 0, "file"))]


def own_cost(recording: Recording) -> RunCost | None:
    """Return what a run cost, by the prices of its configuration; None without any, or without samples of its nodes."""
    return cost_of_run(recording, Prices.of_run(recording))


def _cost_tile(recording: Recording) -> list[Tile]:
    """Return what the run cost, where its configuration names prices."""
    cost = own_cost(recording)
    if cost is None:
        return []
    per = cost.per.get("million records kept")
    note = f"{money(per, cost.currency)} a million records kept" if per is not None else ""
    return [Tile("cost", money(cost.money, cost.currency), note)]


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
