"""Parts of the pages. All text is put into the page by Dash as text, never as HTML."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

from mega_data_factory.analytics.findings import Finding, Topic
from mega_data_factory.dashboard.private_paths import without_paths
from mega_data_factory.formats import count, joints, plural
from mega_data_factory.reports.excluded import Examples
from mega_data_factory.reports.operator_table import TOP_REASON, Row
from mega_data_factory.reports.tables import Tile

MOST_ROWS = 50
"""Most rows of a table of workers."""

_GRAPH: Any = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
}

_SEVERITY = {"critical": "bad", "warning": "warning", "advice": "advice", "good": "good"}

_TONES = {"completed": "good", "running": "active", "failed": "bad", "aborted": "bad", "interrupted": "warning"}


def run_path(run_id: str, *rest: str) -> str:
    """Return the address of a run, or of a part of it: `/run/ID/stage/NAME`."""
    return "/" + "/".join(quoted(part) for part in ("run", run_id, *rest))


def quoted(part: str) -> str:
    """Return a name as one part of an address."""
    return quote(part, safe="")


def aria(**attributes: str) -> dict[str, Any]:
    """Return ARIA attributes for screen readers: `aria(label="Runs")`."""
    return {f"aria-{name}": value for name, value in attributes.items()}


def link(text: str, href: str) -> Component:
    """Return a link to another page."""
    return dcc.Link(breakable(text), href=href, refresh=False)


def breakable(text: str) -> str | list[Component | str]:
    """Return a name that may break after `_`, `-`, `/`, `.` and `:`, so that no line ends inside a word."""
    pieces = joints(text)
    if len(pieces) < 2:
        return text
    parts: list[Component | str] = [part for piece in pieces for part in (html.Wbr(), piece)]
    return parts[1:]


def heading(title: str, *beside: Component | str, trail: Iterable[tuple[str, str]] = ()) -> Component:
    """Return the head of a page.

    Args:
        title: Title of the page.
        beside: Parts after the title, on its line.
        trail: Text and address of each page above this one.
    """
    above = [link(text, href) for text, href in trail]
    parts = [html.Nav(above, className="trail", **aria(label="Above"))] if above else []
    return html.Div([*parts, html.Div([html.H1(breakable(title)), *beside], className="title")], className="head")


def badge(status: str | None) -> Component:
    """Return the status of a run as a badge."""
    text = status or "unknown"
    return html.Span(text, className=f"badge {_TONES.get(text, '')}".strip())


def ago(heartbeat: datetime) -> Component:
    """Return the time since the last heartbeat of a run, which the browser keeps counting."""
    stamp = f"{heartbeat.isoformat()}Z"
    return html.Time(f"last update at {heartbeat:%H:%M:%S} UTC", dateTime=stamp, className="ago note")


def tiles(shown: Iterable[Tile]) -> Component:
    """Return the numbers of the summary."""
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


def findings(found: Sequence[Finding], topics: Collection[Topic]) -> Component:
    """Return the findings of a run, the most severe first; checks that passed are folded up.

    Args:
        found: The findings.
        topics: Topics that have a section on the page, under their own name as its id; findings link to them.
    """
    pressing = [finding for finding in found if finding.severity != "good"]
    well = [finding for finding in found if finding.severity == "good"]
    parts: list[Component] = [html.Ol([_finding(finding, topics) for finding in pressing], className="findings")]
    if not pressing:
        parts = [html.P("Nothing needs your attention.", className="calm")]
    if well:
        parts.append(
            html.Details(
                [
                    html.Summary(f"{plural(len(well), 'check')} passed"),
                    html.Ul([html.Li(without_paths(finding.title)) for finding in well]),
                ]
            )
        )
    return html.Div(parts)


def _finding(finding: Finding, topics: Collection[Topic]) -> Component:
    parts: list[Component] = [html.H3(without_paths(finding.title))]
    if finding.detail:
        parts.append(html.P(_sentence(finding.detail)))
    if finding.suggestion:
        parts.append(html.P(_sentence(finding.suggestion), className="suggestion"))
    if finding.see in topics:
        parts.append(html.P(html.A(f"See {finding.see}", href=f"#{finding.see}"), className="see"))
    return html.Li(parts, className=f"finding {_SEVERITY[finding.severity]}")


def _sentence(text: str) -> list[Component | str]:
    """Return a text with its parts between backticks as code."""
    pieces = without_paths(text).split("`")
    if len(pieces) % 2 == 0:  # an unpaired one belongs to the text
        return ["`".join(pieces)]
    return [html.Code(piece) if at % 2 else piece for at, piece in enumerate(pieces)]


def cut(number: int, noun: str, which: str) -> str:
    """Return the note of a table that was cut to `MOST_ROWS`; empty if it was not."""
    return "" if number <= MOST_ROWS else f"The {MOST_ROWS} {which} of {plural(number, noun)}."


def natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key in natural order: `w-2` before `w-10`."""
    return [(int(digits or -1), text) for digits, text in re.findall(r"(\d+)|(\D+)", name)]


def section(title: str, *children: Component | str | None, note: str = "", topic: Topic | None = None) -> Component:
    """Return a part of a page with its heading.

    Args:
        title: Heading.
        children: Content; None is left out.
        note: A sentence under the heading.
        topic: Topic of findings that it shows; its id on the page, so that findings can link to it.
    """
    head: list[Component] = [html.H2(title)]
    if note:
        head.append(html.P(note, className="note"))
    identity: dict[str, Any] = {} if topic is None else {"id": topic}
    return html.Section([*head, *(child for child in children if child is not None)], **identity)


def graph(name: str | dict[str, Any], figure: go.Figure, label: str, revision: str = "") -> Component:
    """Return a chart.

    Args:
        name: Id of the chart in the page, or the parts of one by which callbacks match.
        figure: The chart.
        label: Description for screen readers.
        revision: The zoom is kept while this stays the same.
    """
    figure.update_layout(uirevision=revision or str(name))
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
    """Return a table; the first cell of a row is its heading, the others are numbers and short texts.

    Args:
        caption: Description for screen readers.
        headings: Headings of all columns but the first.
        rows: Cells; each is a text or a component.
        first: Heading of the first column.
        words: Headings of the columns that hold texts, which are aligned left.
    """
    kinds = ["words" if text in words else "" for text in headings]
    columns = [html.Th(text, scope="col", className=kind) for text, kind in zip(headings, kinds, strict=True)]
    head = html.Tr([html.Th(first, scope="col"), *columns])
    body = [
        html.Tr(
            [
                html.Th(_cell(row[0]), scope="row"),
                *(
                    html.Td(_cell(cell) if kind else cell, className=kind)
                    for cell, kind in zip(row[1:], kinds, strict=True)
                ),
            ]
        )
        for row in (list(r) for r in rows)
    ]
    narrow = "narrow" if len(headings) < 4 else ""
    return scrolling(html.Table([html.Caption(caption), html.Thead(head), html.Tbody(body)], className=narrow), caption)


def _cell(content: Any) -> Any:
    return breakable(content) if isinstance(content, str) else content


def error_table(found: Examples) -> Component:
    """Return examples of records that raised, or the reason why there are none."""
    if not found.found:
        why = found.problem or "no examples were kept"
        return html.P(without_paths(f"{why[0].upper()}{why[1:]}."), className="note")
    columns = ("record", "message", "more like it")
    rows = [
        (example.place, without_paths(example.record_id), without_paths(example.reason), count(example.more))
        for example in found.found
    ]
    return table("Examples of records that raised", columns, rows, first="stage / operator", words=columns[:2])


def stage_table(caption: str, headings: Sequence[str], rows: Iterable[Row], links: Iterable[str | None]) -> Component:
    """Return the table of stages and operators of a report, with links from the names to their pages."""
    head = html.Tr([html.Th(text, scope="col") for text in ("stage / operator", *headings)])
    kind = "reasons" if headings[-1] == TOP_REASON else ""
    body = [
        html.Tr(
            [
                html.Th(link(row.label, href) if href else breakable(row.label), scope="row"),
                *(
                    html.Td(_cell(without_paths(cell)) if at == len(headings) - 1 and kind else cell)
                    for at, cell in enumerate(row.cells)
                ),
            ],
            className="stage" if row.stage else "operator",
        )
        for row, href in zip(rows, links, strict=True)
    ]
    shown = html.Table([html.Caption(caption), html.Thead(head), html.Tbody(body)], className=kind)
    return scrolling(shown, caption)


def scrolling(child: Component, label: str) -> Component:
    """Return a part that scrolls sideways if it is wider than the screen, also by keyboard."""
    return html.Div(child, className="scroll", tabIndex=0, role="region", **aria(label=label))


def notice(title: str, *children: Component | str) -> Component:
    """Return a page that says why there is nothing to see, and what would help."""
    return html.Div([html.H1(title), *(html.P(child) for child in children)], className="notice")


def loading() -> Component:
    """Return the outline of a page, shown until its content arrives."""
    bars = [html.Div(className=f"bar-{size}") for size in ("title", "row", "row", "chart", "row")]
    return html.Div([html.P("Loading …", role="status"), *bars], className="loading")


def command(text: str) -> Component:
    """Return a command of the terminal."""
    return html.Code(text, className="command")
