"""Points of nodes on their way into a history."""

from __future__ import annotations

import copy
import threading
import time
import warnings
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from mega_data_factory.errors import HistoryError
from mega_data_factory.history import MetricsHistory
from mega_data_factory.visualization.nodes.metric_names import STATUS, STATUS_CODES
from mega_data_factory.visualization.nodes.points import Value, check_name, taken_apart
from mega_data_factory.visualization.nodes.status_words import WORDS, state_of
from mega_data_factory.visualization.nodes.times import Timestamp, microseconds
from mega_data_factory.visualization.nodes.zone import Zone

if TYPE_CHECKING:
    import pandas as pd

_MOST_WARNINGS = 20


class NodeIntake:
    """Takes points and frames of nodes; any thread may add.

    Args:
        history: grows.
        zone: of times that have none.
    """

    def __init__(self, history: MetricsHistory, zone: Zone) -> None:
        self.history = history
        self.zone = zone
        self._met: dict[str, tuple[str, ...]] = {}  # metrics of points that were numbers alone, by node
        self._measured: dict[str, frozenset[str]] = {}  # names that had a number, by node
        self._writing = threading.Lock()  # a history takes one writer
        self._foreign: set[str] = set()  # words of a status that were warned of

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy needs: all but the lock, while no point is being added."""
        with self._writing:
            state = {**self.__dict__, "history": copy.copy(self.history)}
        del state["_writing"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _writing=threading.Lock())

    def add_metrics(self, node_id: str, metrics: Mapping[str, Value], timestamp: Timestamp | None = None) -> None:
        """Add one point of a node, whole or not at all. About a microsecond, however many there are.

        Args:
            node_id: any text that is not empty.
            metrics: numbers by name; `status` in words; texts and lists of texts, which become attributes of the node
                (of `partitions` also the count); None if nothing was measured.
            timestamp: a datetime, seconds since 1970, or ISO 8601 text; now when None.

        Raises:
            VisualizationError: a name, a value or the time cannot be taken.
        """
        stamp = time.time_ns() // 1_000 if timestamp is None else microseconds(timestamp, self.zone)
        try:
            if self._met[node_id] == tuple(metrics) and isinstance(metrics, dict):  # the way of nearly every point
                numbers = {**metrics, STATUS: STATUS_CODES[metrics[STATUS]]} if STATUS in metrics else metrics
                with self._writing:
                    self.history.append(node_id, numbers, stamp)
                return
        except (HistoryError, KeyError, TypeError):
            pass  # the long way says it in the words of the user
        foreign = self._add(node_id, metrics, stamp)
        if foreign is not None:
            self._warn_of_status(node_id, foreign)

    def _add(self, node_id: str, metrics: Mapping[str, Value], stamp: int) -> str | None:
        """Add a point of any shape; return its status if that is none of our words."""
        with self._writing:
            check_name("node id", node_id)
            measured = self._measured.get(node_id)
            if measured is None:
                measured = frozenset(self.history.metrics(node_id))
            point = taken_apart(node_id, metrics, self.history.attributes(node_id).changes, measured)
            self.history.append(node_id, point.numbers, stamp)
            self.history.describe(
                node_id,
                stamp,
                point.names,
                whole=point.whole,
                fractional=point.fractional,
                attributes=point.texts,
            )
            self._measured[node_id] = measured if measured >= point.numbers.keys() else measured | point.numbers.keys()
            if point.foreign_status:  # the next word has to be kept too, so that it ends this one
                self._met.pop(node_id, None)
            else:
                self._met[node_id] = tuple(point.numbers)
        return str(point.texts[STATUS]) if point.foreign_status else None

    def add_frame(self, frame: pd.DataFrame, node_id: str | None = None) -> None:
        """Add many points: a column `timestamp` or an index of times, `node_id` unless given, metrics and attributes.

        Raises:
            VisualizationError: a column is missing, or a value cannot be taken; nothing was added.
        """
        from mega_data_factory.visualization.nodes.frame_intake import add_frame

        with self._writing:
            foreign = add_frame(self.history, frame, node_id, self.zone)
            self._met.clear()
            self._measured.clear()
        for node, word in foreign.items():
            self._warn_of_status(node, word)

    def _warn_of_status(self, node_id: str, word: str) -> None:
        """Warn once of a status that is none of our three: what it counts as."""
        if word in self._foreign or len(self._foreign) >= _MOST_WARNINGS:
            return
        self._foreign.add(word)
        state = state_of(word)
        if state is not None:
            said = f"the status `{word}` of {node_id} counts as {state}"
        else:
            near = get_close_matches(word.casefold(), [*STATUS_CODES, *WORDS], n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"states are {', '.join(STATUS_CODES)}"
            said = f"the status `{word}` of {node_id} is kept as text and counts as no state; {hint}"
        warnings.warn(said, UserWarning, stacklevel=3)
