"""Attributes of nodes as labels at the pointer show them."""

from __future__ import annotations

from collections.abc import Sequence

from mega_data_factory.history.attributes import Text
from mega_data_factory.visualization.charts.labels import safe
from mega_data_factory.visualization.nodes.metric_names import STATUS
from mega_data_factory.visualization.nodes.selection import Selection
from mega_data_factory.visualization.nodes.status_words import state_of

HOVER = "<br>%{fullData.meta.attributes}"
"""Part of a hover template: attributes from the `meta` of the trace, for a `%{` in them is not a template."""

_MOST = 8  # attributes in a label
_PARTS = 4  # of a list


def attribute_text(selection: Selection, node: str) -> str:
    """Return the attributes of a node in the time shown, a line each: `host a7 · version 2.0 → 2.1`; empty if none."""
    changes = selection.history.attributes(node).changes
    lines = []
    for name, values in changes.items():
        held = values.between(selection.start, selection.end)
        if name == STATUS:
            held = [word for word in held if isinstance(word, str) and state_of(word) is None]
        if held:
            lines.append(f"{safe(name)} {_words(held)}")
    more = len(lines) - _MOST
    return "<br>".join([*lines[:_MOST], *([f"and {more} more"] if more > 0 else [])])


def _words(held: Sequence[Text]) -> str:
    """Return the last value, behind the first one where it changed."""
    first, last = _word(held[0]), _word(held[-1])
    return last if first == last else f"{first} → {last}"


def _word(value: Text) -> str:
    if isinstance(value, str):
        return safe(value)
    shown = ", ".join(value[:_PARTS])
    return safe(f"{shown} and {len(value) - _PARTS} more" if len(value) > _PARTS else shown) if value else "none"
