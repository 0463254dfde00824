"""Rows of details, as a run stores them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from mega_data_factory.framework.metrics.details.detail import Detail
from mega_data_factory.framework.metrics.details.totals import DetailTotals


def detail_rows(table: str, *batches: Iterable[Detail]) -> list[dict[str, Any]]:
    """Return the rows of a table for a run `run_a` of batches with these details."""
    totals = DetailTotals()
    for details in batches:
        totals.add(details)
    return [dict(row) for row in totals.rows(table, "run_a", datetime(2026, 1, 1))]
