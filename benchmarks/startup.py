"""What it costs to begin: the command's help, a worker of each kind, and a whole run of one record."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from make_corpus import ensure_corpus
from metering import Variant, bench_folder, interleaved, print_table, python
from pipeline import mdf_command

WORKER = "import mega_data_factory.framework.engines.local.roles"


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
        Variant("mdf run, one record", mdf_command(corpus, max_samples=1)),
    ]
    print_table(interleaved(variants, arguments.rounds), "pass")


if __name__ == "__main__":
    main()
