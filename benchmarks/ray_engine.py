"""The Ray engine against a hand-written Ray Data script with the same operators and no metrics: target within 5 % CPU.

Both start a cluster of their own with the same resources, and both variants of ours (metrics on, metrics off) are run.
What an empty run costs (cluster, workers, imports) is measured as well, so that the work itself can be compared.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from local_engine import BASELINES
from make_corpus import Corpus, ensure_corpus
from metering import Variant, bench_folder, interleaved, print_table, python
from pipeline import BATCH_SIZE, CLEAN, JUDGE, SameOutput, mdf_command

TARGET = 1.05
CPU_SHARE = 0.3


def variants(corpus: Corpus) -> list[Variant]:
    """The script, and the engine with and without metrics."""
    check = SameOutput()

    def script(output: Path) -> list[str]:
        stages = json.dumps([CLEAN, JUDGE])
        return python(BASELINES / "ray_data_script.py", corpus.folder, output / "data", BATCH_SIZE, stages, CPU_SHARE)

    return [
        Variant("Ray Data script", script, check=check),
        Variant("mdf ray, metrics off", mdf_command(corpus, engine="ray", metrics={"enabled": False}), check=check),
        Variant("mdf ray, metrics on", mdf_command(corpus, engine="ray"), check=check),
    ]


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the corpus")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    corpus = ensure_corpus(bench_folder(), arguments.megabytes)
    print(f"{corpus.documents:,} documents, {corpus.text_bytes / 1e6:,.0f} MB of text; target {TARGET}")
    print_table(interleaved(variants(corpus), arguments.rounds), "Ray Data script")


if __name__ == "__main__":
    main()
