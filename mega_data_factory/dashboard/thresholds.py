"""Rules on a page of the dashboard: the chart of the scores, and a threshold that can be moved."""

from __future__ import annotations

from dash import MATCH, ClientsideFunction, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from mega_data_factory.dashboard import parts
from mega_data_factory.reports.thresholds import ShownThreshold
from mega_data_factory.visualization.theme import Theme

_GRAPH, _SLIDER, _NUMBERS, _SENTENCE = "threshold-graph", "threshold-slider", "threshold-numbers", "threshold-sentence"


def rule(number: int, shown: ShownThreshold, theme: Theme, revision: str) -> Component:
    """Return the chart of a rule with its slider.

    Args:
        number: Number of the rule on its page.
        shown: The rule.
        theme: The look.
        revision: The zoom of the chart is kept while this stays the same.
    """
    figure = shown.draw(theme)
    label = f"Records by score: {shown.reason}"
    sentence = html.P(
        shown.sentences[shown.today],
        id={"type": _SENTENCE, "rule": number},
        className="note",
        **parts.aria(live="polite"),
    )
    slider = dcc.Input(
        type="range",
        min=0,
        max=len(shown.values) - 1,
        step=1,
        value=shown.today,
        id={"type": _SLIDER, "rule": number},
    )
    return html.Div(
        [
            html.H3(parts.breakable(shown.title.partition(": ")[2] or shown.title)),
            parts.graph({"type": _GRAPH, "rule": number}, figure, label, f"{revision} {shown.name}"),
            html.Label([html.Span("Threshold"), slider]),
            sentence,
            dcc.Store(id={"type": _NUMBERS, "rule": number}, data=shown.as_dict()),
        ],
        className="threshold",
    )


def move_thresholds(app: Dash) -> None:
    """Register the callback that moves the line of a chart, and says what its threshold would do; in the browser."""
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("mdf", "threshold"),
        Output({"type": _GRAPH, "rule": MATCH}, "figure"),
        Output({"type": _SENTENCE, "rule": MATCH}, "children"),
        Input({"type": _SLIDER, "rule": MATCH}, "value"),
        State({"type": _NUMBERS, "rule": MATCH}, "data"),
        State({"type": _GRAPH, "rule": MATCH}, "figure"),
        prevent_initial_call=True,
    )
