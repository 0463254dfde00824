"""The pipeline that all benchmarks run, and the test that two runs of it have put out the same."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import xxhash
from make_corpus import Corpus
from metering import python

BATCH_SIZE = 1000

CLEAN: list[dict[str, Any]] = [
    {"name": "text_length_filter", "params": {"min_length": 200, "max_length": 200_000}},
    {"name": "exact_deduplicator"},
]
JUDGE: list[dict[str, Any]] = [
    {"name": "text_statistics_refiner"},
    {"name": "gopher_quality_filter", "params": {"min_alphabetic_words": 0.6, "max_mean_word_length": 12.0}},
]


def config(corpus: Corpus, output: Path, *, fused: bool = False, **executor: Any) -> dict[str, Any]:
    """Return a configuration of the pipeline.

    Args:
        corpus: what is read.
        output: folder for data and metrics.
        fused: one stage with two workers, instead of two stages with one each.
        executor: keys of the `executor` section.
    """
    two = [{"name": "clean", "operators": CLEAN}, {"name": "judge", "operators": JUDGE}]
    one = [{"name": "all", "operators": CLEAN + JUDGE, "worker": {"num_replicas": 2}}]
    kind = {".parquet": "parquet_loader", ".jsonl": "jsonl_loader"}[corpus.suffix]
    return {
        "name": "benchmark",
        "data_loader": {"type": kind, "params": {"path": corpus.folder}},
        "stages": one if fused else two,
        "data_writer": {"type": "parquet_writer", "params": {"output_path": str(output / "data")}},
        "executor": {
            "batch_size": BATCH_SIZE,
            "metrics": {"output_path": str(output / "metrics")},
            **executor,
        },
    }


def mdf_command(corpus: Corpus, **executor: Any) -> Callable[[Path], list[str]]:
    """Return the command that runs the pipeline as a user would: `mdf run` on a configuration file."""

    def command(output: Path) -> list[str]:
        path = output / "pipeline.yaml"
        path.write_text(json.dumps(config(corpus, output, **executor)))  # JSON is YAML
        return python("-m", "mega_data_factory.cli", "run", "--config", path)

    return command


@dataclass(frozen=True)
class Digest:
    """What an output holds, whatever the order of its records and whichever copy of a text was kept.

    Attributes:
        records: how many.
        texts: sum of the 64-bit hashes of all texts, modulo 2^64.
        statistics: of the columns that the refiner adds, the sums.
    """

    records: int
    texts: int
    statistics: Mapping[str, float]


_STATISTICS = (
    "char_count",
    "byte_count",
    "word_count",
    "line_count",
    "mean_word_length",
    "alpha_ratio",
    "digit_ratio",
    "whitespace_ratio",
)


def digest(folder: Path) -> Digest:
    """Return the digest of all Parquet files in a folder."""
    records = texts = 0
    values: dict[str, list[float]] = {name: [] for name in _STATISTICS}
    for path in sorted(folder.rglob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(1000, columns=["text", *_STATISTICS]):
            records += batch.num_rows
            texts += sum(xxhash.xxh3_64_intdigest(text.as_buffer()) for text in batch.column("text"))
            for name in _STATISTICS:
                values[name] += batch.column(name).to_pylist()
    return Digest(records, texts % 2**64, {name: round(math.fsum(column), 6) for name, column in values.items()})


class SameOutput:
    """Checks that every run of every variant puts out the same: the first sets what that is."""

    def __init__(self) -> None:
        self.expected: Digest | None = None

    def __call__(self, output: Path) -> None:
        """Check the Parquet files below `output`/data.

        Raises:
            AssertionError: they hold something else than those of the first run.
        """
        found = digest(output / "data")
        self.expected = self.expected or found
        assert found == self.expected, f"outputs differ:\n  {found}\n  {self.expected}"
        assert found.records > 0, "nothing came out"
