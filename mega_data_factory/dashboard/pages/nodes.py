"""The nodes under a run."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from mega_data_factory.dashboard import parts
from mega_data_factory.dashboard.context import View


def show(view: View, run_id: str) -> tuple[str, Component]:
    """The page of the nodes of a run.

    Raises:
        MdfError: there is no such run.
    """
    recording = view.store.recording(run_id)
    trail = [("Runs", "/"), (recording.run_id, parts.run_path(recording.run_id))]
    head = parts.heading("Nodes", trail=trail)
    return f"Nodes of {recording.run_id}", html.Article([head])
