"""Input of every page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mega_data_factory.dashboard.store import RunStore
from mega_data_factory.visualization.theme import DARK, LIGHT, Theme


@dataclass(frozen=True)
class View:
    """Input of a page.

    Attributes:
        store: The runs.
        theme: The look.
        query: Query of the address: key → values in order.
    """

    store: RunStore
    theme: Theme = LIGHT
    query: Mapping[str, list[str]] = field(default_factory=dict)

    def first(self, key: str, default: str = "") -> str:
        """Return the first value of a key of the query."""
        return self.query.get(key, [default])[0]


def theme_of(look: str | None) -> Theme:
    """Return the theme that a browser asks for."""
    return DARK if look == "dark" else LIGHT
