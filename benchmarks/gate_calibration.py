"""How often the comparison and the gate raise a false alarm, and how often they find a real difference.

Real runs on the local engine, interleaved, of a small pipeline of four operators. In each of 20 rounds: two pairs of
identical runs, and a run in which one operator does 10 % more work (compared with the first run of the round). Then
five pairs of 10,000 records of which 1 point fewer pass. Records, order and machine are the same within a pair; what
else the machine does is not.

    python benchmarks/gate_calibration.py FOLDER [--rounds N]     # make the runs (resumes), then judge them
    python benchmarks/gate_calibration.py FOLDER --read           # judge those that are there
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mega_data_factory import Executor, MetricsReader
from mega_data_factory.analytics.comparison import Comparison, compare
from mega_data_factory.analytics.runs.recording import Recording

WORDS = ("the", "data", "of", "a", "run", "is", "read", "once", "and", "judged", "by", "filters", "which", "keep")
RECORDS, ROUNDS, MORE = 1500, 50, 55
RUNS = ("a", "b", "slow", "c", "d")


def make_source(folder: Path) -> None:
    """Write texts of different lengths, and 10,000 short ones with 1 to 100 letters."""
    draw = random.Random(1)
    for name in ("texts", "lengths"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for part in range(4):
        texts = (
            " ".join(draw.choices(WORDS, k=max(3, int(min(draw.lognormvariate(5.3, 0.8), 8000) / 4.5))))
            for _ in range(RECORDS // 4)
        )
        (folder / "texts" / f"{part}.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    lengths = "".join(json.dumps({"text": "x" * (1 + number % 100)}) + "\n" for number in range(10_000))
    (folder / "lengths" / "0.jsonl").write_text(lengths)


def configuration(
    folder: Path, source: str, operators: Sequence[Mapping[str, Any]], output: str, batch: int
) -> dict[str, Any]:
    """Return a pipeline of one stage."""
    worker = {"num_replicas": 1, "resources": {"cpu": 0.1}}
    metrics = {"output_path": str(folder / "metrics"), "flush_interval": 0.25, "node_interval": 0.5}
    return {
        "data_loader": {"type": "jsonl_loader", "params": {"path": str(folder / source)}},
        "stages": [{"name": "work", "worker": worker, "operators": list(operators)}],
        "data_writer": {"type": "jsonl_writer", "params": {"output_path": output}},
        "executor": {"batch_size": batch, "metrics": metrics},
    }


def run(folder: Path, run_id: str, source: str, operators: Sequence[Mapping[str, Any]], batch: int) -> None:
    """Run a pipeline unless its metrics are there."""
    if run_id in MetricsReader(folder / "metrics").list_runs(status="completed"):
        return
    with tempfile.TemporaryDirectory() as output:
        for _ in Executor(configuration(folder, source, operators, f"{output}/out", batch), run_id=run_id).execute():
            pass
    print(run_id, flush=True)


def make(folder: Path, rounds: int) -> None:
    """Make the runs."""
    make_source(folder)
    for number in range(rounds):
        for name in RUNS:
            operators = [
                {"name": "text_length_filter", "params": {"min_length": 100}},
                {"name": "chewing:ChewingRefiner", "params": {"rounds": ROUNDS}},
                {"name": "chewing:ChewingRefiner", "params": {"rounds": MORE if name == "slow" else ROUNDS}},
                {"name": "gopher_repetition_filter", "params": {}},
            ]
            run(folder, f"run_{number:03d}_{name}", "texts", operators, 15)
    for number in range(5):
        for name, least in (("kept", 10), ("fewer", 11)):
            filters = [{"name": "text_length_filter", "params": {"min_length": least}}]
            run(folder, f"run_pass_{number}_{name}", "lengths", filters, 1000)


def judge(folder: Path) -> None:
    """Print what the comparison says of each kind of pair."""
    reader = MetricsReader(folder / "metrics")
    runs = {run_id: Recording.read(reader, run_id) for run_id in reader.list_runs(status="completed")}
    rounds = sorted({run_id[:7] for run_id in runs if run_id[4:7].isdigit()})
    rounds = [at for at in rounds if all(f"{at}_{name}" in runs for name in RUNS)]
    for name, chosen in (("even rounds, chosen on", rounds[::2]), ("odd rounds", rounds[1::2]), ("all", rounds)):
        print(f"{name}: ", end="")
        judge_rounds(runs, chosen)
    passes = [
        compare(runs[f"run_pass_{at}_kept"], runs[f"run_pass_{at}_fewer"])
        for at in range(5)
        if f"run_pass_{at}_fewer" in runs
    ]
    hits = sum(c.pass_changed and c.kept.is_real and math.isclose(c.kept.points or 0, -1) for c in passes)
    print(f"pass rate off by 1 point of 10,000 records: found {hits} of {len(passes)}")


def judge_rounds(runs: Mapping[str, Recording], whole: Sequence[str]) -> None:
    """Print what the comparison says of the pairs of some rounds."""

    def pairs(first: str, second: str) -> list[Comparison]:
        return [compare(runs[f"{at}_{first}"], runs[f"{at}_{second}"]) for at in whole]

    same, slow = [*pairs("a", "b"), *pairs("c", "d")], pairs("a", "slow")
    print(f"{len(same)} identical pairs, {len(slow)} with one operator that does 10 % more")
    for name, found in (("identical", same), ("10 % more", slow)):
        for measure in ("cpu", "busy"):
            changes = [change(comparison, measure) for comparison in found]
            print(f"  {name}, seconds of {measure}: {spread(changes)}")
    alarms = [c for c in same if any(d.speed in ("slower", "faster") for d in c.operators) or c.pass_changed]
    found_slow = [c for c in slow if c.operators[2].speed == "slower"]
    others = [c for c in slow if any(d.speed in ("slower", "faster") for at, d in enumerate(c.operators) if at != 2)]
    print(f"  false alarms {len(alarms)} of {len(same)}, found {len(found_slow)} of {len(slow)}", end=", ")
    print(f"another operator named in {len(others)} of these")


def change(comparison: Comparison, measure: str) -> float:
    """Return the change of seconds per record of the third operator, in percent."""
    before, after = comparison.operators[2].before, comparison.operators[2].after
    assert before is not None
    assert after is not None
    costs = [(o.cpu if measure == "cpu" else o.busy) / o.input for o in (before, after)]
    return 100 * (costs[1] / costs[0] - 1)


def spread(values: Sequence[float]) -> str:
    """Return median, standard deviation and extremes."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"median {statistics.median(values):+.1f} %, s {deviation:.1f}, {min(values):+.1f} to {max(values):+.1f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--read", action="store_true")
    options = parser.parse_args()
    if not options.read:
        make(options.folder, options.rounds)
    judge(options.folder)
