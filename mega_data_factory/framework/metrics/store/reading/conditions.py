"""Conditions on columns, for reading part of a table."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.clock import naive


def between(column: str, since: datetime | None, until: datetime | None) -> pc.Expression | None:
    """Return the condition that a time is not before `since`, and before `until`; None if both are None.

    Args:
        column: a column of times, naive UTC.
        since, until: UTC where they have no time zone.
    """
    only = None
    if since is not None:
        only = pc.field(column) >= pa.scalar(naive(since), pa.timestamp("us"))
    if until is not None:
        only = both(only, pc.field(column) < pa.scalar(naive(until), pa.timestamp("us")))
    return only


def both(left: pc.Expression | None, right: pc.Expression) -> pc.Expression:
    """Return the condition that two conditions hold, of which the first may be absent."""
    return right if left is None else left & right
