"""What an observed step costs: instructions of a batch through a step over those of the same batch without.

Instructions hardly vary from run to run, where seconds on a shared machine vary by more than what is looked for (see
`instructions.py`). A child is counted for each way to call the function and for each of two numbers of batches. The
ways:

- `driver`: the step is called in the process of the run;
- `file`: in a worker process, by the user's own function there: its accounts go to the driver through a file;
- `pool`: in a worker process, by the pool itself: its accounts go with the result. Pickling the result is not counted.

The count includes what the driver does with accounts: reading them and adding them up at every write of the metrics.
The Parquet files that it writes every five seconds are not in it.

    python benchmarks/observe_overhead.py [--json] [--batches 40]
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import tempfile
from collections.abc import Callable
from functools import partial
from multiprocessing.pool import mapstar  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any

from instructions import count, freeze_heap, in_child

TARGET = 0.01

_RECORDS = 1000
_FEW = 16  # most buckets of the histograms are there by then
_WAYS = ("off", "driver", "file", "off-pool", "pool")


# ── steps ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


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


STEPS = {
    "Arrow table, 1 kB texts: utf8_lower, filter by length": _lower_table,
    "list of dicts, 1 kB texts: strip, lower, filter by length": _lower_list,
}


# ── the counted program ───────────────────────────────────────────────────────────────────────────────────────────────


def _program(batches: int, folder: str) -> None:
    """Fork a child for every step, way and number of batches, one after the other; print which process was which."""
    import mega_data_factory as mdf

    for name, make in STEPS.items():
        function, batch = make()
        run = mdf.observe("overhead", metrics=folder, node_interval=0, flush_interval=3600)
        step = run.step(function, reason="short")
        step(batch)
        freeze_heap()
        for way in _WAYS:
            for number in (_FEW, _FEW + batches):
                in_child([name, way, number], partial(_child, run, step, function, batch, way, number))


def _child(run: Any, step: Any, function: Any, batch: Any, way: str, batches: int) -> None:
    """Call the function, or the step, as often as is wanted, in one of the ways."""
    from mega_data_factory.observe import connection, delivery
    from mega_data_factory.observe.steps.spec import RunRef

    recording = run._recording
    if way == "driver":  # as in `start`, without the thread that writes: it may write once or twice in so short a run
        connection.register(run.run_id, recording.ledger.take, recording.addresses)
    else:  # as a worker process has it
        object.__setattr__(step.spec, "run", RunRef(run.run_id, dict(step.spec.run.addresses())))
    delivery._SUM_SECONDS = 600  # valgrind is slow: a batch takes as long as a hundred
    if way == "pool":
        delivery.ledgers[run.run_id, os.getpid()] = recording.ledger.take
    called = function if way.startswith("off") else step
    for at in range(batches):
        if way.endswith("pool"):
            [reply] = mapstar((called, [batch]))
            if way == "pool":
                reply._result = None
            else:
                reply = None
            pickle.loads(pickle.dumps(reply, pickle.HIGHEST_PROTOCOL))
        else:
            called(batch)
        if at == 0:
            recording.gather()  # what happens once
    recording.gather()


# ── counting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def shares(batches: int) -> dict[str, dict[str, float]]:
    """Return for every step the instructions of a batch by way: `off`, and what each of the others takes beside it."""
    with tempfile.TemporaryDirectory() as folder:
        counted = count(Path(__file__), "--program", folder, "--batches", batches)
    found: dict[str, dict[str, float]] = {}
    for (name, way, number), instructions in counted:
        ways = found.setdefault(name, {})
        ways[way] = ways.get(way, 0) + instructions / (batches if number > _FEW else -batches)
    return {
        name: {
            "off": ways["off"],
            "driver": ways["driver"] - ways["off"],
            "file": ways["file"] - ways["off"],
            "pool": ways["pool"] - ways["off-pool"],
        }
        for name, ways in found.items()
    }


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=40, help="batches that are counted, of each step and way")
    parser.add_argument("--json", action="store_true", help="print instructions as JSON")
    parser.add_argument("--program", metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.program:
        _program(arguments.batches, str(Path(arguments.program)))
        return
    found = shares(arguments.batches)
    if arguments.json:
        print(json.dumps(found))
        return
    print(f"batches of {_RECORDS:,} records; target: at most {TARGET:.0%}")
    for name, ways in found.items():
        print(f"{name}: {ways['off']:,.0f} instructions a batch")
        for way in ("driver", "file", "pool"):
            print(f"  {way}: {ways[way]:+,.0f} with a step: {ways[way] / ways['off']:.2%}")


if __name__ == "__main__":
    main()
