"""One point of a node as it comes from outside, made into numbers and texts; and why not, if that cannot be."""

from __future__ import annotations

import json
import numbers
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from mega_data_factory.errors import VisualizationError
from mega_data_factory.history.attributes import Text
from mega_data_factory.visualization.nodes.metric_names import (
    KNOWN,
    PARTITION_COUNT,
    PARTITIONS,
    STATUS,
    STATUS_CODES,
)
from mega_data_factory.visualization.nodes.status_words import state_of

Value: TypeAlias = Any
"""A number, a text, a list of texts; None if nothing was measured."""

MOST_LETTERS = 1_000
"""Of a text of an attribute."""

_TAKEN = ("node_id", "timestamp", "interval")
"""Columns of every frame and export: no names of metrics."""


@dataclass
class Point:
    """One point, taken apart.

    Attributes:
        numbers: values by metric, of `status` the code; None if nothing was measured.
        texts: attributes by name.
        whole: metrics whose value was given as a whole number.
        fractional: metrics whose value is not whole.
        names: everything that was given, in its order.
    """

    numbers: dict[str, float | None] = field(default_factory=dict)
    texts: dict[str, Text] = field(default_factory=dict)
    whole: list[str] = field(default_factory=list)
    fractional: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    @property
    def foreign_status(self) -> bool:
        """Whether its status is a word that is none of our three."""
        return self.texts.get(STATUS, "active") not in STATUS_CODES


def taken_apart(node_id: str, metrics: object, attributes: Container[str], measured: Container[str]) -> Point:
    """Return a point as numbers and texts: words of `status` become codes, a list of `partitions` its length as well.

    Args:
        node_id: of the node.
        metrics: what it reports.
        attributes: names that had a text before, and have one again.
        measured: names that had a number before, and cannot have a text.

    Raises:
        VisualizationError: a key is empty or not text, or a value cannot be taken.
    """
    if not isinstance(metrics, Mapping):
        hint = 'such as {"cpu_usage": 42.0, "status": "active"}'
        raise VisualizationError(f"metrics of {node_id} are no mapping but {type(metrics).__name__}", hint=hint)
    point = Point()
    for key, value in metrics.items():
        if key not in measured:
            check_metric(f"metric of {node_id}", key)
        point.names.append(key)
        if key == STATUS:
            point.numbers[key] = status_code(node_id, value)
            if isinstance(value, str) and (value not in STATUS_CODES or key in attributes):
                point.texts[key] = shortened(value)
        elif type(value) is float and key not in attributes:  # nearly every one
            point.numbers[key] = value
            if value == value:
                point.fractional.append(key)
        elif is_missing(value):
            if key in KNOWN or key in measured:  # else it may be an attribute
                point.numbers[key] = None
        elif isinstance(value, numbers.Real) and key not in attributes:  # also bool, numpy's numbers and Fraction
            point.numbers[key] = _number(node_id, key, value)
            (point.whole if isinstance(value, numbers.Integral) else point.fractional).append(key)
        elif key in KNOWN or (key not in attributes and key in measured):
            hint = "a number, or None if nothing was measured"
            raise VisualizationError(f"{key} of {node_id} is {value!r}: no number", hint=hint)
        else:
            point.texts[key] = attribute(node_id, key, value)
    partitions = point.texts.get(PARTITIONS)
    if isinstance(partitions, tuple) and PARTITION_COUNT not in point.numbers:
        point.numbers[PARTITION_COUNT] = float(len(partitions))
        point.names.append(PARTITION_COUNT)
    return point


def check_metric(what: str, name: object) -> str:
    """Return the name of a metric.

    Raises:
        VisualizationError: it is not text, is empty, or is the name of a column of frames.
    """
    if name in _TAKEN:
        hint = f"another name: {', '.join(_TAKEN)} are columns of frames and exports"
        raise VisualizationError(f"a {what} is called `{name}`", hint=hint)
    return check_name(what, name)


def check_name(what: str, name: object) -> str:
    """Return the name of a node or a metric.

    Raises:
        VisualizationError: it is not text, is empty, or has characters that no file can hold.
    """
    if not isinstance(name, str) or not name.strip():
        raise VisualizationError(f"a {what} is {name!r}", hint="a text that is not empty")
    try:
        name.encode()
    except UnicodeEncodeError:
        hint = "half a letter (a lone surrogate): decode names with errors='replace'"
        raise VisualizationError(f"a {what} is {name!r}: no UTF-8", hint=hint) from None
    return name


def status_code(node_id: object, status: object) -> float | None:
    """Return the number of a status; None for a word that no cluster manager is known to use.

    Raises:
        VisualizationError: it is neither a word nor a number from 0 to 2.
    """
    if is_missing(status):
        return None
    if isinstance(status, str):
        state = status if status in STATUS_CODES else state_of(status)
        return None if state is None else STATUS_CODES[state]
    if isinstance(status, numbers.Real) and not isinstance(status, bool) and 0 <= float(status) <= 2:
        return float(status)
    raise VisualizationError(f"the status of {node_id} is {status!r}", hint=f"known: {', '.join(STATUS_CODES)}")


def is_missing(value: object) -> bool:
    """Return whether a value stands for a missing one: None, NaN, or what pandas uses."""
    return (
        value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    )


def _number(node_id: object, key: str, value: numbers.Real) -> float:
    try:
        return float(value)
    except OverflowError:
        hint = "a number below 1.8e308: so far float64 reaches"
        raise VisualizationError(f"{key} of {node_id} is too large", hint=hint) from None


def attribute(node_id: object, key: str, value: object) -> Text:
    """Return the value of an attribute: a text, or a list of texts.

    Raises:
        VisualizationError: it cannot be written as text.
    """
    if isinstance(value, (list, tuple, set, frozenset)):
        parts = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return tuple(shortened(part) for part in parts)
    if isinstance(value, Mapping):
        return shortened(json.dumps(value, default=str, ensure_ascii=False))
    if isinstance(value, (bytes, bytearray)) or type(value).__str__ is object.__str__:
        hint = "a number, a text, or a list of texts"
        raise VisualizationError(f"{key} of {node_id} is {value!r}: no number and no text", hint=hint)
    return shortened(value)


def shortened(value: object) -> str:
    """Return a value as the text of an attribute, cut after 1,000 letters."""
    text = str(value.value if isinstance(value, Enum) else value).encode(errors="replace").decode()
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"
