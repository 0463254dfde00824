"""Writes the files of version 3 beside this script, with the package as it was at that version.

Run with a checkout of that time: `PYTHONPATH=OLD_CHECKOUT python write_version_3.py`. Kept as it was then. The run has
ended and has samples of its operator and of a node.
"""

from datetime import datetime, timedelta
from pathlib import Path

from mega_data_factory.framework.metrics import (
    IntervalSampler,
    MetricsWriter,
    NodeMetrics,
    OperatorMetrics,
    RunMetrics,
    StageMetrics,
    schema,
)

assert schema.SCHEMA_VERSION == 3, "this writes files of version 3: take the package of that time"

run_id, moment = "run_20260901_090000_4567cdef", datetime(2026, 9, 1, 9)
writer = MetricsWriter(Path(__file__).parent / "version_3")
sampler = IntervalSampler(run_id, 5.0)
total = OperatorMetrics(run_id, "clean", "text_length_filter", "clean-0", moment)
for number in range(2):
    row = OperatorMetrics(run_id, "clean", "text_length_filter", "clean-0", moment + timedelta(seconds=5 * number + 1))
    row.observe(0.5, 100, 90, reasons={"too_short": 10})
    total.observe(0.5, 100, 90, reasons={"too_short": 10})
    sampler.add([row])
samples, nodes = writer.sample_log(run_id), writer.node_log(run_id)
samples.append(sampler.take())
samples.finish()
nodes.append(
    [
        NodeMetrics(
            run_id, "n1", moment + timedelta(seconds=n), 50.0 + n, 40.0, 30.0, 1e6, 2e6, 9.0, 1, hostname="host-1"
        )
        for n in range(3)
    ]
)
nodes.finish()
run = RunMetrics(run_id, moment, datetime(2026, 9, 1, 9, 1), pipeline="old", config={"name": "old"}, hostname="host-1")
run.heartbeat, run.flush_interval, run.pid, run.export_failures = moment + timedelta(seconds=10), 5.0, 1234, 2
run.books_closed, run.books_difference = True, 0
writer.write_all(run, [StageMetrics.from_operators([total], "clean")], [total])
