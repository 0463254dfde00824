"""What is answered where something fails: a status and a sentence; the reasons go to the log of the server alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import flask
from dash.exceptions import DashException
from werkzeug.exceptions import HTTPException

from mega_data_factory.dashboard.access import plain_page

_log = logging.getLogger("mega_data_factory.dashboard")

_CALLBACKS = "/_dash-update-component"


def explain_failures(server: flask.Flask) -> None:
    """Answer failures in words of our own, and refuse questions that no page of ours asks."""
    server.before_request(_refuse_nonsense)
    server.register_error_handler(HTTPException, _not_served)
    server.register_error_handler(DashException, _not_asked)
    server.register_error_handler(Exception, _failed)


def _refuse_nonsense() -> flask.Response | None:
    """Dash takes what it is sent at its word, and fails somewhere inside where that is not a question."""
    request = flask.request
    if request.path != _CALLBACKS or request.method != "POST" or _is_question(request.get_json(silent=True)):
        return None
    return _not_asked()


def _is_question(sent: Any) -> bool:
    if not isinstance(sent, Mapping) or not isinstance(sent.get("output"), str):
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
