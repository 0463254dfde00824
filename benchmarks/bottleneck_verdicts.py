"""Whether the verdict on what limits a run is right, and whether what it promises comes true.

Pipelines of stages that wait a known time for each record, with pools of one to three workers, run on the local
engine. The stage that limits a run is known: the one of most `seconds / workers`. Its verdict is checked, then every
remedy that it names is carried out and the throughput measured again. A second table compares two runs of the same
pipeline many times over: how often a difference is claimed that is not there.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mega_data_factory import Executor, MetricsReader
from mega_data_factory.analytics.comparison import compare
from mega_data_factory.analytics.performance.bottleneck import Bottleneck, Remedy, find_bottleneck
from mega_data_factory.analytics.runs.recording import Recording

RECORDS = 1500
BATCH = 15


@dataclass(frozen=True)
class Shape:
    """A pipeline: for every stage the seconds a record takes in each of its operators, and its workers."""

    costs: tuple[tuple[float, ...], ...]
    workers: tuple[int, ...]

    @property
    def limit(self) -> str:
        """The stage of most seconds per record and worker."""
        loads = [sum(costs) / workers for costs, workers in zip(self.costs, self.workers, strict=True)]
        return f"stage_{loads.index(max(loads))}"

    def remedied(self, remedy: Remedy, heaviest: str | None) -> Shape:
        """Return the pipeline with a remedy carried out."""
        at = int(remedy.station.removeprefix("stage_"))
        workers, costs = list(self.workers), [list(own) for own in self.costs]
        if remedy.workers is not None:
            workers[at] = remedy.workers
        if remedy.taken_from is not None:
            workers[int(remedy.taken_from.removeprefix("stage_"))] -= 1
        if remedy.operator is not None and heaviest is not None:
            place = int(heaviest.rpartition("_")[2]) - 1 if heaviest[-1].isdigit() else 0
            costs[at][place] /= 2
        return Shape(tuple(map(tuple, costs)), tuple(workers))


def random_shape(draw: random.Random) -> Shape:
    """Return two or three stages; the busiest takes 25 % more than the next, so one answer is right."""
    while True:
        stages = draw.choice((2, 3))
        costs = tuple(tuple(draw.uniform(0.0005, 0.004) for _ in range(draw.choice((1, 2)))) for _ in range(stages))
        shape = Shape(costs, tuple(draw.choice((1, 2, 3)) for _ in range(stages)))
        loads = sorted(sum(own) / workers for own, workers in zip(costs, shape.workers, strict=True))
        if loads[-1] >= 1.25 * loads[-2] and loads[-1] >= 0.0015:
            return shape


def run(shape: Shape, source: Path, folder: Path, name: str) -> Recording:
    """Run a pipeline of this shape and read what it left behind."""
    executor = Executor(configuration(shape, source, folder / name), run_id=f"run_{name}")
    for _ in executor.execute():
        pass
    return Recording.read(MetricsReader(folder / name / "metrics"), executor.run_id)


def configuration(shape: Shape, source: Path, folder: Path) -> Mapping[str, Any]:
    """Return the pipeline, with sampling of nodes off: other load on this machine must not enter."""
    stages = [
        {
            "name": f"stage_{at}",
            "worker": {"num_replicas": workers, "resources": {"cpu": 0.1}},
            "operators": [{"name": "waiting:WaitingRefiner", "params": {"seconds": cost}} for cost in costs],
        }
        for at, (costs, workers) in enumerate(zip(shape.costs, shape.workers, strict=True))
    ]
    return {
        "data_loader": {"type": "jsonl_loader", "params": {"path": str(source)}},
        "stages": stages,
        "data_writer": {"type": "jsonl_writer", "params": {"output_path": str(folder / "output")}},
        "executor": {
            "batch_size": BATCH,
            "metrics": {"output_path": str(folder / "metrics"), "flush_interval": 0.25, "node_interval": 0},
        },
    }


def throughput(recording: Recording) -> float:
    """Return records per second while the run worked."""
    return float(recording.run["total_input_records"]) / recording.working_seconds


def verdicts(shapes: int, source: Path, folder: Path, seed: int) -> None:
    """Check verdicts and forecasts; prints a line for each."""
    draw = random.Random(seed)
    right, errors = 0, []
    for number in range(shapes):
        shape = random_shape(draw)
        recording = run(shape, source, folder, f"{number}_before")
        found = find_bottleneck(recording)
        assert found is not None
        said = found.limit.name if found.limit else "waiting"
        right += said == shape.limit
        print(f"{number}: workers {shape.workers}, limit {shape.limit}, said {said}", flush=True)
        errors += forecasts(shape, found, recording, source, folder, number)
    print(f"verdict right in {right} of {shapes}")
    if errors:
        off = [abs(error) for error in errors]
        print(
            f"{len(errors)} forecasts of throughput: median error {statistics.median(off):.1%}, worst {max(off):.1%}, "
            f"mean {statistics.mean(errors):+.1%} (promised / measured - 1)"
        )


def forecasts(
    shape: Shape, found: Bottleneck, recording: Recording, source: Path, folder: Path, number: int
) -> list[float]:
    """Carry out every remedy; the relative errors of the promised gains."""
    errors = []
    heaviest = found.heaviest.name if found.heaviest else None
    if found.limit is None or found.limit.name != shape.limit:
        return []
    for at, remedy in enumerate(found.remedies):
        after = run(shape.remedied(remedy, heaviest), source, folder, f"{number}_after_{at}")
        measured = throughput(after) / throughput(recording)
        errors.append(remedy.gain / measured - 1)
        print(f"   {remedy.text}: promised {remedy.gain:.2f}, measured {measured:.2f}", flush=True)
    return errors


def false_alarms(pairs: int, source: Path, folder: Path, seed: int) -> None:
    """Compare two runs of one pipeline, many times: count claimed differences, and find a real one of 30 %."""
    draw = random.Random(seed)
    claimed = operators = judged = seen = 0
    for number in range(pairs):
        shape = random_shape(draw)
        before = run(shape, source, folder, f"same_{number}_0")
        same = compare(before, run(shape, source, folder, f"same_{number}_1"))
        claimed += sum(d.speed in ("slower", "faster") for d in same.operators) + (same.speed in ("slower", "faster"))
        operators += len(same.operators) + 1
        slower = replace(shape, costs=((shape.costs[0][0] * 1.3, *shape.costs[0][1:]), *shape.costs[1:]))
        other = compare(before, run(slower, source, folder, f"same_{number}_2"))
        judged += 1
        seen += other.operators[0].speed == "slower"
    print(f"two runs of the same: {claimed} differences claimed of {operators} that were judged")
    print(f"an operator that takes 30 % longer: seen in {seen} of {judged}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", type=int, default=8)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    sys.path.append(str(Path(__file__).parent))  # the workers find `waiting` there
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = folder / "in.jsonl"
        source.write_text("".join(json.dumps({"text": f"record {n}"}) + "\n" for n in range(RECORDS)))
        verdicts(arguments.shapes, source, folder, arguments.seed)
        if arguments.pairs:
            false_alarms(arguments.pairs, source, folder, arguments.seed)


if __name__ == "__main__":
    main()
