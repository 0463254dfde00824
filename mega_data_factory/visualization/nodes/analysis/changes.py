"""Ranking of the metrics of nodes by how much they changed in a window; nodes that fell silent come first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mega_data_factory.analytics.series.changed import GREATEST, changed_scores, least_baseline
from mega_data_factory.errors import VisualizationError
from mega_data_factory.formats import seconds
from mega_data_factory.visualization.nodes.clocks import (
    Cells,
    Span,
    cell_width,
    in_cells,
    mean_of_known,
    typical_pauses,
)
from mega_data_factory.visualization.nodes.metric_names import STATUS
from mega_data_factory.visualization.nodes.selection import Selection
from mega_data_factory.visualization.nodes.times import TimeRange, bounds

if TYPE_CHECKING:
    import pandas as pd

SELDOM_CHANCE = 3.0
"""Score beyond which a change is seldom chance."""

NODE_SILENT, SILENT = "node silent", "silent"
"""Value of `change` for a node without a value, and for a metric without one."""

_WINDOW_CELLS = 64
_BASELINE = 16  # windows before the incident, where no baseline is given
_GAP = 5  # usual pauses without a point that make a gap, as in the lines of plots
_COLUMNS = ["node_id", "metric", "score", "before", "during", "change", "silence"]


@dataclass(frozen=True)
class Silence:
    """A stretch of the window in which a metric had no value.

    Attributes:
        node: id of the node.
        metric: key of the metric.
        length: microseconds.
        before: mean in the baseline.
        during: mean of what the window has; NaN if it has nothing.
    """

    node: str
    metric: str
    length: int
    before: float
    during: float

    def row(self, change: str) -> tuple[str, str, float, float, float, str, float]:
        """Return the row of a frame of changes."""
        return self.node, self.metric, GREATEST, self.before, self.during, change, self.length / 1e6


def windows(selection: Selection, window: TimeRange, baseline: TimeRange) -> tuple[Span, Span]:
    """Return an incident and its baseline in microseconds; by default the baseline is what lies before the incident.

    Raises:
        VisualizationError: no window is given, or there is not twice its length to compare it with.
    """
    span = (selection.start, selection.end)
    if window is None:
        raise VisualizationError("changed in which window?", hint='a pair (start, end), or the last "10m"')
    start, end = bounds(window, span, selection.zone)
    if baseline is not None:
        return (start, end), bounds(baseline, span, selection.zone)
    before = max(selection.start, start - _BASELINE * (end - start + 1))
    if start - before < 2 * (end - start):
        known = f"{seconds((start - before) / 1e6)}"
        message = f"there is too little before {selection.zone.text(start)} to compare with: {known}"
        hint = f"at least {seconds(2 * (end - start) / 1e6)}, twice the window"
        raise VisualizationError(message, hint=hint)
    return (start, end), (before, start - 1)


def changed(selection: Selection, window: Span, baseline: Span) -> pd.DataFrame:
    """Rank the metrics of all nodes by how different they are in a window.

    Args:
        selection: nodes and metrics.
        window: the incident, microseconds since 1970 UTC, both included.
        baseline: with what it is compared.

    Returns:
        `node_id, metric, score, before, during, change, silence`, strongest first. `before` and `during` are means.
        `silence` is the longest stretch without a value in the window, in seconds, where the series usually has none
        so long, else 0: such series come first, with the greatest score. `change` is `node silent` (one row, of the
        node's first metric, stands for all that it has), `silent`, `higher`, `lower`, or `other` with equal means.

    Raises:
        VisualizationError: no metric has points both in the window and in the baseline.
    """
    import pandas as pd

    metrics = [metric for metric in selection.metrics if metric != STATUS]  # codes: no distance between them
    if not metrics:
        raise VisualizationError("no node has a metric that could change by some amount: a status alone is none")
    selection = replace(selection, metrics=metrics)
    silences = {(one.node, one.metric): one for one in _silences(selection, window, baseline)}
    compared = _compared(selection, window, baseline)
    compared = compared[[pair not in silences for pair in zip(compared["node_id"], compared["metric"], strict=True)]]
    frame = pd.DataFrame([*_silent_rows(selection, silences), *compared.itertuples(index=False)], columns=_COLUMNS)
    if frame.empty:
        raise VisualizationError("no metric has enough points both in the window and in the baseline")
    return frame.sort_values(["score", "silence"], ascending=False, kind="stable", ignore_index=True)


def noteworthy(found: pd.DataFrame, most: int) -> tuple[pd.DataFrame, str]:
    """Return the changes to draw, at most `most`: those beyond chance, or the strongest if none is; and a note."""
    certain = found[found["score"] >= SELDOM_CHANCE]
    if certain.empty:
        return found.head(
            most
        ), f"nothing changed by more than chance (score {SELDOM_CHANCE:.0f}); the strongest are shown"
    hidden = len(certain) - most
    return certain.head(
        most
    ), f"{hidden} more changed by more than chance" if hidden > 0 else "all changes beyond chance"


def _silent_rows(selection: Selection, silences: dict[tuple[str, str], Silence]) -> Iterator[tuple[object, ...]]:
    """Yield one row for each node of which all metrics fell silent, and one for each other silent metric."""
    for node in selection.nodes:
        own = [silences[node, metric] for metric in selection.metrics_of(node) if (node, metric) in silences]
        if own and len(own) == len(selection.metrics_of(node)):
            longest = max(own, key=lambda one: one.length)
            yield replace(own[0], length=longest.length).row(NODE_SILENT)
        else:
            yield from (one.row(SILENT) for one in own)


def _compared(selection: Selection, window: Span, baseline: Span) -> pd.DataFrame:
    """Return scores of the series that have points in both; nodes that tick alike are compared on one grid."""
    import pandas as pd

    pauses = typical_pauses(selection)
    steps = {node: cell_width(window, _WINDOW_CELLS, pause) for node, pause in pauses.items()}
    rows: list[pd.DataFrame] = []
    for step in sorted(set(steps.values())):
        pairs = [
            (node, metric) for node in selection.nodes if steps[node] == step for metric in selection.metrics_of(node)
        ]
        before, during = (
            np.array([in_cells(selection, *pair, Cells(span, step), pauses[pair[0]]) for pair in pairs])
            for span in (baseline, window)
        )
        if before.shape[1] < least_baseline(during.shape[1]):
            continue
        scores = changed_scores(before, during, adjoining=0 <= window[0] - baseline[1] <= step)
        means = mean_of_known(before), mean_of_known(during)
        frame = pd.DataFrame(pairs, columns=_COLUMNS[:2]).assign(score=scores, before=means[0], during=means[1])
        frame["change"] = np.select([means[1] > means[0], means[1] < means[0]], ["higher", "lower"], "other")
        rows.append(frame.assign(silence=0.0)[frame["score"].notna()])
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=_COLUMNS)


def _silences(selection: Selection, window: Span, baseline: Span) -> Iterator[Silence]:
    """Find series that had values in the baseline, and in the window a gap that is longer than any gap before it."""
    pauses = typical_pauses(selection)
    end = min(window[1], selection.end)
    for node in selection.nodes:
        for metric in selection.metrics_of(node):
            usual = selection.history.series(node, metric, *baseline).known()
            if len(usual) < 2:
                continue
            inside = selection.history.series(node, metric, window[0], end).known()
            own = max(pauses[node], int(np.median(np.diff(usual.timestamps))))
            longest = int(np.diff(usual.timestamps).max())
            starts = np.concatenate(([window[0]], inside.timestamps + inside.interval))
            length = int((np.concatenate((inside.timestamps, [end])) - starts).max())
            if length > max(_GAP * own, longest + own):
                yield Silence(node, metric, length, _mean(usual.values), _mean(inside.values))


def _mean(values: np.ndarray) -> float:
    return float(mean_of_known(np.asarray(values, np.float64)[None])[0])
