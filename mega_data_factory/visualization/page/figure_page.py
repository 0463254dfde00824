"""The page of one figure: its title, controls, what was thinned in words, and more points than are drawn at first."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mega_data_factory.history.drawing import thinned, with_gaps
from mega_data_factory.visualization.charts.cluster.lines import Curve, coordinates
from mega_data_factory.visualization.nodes.metric_names import metric_name
from mega_data_factory.visualization.page.document import html_document, plotly_script
from mega_data_factory.visualization.theme import LIGHT, Theme

MAX_BYTES = 6_000_000
"""Size of a page, plotly.js inside."""

_BYTES_PER_POINT = 8 * 4 / 3  # a float32 and a uint32, in base64
_LEAST = 200  # points of a curve, however many there are
_STEPS = 2**32 - 1
_TOP = 22  # pixels above a figure, for the buttons that show at the pointer
_ROOM = 64_000  # for the figure itself, styles and controls


def figure_page(
    figure: go.Figure, theme: Theme = LIGHT, *, curves: Sequence[Curve] = (), max_bytes: int = MAX_BYTES
) -> str:
    """Return the text of an HTML file that shows the figure.

    Args:
        figure: traces whose `meta` has a `curve` are drawn from that one, in the resolution that the zoom asks for;
            traces whose `meta` has a `node` or a `metric` can be chosen by it.
        theme: the look around the figure.
        curves: what the traces draw, in all the detail that `max_bytes` allows.
        max_bytes: how long the text may get; plotly.js and the figure itself are never left out.
    """
    content = _stripped(json.loads(figure.to_json()))
    room = max_bytes - len(plotly_script()) - len(json.dumps(content)) - _ROOM
    heading = (figure.layout.title.text or "Metrics").split("<br>")[0]
    page = {"figure": content, **_packed(curves, room), **_choices(content["data"]), **_facts(figure)}
    body = f'<h1>{heading}</h1>\n<div id="controls" hidden></div>\n<div id="plot"></div>\n<p id="note"></p>'
    scripts = [plotly_script(), "\n".join(_resource(name) for name in ("curves.js", "controls.js", "main.js"))]
    style = _resource("style.css")
    return html_document(html.unescape(heading), body, theme, style=style, scripts=scripts, data={"page": page})


def _stripped(content: dict[str, Any]) -> dict[str, Any]:
    """Return the figure without what the page has itself: title, buttons, note, and the points of curves."""
    layout = content["layout"]
    for name in ("title", "meta"):
        layout.pop(name, None)
    layout.setdefault("xaxis", {}).pop("rangeselector", None)
    layout["annotations"] = [note for note in layout.get("annotations", []) if note.get("name") != "note"]
    before = layout.get("margin", {})
    layout["height"] = layout.get("height", 450) - (before.get("t", _TOP) - _TOP) - (before.get("b", 44) - 44)
    layout["margin"] = layout.get("margin", {}) | {"t": _TOP, "b": 44}
    for trace in content["data"]:
        if "curve" in trace.get("meta", {}):
            trace.pop("x", None)
            trace.pop("y", None)
    return content


def _packed(curves: Sequence[Curve], room: int) -> dict[str, Any]:
    """Return curves as the page's script takes them; those that tick alike share their times."""
    share = max(_LEAST, int(room / max(len(curves), 1) / _BYTES_PER_POINT))
    clocks: dict[bytes, dict[str, Any]] = {}
    entries = []
    for curve in curves:
        x, y = coordinates(with_gaps(thinned(curve.series, share)))
        clock = _clock(x)
        key = repr(clock).encode()
        clocks.setdefault(key, clock)
        entries.append({"clock": list(clocks).index(key), "y": _text(y), "points": curve.points})
    return {"clocks": list(clocks.values()), "curves": entries}


def _clock(x: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Return milliseconds (n,) as steps from the first: whole microseconds or milliseconds if 32 bits suffice."""
    if not len(x):
        return {"start": 0, "unit": 1, "steps": ""}
    span = float(x[-1] - x[0])
    unit = next((unit for unit in (0.001, 1.0) if span < unit * _STEPS), span / _STEPS)
    return {"start": float(x[0]), "unit": unit, "steps": _text(np.rint((x - x[0]) / unit).astype(np.uint32))}


def _text(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()


def _choices(traces: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the nodes and metrics that can be chosen, and what they are called."""
    metas = [trace.get("meta", {}) for trace in traces]
    nodes = {meta["node"]: meta.get("label", meta["node"]) for meta in metas if "node" in meta}
    metrics = list(dict.fromkeys(meta["metric"] for meta in metas if "metric" in meta))
    return {
        "nodes": list(nodes),
        "labels": list(nodes.values()),
        "metrics": metrics,
        "titles": [metric_name(metric).title for metric in metrics],
    }


def _facts(figure: go.Figure) -> dict[str, Any]:
    """Return the caption of the figure: its rows, its span, its note."""
    meta = figure.layout.meta or {}
    rows, span = meta.get("rows", []), meta.get("span")
    return {"rows": rows, "head": meta.get("head", 0), "span": span, "timed": bool(span), "note": meta.get("note", "")}


@cache
def _resource(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
