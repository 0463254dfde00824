"""What a collector is given beside its trackers: rows that were measured elsewhere, and whole batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from mega_data_factory.framework.metrics.models import OperatorMetrics

BatchId: TypeAlias = str | int
"""Name of a batch: the same for every attempt at it."""


@dataclass(frozen=True)
class BatchEntry:
    """What one batch changes, entered on all levels at once.

    Attributes:
        rows: what its operators measured, if it is committed.
        totals: columns of the run row, as they are with it.
        passed: what its operators measured, where it has passed a stage and is in no file yet.
        settled: what was entered as `passed` before and is so no more.
    """

    rows: Sequence[OperatorMetrics]
    totals: Mapping[str, Any]
    passed: Sequence[OperatorMetrics] = ()
    settled: Sequence[OperatorMetrics] = ()


@dataclass(frozen=True, slots=True)
class AddedRow:
    """A row that was measured elsewhere, and the batch that it is of."""

    row: OperatorMetrics
    batch_id: BatchId | None
