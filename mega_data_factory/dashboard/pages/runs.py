"""Page of all runs: search, filters, order, trends, and the choice of runs to compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
from dash import dcc, html
from dash.development.base_component import Component

from mega_data_factory.clock import utc_now
from mega_data_factory.dashboard import parts
from mega_data_factory.dashboard.context import View
from mega_data_factory.dashboard.private_paths import without_paths
from mega_data_factory.dashboard.run_query import COLUMNS, PERIODS, STATUSES, RunQuery
from mega_data_factory.formats import count, plural
from mega_data_factory.reports.run_figures import run_cells
from mega_data_factory.visualization.charts.runs import trends
from mega_data_factory.visualization.theme import Theme

ROWS = 50
"""Runs on one page of the table."""

TREND_RUNS = 600


def stamp(_: View) -> str:
    """Return a constant: the page is rendered once, its table by its own callback."""
    return "runs"


def show(view: View) -> tuple[str, Component]:
    """Return the page without its table."""
    query = RunQuery.from_query(view.query)
    known = view.store.runs(patience=0.5).table
    pipelines = sorted(filter(None, known.column("pipeline").unique().to_pylist())) if known.num_rows else []
    page = [
        parts.heading("Runs"),
        _controls(query, pipelines),
        dcc.Store(id="runs-typed", data=query.text),
        dcc.Store(id="runs-picked", data=[]),
        dcc.Store(id="runs-version"),
        dcc.Store(id="runs-address"),
        html.Div(parts.loading(), id="runs-body", **parts.aria(live="off")),
    ]
    return "Runs", html.Div(page)


def _controls(query: RunQuery, pipelines: Sequence[str]) -> Component:
    return html.Div(
        [
            _labelled(
                "Search",
                dcc.Input(id="runs-text", type="search", value=query.text, placeholder="id, error, host"),
            ),
            _labelled(
                "Pipeline",
                dcc.Dropdown(
                    id="runs-pipeline", options=pipelines, value=query.pipeline or None, placeholder="all pipelines"
                ),
            ),
            _labelled(
                "Started",
                dcc.Dropdown(
                    id="runs-period",
                    options=[{"label": text, "value": key} for key, text in PERIODS.items() if key],
                    value=query.period or None,
                    placeholder=PERIODS[""],
                ),
            ),
            html.Fieldset(
                [
                    html.Legend("Status"),
                    dcc.Checklist(id="runs-status", options=list(STATUSES), value=list(query.status), inline=True),
                ]
            ),
        ],
        className="controls",
        role="search",
    )


def _labelled(text: str, control: Any) -> Component:
    return html.Div([html.Label(text, htmlFor=control.id), control], className="control")


def body(view: View, query: RunQuery, picked: Sequence[str]) -> Component:
    """Return the part of the page below the controls.

    Args:
        view: The input of the page.
        query: Filters and order.
        picked: Runs chosen for a comparison.
    """
    listed = view.store.runs()
    if not listed.ready:
        return parts.notice("Reading the runs …", "Loading for the first time.")
    if listed.error is not None and not listed.table.num_rows:
        return parts.notice("The metrics folder cannot be read", without_paths(listed.error.message))
    if not listed.table.num_rows:
        return _empty()
    found = query.chosen(listed.table, utc_now())
    if not found.num_rows:
        none = f"The filters match none of {plural(listed.table.num_rows, 'run')}."
        return parts.notice("No matching runs", none, *([_unread(listed.unread)] if listed.unread else []))
    last = (found.num_rows - 1) // ROWS + 1
    query = replace(query, page=min(query.page, last))
    shown = found.slice((query.page - 1) * ROWS, ROWS).to_pylist()
    return html.Div(
        [
            _summary(found, listed.table.num_rows),
            _unread(listed.unread) if listed.unread else None,
            _trends(found, view.theme),
            html.Div([_pager(query, found.num_rows, last), _compare_button()], className="bar"),
            _table(shown, query, picked),
        ]
    )


def _empty() -> Component:
    return parts.notice(
        "No runs yet",
        html.Span(["Start one with ", parts.command("mdf run --config FILE"), ": it appears here while it runs."]),
        "This page checks its folder every second.",
    )


def _summary(found: pa.Table, known: int) -> Component:
    numbers = {row["values"]: row["counts"] for row in found.column("status").value_counts().to_pylist()}
    by_status = [f"{count(numbers[status])} {status}" for status in STATUSES if numbers.get(status)]
    which = (
        plural(found.num_rows, "run") if found.num_rows == known else f"{count(found.num_rows)} of {count(known)} runs"
    )
    return html.P(f"{which}: {', '.join(by_status)}", className="note", role="status")


def _unread(number: int) -> Component:
    return html.Span(f"Showing the newest runs; loading {plural(number, 'older run')}.", className="note unread")


def _trends(found: pa.Table, theme: Theme) -> Component | None:
    newest = found.sort_by([("start_time", "descending")]).slice(0, TREND_RUNS)
    if newest.num_rows < 2:
        return None
    figure = trends(newest.to_pylist(), theme)
    return parts.graph("runs-trends", figure, "Throughput and pass rate of the runs over time")


def _pager(query: RunQuery, number: int, last: int) -> Component:
    first = (query.page - 1) * ROWS + 1
    items: list[Component | str] = [f"{count(first)} to {count(min(number, first + ROWS - 1))} of {count(number)}"]
    if query.page > 1:
        items.append(parts.link("newer" if query.sort == "start_time" else "previous", _at(query, page=query.page - 1)))
    if query.page < last:
        items.append(parts.link("older" if query.sort == "start_time" else "next", _at(query, page=query.page + 1)))
    return html.Nav(items, className="pager", **parts.aria(label="Pages of the table"))


def _compare_button() -> Component:
    """Return the button; the browser sets its text and whether it is enabled."""
    return html.Button("Compare", id="runs-compare", disabled=True, type="button")


def _at(query: RunQuery, **changes: Any) -> str:
    return f"/{replace(query, **changes).address()}"


def _table(rows: Sequence[Mapping[str, Any]], query: RunQuery, picked: Sequence[str]) -> Component:
    head: list[Component] = [html.Th(html.Span("compare", className="hidden"), scope="col")]
    head += [_heading(column, text, query) for column, text in COLUMNS.items()]
    body = [_row(row, row["run_id"] in picked) for row in rows]
    shown = html.Table([html.Caption("Runs"), html.Thead(html.Tr(head)), html.Tbody(body)], className="runs")
    return parts.scrolling(shown, "Runs")


def _heading(column: str, text: str, query: RunQuery) -> Component:
    here = query.sort == column
    arrow = ("▲" if query.ascending else "▼") if here else ""
    href = _at(query, sort=column, ascending=not query.ascending if here else False, page=1)
    state = ("ascending" if query.ascending else "descending") if here else "none"
    return html.Th(parts.link(f"{text} {arrow}".strip(), href), scope="col", **parts.aria(sort=state))


def _status(status: str | None, why: str) -> list[Component]:
    """Return the status of a run and, on one line below it, the error that ended it."""
    return [parts.badge(status), *([html.Div(html.Span(why, title=why), className="why")] if why else [])]


def _row(run: Mapping[str, Any], picked: bool) -> Component:
    run_id = run["run_id"]
    pick = dcc.Checklist(
        id={"type": "runs-pick", "run": run_id},
        options=[{"label": html.Span(f"compare {run_id}", className="hidden"), "value": run_id}],
        value=[run_id] if picked else [],
    )
    books = {True: "balance", False: "do not balance", None: "-"}[run["balanced"]]
    cells: list[Any] = [
        *run_cells(run),
        html.Span(books, className="bad" if books == "do not balance" else ""),
    ]
    pipeline = run["pipeline"] or "-"
    why = without_paths(run["error"]) if run["error"] else ""
    name = html.Th(dcc.Link(run_id, href=parts.run_path(run_id), refresh=False), scope="row", title=run_id)
    texts: list[Component] = [html.Td(pipeline, title=pipeline), html.Td(_status(run["status"], why))]
    row = [html.Td(pick), name, *texts, *(html.Td(cell) for cell in cells)]
    return html.Tr(row, className="ended-badly" if why else "")
