"""Everything that one node reported, row by row: numbers, status and attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mega_data_factory.formats import COUNT
from mega_data_factory.history import Series
from mega_data_factory.history.attributes import Changes, Text
from mega_data_factory.visualization.nodes.metric_names import KNOWN, STATUS
from mega_data_factory.visualization.nodes.selection import Selection
from mega_data_factory.visualization.nodes.status_words import shown_word

_MOST = 2.0**63
"""Whole numbers below it fit into 64 bits."""


@dataclass(frozen=True, eq=False)
class NodeTable:
    """Rows of one node in order of time.

    Attributes:
        node: its id.
        times: int64 (n,), microseconds since 1970-01-01 UTC.
        interval: float64 (n,), seconds that a row stands for, 0 for a point; None when all rows are points.
        columns: (n,) each, in the order of the selection: float64 with NaN if nothing was measured; `status` and
            attributes as objects, None if there is nothing. Beside a metric its `_min` and `_max`, if some rows are
            thinned.
    """

    node: str
    times: npt.NDArray[np.int64]
    interval: npt.NDArray[np.float64] | None
    columns: dict[str, npt.NDArray[Any]]


def node_table(selection: Selection, node: str) -> NodeTable:
    """Return all rows of one node that are selected."""
    own = selection.history.metrics(node)
    found = {metric: selection.series(node, metric) for metric in selection.metrics if metric in own}
    rows = [*found.values()] or [selection.series(node, "")]  # a node may have attributes alone
    times = np.unique(np.concatenate([series.timestamps for series in rows]))
    interval = _interval(times, rows)
    changes = selection.history.attributes(node).changes
    columns: dict[str, npt.NDArray[Any]] = {}
    for name in selection.metrics:
        if name == STATUS and name in found:
            columns[name] = _status(times, found[name], changes.get(STATUS, Changes()))
        elif name in found:
            columns |= _numbers(name, times, found[name], thinned=interval is not None)
        elif name in changes:
            columns[name] = _objects(changes[name].at(times))
    return NodeTable(node, times, interval, columns)


def whole_metrics(selection: Selection) -> list[str]:
    """Return the metrics that count whole things: those known to, and those that were given as whole numbers."""
    found = []
    for name in selection.metrics:
        counts = name in KNOWN and KNOWN[name].unit is COUNT
        holders = [node for node in selection.nodes if name in selection.history.metrics(node)]
        given_whole = all(name in selection.history.attributes(node).whole for node in holders)
        if holders and name != STATUS and (counts or given_whole):
            found.append(name)
    return found


def is_whole(values: npt.NDArray[np.float64]) -> bool:
    """Return whether all known values are whole numbers of 64 bits."""
    known = values[~np.isnan(values)]
    return bool(len(known)) and bool((np.abs(known) < _MOST).all()) and bool((known == np.floor(known)).all())


def listed(value: Text | None) -> str | list[str] | None:
    """Return the value of an attribute as it was given: a text, or a list."""
    return list(value) if isinstance(value, tuple) else value


def _interval(times: npt.NDArray[np.int64], rows: Sequence[Series]) -> npt.NDArray[np.float64] | None:
    thinned = next((series for series in rows if series.interval.any()), None)
    if thinned is None:
        return None
    seconds = np.zeros(len(times))
    seconds[np.searchsorted(times, thinned.timestamps)] = thinned.interval / 1e6
    return seconds


def _numbers(
    name: str, times: npt.NDArray[np.int64], series: Series, *, thinned: bool
) -> dict[str, npt.NDArray[np.float64]]:
    columns = {name: series.values}
    if thinned:
        columns |= {f"{name}_min": series.minimum, f"{name}_max": series.maximum}
    rows = np.searchsorted(times, series.timestamps)
    found = {}
    for column, values in columns.items():
        found[column] = np.full(len(times), np.nan)
        found[column][rows] = values
    return found


def _status(times: npt.NDArray[np.int64], series: Series, changes: Changes) -> npt.NDArray[np.object_]:
    """Return the word of each row: as it was given, if known; else the one of ours."""
    words: list[str | None] = [None] * len(times)
    given = changes.at(series.timestamps)
    rows = np.searchsorted(times, series.timestamps).tolist()
    for row, code, interval, word in zip(rows, series.maximum.tolist(), series.interval.tolist(), given, strict=True):
        words[row] = shown_word(code, None if interval else word)
    return _objects(words)


def _objects(values: Sequence[Text | None]) -> npt.NDArray[np.object_]:
    found = np.empty(len(values), object)
    for row, value in enumerate(values):
        found[row] = listed(value)
    return found
