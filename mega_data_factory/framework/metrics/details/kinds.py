"""Kinds of details by their table, loaded when the first of a kind is read."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from mega_data_factory.framework.metrics.details.detail import Detail

_KINDS = {
    "columns": ("columns.column_statistics", "ColumnStatistics"),
    "scores": ("scores.operator_scores", "OperatorScores"),
    "slices": ("slices", "StageSlices"),
}
"""Table → module of this room, and class."""


def load(table: str) -> type[Detail]:
    """Return the class of the details whose rows belong to a table.

    Raises:
        ValueError: No detail has rows in that table.
    """
    if table not in _KINDS:
        raise ValueError(f"there are no details of the table {table!r}; known are {', '.join(_KINDS)}")
    module, name = _KINDS[table]
    kind: type[Detail] = getattr(importlib.import_module(f"{__package__}.{module}"), name)
    return kind


def to_wire(details: Iterable[Detail]) -> list[list[Any]]:
    """Return details as JSON values: table and content of each."""
    return [[detail.table, detail.to_wire()] for detail in details]


def from_wire(values: Iterable[list[Any]]) -> tuple[Detail, ...]:
    """Return the details of which `to_wire` made `values`."""
    return tuple(load(table).from_wire(content) for table, content in values)
