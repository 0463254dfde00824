"""What it costs to begin: the command's help, a worker of each kind, and a whole run of one record."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from make_corpus import Corpus, ensure_corpus
from metering import Variant, bench_folder, interleaved, print_table, python
from pipeline import config, mdf_command

WORKER = "import mega_data_factory.framework.engines.local.roles"


def one_stage(corpus: Corpus) -> Callable[[Path], Sequence[str]]:
    """Return the command that runs one operator on one record, without deduplication: the least that a run can be."""

    def command(output: Path) -> Sequence[str]:
        path = output / "pipeline.yaml"
        stages = [{"name": "only", "operators": [{"name": "text_length_filter"}]}]
        path.write_text(json.dumps(config(corpus, output, max_samples=1) | {"stages": stages}))
        return python("-m", "mega_data_factory.cli", "run", "--config", path)

    return command


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    corpus = ensure_corpus(bench_folder(), 1)

    def code(text: str) -> Variant:
        def command(output: Path) -> Sequence[str]:  # noqa: ARG001 - writes nothing
            return python("-c", text)

        return Variant(text, command)

    variants = [
        code("pass"),
        Variant("mdf --help", lambda _: python("-m", "mega_data_factory.cli", "--help")),
        code(WORKER),
        code("import pyarrow, polars, numpy"),
        Variant("mdf run, one record, one stage", one_stage(corpus)),
        Variant("mdf run, one record", mdf_command(corpus, max_samples=1)),
    ]
    print_table(interleaved(variants, arguments.rounds), "pass")


if __name__ == "__main__":
    main()
