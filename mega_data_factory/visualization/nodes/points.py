"""One point of a node as it comes from outside, made into numbers; and why not, where that cannot be."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any

import pandas as pd

from mega_data_factory.errors import VisualizationError, did_you_mean
from mega_data_factory.visualization.nodes.metric_names import STATUS, STATUS_CODES

Value = float | str | None

_TAKEN = ("node_id", "timestamp", "interval")
"""Columns of every frame and export: no names of metrics."""


def checked(node_id: object, metrics: object) -> dict[str, float | None]:
    """Return the metrics of one point as numbers: words of `status` become codes, None and NaN are a missing value.

    Raises:
        VisualizationError: the node id or a key is empty or not text, or a value is not a number.
    """
    check_name("node id", node_id)
    if not isinstance(metrics, Mapping):
        hint = 'such as {"cpu_usage": 42.0, "status": "active"}'
        raise VisualizationError(f"metrics of {node_id} are no mapping but {type(metrics).__name__}", hint=hint)
    return {check_metric(f"metric of {node_id}", key): _number(node_id, key, value) for key, value in metrics.items()}


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
    """Return the number of a status.

    Raises:
        VisualizationError: there is no such status.
    """
    if status is None or status is pd.NA or (isinstance(status, float) and math.isnan(status)):
        return None
    if isinstance(status, str) and status in STATUS_CODES:
        return STATUS_CODES[status]
    if isinstance(status, numbers.Real) and not isinstance(status, bool) and 0 <= float(status) <= 2:
        return float(status)
    hint = did_you_mean(status, STATUS_CODES) if isinstance(status, str) else f"known: {', '.join(STATUS_CODES)}"
    raise VisualizationError(f"the status of {node_id} is {status!r}", hint=hint)


def _number(node_id: object, key: str, value: Any) -> float | None:
    if key == STATUS:
        return status_code(node_id, value)
    if value is None or value is pd.NA:
        return None
    if isinstance(value, numbers.Real):  # also bool, numpy's numbers and Fraction
        try:
            return float(value)
        except OverflowError:
            hint = "a number below 1.8e308: so far float64 reaches"
            raise VisualizationError(f"{key} of {node_id} is too large", hint=hint) from None
    hint = "a number, or None where nothing was measured"
    raise VisualizationError(f"{key} of {node_id} is {value!r}: no number", hint=hint)
