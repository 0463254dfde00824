"""How often warnings come in runs without a fault, and how often a worker that is really slow is found.

Real runs on the local engine: 40 without a fault (documents of one length, of very different lengths, files sorted by
length, few batches, the small data of a first user, other processes that fill the machine) and 12 in which one worker
is 2 or 3 times as slow, by more work or by sleeping. Limits are chosen on the runs of even seeds; what counts are those
of odd seeds. `--keep FOLDER` keeps the metrics, `--read FOLDER` judges kept ones again.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mega_data_factory import Executor, MetricsReader
from mega_data_factory.analytics.findings import find
from mega_data_factory.analytics.performance.skew import SLOW, stragglers
from mega_data_factory.analytics.runs.recording import Recording

LIMITS = (1.15, 1.25, 1.5, 2.0)
WARNINGS = ("straggler", "skew", "main-reason", "late-start", "latency-tail", "filter-order")
WORDS = ("the", "data", "of", "a", "run", "is", "read", "once", "and", "judged", "by", "filters", "which", "keep")


@dataclass(frozen=True)
class Shape:
    """A kind of run.

    Attributes:
        name: For the table.
        lengths: `equal`, `mixed` (log-normal, over three decades) or `sorted` (mixed, short files first).
        documents: How many.
        workers: Of the stage.
        batch: Records in a batch.
        neighbours: Other processes that keep a core busy each.
        slow: How many times as slow one worker is; 1 in runs without a fault.
        sleeps: Whether it sleeps in place of working more.
    """

    name: str
    lengths: str
    documents: int
    workers: int
    batch: int
    neighbours: int = 0
    slow: float = 1.0
    sleeps: bool = False


HEALTHY = (
    Shape("equal documents", "equal", 1200, 2, 10),
    Shape("equal documents", "equal", 1200, 4, 10),
    Shape("different lengths", "mixed", 1200, 2, 10),
    Shape("different lengths", "mixed", 1200, 3, 10),
    Shape("files sorted by length", "sorted", 1200, 2, 10),
    Shape("few batches", "mixed", 1200, 4, 100),
    Shape("first user", "mixed", 150, 2, 1000),
    Shape("neighbours, equal", "equal", 1200, 2, 10, neighbours=2),
    Shape("neighbours, different", "mixed", 1200, 3, 10, neighbours=2),
    Shape("one neighbour, sorted", "sorted", 1200, 4, 10, neighbours=1),
)
FAULTY = (
    Shape("slow worker", "equal", 1200, 2, 10, slow=3.0),
    Shape("slow worker, different", "mixed", 1200, 3, 8, slow=3.0),
    Shape("slow disk", "equal", 1200, 3, 8, slow=3.0, sleeps=True),
    Shape("slow disk, different", "mixed", 1200, 2, 10, slow=2.0, sleeps=True),
    Shape("slow worker", "equal", 1200, 2, 10, slow=2.0),
    Shape("slow worker beside a neighbour", "mixed", 1200, 2, 10, neighbours=1, slow=3.0),
)
HEALTHY_SEEDS, FAULTY_SEEDS = 4, 2


def documents(shape: Shape, draw: random.Random) -> list[str]:
    """Return texts of about 2.4 MB in all, or less of the small shape."""
    lengths = [2000.0] * shape.documents
    if shape.lengths != "equal":
        lengths = [min(draw.lognormvariate(6.6, 1.4), 60_000) for _ in lengths]
    if shape.lengths == "sorted":
        lengths.sort()
    return [" ".join(draw.choices(WORDS, k=max(3, int(length / 4.5)))) for length in lengths]


@contextmanager
def neighbours(number: int) -> Iterator[None]:
    """Keep as many cores busy with other processes, whose parent has ended."""
    burn = "import os, time\nif os.fork(): os._exit(0)\nprint(os.getpid(), flush=True)\nos.close(1)\n"
    burn += "end = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
    pids: list[int] = []
    try:
        for _ in range(number):
            started = subprocess.run([sys.executable, "-c", burn], stdout=subprocess.PIPE, text=True, check=True)
            pids.append(int(started.stdout))
        yield
    finally:
        for pid in pids:
            subprocess.run(["kill", "-9", str(pid)], check=True)


def run(shape: Shape, seed: str, folder: Path, name: str) -> None:
    """Run the pipeline of a shape; its metrics are below `folder / name`."""
    draw = random.Random(seed)
    texts = documents(shape, draw)
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / "in"
        source.mkdir()
        for at in range(4):
            part = texts[at * len(texts) // 4 : (at + 1) * len(texts) // 4]
            lines = "".join(json.dumps({"text": text}) + "\n" for text in part)
            (source / f"{at}.jsonl").write_text(lines)
        slow = f"work-{draw.randrange(shape.workers)}" if shape.slow > 1 else ""
        config = configuration(shape, slow, source, Path(temporary) / "out", folder / name)
        with neighbours(shape.neighbours):
            for _ in Executor(config, run_id=f"run_{name}").execute():
                pass


def configuration(shape: Shape, slow: str, source: Path, output: Path, metrics: Path) -> Mapping[str, Any]:
    """Return the pipeline of a shape."""
    chewing = {"rounds": 10, "slow_worker": slow, "factor": shape.slow, "sleeps": shape.sleeps}
    operators = [
        {"name": "text_length_filter", "params": {"min_length": 200}},
        {"name": "chewing:ChewingRefiner", "params": chewing},
    ]
    worker = {"num_replicas": shape.workers, "resources": {"cpu": 0.1}}
    return {
        "data_loader": {"type": "jsonl_loader", "params": {"path": str(source)}},
        "stages": [{"name": "work", "worker": worker, "operators": operators}],
        "data_writer": {"type": "jsonl_writer", "params": {"output_path": str(output)}},
        "executor": {
            "batch_size": shape.batch,
            "metrics": {"output_path": str(metrics), "flush_interval": 0.5, "node_interval": 0.5},
        },
    }


def plan() -> Iterator[tuple[Shape, int, str]]:
    """Yield shape, seed and name of every run."""
    for shapes, seeds, kind in ((HEALTHY, HEALTHY_SEEDS, "healthy"), (FAULTY, FAULTY_SEEDS, "faulty")):
        for at, shape in enumerate(shapes):
            for seed in range(seeds):
                yield shape, seed, f"{kind}_{at}_{seed}"


def _by_mean_alone(recording: Recording) -> bool:
    """Return whether a worker needed 1.5 times the others' seconds per record in the mean, as it was judged before."""
    for stage in recording.stages:
        rates = [worker.rate for worker in stage.workers if worker.rate and worker.batches >= 5]
        for at, rate in enumerate(rates):
            others = rates[:at] + rates[at + 1 :]
            if others and statistics.median(others) >= SLOW * rate:
                return True
    return False


def report(folder: Path) -> None:
    """Judge the runs and print what was said of them."""
    said: dict[tuple[bool, bool], list[tuple[Recording, set[str], Shape]]] = {}
    for shape, seed, name in plan():
        recording = Recording.read(MetricsReader(folder / name), f"run_{name}")
        loud = {f.kind for f in find(recording) if f.severity in ("warning", "critical") or f.kind in WARNINGS}
        said.setdefault((shape.slow > 1, seed % 2 == 1), []).append((recording, loud, shape))
    for limit in LIMITS:
        false, right = (
            sum(bool(stragglers(r.stages, limit)) for r, _, _ in said[kind, False]) for kind in (False, True)
        )
        print(f"even seeds, limit {limit}: {false} false alarms of {len(said[False, False])}, "
              f"{right} hits of {len(said[True, False])}")  # fmt: skip
    healthy = [*said[False, False], *said[False, True]]
    old = sum(_by_mean_alone(recording) for recording, _, _ in healthy)
    print(f"limit in use: {SLOW}; by mean seconds per record alone: {old} false alarms of {len(healthy)}")
    for faulty, title in ((False, "without a fault"), (True, "with a slow worker")):
        for odd, half in ((False, "even"), (True, "odd")):
            runs = said[faulty, odd]
            counted = Counter(kind for _, loud, _ in runs for kind in loud)
            words = ", ".join(f"{kind} {number}" for kind, number in sorted(counted.items())) or "nothing"
            print(f"{len(runs)} runs {title}, {half} seeds: {words}")
    every = [entry for entries in said.values() for entry in entries]
    for shape in (*HEALTHY, *FAULTY):
        own = [(recording, loud) for recording, loud, its in every if its is shape]
        slowest = max((s.times for r, _ in own for s in stragglers(r.stages, 1.0)), default=1.0)
        named = sum("straggler" in loud for _, loud in own)
        print(f"   {shape.name}, {shape.workers} workers, {shape.slow:g} times slower: "
              f"straggler {named} of {len(own)}, slowest {slowest:.2f}")  # fmt: skip


def main() -> None:
    """Run, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="Folder to keep the metrics in.")
    parser.add_argument("--read", type=Path, help="Folder of kept metrics to judge, in place of new runs.")
    parser.add_argument("--seed", type=int, default=1, help="Seed of all texts and of who is slow.")
    arguments = parser.parse_args()
    if arguments.read:
        report(arguments.read)
        return
    sys.path.append(str(Path(__file__).parent))  # the workers find `chewing` there
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        for shape, _, name in plan():
            run(shape, f"{arguments.seed}-{name}", folder, name)
            print(f"{time.monotonic() - started:.0f} s: {name}", file=sys.stderr, flush=True)
        report(folder)


if __name__ == "__main__":
    main()
