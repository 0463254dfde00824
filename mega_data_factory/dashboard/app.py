"""The Dash application: one frame around the page of the address, rendered again when the store has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlencode

from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from mega_data_factory.dashboard import parts
from mega_data_factory.dashboard.context import View, theme_of
from mega_data_factory.dashboard.pages import nodes, page_at, runs, stamp_of
from mega_data_factory.dashboard.private_paths import without_paths
from mega_data_factory.dashboard.run_query import RunQuery
from mega_data_factory.dashboard.server.access import Guard
from mega_data_factory.dashboard.server.failures import explain_failures
from mega_data_factory.dashboard.store import REFRESH_SECONDS, RunStore
from mega_data_factory.dashboard.thresholds import move_thresholds
from mega_data_factory.errors import MdfError
from mega_data_factory.redaction.loggers import logger
from mega_data_factory.storage import Location
from mega_data_factory.visualization.theme import DARK, LIGHT

_log = logger("mega_data_factory.dashboard")

_TICK = 2000
"""Milliseconds between two checks of an open page for changes."""

_INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<title>{%title%}</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath
 d='M1 2h14L10 8v6l-4-2V8z' fill='%230e48dd'/%3E%3C/svg%3E">
<style>LOOKS</style>
{%css%}
</head>
<body>
{%app_entry%}
<footer>{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>
"""


def create_app(
    path: Location, *, token: str | None = None, hosts: Sequence[str] = (), refresh: float = REFRESH_SECONDS
) -> Dash:
    """Return the application for a metrics folder. `app.server` is its Flask server, with the `RunStore` in its config.

    Args:
        path: The metrics folder, local or an fsspec URI; it need not exist yet.
        token: The token to ask browsers for; None on loopback.
        hosts: Host names of the server besides loopback; empty for any if there is a token.
        refresh: Seconds between two reads of the folder.
    """
    store = RunStore(path, refresh=refresh).start()
    app = Dash(
        __name__,
        title="Mega Data Factory",
        update_title="",
        suppress_callback_exceptions=True,
        index_string=_INDEX.replace("LOOKS", _looks()),
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
        add_log_handler=False,
    )
    app.server.config["store"] = store
    app.layout = _frame()
    _show_pages(app, store)
    _show_runs(app, store)
    _compare_runs(app, store)
    _look_at_nodes(app)
    move_thresholds(app)
    Guard(token, hosts, app.csp_hashes()).protect(app.server)  # before any other check of a request
    explain_failures(app.server, app.callback_map)
    return app


def _looks() -> str:
    """Return the colours of both looks as CSS; paper is always light."""
    dark = DARK.css()
    chosen = dark.replace(":root", ':root[data-theme="dark"]', 1)
    preferred = dark.replace(":root", ":root:not([data-theme])", 1)  # before the script has run
    return "\n".join(
        (
            LIGHT.css(),
            f"@media screen {{ {chosen} }}",
            f"@media screen and (prefers-color-scheme: dark) {{ {preferred} }}",
        )
    )


def _frame() -> Component:
    return html.Div(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Interval(id="clock", interval=_TICK),
            dcc.Store(id="tick"),
            dcc.Store(id="look"),
            dcc.Store(id="shown"),
            dcc.Store(id="title"),
            html.A("Skip to the content", href="#content", className="skip"),
            html.Header(
                [
                    dcc.Link("Mega Data Factory", href="/", className="brand"),
                    html.Nav(
                        [dcc.Link("Runs", href="/"), dcc.Link("Compare", href="/compare")], **parts.aria(label="Pages")
                    ),
                    html.Button("Light or dark", id="look-button", type="button", className="look"),
                ]
            ),
            html.Main(parts.loading(), id="content", tabIndex=-1),
        ],
        id="frame",
    )


def _view(store: RunStore, search: str | None, look: str | None) -> View:
    query: Mapping[str, list[str]] = parse_qs((search or "").removeprefix("?"))
    return View(store, theme_of(look), query)


def _show_pages(app: Dash, store: RunStore) -> None:
    @app.callback(
        Output("content", "children"),
        Output("title", "data"),
        Output("shown", "data"),
        Input("url", "pathname"),
        Input("url", "search"),
        Input("look", "data"),
        Input("tick", "data"),
        State("shown", "data"),
    )
    def show(path: str, search: str, look: str | None, _: int, shown: Any) -> tuple[Component, str, Any]:
        if look is None:  # the browser has not yet sent whether it is light or dark
            raise PreventUpdate
        view = _view(store, search, look)
        page = page_at(path or "/")
        now = [path, search, look, stamp_of(page, view) if page else ""]
        if now == shown and ctx.triggered_id == "tick":
            raise PreventUpdate
        if page is None:
            return _missing(path), "Not found", now
        title, children = _made(page.show, view, page.parts)
        return children, title, now

    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("mdf", "tick"),
        Output("tick", "data"),
        Input("clock", "n_intervals"),
        prevent_initial_call=True,
    )
    app.clientside_callback(ClientsideFunction("mdf", "look"), Output("look", "data"), Input("look-button", "n_clicks"))  # type: ignore[no-untyped-call]
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("mdf", "title"), Output("frame", "title"), Input("title", "data"), prevent_initial_call=True
    )


def _made(show: Any, view: View, address: Sequence[str]) -> tuple[str, Component]:
    """Return the page, or one with the error that it failed with."""
    try:
        made: tuple[str, Component] = show(view, *address)
    except MdfError as error:
        hint = [without_paths(error.hint)] if error.hint else []
        return "Unavailable", parts.notice(
            "Unavailable", without_paths(error.message), *hint, parts.link("All runs", "/")
        )
    except Exception:  # noqa: BLE001 - the reasons belong into the log, not on the page
        _log.exception("the page %r failed to render", address)
        return "Unavailable", parts.notice(
            "This page failed to render",
            "The log of the dashboard has the reason.",
            parts.link("All runs", "/"),
        )
    return made


def _missing(path: str) -> Component:
    return parts.notice("Page not found", f"There is no page at {path}.", parts.link("All runs", "/"))


def _show_runs(app: Dash, store: RunStore) -> None:
    @app.callback(
        Output("runs-body", "children"),
        Output("runs-address", "data"),
        Output("runs-version", "data"),
        Input("runs-typed", "data"),
        Input("runs-pipeline", "value"),
        Input("runs-period", "value"),
        Input("runs-status", "value"),
        Input("look", "data"),
        Input("tick", "data"),
        State("url", "search"),
        State("runs-picked", "data"),
        State("runs-version", "data"),
    )
    def show(
        text: str | None,
        pipeline: str | None,
        period: str | None,
        status: list[str] | None,
        look: str | None,
        _: int,
        search: str | None,
        picked: list[str] | None,
        version: list[Any] | None,
    ) -> tuple[Component, str, Any]:
        view = _view(store, search, look)
        listed = store.runs()
        asked = RunQuery.from_query(view.query)
        wanted = asked.with_filters(text or "", pipeline or "", tuple(status or ()), period or "")
        # What is shown counts, not what changed: a tick may follow other changes that were not answered.
        now = [listed.version, listed.ready, listed.error is None, look, wanted.address()]
        if ctx.triggered_id == "tick" and now == version:
            raise PreventUpdate
        return runs.body(view, wanted, picked or []), wanted.address(), now

    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("mdf", "typed"),
        Output("runs-typed", "data"),
        Input("runs-text", "value"),
        prevent_initial_call=True,
    )
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("mdf", "address"),
        Output("runs-body", "title"),
        Input("runs-address", "data"),
        prevent_initial_call=True,
    )


def _compare_runs(app: Dash, store: RunStore) -> None:
    """Register the callbacks that lead to a comparison."""

    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("mdf", "pick"),
        Output("runs-picked", "data"),
        Output("runs-compare", "children"),
        Output("runs-compare", "disabled"),
        Input({"type": "runs-pick", "run": ALL}, "value"),
        State({"type": "runs-pick", "run": ALL}, "id"),
        State("runs-picked", "data"),
    )

    @app.callback(
        Output("url", "href"),
        Input("runs-compare", "n_clicks"),
        State("runs-picked", "data"),
        prevent_initial_call=True,
    )
    def go(clicks: int | None, picked: list[str]) -> str:
        if not clicks:
            raise PreventUpdate
        return f"/compare?{urlencode([('run', run) for run in store.by_age(picked)])}"

    @app.callback(
        Output("url", "search"), Input("compare-runs", "value"), State("url", "search"), prevent_initial_call=True
    )
    def compare(chosen: list[str] | None, search: str | None) -> str:
        chosen = chosen or []
        if {*chosen} == {*parse_qs((search or "").removeprefix("?")).get("run", [])}:
            raise PreventUpdate
        wanted = urlencode([("run", run) for run in store.by_age(chosen)])
        return f"?{wanted}" if wanted else ""


def _look_at_nodes(app: Dash) -> None:
    """Register the callback that puts the nodes and metrics to show into the address."""

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input("nodes-nodes", "value"),
        Input("nodes-metrics", "value"),
        Input("nodes-period", "value"),
        State("nodes-view", "data"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def look_at(names: list[str], metrics: list[str], period: str | None, view: str, search: str | None) -> str:
        now = nodes.search_of(view, names, metrics, period)
        if parse_qs(now[1:]) == {"view": [view], **parse_qs((search or "").removeprefix("?"))}:
            raise PreventUpdate
        return now
