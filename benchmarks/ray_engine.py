"""The Ray engine against a hand-written Ray Data script with the same operators and no metrics: target within 5 % CPU.

Both start a cluster of their own with the same resources, and both variants of ours (metrics on, metrics off) are run.
What an empty run costs (cluster, workers, imports) is measured as well, so that the work itself can be compared.
"""

from __future__ import annotations

import json
from pathlib import Path

from local_engine import BASELINES, compare
from make_corpus import Corpus
from metering import Variant, python
from pipeline import BATCH_SIZE, CLEAN, JUDGE, SameOutput, mdf_command

TARGET = 1.05
CPU_SHARE = 0.3


def variants(corpus: Corpus) -> list[Variant]:
    """Return the script, and the engine with and without metrics."""
    check = SameOutput()

    def script(output: Path) -> list[str]:
        stages = json.dumps([CLEAN, JUDGE])
        return python(BASELINES / "ray_data_script.py", corpus.folder, output / "data", BATCH_SIZE, stages, CPU_SHARE)

    return [
        Variant("Ray Data script", script, check=check),
        Variant("mdf ray, metrics off", mdf_command(corpus, engine="ray", metrics={"enabled": False}), check=check),
        Variant("mdf ray, metrics on", mdf_command(corpus, engine="ray"), check=check),
    ]


if __name__ == "__main__":
    compare(variants, "Ray Data script", TARGET, __doc__)
