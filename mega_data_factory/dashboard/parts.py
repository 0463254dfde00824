"""The parts that pages are made of. All text is text: Dash puts it into the page as such, never as HTML."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

from mega_data_factory.analytics.findings import Finding
from mega_data_factory.dashboard.words import without_paths
from mega_data_factory.reports.tables import Row, Tile
from mega_data_factory.visualization.formats import plural

MOST_ROWS = 50
"""Rows of a table of workers."""

_GRAPH: Any = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
}

_SEVERITY = {"critical": "bad", "warning": "warning", "advice": "advice", "good": "good"}

_TONES = {"completed": "good", "running": "active", "failed": "bad", "aborted": "bad", "interrupted": "warning"}


def run_path(run_id: str, *rest: str) -> str:
    """The address of a run, or of something in it: `/run/ID/stage/NAME`."""
    return "/" + "/".join(quoted(part) for part in ("run", run_id, *rest))


def quoted(part: str) -> str:
    """A part of an address, whatever letters it has."""
    return quote(part, safe="")


def aria(**attributes: str) -> dict[str, Any]:
    """Attributes for who cannot see the page: `aria(label="Runs")`."""
    return {f"aria-{name}": value for name, value in attributes.items()}


def link(text: str, href: str) -> Component:
    """A link to another view."""
    return dcc.Link(text, href=href, refresh=False)


def heading(title: str, *beside: Component | str, trail: Iterable[tuple[str, str]] = ()) -> Component:
    """The head of a page.

    Args:
        title: of the page.
        beside: what stands behind it.
        trail: text and address of the pages above it.
    """
    above = [link(text, href) for text, href in trail]
    parts = [html.Nav(above, className="trail", **aria(label="Above"))] if above else []
    return html.Div([*parts, html.Div([html.H1(title), *beside], className="title")], className="head")


def badge(status: str | None) -> Component:
    """The status of a run."""
    text = status or "unknown"
    return html.Span(text, className=f"badge {_TONES.get(text, '')}".strip())


def ago(heartbeat: datetime) -> Component:
    """How long ago a run was last heard of; the browser counts on."""
    stamp = f"{heartbeat.isoformat()}Z"
    return html.Time(f"last heard of at {heartbeat:%H:%M:%S} UTC", dateTime=stamp, className="ago note")


def tiles(shown: Iterable[Tile]) -> Component:
    """The numbers that come first."""
    return html.Dl(
        [
            html.Div(
                [html.Dt(tile.label), html.Dd(tile.value), html.Dd(tile.note, className="note")],
                className=f"tile {tile.tone}".strip(),
            )
            for tile in shown
        ],
        className="tiles",
    )


def findings(found: Sequence[Finding]) -> Component:
    """What there is to say of a run, the most pressing first; what was checked and is well comes folded up."""
    pressing = [finding for finding in found if finding.severity != "good"]
    well = [finding for finding in found if finding.severity == "good"]
    parts: list[Component] = [html.Ol([_finding(finding) for finding in pressing], className="findings")]
    if not pressing:
        parts = [html.P("Nothing that would need you.", className="calm")]
    if well:
        parts.append(
            html.Details(
                [
                    html.Summary(f"{len(well)} checked, and well"),
                    html.Ul([html.Li(without_paths(finding.title)) for finding in well]),
                ]
            )
        )
    return html.Div(parts)


def _finding(finding: Finding) -> Component:
    parts: list[Component] = [html.H3(without_paths(finding.title))]
    if finding.detail:
        parts.append(html.P(_sentence(finding.detail)))
    if finding.suggestion:
        parts.append(html.P(_sentence(finding.suggestion), className="suggestion"))
    return html.Li(parts, className=f"finding {_SEVERITY[finding.severity]}")


def _sentence(text: str) -> list[Component | str]:
    """A text in which what stands between backticks is a name of the configuration."""
    pieces = without_paths(text).split("`")
    if len(pieces) % 2 == 0:  # one that has no partner belongs to the text
        return ["`".join(pieces)]
    return [html.Code(piece) if at % 2 else piece for at, piece in enumerate(pieces)]


def cut(number: int, noun: str, which: str) -> str:
    """What a table that is cut to `MOST_ROWS` says of itself; nothing where it is whole."""
    return "" if number <= MOST_ROWS else f"The {MOST_ROWS} {which} of {plural(number, noun)}."


def natural(name: str) -> list[tuple[int, str]]:
    """The order of names as people have it: `w-2` before `w-10`."""
    return [(int(digits or -1), text) for digits, text in re.findall(r"(\d+)|(\D+)", name)]


def section(title: str, *children: Component | str | None, note: str = "") -> Component:
    """A part of a page under a heading of its own."""
    head: list[Component] = [html.H2(title)]
    if note:
        head.append(html.P(note, className="note"))
    return html.Section([*head, *(child for child in children if child is not None)])


def graph(name: str, figure: go.Figure, label: str, revision: str = "") -> Component:
    """A chart.

    Args:
        name: its id.
        figure: the chart.
        label: what it shows, for who cannot see it.
        revision: the reader's zoom stays as long as this does.
    """
    figure.update_layout(uirevision=revision or name)
    height = f"{figure.layout.height or 420}px"
    plot = dcc.Graph(id=name, figure=figure, config=_GRAPH, style={"height": height})
    return html.Figure(plot, className="chart", style={"minHeight": height}, **aria(label=label))


def table(
    caption: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    first: str = "",
    words: Collection[str] = (),
) -> Component:
    """A table; the first cell of a row is its heading, the others are numbers and short texts.

    Args:
        caption: what it holds, for who cannot see it.
        headings: of all columns but the first.
        rows: cells; a cell is a text or a component.
        first: heading of the first column.
        words: headings of the columns that hold texts, which begin at the left.
    """
    kinds = ["words" if text in words else "" for text in headings]
    columns = [html.Th(text, scope="col", className=kind) for text, kind in zip(headings, kinds, strict=True)]
    head = html.Tr([html.Th(first, scope="col"), *columns])
    body = [
        html.Tr(
            [
                html.Th(row[0], scope="row"),
                *(html.Td(cell, className=kind) for cell, kind in zip(row[1:], kinds, strict=True)),
            ]
        )
        for row in (list(r) for r in rows)
    ]
    narrow = "narrow" if len(headings) < 4 else ""
    return scrolling(html.Table([html.Caption(caption), html.Thead(head), html.Tbody(body)], className=narrow), caption)


def stage_table(caption: str, headings: Sequence[str], rows: Iterable[Row], links: Iterable[str | None]) -> Component:
    """A table of stages and operators, as reports have it, whose names lead to their pages."""
    head = html.Tr([html.Th(text, scope="col") for text in ("stage / operator", *headings)])
    body = [
        html.Tr(
            [
                html.Th(link(row.name, href) if href else row.name, scope="row"),
                *(html.Td(without_paths(cell)) for cell in row.cells),
            ],
            className="stage" if row.stage else "operator",
        )
        for row, href in zip(rows, links, strict=True)
    ]
    kind = "reasons" if headings[-1] == "top reason" else ""
    shown = html.Table([html.Caption(caption), html.Thead(head), html.Tbody(body)], className=kind)
    return scrolling(shown, caption)


def scrolling(child: Component, label: str) -> Component:
    """What may be wider than the screen, reachable by keyboard."""
    return html.Div(child, className="scroll", tabIndex=0, role="region", **aria(label=label))


def notice(title: str, *children: Component | str) -> Component:
    """A page that says why there is nothing to see, and what would help."""
    return html.Div([html.H1(title), *(html.P(child) for child in children)], className="notice")


def command(text: str) -> Component:
    """A command to type."""
    return html.Code(text, className="command")
