"""What measuring costs here, found by measuring it."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable

from mega_data_factory.clock import utc_now
from mega_data_factory.framework.metrics.models import OperatorMetrics
from mega_data_factory.framework.metrics.rows.batch_row import batch_row
from mega_data_factory.framework.metrics.tracking.entries import BatchEntry
from mega_data_factory.framework.metrics.tracking.operator_rows import OperatorRows

_ROUNDS = 4
_CALLS = 20


def best_time(measure_one: Callable[[], object], finish: Callable[[], object]) -> float:
    """Return the seconds of a call that measures one batch in one operator, in the best of some rounds.

    Args:
        measure_one: What is called.
        finish: What is done once for many calls.
    """
    rounds = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        for _ in range(_CALLS):
            measure_one()
        finish()
        rounds.append((time.perf_counter() - started) / _CALLS)
    return min(rounds)


@functools.cache
def cost_per_entered_row() -> float:
    """Return seconds that the row of a batch in an operator takes here that comes by `MetricsCollector.enter_batch`.

    As `cost_per_call`; with the text that travels: of the local engine from the worker to the driver, to the writer and
    back.
    """

    def measure_one() -> None:
        row = batch_row(
            ("run_calibration", "stage", "operator", "worker"),
            (0, 0),
            seconds=0.1,
            cpu_seconds=0.1,
            input_records=100,
            output_records=90,
            error_count=0,
            reasons={"reason": 10},
            custom={},
            unmatched_records=0,
            units=(1000, 1000, 900, None, None, None),
        )
        row.timestamp = utc_now()
        for _ in range(3):
            row = OperatorMetrics.from_wire(json.loads(json.dumps(row.to_wire(), separators=(",", ":"))))
        driver.pending.append(BatchEntry((), {}, passed=(row,)))
        driver.pending.append(BatchEntry((row,), {}, settled=(row,)))

    driver = OperatorRows("run_calibration", utc_now)
    return best_time(measure_one, driver.copies)
