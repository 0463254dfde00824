"""Pages of the dashboard: functions from a view of the store to a title and a component."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from dash.development.base_component import Component

from mega_data_factory.dashboard.context import View
from mega_data_factory.dashboard.pages import compare, nodes, operator, rejects, run, runs, stage

Show = Callable[..., tuple[str, Component]]
Stamp = Callable[..., Any]


@dataclass(frozen=True)
class Page:
    """A page at an address.

    Attributes:
        show: Renders it from a view and the parts of the address.
        stamp: Returns a value that changes when the page has to be rendered again.
        parts: Variable parts of the address, such as the run and the stage.
    """

    show: Show
    stamp: Stamp
    parts: Sequence[str] = ()


_ROUTES: tuple[tuple[tuple[str, ...], Show, Stamp], ...] = (
    ((), runs.show, runs.stamp),
    (("compare",), compare.show, compare.stamp),
    (("run", "*"), run.show, run.stamp),
    (("run", "*", "nodes"), nodes.show, run.stamp),
    (("run", "*", "rejects"), rejects.show, run.stamp),
    (("run", "*", "stage", "*"), stage.show, run.stamp),
    (("run", "*", "stage", "*", "operator", "*"), operator.show, run.stamp),
)


def page_at(path: str) -> Page | None:
    """Return the page at an address, or None."""
    parts = [unquote(part) for part in path.strip("/").split("/") if part]
    for pattern, show, stamp in _ROUTES:
        if len(pattern) == len(parts) and all(want in ("*", part) for want, part in zip(pattern, parts, strict=True)):
            found = [part for want, part in zip(pattern, parts, strict=True) if want == "*"]
            return Page(show, stamp, found)
    return None


def stamp_of(page: Page, view: View) -> str:
    """Return the stamp of a page as text, which the browser keeps."""
    return str(page.stamp(view, *page.parts))
