"""What is answered where something fails: a status and a sentence; the reasons go to the log of the server alone."""

from __future__ import annotations

import logging
from collections.abc import Container, Mapping
from typing import Any

import flask
from dash.exceptions import DashException
from werkzeug.exceptions import HTTPException

from mega_data_factory.dashboard.access import plain_page

_log = logging.getLogger("mega_data_factory.dashboard")

_CALLBACKS = "/_dash-update-component"


def explain_failures(server: flask.Flask, callbacks: Container[str]) -> None:
    """Answer failures in words of our own, and refuse questions that no page of ours asks.

    Args:
        server: of the dashboard.
        callbacks: the outputs that can be asked for.
    """

    def refuse_nonsense() -> flask.Response | None:
        """Dash takes what it is sent at its word, and fails somewhere inside where that is not a question."""
        request = flask.request
        asked = request.path == _CALLBACKS and request.method == "POST"
        return _not_asked() if asked and not _is_question(request.get_json(silent=True), callbacks) else None

    server.before_request(refuse_nonsense)
    server.register_error_handler(HTTPException, _not_served)
    server.register_error_handler(DashException, _not_asked)
    server.register_error_handler(Exception, _failed)


def _is_question(sent: Any, callbacks: Container[str]) -> bool:
    if not isinstance(sent, Mapping) or not isinstance(sent.get("output"), str) or sent["output"] not in callbacks:
        return False
    listed = (sent.get("inputs"), sent.get("changedPropIds"), sent.get("state", []), sent.get("outputs", []))
    return all(isinstance(part, list | dict) for part in listed)


def _not_asked(_: Exception | None = None) -> flask.Response:
    return plain_page(400, "That was not understood", "No page of this dashboard asks so.")


def _not_served(error: HTTPException) -> flask.Response:
    return plain_page(error.code or 500, error.name, "The dashboard begins at /.")


def _failed(_: Exception) -> flask.Response:
    _log.exception("%s %s could not be answered", flask.request.method, flask.request.path)
    return plain_page(500, "That failed", "The log of the dashboard says why.")
