"""Answers to requests that fail: a status and a sentence. The reasons are written to the log of the server only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flask
from dash.exceptions import DashException
from werkzeug.exceptions import HTTPException

from mega_data_factory.dashboard.server.access import plain_page
from mega_data_factory.dashboard.server.request_checks import problem_of
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.dashboard")

_CALLBACKS = "/_dash-update-component"


def explain_failures(server: flask.Flask, callbacks: Mapping[str, Mapping[str, Any]]) -> None:
    """Answer failures in words of our own, and refuse requests that no page of the dashboard makes.

    Args:
        server: The Flask server of the dashboard.
        callbacks: The callbacks of the application by output, as `Dash.callback_map` holds them.
    """

    def reject_bad_requests() -> flask.Response | None:
        request = flask.request
        if request.path != _CALLBACKS or request.method != "POST":
            return None
        problem = problem_of(request.get_json(silent=True), callbacks)
        return None if problem is None else _bad_request(problem)

    server.before_request(reject_bad_requests)
    server.register_error_handler(HTTPException, _not_served)
    server.register_error_handler(DashException, lambda error: _bad_request(type(error).__name__))
    server.register_error_handler(Exception, _failed)


def _bad_request(problem: str) -> flask.Response:
    _log.warning("bad request to %s: %s", flask.request.path, problem)
    return plain_page(400, "Bad request", "This dashboard does not make such requests.")


def _not_served(error: HTTPException) -> flask.Response:
    return plain_page(error.code or 500, error.name, "The dashboard starts at /.")


def _failed(_: Exception) -> flask.Response:
    _log.exception("%s %r failed", flask.request.method, flask.request.path)
    return plain_page(500, "Internal error", "The log of the dashboard has the reason.")
