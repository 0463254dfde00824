"""Two workers of a stage against one, on work that only a processor limits: target ≥ 1.85 times as fast.

The ratio is of wall times, and says nothing where others use the machine: the cores that each run got are printed
beside it. A run with one worker must have got more than one core free for the rest, and one with two nearly all of two.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from make_corpus import Corpus, ensure_corpus
from metering import Spread, Usage, Variant, bench_folder, interleaved, python
from pipeline import config

TARGET = 1.85
HERE = str(Path(__file__).parent)


def chewing(corpus: Corpus, workers: int, rounds: int) -> Callable[[Path], Sequence[str]]:
    """Return the command that compresses every text a number of times, on this many workers."""

    def command(output: Path) -> Sequence[str]:
        operators = [{"name": "chewing:ChewingRefiner", "params": {"rounds": rounds}}]
        stage = {"name": "chew", "operators": operators, "worker": {"num_replicas": workers}}
        settings = config(corpus, output, batch_size=100) | {"stages": [stage]}
        path = output / "pipeline.yaml"
        path.write_text(json.dumps(settings))
        return python("-m", "mega_data_factory.cli", "run", "--quiet", "--config", path)

    return command


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100, help="size of the corpus")
    parser.add_argument("--chewing", type=int, default=20, help="how often each text is compressed")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    corpus = ensure_corpus(bench_folder(), arguments.megabytes)
    path = os.pathsep.join([str(Path(HERE).parent), HERE])
    names = {workers: f"{workers} worker{'s' * (workers > 1)}" for workers in (1, 2)}
    variants = [
        Variant(name, chewing(corpus, workers, arguments.chewing), {"PYTHONPATH": path})
        for workers, name in names.items()
    ]
    results = interleaved(variants, arguments.rounds)
    ratios = [one.wall / two.wall for one, two in zip(results[names[1]], results[names[2]], strict=True)]
    print(f"\n| workers | wall s | CPU-s | cores that it got, of {os.cpu_count()} |\n|---|---|---|---|")
    for name, usages in results.items():
        print(f"| {name} | {_spread(usages, 'wall')} | {_spread(usages, 'cpu')} | {_cores(usages)} |")
    print(f"\nspeed of two over one: {Spread.of(ratios)}, target {TARGET}; load {os.getloadavg()[0]:.1f} at the end")


def _spread(usages: Sequence[Usage], name: str) -> Spread:
    return Spread.of([getattr(usage, name) for usage in usages])


def _cores(usages: Sequence[Usage]) -> Spread:
    return Spread.of([usage.cpu / usage.wall for usage in usages])


if __name__ == "__main__":
    main()
