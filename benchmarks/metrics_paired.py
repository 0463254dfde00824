"""One stage with and without metrics, batch by batch in one process; run by `metrics_overhead.py`.

Prints a JSON object: for the metrics and for a control (a second stage without them), the relative difference in CPU
to a stage without metrics, each with its 95 % interval.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from make_corpus import Corpus, ensure_corpus
from metering import bench_folder
from pipeline import config

from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.config.pipeline import check_config
from mega_data_factory.framework.plan import make_plan
from mega_data_factory.framework.worker.claims import ClaimShard, ShardedClaims
from mega_data_factory.framework.worker.stage import Stage, StageSettings

_RESAMPLES = 2000


def prepared_batches(corpus: Corpus, records: int, most: int) -> list[Batch]:
    """Return batches as the loader would give them, in memory."""
    batches: list[Batch] = []
    for path in corpus.paths:
        for piece in pq.ParquetFile(path).iter_batches(records, columns=["text"]):
            ids = pa.array([f"{path.name}#{len(batches)}/{row}" for row in range(piece.num_rows)])
            table = pa.table({"record_id": ids, "text": piece.column("text")})
            batches.append(Batch(f"{len(batches):06d}-00000", len(batches), table, piece.num_rows))
            if len(batches) == most:
                return batches
    return batches


def asked_batches(description: str | None, *, batches: int, rounds: int) -> tuple[list[Batch], argparse.Namespace]:
    """Return the batches that the command line asks for, and its options; Arrow gets one thread.

    Args:
        description: of the benchmark.
        batches: number of batches by default.
        rounds: number of rounds by default.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=50, help="size of the corpus")
    parser.add_argument("--records", type=int, default=1000, help="records of a batch")
    parser.add_argument("--batches", type=int, default=batches)
    parser.add_argument("--rounds", type=int, default=rounds)
    options = parser.parse_args()
    pa.set_cpu_count(1)
    corpus = ensure_corpus(bench_folder(), options.megabytes)
    return prepared_batches(corpus, options.records, options.batches), options


@contextmanager
def claims_of_one_shard() -> Iterator[ShardedClaims]:
    """Yield claims for deduplicators, in a temporary folder."""
    with (
        tempfile.TemporaryDirectory(dir=bench_folder()) as folder,
        closing(ClaimShard(Path(folder) / "claims")) as shard,
    ):
        yield ShardedClaims([lambda verb, packed: getattr(shard, verb)(packed)])


def paired(corpus: Corpus, rounds: int, records: int, most: int) -> dict[str, list[float]]:
    """Return the least CPU seconds of one stage on every batch over the rounds: metrics on, off, and off again.

    Noise only ever adds, so the least of many rounds is the nearest to what the work costs.
    """
    (plan,) = make_plan(check_config(config(corpus, Path("unused"), fused=True))).stages
    with claims_of_one_shard() as claims:
        stages = {
            name: Stage(plan, "all-0", StageSettings("run_benchmark", measure=name == "on"), claims)
            for name in ("on", "off", "control")
        }
        batches = prepared_batches(corpus, records, most)
        least = {name: [float("inf")] * len(batches) for name in stages}
        for number in range(rounds):
            for at, batch in enumerate(batches):
                for turn in range(len(stages)):
                    name = list(stages)[(number + at + turn) % len(stages)]
                    started = time.process_time()
                    result = stages[name](batch)
                    Batch.from_header(result.header(), result.table)  # the account travels to the driver
                    least[name][at] = min(least[name][at], time.process_time() - started)
    return least


def interval(on: list[float], off: list[float]) -> tuple[float, float, float]:
    """Return the relative difference `sum(on) / sum(off) - 1` with its 95 % interval, by resampling the batches."""
    chance = random.Random(1)
    pairs = list(zip(on, off, strict=True))
    estimates = []
    for _ in range(_RESAMPLES):
        sample = chance.choices(pairs, k=len(pairs))
        estimates.append(sum(a for a, _ in sample) / sum(b for _, b in sample) - 1)
    cuts = statistics.quantiles(estimates, n=40)
    return sum(on) / sum(off) - 1, cuts[0], cuts[-1]


def main(megabytes: int, rounds: int, records: int, batches: int) -> None:
    """Measure and print."""
    pa.set_cpu_count(1)
    least = paired(ensure_corpus(bench_folder(), megabytes), rounds, records, batches)
    found = {name: interval(least[name], least["off"]) for name in ("on", "control")}
    print(json.dumps({**found, "batches": len(least["on"])}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
