"""Selection of nodes, metrics and a time range, or one clear error why there is nothing to show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mega_data_factory.errors import VisualizationError, did_you_mean
from mega_data_factory.history import MetricsHistory, Series
from mega_data_factory.visualization.nodes.metric_names import in_order
from mega_data_factory.visualization.nodes.times import TimeRange, bounds
from mega_data_factory.visualization.nodes.zone import Zone

Names: TypeAlias = str | Iterable[str] | None
"""One name, several, or None for all."""

_DIGITS = re.compile("([0-9]+)")


@dataclass(frozen=True)
class Selection:
    """A part of a history that is there.

    Attributes:
        history: of which it is a part.
        nodes: at least one.
        metrics: at least one, in the order in which they are shown.
        start: microseconds since 1970 UTC.
        end: the same, included.
        zone: in which times are read and written.
    """

    history: MetricsHistory
    nodes: Sequence[str]
    metrics: Sequence[str]
    start: int
    end: int
    zone: Zone

    def series(self, node: str, metric: str) -> Series:
        """Return all rows of one metric of one node."""
        return self.history.series(node, metric, self.start, self.end)

    def metrics_of(self, node: str) -> list[str]:
        """Return the given metrics that the node has."""
        own = set(self.history.metrics(node))
        return [metric for metric in self.metrics if metric in own]

    @property
    def named(self) -> str:
        """The nodes in words; of many the first three."""
        return _listed(self.nodes)

    @property
    def seconds(self) -> float:
        """Length of the time."""
        return (self.end - self.start) / 1e6


def select(
    history: MetricsHistory,
    nodes: Names = None,
    metrics: Names = None,
    time_range: TimeRange = None,
    *,
    zone: Zone,
    with_attributes: bool = False,
) -> Selection:
    """Return the part of a history that is asked for.

    Args:
        history: of the nodes.
        nodes: which; all by default.
        metrics: which; all by default.
        time_range: all by default.
        zone: of times that have none.
        with_attributes: whether attributes count as metrics; all are then in the order in which they were given.

    Raises:
        VisualizationError: the history is empty, a node or a metric is unknown, or no point lies in the time range.
    """
    known = sorted(history.nodes(), key=_naturally)
    if not known:
        hint = "add some: add_metrics(node_id, metrics), add_frame(frame), or from_store(metrics, run)"
        raise VisualizationError("there are no metrics yet", hint=hint)
    chosen = _known("node", nodes, known)
    spans = [span for node in chosen if (span := history.span(node)) is not None]
    whole = (min(first for first, _ in spans), max(last for _, last in spans))
    start, end = bounds(time_range, whole, zone)
    if not any(first <= end and last >= start for first, last in spans):
        message = f"there is no point of {_listed(chosen)} between {zone.text(start)} and {zone.text(end)}"
        hint = f"there are some between {zone.text(whole[0])} and {zone.text(whole[1])}; {zone.title(whole[1])}"
        raise VisualizationError(message, hint=hint)
    there = _as_given(history, chosen) if with_attributes else _in_rows(history, chosen)
    if not there:
        raise VisualizationError(f"no metric was measured on {_listed(chosen)}")
    return Selection(history, chosen, _known("metric", metrics, there), start, end, zone)


def _in_rows(history: MetricsHistory, nodes: Sequence[str]) -> list[str]:
    return in_order({metric for node in nodes for metric in history.metrics(node)})


def _as_given(history: MetricsHistory, nodes: Sequence[str]) -> list[str]:
    """Return metrics and attributes in the order in which they were first given; those of an old file at the end."""
    described = [name for node in nodes for name in history.attributes(node).names]
    there = {metric for node in nodes for metric in (*history.metrics(node), *history.attributes(node).changes)}
    given = [name for name in dict.fromkeys(described) if name in there]
    return [*given, *in_order(there.difference(given))]


def _known(kind: str, wanted: Names, known: Sequence[str]) -> list[str]:
    names = list(known) if wanted is None else [wanted] if isinstance(wanted, str) else list(wanted)
    for name in names:
        if name not in known:
            raise VisualizationError(f"there is no {kind} `{name}`", hint=did_you_mean(str(name), known))
    if not names:
        raise VisualizationError(f"no {kind} is chosen", hint="None stands for all of them")
    return list(dict.fromkeys(names))


def _naturally(name: str) -> list[tuple[int, int, str]]:
    """Return a key of the order in which `node-10` comes after `node-9`."""
    return [(int(part), 0, "") if part.isdecimal() else (0, 1, part) for part in _DIGITS.split(name)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
