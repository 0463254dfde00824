"""What an observed step costs: instructions of a program with steps over those of the same program without.

Instructions hardly vary from run to run (`valgrind --tool=cachegrind --cache-sim=no`), where seconds on a shared
machine vary by more than what is looked for. Every program is counted with two numbers of batches, and the difference
is divided by the difference of these: start-up drops out. Both programs import and define the same, so that memory is
equally fragmented: allocating texts costs less in a process that has imported nothing. The count includes what the
driver does with accounts (the ledger, at every write), without the Parquet files that it writes every five seconds.

    python benchmarks/observe_overhead.py
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

TARGET = 0.01

_RECORDS = 1000
_BATCHES = (5, 205)


# ── programs, in a process of their own ───────────────────────────────────────────────────────────────────────────────


def _documents(letters: int) -> list[str]:
    words = ["Lorem", "ipsum", "dolor", "sit", "amet,", "consectetur", "adipiscing", "elit."]
    return [" ".join(words[(at + n) % 8] for n in range(letters // 6)) for at in range(_RECORDS)]


def _lower_table() -> tuple[Callable[[Any], Any], Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    def lower(table: pa.Table) -> pa.Table:
        table = table.set_column(1, "text", pc.utf8_lower(table["text"]))
        return table.filter(pc.greater(pc.utf8_length(table["text"]), 40))

    return lower, pa.table({"id": range(_RECORDS), "text": _documents(1000)})


def _lower_list() -> tuple[Callable[[Any], Any], Any]:
    def lower(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**row, "text": row["text"].strip().lower()} for row in rows if len(row["text"]) > 40]

    return lower, [{"id": at, "text": text} for at, text in enumerate(_documents(1000))]


def _nothing() -> tuple[Callable[[Any], Any], Any]:
    return (lambda batch: batch), [{"id": at} for at in range(_RECORDS)]


STEPS = {
    "Arrow table, 1 kB texts: utf8_lower, filter by length": _lower_table,
    "list of dicts, 1 kB texts: strip, lower, filter by length": _lower_list,
    "list of dicts: nothing at all": _nothing,
}


def _program(step: str, observed: str, batches: int, folder: str) -> None:
    """Run one program: `off`, `on` in the driver's process, or `worker`, which delivers through files."""
    import mega_data_factory as mdf
    from mega_data_factory.observe import connection
    from mega_data_factory.observe.steps.spec import RunRef

    function, batch = STEPS[step]()
    run = mdf.observe("overhead", metrics=folder, node_interval=0, flush_interval=3600)
    observed_function = run.step(function, reason="short")
    if observed == "worker":  # as a process of a pool has it, whose function calls the step
        spec = observed_function.spec
        object.__setattr__(spec, "run", RunRef(run.run_id, dict(spec.run.addresses())))
    else:  # as in `start`, without the thread that writes: it may write once or twice in so short a run
        connection.register(run.run_id, run._recording.ledger.take, run._recording.addresses)
    called = function if observed == "off" else observed_function
    called(batch)
    gc.freeze()  # else the collector of garbage may visit all imported objects between two batches
    for _ in range(batches):
        called(batch)
    run._recording.gather()


# ── counting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def instructions(step: str, observed: str, batches: int) -> int:
    """Return the instructions of one program."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={folder}/out"]
        command += [sys.executable, __file__, "--program", step, observed, str(batches), f"{folder}/metrics"]
        environment = {
            **os.environ,
            "PYTHONHASHSEED": "0",
            "OMP_NUM_THREADS": "1",
            "ARROW_DEFAULT_MEMORY_POOL": "system",
        }
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    assert found is not None, done.stderr
    return int(found[1].replace(",", ""))


def per_batch(step: str, observed: str) -> float:
    """Return the instructions of one more batch."""
    few, many = (instructions(step, observed, batches) for batches in _BATCHES)
    return (many - few) / (_BATCHES[1] - _BATCHES[0])


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", nargs=4, metavar=("STEP", "OBSERVED", "BATCHES", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.program:
        step, observed, batches, folder = arguments.program
        _program(step, observed, int(batches), str(Path(folder)))
        return
    print(f"batches of {_RECORDS:,} records; target: at most {TARGET:.0%}")
    for step in STEPS:
        off = per_batch(step, "off")
        for observed in ("on", "worker"):
            more = per_batch(step, observed) - off
            share = f"{more / off:.2%}" if off > 1000 else "-"
            print(f"{step}, {observed}: {off:,.0f} instructions a batch, {more:+,.0f} with a step: {share}")


if __name__ == "__main__":
    main()
