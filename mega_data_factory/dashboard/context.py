"""What every page gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mega_data_factory.dashboard.store import RunStore
from mega_data_factory.visualization.theme import DARK, LIGHT, Theme


@dataclass(frozen=True)
class View:
    """One look at one page.

    Attributes:
        store: the runs.
        theme: the look.
        query: the part of the address behind `?`, values in order.
    """

    store: RunStore
    theme: Theme = LIGHT
    query: Mapping[str, list[str]] = field(default_factory=dict)

    def first(self, key: str, default: str = "") -> str:
        """The first value of a key of the query."""
        return self.query.get(key, [default])[0]


def theme_of(look: str | None) -> Theme:
    """The theme that a browser asks for."""
    return DARK if look == "dark" else LIGHT
