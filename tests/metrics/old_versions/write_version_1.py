"""Writes the files of version 1 beside this script, with the package as it was at that version.

Run with a checkout of that time: `PYTHONPATH=OLD_CHECKOUT python write_version_1.py`. Kept as it was then.
"""

from datetime import datetime
from pathlib import Path

from mega_data_factory.framework.metrics import MetricsWriter, OperatorMetrics, RunMetrics, StageMetrics, schema

assert schema.SCHEMA_VERSION == 1, "this writes files of version 1: take the package of that time"

RUN, MOMENT = "run_20260601_080000_0123abcd", datetime(2026, 6, 1, 8)

row = OperatorMetrics(RUN, "clean", "text_length_filter", "clean-0", MOMENT)
row.observe(0.5, 100, 90, reasons={"too_short": 10})
row.observe(1.0, 100, 80, reasons={"too_short": 20})

MetricsWriter(Path(__file__).parent / "version_1").write_all(
    RunMetrics(RUN, MOMENT, datetime(2026, 6, 1, 8, 1), status="completed", pipeline="old", config={"name": "old"}),
    [StageMetrics.from_operators([row], "clean")],
    [row],
)
