"""Writes the files of version 2 beside this script, with the package as it was at that version.

Run with a checkout of that time: `PYTHONPATH=OLD_CHECKOUT python write_version_2.py`. Kept as it was then. The run has
ended; its samples are folded, those of a second run that goes on are segments.
"""

from datetime import datetime, timedelta
from pathlib import Path

from mega_data_factory.framework.metrics import (
    IntervalSampler,
    MetricsWriter,
    OperatorMetrics,
    RunMetrics,
    StageMetrics,
    schema,
)

assert schema.SCHEMA_VERSION == 2, "this writes files of version 2: take the package of that time"

writer = MetricsWriter(Path(__file__).parent / "version_2")
for run_id, status, moment in (
    ("run_20260801_090000_4567cdef", "completed", datetime(2026, 8, 1, 9)),
    ("run_20260801_100000_89abcdef", "running", datetime(2026, 8, 1, 10)),
):
    log = writer.sample_log(run_id)
    total = OperatorMetrics(run_id, "clean", "text_length_filter", "clean-0", moment)
    for number in range(2):
        sampler = IntervalSampler(run_id, 5.0)
        row = OperatorMetrics(
            run_id, "clean", "text_length_filter", "clean-0", moment + timedelta(seconds=5 * number + 1)
        )
        row.observe(0.5, 100, 90, reasons={"too_short": 10})
        total.observe(0.5, 100, 90, reasons={"too_short": 10})
        sampler.add([row])
        log.append(sampler.take())
    if status == "completed":
        log.finish()
    end = datetime(2026, 8, 1, 9, 1) if status == "completed" else None
    run = RunMetrics(run_id, moment, end, status=status, pipeline="old", config={"name": "old"}, hostname="host-1")
    run.heartbeat, run.flush_interval, run.pid = moment + timedelta(seconds=10), 5.0, 1234
    writer.write_all(run, [StageMetrics.from_operators([total], "clean")], [total])
