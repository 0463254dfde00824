"""How long which detail of a history is kept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HistoryRetention:
    """What is kept of a history."""
