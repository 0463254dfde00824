"""What a run says that observing it has cost is what it has cost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import json, sys, time
import mega_data_factory as mdf
from mega_data_factory.framework.metrics import MetricsWriter
from mega_data_factory.observe.driver.recording.own_cost import seconds_in_steps

def halve(batch):
    return batch[::2]

def seconds_of(function):
    started = time.thread_time()
    for _ in range(3000):
        function(batch)
    return time.thread_time() - started

batch = list(range(100))
with mdf.observe("cost", metrics=sys.argv[1], node_interval=0, flush_interval=3600) as run:
    step = run.step(halve, reason="odd")
    step(batch)
    spent = min(seconds_of(step) - seconds_of(halve) for _ in range(3))
rows = run._recording.collector.get_operator_metrics()
in_steps = seconds_in_steps(rows) / 3
row = MetricsWriter(sys.argv[1]).read_run_metrics(run.run_id)
print(json.dumps([spent, in_steps, row["instrumentation_seconds"] / 3]))
"""


def test_the_run_tells_the_seconds_that_steps_took_beside_the_functions(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=True)
    spent, in_steps, told = json.loads(done.stdout)
    assert spent / 2.5 < in_steps < 2.5 * spent
    assert in_steps < told < in_steps + 2, "reading accounts and writing files is told with it"
