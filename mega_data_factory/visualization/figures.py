"""A figure as a file; its suffix says which kind."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

import plotly.graph_objects as go

from mega_data_factory import extras, storage
from mega_data_factory.errors import VisualizationError, did_you_mean
from mega_data_factory.visualization.charts.cluster.lines import Curve
from mega_data_factory.visualization.page import figure_page
from mega_data_factory.visualization.page.figure_page import MAX_BYTES
from mega_data_factory.visualization.theme import LIGHT, Theme

IMAGES = (".png", ".svg", ".pdf")
SUFFIXES = (".html", ".json", *IMAGES)

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def write_figure(
    figure: go.Figure,
    path: storage.Location,
    theme: Theme = LIGHT,
    *,
    curves: Sequence[Curve] = (),
    max_bytes: int = MAX_BYTES,
    width: int = 1200,
) -> None:
    """Write a figure whole or not at all; a folder that is missing is made.

    Args:
        figure: to be written.
        path: local or a URI; `.html`, and a path without a suffix, is a page that needs nothing else, `.json` is what
            Plotly reads, `.png`, `.svg` and `.pdf` are drawn by Chromium.
        theme: the look of the page around it.
        curves: what its traces draw, in more detail, for pages.
        max_bytes: of a page.
        width: of an image, in pixels.

    Raises:
        VisualizationError: the suffix is none of these, or there is no Chromium.
        OutputError: the file cannot be written.
    """
    suffix = written_suffix(path)
    makers: dict[str, Callable[[], bytes]] = {
        ".html": lambda: figure_page(figure, theme, curves=curves, max_bytes=max_bytes).encode(),
        ".json": lambda: str(figure.to_json()).encode(),
    }
    content = makers.get(suffix, lambda: image(figure, suffix[1:], width))()
    with storage.atomic_output(path) as sink:
        sink.write(content)


def written_suffix(path: storage.Location) -> str:
    """Return the suffix of a path of a figure in small letters; of a path without one, `.html`.

    Raises:
        VisualizationError: it is none of `SUFFIXES`.
    """
    return checked_suffix(path, SUFFIXES, ".html")


def checked_suffix(path: storage.Location, known: Sequence[str], default: str | None = None) -> str:
    """Return the suffix of a path in small letters.

    Args:
        path: local or a URI.
        known: suffixes.
        default: what a path without a suffix is written as; a number (`node-10.0.0.7`) is not a suffix.

    Raises:
        VisualizationError: it is none of the known ones.
    """
    suffix = PurePosixPath(str(path).replace("\\", "/")).suffix.lower()
    if default is not None and (not suffix or suffix[1:].isdecimal()):
        return default
    if suffix not in known:
        hint = did_you_mean(suffix, known) if suffix else f"known: {', '.join(known)}"
        raise VisualizationError(f"`{path}` does not say what to write: its suffix is `{suffix}`", hint=hint)
    return suffix


def image(figure: go.Figure, kind: str, width: int, scale: float = 2.0) -> bytes:
    """Return the figure as an image, drawn by a Chromium on this machine, which fetches nothing.

    Args:
        figure: to be drawn.
        kind: `png`, `svg` or `pdf`.
        width: in pixels; the height is that of the figure.
        scale: pixels of the image per pixel of the figure.

    Raises:
        MissingPackageError: kaleido is not installed.
        VisualizationError: there is no Chromium, or it does not start.
    """
    with extras.needed_by(f"a .{kind} file"):
        import kaleido
    figure = _without_controls(figure)
    height = figure.layout.height or 450
    options: dict[str, Any] = {"format": kind, "width": width, "height": height, "scale": scale}
    logging.getLogger("choreographer").setLevel(logging.CRITICAL)  # it logs a message cut in two with a traceback
    try:
        drawn: bytes = kaleido.calc_fig_sync(
            figure.to_dict(), opts=options, kopts={"path": browser(kind), "mathjax": False, "timeout": 60}
        )
    except (RuntimeError, OSError, TimeoutError, ValueError) as error:
        raise VisualizationError(f"Chromium could not draw the .{kind}: {error}") from error
    return drawn


def _without_controls(figure: go.Figure) -> go.Figure:
    """Return a copy without buttons, which do nothing in an image."""
    still = go.Figure(figure)
    still.update_xaxes(rangeselector={"visible": False}, rangeslider={"visible": False})
    still.update_layout(updatemenus=None, sliders=None)
    return still


def browser(kind: str = "png") -> str:
    """Return the Chromium of this machine: `BROWSER_PATH`, or the first of the usual names in `PATH`.

    Raises:
        VisualizationError: there is none.
    """
    given = os.environ.get("BROWSER_PATH")
    found = given or next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if not found or (given and not shutil.which(given)):
        where = f"BROWSER_PATH is {given}, and there is nothing to run" if given else "there is none in PATH"
        hint = "apt-get install chromium, or name one in BROWSER_PATH; .html needs none"
        raise VisualizationError(f"a .{kind} is drawn by Chromium: {where}", hint=hint)
    return found
