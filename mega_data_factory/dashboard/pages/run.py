"""Page of one run: its report, live."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from dash import html
from dash.development.base_component import Component

from mega_data_factory.analytics.findings import Topic
from mega_data_factory.analytics.runs.flow import flow_of
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.analytics.runs.rejects import rejects_folder
from mega_data_factory.analytics.runs.totals import StageTotals
from mega_data_factory.dashboard import parts
from mega_data_factory.dashboard.context import View
from mega_data_factory.dashboard.private_paths import values_without_paths, without_paths
from mega_data_factory.framework.metrics.schema import SCHEMA_VERSION
from mega_data_factory.reports import output_columns, tables, tracked_stages
from mega_data_factory.reports.comparison import comparison_sentences
from mega_data_factory.reports.document import Document, as_yaml
from mega_data_factory.reports.operator_table import explanations, operator_table

_CHARTS = (
    ("flow", "Where the records went", (("funnel", "Records left after each operator"),)),
    ("sankey", "", (("sankey", "Records through the operators, and why they left"),)),
    ("busy", "How busy the workers were", (("utilisation", "Share of time that workers of each stage were busy"),)),
    (
        "time",
        "Over time",
        (("stages", "Throughput and pass rate of stages"), ("cost", "Seconds per record of operators")),
    ),
    ("latency", "Latency", (("latency", "Distribution of seconds per record"),)),
    ("workers", "Workers", (("workers", "Records per second of every worker"),)),
)


def stamp(view: View, run_id: str, *_: str) -> Any:
    """Return a value that changes when the run does."""
    return view.store.stamp(run_id), view.store.runs().ready


def show(view: View, run_id: str) -> tuple[str, Component]:
    """Return the page of a run.

    Raises:
        MdfError: There is no such run.
    """
    recording = view.store.recording(run_id)
    document = view.store.document(run_id)
    sections = [_head(recording), *_words(document), *_figures(view, document), *_tables(recording, document)]
    return recording.run_id, html.Article([*sections, _settings(recording)])


def _head(recording: Recording) -> Component:
    run = recording.run
    run_id = recording.run_id
    ways = html.Nav(
        [
            parts.link("Nodes", parts.run_path(run_id, "nodes")),
            *(
                [parts.link("Rejected records", parts.run_path(run_id, "rejects"))]
                if rejects_folder(run) is not None
                else []
            ),
            parts.link("Compare", f"/compare?{urlencode([('run', run_id)])}"),
        ],
        className="ways",
        **parts.aria(label="More of this run"),
    )
    live = [parts.ago(run["heartbeat"])] if run.get("status") == "running" and run.get("heartbeat") else []
    title = run.get("pipeline") or run_id
    return parts.heading(title, parts.badge(run.get("status")), *live, html.Code(run_id), ways, trail=[("Runs", "/")])


def _words(document: Document) -> Iterator[Component]:
    recording = document.recording
    error = recording.run.get("error")
    if error:
        yield html.Pre(without_paths(error), className="error")
    yield parts.tiles(tables.tiles(recording))
    topics = document.topics if document.comparison else document.topics - {"comparison"}  # trends are not on the page
    yield parts.section("What stands out", parts.findings(document.findings, topics))


def _figures(view: View, document: Document) -> Iterator[Component]:
    for name, title, charts in _CHARTS:
        drawn = [_figure(view, document, chart, label) for chart, label in charts if chart in document.charts]
        if drawn:
            topic: Topic | None = "workers" if name == "workers" else None
            yield parts.section(title, *drawn, topic=topic) if title else html.Section(drawn, className=name)
    if "nodes" in document.charts:
        address = parts.run_path(document.recording.run_id, "nodes")
        more = html.P(parts.link("All metrics of the nodes", address))
        yield parts.section(
            "Nodes",
            _figure(view, document, "nodes", "CPU of the nodes, and busy workers of the operators"),
            more,
            topic="nodes",
        )


def _figure(view: View, document: Document, chart: str, label: str) -> Component:
    return parts.graph(f"run-{chart}", document.charts[chart](view.theme), label, document.recording.run_id)


def _tables(recording: Recording, document: Document) -> Iterator[Component]:
    columns, rows = operator_table(recording.stages, tables.own_cost(recording))
    if rows:
        links = [address for stage in recording.stages for address in _addresses(recording.run_id, stage)]
        note = " ".join(["Select a name to see its workers.", *(f"{text}." for text in explanations(columns))])
        shown = parts.stage_table("Stages and operators", columns, rows, links)
        yield parts.section("Stages and operators", shown, note=note)
    if tracked := tracked_stages.tracked_rows(recording.tracked_stages):
        shown = parts.table(tracked_stages.TITLE, tracked_stages.COLUMNS, tracked, first="stage")
        yield parts.section(tracked_stages.TITLE, shown, note=tracked_stages.NOTE)
    reasons = tables.reason_rows(flow_of(recording))
    if reasons:
        headings = ("reason", "records", "of all that left")
        cells = ((operator, without_paths(reason), *rest) for operator, reason, *rest in reasons)
        shown = parts.table("Reasons", headings, cells, first="operator", words=("reason",))
        yield parts.section("Rejects and errors by reason", shown)
    custom = tables.custom_rows(recording)
    if custom:
        headings = tables.CUSTOM_COLUMNS
        shown = parts.table("Custom metrics", headings, custom, first="operator", words=headings[:1])
        yield parts.section("Custom metrics", shown)
    if written := document.output_rows:
        texts = (output_columns.COLUMNS[0], output_columns.COLUMNS[-1])
        shown = parts.table(output_columns.TITLE, output_columns.COLUMNS, written, first="column", words=texts)
        yield parts.section(output_columns.TITLE, shown, note=output_columns.NOTE)
    if document.errors is not None:
        yield parts.section("Errors", parts.error_table(document.errors), topic="errors")
    if document.comparison is not None:
        words = [html.P(text) for text in comparison_sentences(document.comparison)]
        before = document.comparison.before.run_id
        more = html.P(
            parts.link("Full comparison", f"/compare?{urlencode([('run', before), ('run', recording.run_id)])}")
        )
        yield parts.section("Compared with the previous run", *words, more, topic="comparison")


def _addresses(run_id: str, stage: StageTotals) -> list[str]:
    """Return the addresses of a stage and its operators, in the order of the table."""
    of_stage = parts.run_path(run_id, "stage", stage.name)
    names = [operator.name for operator in stage.operators]
    return [of_stage, *(parts.run_path(run_id, "stage", stage.name, "operator", name) for name in names)]


def _settings(recording: Recording) -> Component:
    facts = tables.environment(recording, SCHEMA_VERSION)
    listed = html.Dl([part for name, value in facts for part in (html.Dt(name), html.Dd(value))], className="facts")
    children: list[Component] = [listed]
    if recording.config:
        text = as_yaml(values_without_paths(recording.config))
        children.append(html.Details([html.Summary("Configuration"), html.Pre(text, className="config")]))
    report = parts.command(f"mdf report {recording.run_id} -o report.html")
    children.append(html.P(["As one HTML file that opens offline: ", report]))
    return parts.section("Configuration and environment", *children)
