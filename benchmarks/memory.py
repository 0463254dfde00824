"""Peak memory of the whole process tree for one, two and four times the input: bounded by `max_in_flight`.

Memory is the proportional set size (PSS), which counts a page that processes share once; tables between workers are
mapped files, and counted while they are mapped.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from make_corpus import ensure_corpus
from metering import ROOT, Spread, Variant, bench_folder, interleaved, python
from pipeline import mdf_command

FACTORS = (1, 2, 4)
LIMITS = (4, 16)


def example(output: Path) -> Sequence[str]:
    """Return the command that runs the example with nine operators."""
    places = {
        "data_writer.params.output_path": "data",
        "executor.metrics.output_path": "metrics",
        "executor.rejected_samples.output_path": "rejected",
    }
    settings = [part for key, name in places.items() for part in ("--set", f"{key}={output / name}")]
    command = ("-m", "mega_data_factory.cli", "run", "--config", ROOT / "configs" / "example_with_metrics.yaml")
    return python(*command, *settings)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=125, help="size of the smallest corpus")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only-example", action="store_true", help="leave the corpora out")
    arguments = parser.parse_args()
    variants = [Variant("example", example)]
    for factor in () if arguments.only_example else FACTORS:
        corpus = ensure_corpus(bench_folder(), arguments.megabytes * factor)
        for limit in LIMITS:
            name = f"{arguments.megabytes * factor} MB, max_in_flight {limit}"
            variants.append(Variant(name, mdf_command(corpus, max_in_flight=limit)))
    results = interleaved(variants, arguments.rounds, memory=True)
    print("\n| input, limit | peak MiB of the tree |\n|---|---|")
    for name, usages in results.items():
        print(f"| {name} | {Spread.of([usage.peak_bytes / 2**20 for usage in usages])} |")


if __name__ == "__main__":
    main()
