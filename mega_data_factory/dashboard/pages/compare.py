"""Comparison of two or more runs; the first is the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from dash import dcc, html
from dash.development.base_component import Component

from mega_data_factory.analytics.comparison import Comparison, compare
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.dashboard import parts
from mega_data_factory.dashboard.context import View
from mega_data_factory.dashboard.private_paths import without_paths
from mega_data_factory.reports import comparison as comparison_words
from mega_data_factory.reports.comparison import ComparedTable
from mega_data_factory.reports.run_figures import RUN_FIGURES, run_cells
from mega_data_factory.visualization.charts.runs import cost_comparison

MOST_RUNS = 8
OFFERED_RUNS = 1000

RUN_COLUMNS = ("pipeline", "status", *RUN_FIGURES, "role")


def stamp(view: View) -> Any:
    """Return a value that changes when one of the runs does."""
    return [view.store.stamp(run_id) for run_id in _chosen(view)]


def show(view: View) -> tuple[str, Component]:
    """Return the page of a comparison.

    Raises:
        MdfError: One of the runs cannot be read.
    """
    chosen = _chosen(view)
    page: list[Component] = [parts.heading("Compare", trail=[("Runs", "/")]), _controls(view, chosen)]
    recordings = [view.store.recording(run_id) for run_id in chosen]
    if recordings:
        page.append(_overview(recordings, chosen))
    if len(recordings) < 2:
        page.append(html.P("Choose two runs or more. The first is the baseline of the comparison.", className="calm"))
    for number, recording in enumerate(recordings[1:]):
        page.append(_against(view, compare(recordings[0], recording), number))
    return "Compare", html.Article(page)


def _chosen(view: View) -> Sequence[str]:
    return list(dict.fromkeys(view.query.get("run", [])))[:MOST_RUNS]


def _controls(view: View, chosen: Sequence[str]) -> Component:
    listed = view.store.runs(patience=0.5).table
    newest = listed.column("run_id").to_pylist()[::-1][:OFFERED_RUNS] if listed.num_rows else []
    options = list(dict.fromkeys([*chosen, *newest]))
    picker = dcc.Dropdown(id="compare-runs", options=options, value=list(chosen), multi=True, placeholder="choose runs")
    control = html.Div([html.Label("Runs", htmlFor="compare-runs"), picker], className="control wide")
    return html.Div(control, className="controls")


def _overview(recordings: Sequence[Recording], chosen: Sequence[str]) -> Component:
    rows = []
    for recording in recordings:
        run = recording.run
        rows.append(
            (
                parts.link(recording.run_id, parts.run_path(recording.run_id)),
                run.get("pipeline") or "-",
                parts.badge(run.get("status")),
                *run_cells(run),
                _role(recording.run_id, chosen),
            )
        )
    shown = parts.table("The compared runs", RUN_COLUMNS, rows, first="run", words=(*RUN_COLUMNS[:3], "role"))
    return parts.section("Runs", shown)


def _role(run_id: str, chosen: Sequence[str]) -> Component | str:
    """Return whether a run is the baseline, or a link that makes it the baseline."""
    if run_id == chosen[0]:
        return "baseline"
    order = [run_id, *(other for other in chosen if other != run_id)]
    return parts.link("make baseline", f"/compare?{urlencode([('run', run) for run in order])}")


def _against(view: View, found: Comparison, number: int) -> Component:
    after = found.after.run_id
    chart = parts.graph(
        f"compare-{number}",
        cost_comparison(found, view.theme),
        f"Cost of every operator, {after} against the baseline",
        after,
    )
    rows = comparison_words.difference_rows(found)
    words = [html.P(without_paths(text)) for text in comparison_words.comparison_sentences(found)]
    shown = parts.stage_table("Differences by operator", comparison_words.DIFFERENCE_COLUMNS, rows, [None] * len(rows))
    more = [_table(table) for table in comparison_words.comparison_tables(found)]
    made_of, others = more[:1], more[1:]
    title = f"{after} compared with {found.before.run_id}"
    return parts.section(title, *words, *made_of, chart, shown, *others, _changes(found))


def _table(table: ComparedTable) -> Component:
    rows = [[without_paths(cell) for cell in row] for row in table.rows]
    words = table.columns if table.words else ()
    shown = parts.table(table.title, table.columns, rows, first=table.first, words=words)
    note = html.P(table.note, className="note") if table.note else None
    return html.Div([html.H3(table.title), shown, note])


def _changes(found: Comparison) -> Component | None:
    if not found.changes:
        return None
    rows = [
        (change.key, without_paths(change.before or "-"), without_paths(change.after or "-"))
        for change in found.changes
    ]
    columns = ("baseline", "this run")
    table = parts.table("Changed keys", columns, rows, first="key", words=columns)
    return html.Details([html.Summary("Differences of the configuration"), table])
