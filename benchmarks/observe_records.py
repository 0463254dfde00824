"""What an observed step costs that looks at each record: slices, tokens, the reject ledger, over one that counts alone.

The step lower-cases texts of 1 kB and drops 2 % of the records. Ways alternate batch by batch within one process; the
figure is the CPU time of the median batch of each, over that of a step that counts alone. The parts of a worker and of
the driver are both in it, without writing files.

    python benchmarks/observe_records.py [--batches 200]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

import mega_data_factory as mdf

_RECORDS = 1000
_OPTIONS: dict[str, dict[str, Any]] = {
    "counts alone": {},
    "tokens": {"tokens": "n"},
    "a slice column of 5 values": {"slice_by": "dump"},
    "the domain of a URL": {"slice_by": "domain(url)"},
    "rejects": {"rejects": "all"},
    "all of these": {"tokens": "n", "slice_by": ["dump", "domain(url)"], "rejects": "all"},
}


def _records() -> list[dict[str, Any]]:
    words = ["Lorem", "ipsum", "dolor", "sit", "amet,", "consectetur", "adipiscing", "elit."]
    texts = [" ".join(words[(at + n) % 8] for n in range(166)) for at in range(_RECORDS)]
    return [
        {"id": f"doc-{at}", "text": text, "n": at, "dump": f"cc-{at % 5}", "url": f"https://host{at % 300}.org/{at}"}
        for at, text in enumerate(texts)
    ]


def _lower_table(table: pa.Table) -> pa.Table:
    table = table.set_column(1, "text", pc.utf8_lower(table["text"]))
    return table.filter(pc.greater_equal(table["n"], 20))


def _lower_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "text": row["text"].strip().lower()} for row in rows if row["n"] >= 20]


def measure(function: Callable[[Any], Any], batch: Any, batches: int) -> dict[str, float]:
    """Return the CPU seconds of the median batch, by way."""
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            name: mdf.observe(
                "records", metrics=f"{folder}/{at}", node_interval=0, flush_interval=3600, **options
            ).start()
            for at, (name, options) in enumerate(_OPTIONS.items())
        }
        steps = {name: run.step(function, reason="few") for name, run in runs.items()}
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(batches):
            for name, step in steps.items():
                started = time.process_time()
                step(batch)
                runs[name]._recording.ledger.settle()
                seconds[name].append(time.process_time() - started)
        for run in runs.values():
            run.end()
    return {name: statistics.median(own) for name, own in seconds.items()}


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=200)
    batches = parser.parse_args().batches
    rows = _records()
    for name, function, batch in (
        ("Arrow table", _lower_table, pa.Table.from_pylist(rows)),
        ("list of dicts", _lower_rows, rows),
    ):
        found = measure(function, batch, batches)
        base = found["counts alone"]
        print(f"{name}: {1e3 * base:.2f} ms of CPU a batch of {_RECORDS:,}")
        for way, seconds in found.items():
            print(f"  {way:30} {100 * (seconds / base - 1):+6.1f} %  {1e6 * (seconds - base):+8.0f} µs")


if __name__ == "__main__":
    main()
