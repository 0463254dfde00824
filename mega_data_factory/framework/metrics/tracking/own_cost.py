"""What measuring costs here, found by measuring it."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable

from mega_data_factory.clock import utc_now
from mega_data_factory.framework.metrics.rows.batch_row import BatchValues
from mega_data_factory.framework.metrics.rows.travelling import TravellingRows, stage_text
from mega_data_factory.framework.metrics.tracking.entries import BatchEntry
from mega_data_factory.framework.metrics.tracking.operator_rows import OperatorRows

_ROUNDS = 4
_CALLS = 20
_OPERATORS = 4
"""Operators of a stage: their rows share a text."""

_MESSAGES = 4
"""Messages that carry a row in the local engine: worker to driver, to writer, to the log, and back to the driver."""


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
    """Return seconds that measuring one batch in one operator takes here, where `MetricsCollector.enter_batch` merges.

    As `cost_per_call`: making the row, the text that it travels as, and merging.
    """

    units = 1000, 1000, 900, None, None, None

    def measure_one() -> None:
        values = [
            BatchValues(f"operator_{place}", place, 0.1, 0.1, 100, 90, 0, 0, units, {"reason": 10}, 0)
            for place in range(_OPERATORS)
        ]
        rows = TravellingRows([stage_text("run_calibration", "stage", 0, "worker", utc_now(), values)])
        for _ in range(_MESSAGES):
            rows = TravellingRows(json.loads(json.dumps(rows.texts())))
        driver.pending.append(BatchEntry((), {}, passed=rows))
        driver.pending.append(BatchEntry(rows, {}, settled=rows))

    driver = OperatorRows("run_calibration", utc_now)
    return best_time(measure_one, driver.copies) / _OPERATORS
