"""The local engine against hand-written loops that put out the same records: target ≤ 1.5 times their CPU."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from make_corpus import Corpus, ensure_corpus
from metering import Variant, bench_folder, interleaved, print_table, python
from pipeline import BATCH_SIZE, CLEAN, JUDGE, SameOutput, mdf_command

BASELINES = Path(__file__).parent / "baselines"
TARGET = 1.5
ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}


def variants(corpus: Corpus) -> list[Variant]:
    """Return two loops by hand, and two ways to cut the pipeline into stages."""
    check = SameOutput()
    steps = json.dumps(CLEAN + JUDGE)

    def polars(output: Path) -> list[str]:
        return python(BASELINES / "polars_loop.py", corpus.folder, output / "data")

    def bare(output: Path) -> list[str]:
        return python(BASELINES / "bare_loop.py", corpus.folder, output / "data", BATCH_SIZE, steps)

    return [
        Variant("polars by hand", polars, check=check),
        Variant("bare loop, same operators", bare, ONE_THREAD, check),
        Variant("mdf, two stages", mdf_command(corpus), check=check),
        Variant("mdf, one stage", mdf_command(corpus, fused=True), check=check),
    ]


def compare(variants: Callable[[Corpus], list[Variant]], base: str, target: float, description: str | None) -> None:
    """Run the variants in turn on a corpus, and print their costs relative to the base.

    Args:
        variants: Variants to compare on a corpus.
        base: Name of the variant that the others are compared with.
        target: Ratio of CPU time that is allowed.
        description: Text of `--help`.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the corpus")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    corpus = ensure_corpus(bench_folder(), arguments.megabytes)
    print(f"{corpus.documents:,} documents, {corpus.text_bytes / 1e6:,.0f} MB of text; target {target}")
    print_table(interleaved(variants(corpus), arguments.rounds), base)


if __name__ == "__main__":
    compare(variants, "polars by hand", TARGET, __doc__)
