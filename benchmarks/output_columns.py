"""What it costs to measure the columns of the output, in CPU, on the operators of the example pipeline.

The work is timed by itself, since it is less than the noise of the whole: measuring the table that a batch leaves,
its form as JSON for the commit log, and adding it up in the driver. Of each batch the least CPU of all rounds counts,
and it is divided by the least CPU of the batch in the stages. Each batch has a file of its own here; in a run a file
holds many. Target: at most 1 %.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import pyarrow as pa
from metering import bench_folder
from metrics_paired import asked_batches
from reject_ledger import Pipeline

from mega_data_factory.framework.commit.column_measuring import measure_columns
from mega_data_factory.framework.metrics.details.columns.column_statistics import ColumnStatistics
from mega_data_factory.framework.metrics.details.totals import DetailTotals
from mega_data_factory.framework.worker.stage import StageSettings


def measured(table: pa.Table) -> tuple[float, int]:
    """Return the CPU seconds of all that is done for the columns of a table, and the bytes for the log."""
    started = time.process_time()
    found = measure_columns(table)
    text = json.dumps([column.to_wire() for column in found])
    DetailTotals().add([ColumnStatistics.from_wire(values) for values in json.loads(text)])
    return time.process_time() - started, len(text)


def main() -> None:
    """Measure and print."""
    batches, arguments = asked_batches(__doc__, batches=3, rounds=2)
    wholes, added, sizes = [float("inf")] * len(batches), [float("inf")] * len(batches), [0] * len(batches)
    written = bytes_written = columns = 0
    with tempfile.TemporaryDirectory(dir=bench_folder()) as name:
        pipeline = Pipeline(Path(name) / "0", StageSettings("run_benchmark"))
        for turn in range(arguments.rounds):
            for at, batch in enumerate(batches):
                whole, _, result = pipeline.run(batch)
                wholes[at] = min(wholes[at], whole)
                for _ in range(5):
                    seconds, sizes[at] = measured(result.table)
                    added[at] = min(added[at], seconds)
                if turn == 0:
                    written += result.table.num_rows
                    bytes_written += result.table.nbytes
                    columns = result.table.num_columns
    print(f"{written} of {arguments.records * len(batches)} records, {bytes_written / 1e6:.1f} MB, {columns} columns")
    print(f"stages {sum(wholes) / len(batches):.2f} s of CPU a batch")
    print(f"columns {1000 * sum(added) / len(batches):.1f} ms a batch: {100 * sum(added) / sum(wholes):+.2f} %")
    print(f"commit log {sum(sizes) / len(sizes) / columns:.0f} bytes a column and file")


if __name__ == "__main__":
    main()
