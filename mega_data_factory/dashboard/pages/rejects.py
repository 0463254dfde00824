"""Page of the rejected records of a run: counts of every rule, and the records, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from dash import html
from dash.development.base_component import Component

from mega_data_factory.analytics.runs.rejects import other_failed_rules
from mega_data_factory.dashboard import parts
from mega_data_factory.dashboard.context import View
from mega_data_factory.dashboard.private_paths import without_paths
from mega_data_factory.formats import count, percent, size
from mega_data_factory.rejects import RejectFilter
from mega_data_factory.reports.excluded import content_as_text
from mega_data_factory.reports.rejects import rule_place

ROWS = 50
"""Records of a page."""

NEAREST = 10
"""Records of every rule that are shown where those nearest to the thresholds are asked for."""

ALONE = "For it alone: records that fail no other rule of the operator."

_FILTERS = ("stage", "operator", "reason", "slice")
_COLUMNS = ("record", "operator", "reason", "score", "threshold", "also fails", "text")
_WORDS = ("operator", "reason", "also fails")

EVERYTHING = RejectFilter()


@dataclass(frozen=True)
class RejectQuery:
    """Records to show, as the address holds them.

    Attributes:
        only: filter of the records.
        nearest: whether to show those nearest to the thresholds instead of all in the order of the source.
        page: page of the table, from 1.
    """

    only: RejectFilter = EVERYTHING
    nearest: bool = False
    page: int = 1

    @classmethod
    def from_query(cls, query: Mapping[str, list[str]]) -> RejectQuery:
        """Return the choice of an address; values that are not valid are ignored."""
        first = {key: values[0] for key, values in query.items()}
        page = first.get("page", "1")
        stage, operator, reason, of_slice = map(first.get, _FILTERS)
        only = RejectFilter(stage, operator, reason, of_slice)
        number = max(1, int(page)) if page.isdecimal() and len(page) < 9 else 1
        return cls(only, first.get("show") == "nearest", number)

    def address(self, run_id: str) -> str:
        """Return the address of the page."""
        pairs = [(name, value) for name in _FILTERS if (value := getattr(self.only, name)) is not None]
        pairs += [("show", "nearest")] if self.nearest else []
        pairs += [("page", str(self.page))] if self.page > 1 else []
        return parts.run_path(run_id, "rejects") + (f"?{urlencode(pairs)}" if pairs else "")


def show(view: View, run_id: str) -> tuple[str, Component]:
    """Return the page of the rejected records.

    Raises:
        MdfError: There is no such run, it kept none, or they cannot be read.
    """
    recording = view.store.recording(run_id)
    run_id = recording.run_id
    rejected = view.store.rejects(run_id)
    query = RejectQuery.from_query(view.query)
    counts = [row for row in rejected.counts if _matches(row, query.only)]
    total = sum(row["records"] for row in counts)
    last = max(1, -(-total // ROWS))
    query = replace(query, page=min(query.page, last))
    if query.nearest:
        rows = rejected.ledger.nearest(NEAREST, query.only).to_pylist()
    else:
        rows = rejected.ledger.read(query.only, offset=(query.page - 1) * ROWS, limit=ROWS).to_pylist()
    page = [
        parts.heading("Rejected records", trail=[("Runs", "/"), (run_id, parts.run_path(run_id))]),
        parts.section("By reason", _counts(run_id, query, rejected.counts), _chosen(run_id, query), note=ALONE),
        parts.section("Records", _ways(run_id, query, total, last), _records(rows)),
    ]
    return f"Rejected records of {run_id}", html.Article(page)


def _matches(row: Mapping[str, Any], only: RejectFilter) -> bool:
    return all(getattr(only, name) in (None, row[name]) for name in _FILTERS)


def _counts(run_id: str, query: RejectQuery, counts: Sequence[Mapping[str, Any]]) -> Component:
    total = sum(row["records"] for row in counts)
    rows = []
    for row in counts:
        only = RejectFilter(*(row[name] for name in _FILTERS))
        address = RejectQuery(only, query.nearest).address(run_id)
        reason = parts.link(without_paths(row["reason"] or ""), address)
        share, alone = percent(100 * row["records"] / total), count(row["alone"])
        rows.append((rule_place(row), reason, count(row["records"]), share, alone, size(row["bytes"])))
    headings = ("reason", "records", "of all rejects", "for it alone", "text")
    return parts.table("Rejected records by reason", headings, rows, first="operator", words=("reason",))


def _chosen(run_id: str, query: RejectQuery) -> Component | None:
    """Return the filter in words, with a link that removes it."""
    names = [f"{name} {value}" for name in _FILTERS if (value := getattr(query.only, name)) is not None]
    if not names:
        return None
    everything = parts.link("show all", RejectQuery(nearest=query.nearest).address(run_id))
    return html.P([f"Only {', '.join(map(without_paths, names))}: ", everything])


def _ways(run_id: str, query: RejectQuery, total: int, last: int) -> Component:
    """Return the links between pages, and between both orders."""
    if query.nearest:
        other = parts.link("in the order of the source", RejectQuery(query.only).address(run_id))
        return html.Nav(["Nearest to their thresholds, of every rule; ", other], **parts.aria(label="Order"))
    first = (query.page - 1) * ROWS
    shown = [f"{count(first + 1 if total else 0)} to {count(min(first + ROWS, total))} of {count(total)} "]
    steps: list[Component | str] = []
    if query.page > 1:
        steps += [parts.link("previous", replace(query, page=query.page - 1).address(run_id)), " "]
    if query.page < last:
        steps += [parts.link("next", replace(query, page=query.page + 1).address(run_id)), " "]
    near = parts.link("nearest to the thresholds", RejectQuery(query.only, nearest=True).address(run_id))
    return html.Nav([*shown, *steps, near], **parts.aria(label="Pages of records"))


def _records(rows: Sequence[Mapping[str, Any]]) -> Component:
    if not rows:
        return html.P("No rejected record matches.", className="note")
    return parts.table("Rejected records", _COLUMNS[1:], map(_cells, rows), first=_COLUMNS[0], words=_WORDS)


def _cells(row: Mapping[str, Any]) -> Sequence[Any]:
    return (
        _record(row),
        row["operator"],
        without_paths(row["reason"] or ""),
        f"{row['score']:.6g}" if row["score"] is not None else "",
        f"{row['threshold']:.6g}" if row["threshold"] is not None else "",
        without_paths(", ".join(other_failed_rules(row))),
        size(row["bytes"]),
    )


def _record(row: Mapping[str, Any]) -> Component | str:
    """Return the id of a record; where its content is kept, it unfolds."""
    name = without_paths(row["record_id"] or "")
    if row["content"] is None:
        return name
    return html.Details([html.Summary(parts.breakable(name)), html.Pre(content_as_text(row["content"]))])
