"""What the metrics cost on the local engine: target ≤ 1 % CPU.

Three answers, because a machine's noise is larger than what is looked for:

1. whole runs with metrics on and off, interleaved: what a user would see;
2. one stage in this process, over prepared batches, on and off batch by batch: a paired difference with its interval;
3. the run's own account (`instrumentation_seconds`: measurements times the calibrated cost of one) over all its CPU.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

for _pool in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS"):  # as in a worker of one CPU; read when polars is imported
    os.environ.setdefault(_pool, "1")

import pyarrow as pa
import pyarrow.parquet as pq
from make_corpus import Corpus, ensure_corpus
from metering import Spread, Variant, bench_folder, cpu_ratio, interleaved, measure
from pipeline import SameOutput, config, mdf_command

from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.claims import ClaimShard, ShardedClaims
from mega_data_factory.framework.config import check_config
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.framework.plan import make_plan
from mega_data_factory.framework.stage import Stage, StageSettings

TARGET = 0.01
_RESAMPLES = 2000


def whole_runs(corpus: Corpus, rounds: int) -> Spread:
    """CPU with metrics over CPU without."""
    check = SameOutput()

    def off(output: Path) -> list[str]:
        return mdf_command(corpus, metrics={"enabled": False})(output)

    variants = [Variant("on", mdf_command(corpus), check=check), Variant("off", off, check=check)]
    return cpu_ratio(interleaved(variants, rounds), "on", "off")


def own_account(corpus: Corpus) -> tuple[float, float]:
    """Seconds of instrumentation that a run has accounted for, and its CPU seconds."""
    with tempfile.TemporaryDirectory(dir=bench_folder()) as folder:
        usage = measure(mdf_command(corpus)(Path(folder)))
        (run,) = MetricsReader(Path(folder) / "metrics").runs().to_pylist()
    return float(run["instrumentation_seconds"]), usage.cpu


def prepared_batches(corpus: Corpus, records: int, most: int) -> list[Batch]:
    """Batches as the loader would give them, in memory."""
    batches: list[Batch] = []
    for path in corpus.paths:
        for piece in pq.ParquetFile(path).iter_batches(records, columns=["text"]):
            ids = pa.array([f"{path.name}#{len(batches)}/{row}" for row in range(piece.num_rows)])
            table = pa.table({"record_id": ids, "text": piece.column("text")})
            batches.append(Batch(f"{len(batches):06d}-00000", len(batches), table, piece.num_rows))
            if len(batches) == most:
                return batches
    return batches


def paired(corpus: Corpus, rounds: int, records: int, most: int) -> tuple[list[float], list[float]]:
    """CPU seconds with and without metrics of one stage on every batch in every round, in pairs."""
    (plan,) = make_plan(check_config(config(corpus, Path("unused"), fused=True))).stages
    with tempfile.TemporaryDirectory(dir=bench_folder()) as folder:
        shard = ClaimShard(Path(folder) / "claims")
        claims = ShardedClaims([lambda verb, packed: getattr(shard, verb)(packed)])
        stages = {
            measured: Stage(plan, "all-0", StageSettings("run_benchmark", measure=measured), claims)
            for measured in (True, False)
        }
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for number in range(rounds + 1):
            for at, batch in enumerate(prepared_batches(corpus, records, most)):
                order = (True, False) if (number + at) % 2 else (False, True)
                for measured in order:
                    started = time.process_time()
                    result = stages[measured](batch)
                    Batch.from_header(result.header(), result.table)  # the account travels to the driver
                    if number:  # the first round warms up
                        seconds[measured].append(time.process_time() - started)
        shard.close()
    return seconds[True], seconds[False]


def interval(on: list[float], off: list[float]) -> tuple[float, float, float]:
    """The relative difference `sum(on) / sum(off) - 1` with its 95 % interval, by resampling the pairs."""
    chance = random.Random(1)  # noqa: S311 - statistics
    pairs = list(zip(on, off, strict=True))
    estimates = []
    for _ in range(_RESAMPLES):
        sample = chance.choices(pairs, k=len(pairs))
        estimates.append(sum(a for a, _ in sample) / sum(b for _, b in sample) - 1)
    cuts = statistics.quantiles(estimates, n=40)
    return sum(on) / sum(off) - 1, cuts[0], cuts[-1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the corpus")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=100, help="of a batch in the paired comparison")
    parser.add_argument("--batches", type=int, default=60, help="of the paired comparison")
    arguments = parser.parse_args()
    corpus = ensure_corpus(bench_folder(), arguments.megabytes)
    print(f"target: at most {TARGET:.0%}")
    print(f"whole runs, CPU on / off: {whole_runs(corpus, arguments.rounds)}")
    on, off = paired(corpus, arguments.rounds, arguments.records, arguments.batches)
    middle, low, high = interval(on, off)
    print(f"one stage, batches of {arguments.records}: {middle:+.2%} [{low:+.2%}, {high:+.2%}] 95 %, {len(on)} pairs")
    seconds, cpu = own_account(corpus)
    print(f"own account: {seconds:.4f} s of {cpu:.1f} CPU-s = {seconds / cpu:.4%}")


if __name__ == "__main__":
    main()
