"""An operator that does nothing but take its time: it makes pipelines whose bottleneck is known."""

from __future__ import annotations

import time

import pyarrow as pa

from mega_data_factory import Refiner


class WaitingRefiner(Refiner):
    """Waits, without using a processor.

    Args:
        seconds: for each record.
    """

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds

    def refine(self, table: pa.Table) -> pa.Table:
        time.sleep(self._seconds * table.num_rows)
        return table
