"""Bound on the reasons that are counted apart: an operator may put a number of the record into each of its reasons."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

MOST_REASONS = 256
"""Reasons of one operator that are counted apart. With more, the lighter half is added up as `other`."""

OTHER_REASONS = "other"


def bounded(reasons: Mapping[str, int]) -> Mapping[str, int]:
    """Return counts by reason in which no more than `MOST_REASONS` are apart; their sum stays.

    As in lossy counting (Manku and Motwani, 2002), a reason that comes again has missed what was added up as `other`
    before. One that is always among the heavier half, as any with 1 of 128 rejected records of each batch is, stays
    exact.
    """
    if len(reasons) <= MOST_REASONS:
        return reasons
    kept = {name: reasons[name] for name in heaviest(reasons)}
    return {**kept, OTHER_REASONS: sum(reasons.values()) - sum(kept.values())}


def heaviest(reasons: Mapping[str, int]) -> list[str]:
    """Return the heavier half of `MOST_REASONS`, the heaviest first; of equals the first by name."""
    named = (item for item in reasons.items() if item[0] != OTHER_REASONS)
    return [name for name, _ in heapq.nsmallest(MOST_REASONS // 2, named, key=lambda item: (-item[1], item[0]))]
