"""Cost of bytes of text, tokens and slices, each alone, on the stage of the example pipeline.

    python benchmarks/slices.py [MEGABYTES [ROUNDS [BATCHES]]]

Every batch of 1,000 records passes the stage with each choice of settings in turn; the least CPU time of all rounds
counts, for noise only ever adds. Travelling to the driver and adding up there are part of it.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
from make_corpus import ensure_corpus
from metering import bench_folder
from metrics_paired import interval, prepared_batches
from pipeline import config

from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.config.pipeline import check_config
from mega_data_factory.framework.metrics.details.totals import DetailTotals
from mega_data_factory.framework.plan import make_plan
from mega_data_factory.framework.worker.claims import ClaimShard, ShardedClaims
from mega_data_factory.framework.worker.stage import Stage, StageSettings

PLAIN = StageSettings("run_benchmark", text_column="no text is counted")
CHOICES = {
    "no units": PLAIN,
    "control": PLAIN,
    "text bytes": replace(PLAIN, text_column="text"),
    "tokens": replace(PLAIN, token_column="n_tokens"),
    "slices: 5 values": replace(PLAIN, slice_by=("dump",)),
    "slices: source_file()": replace(PLAIN, slice_by=("source_file()",)),
    "slices: domain(url), some 400 a batch": replace(PLAIN, slice_by=("domain(url)",)),
    "all of it": replace(
        PLAIN, text_column="text", token_column="n_tokens", slice_by=("dump", "source_file()", "domain(url)")
    ),
}


def with_columns(batch: Batch) -> Batch:
    """Return the batch with columns to slice by."""
    chance, rows = random.Random(batch.id), batch.table.num_rows
    hosts = [f"www.h{int(chance.paretovariate(0.6)) % 100_000}.example.org" for _ in range(rows)]
    columns = {
        "record_id": pa.array([f"part-{batch.split % 7}.parquet#{batch.split * 1000 + row}" for row in range(rows)]),
        "text": batch.table.column("text"),
        "dump": pa.array([f"cc-{chance.randrange(5)}" for _ in range(rows)]),
        "url": pa.array([f"https://{host}/page/{row}?q=1" for row, host in enumerate(hosts)]),
        "n_tokens": pa.array([chance.randrange(2000) for _ in range(rows)]),
    }
    return replace(batch, table=pa.table(columns))


def measure(megabytes: int, rounds: int, most: int) -> dict[str, list[float]]:
    """Return the least CPU seconds of every batch, by choice."""
    corpus = ensure_corpus(bench_folder(), megabytes)
    (plan,) = make_plan(check_config(config(corpus, Path("unused"), fused=True))).stages
    batches = [with_columns(batch) for batch in prepared_batches(corpus, 1000, most)]
    with tempfile.TemporaryDirectory(dir=bench_folder()) as folder:
        shard = ClaimShard(Path(folder) / "claims")
        claims = ShardedClaims([lambda verb, packed: getattr(shard, verb)(packed)])
        stages = {name: Stage(plan, "all-0", settings, claims) for name, settings in CHOICES.items()}
        totals = {name: DetailTotals() for name in CHOICES}
        least = {name: [float("inf")] * len(batches) for name in CHOICES}
        names = list(CHOICES)
        for number in range(rounds):
            for at, batch in enumerate(batches):
                for turn in range(len(names)):
                    name = names[(number + at + turn) % len(names)]
                    started = time.process_time()
                    result = stages[name](batch)
                    totals[name].add(Batch.from_header(result.header(), result.table).details)
                    least[name][at] = min(least[name][at], time.process_time() - started)
        shard.close()
    return least


def main(megabytes: int = 40, rounds: int = 8, most: int = 12) -> None:
    """Measure and print."""
    pa.set_cpu_count(1)
    least = measure(megabytes, rounds, most)
    base = least["no units"]
    print(f"{len(base)} batches, {1000 * sum(base) / len(base):.0f} ms of CPU each, {rounds} rounds")
    for name, seconds in least.items():
        added, low, high = interval(seconds, base)
        more = 1000 * (sum(seconds) - sum(base)) / len(base)
        print(f"| {name} | {more:+.2f} ms | {100 * added:+.2f} % ({100 * low:+.2f} to {100 * high:+.2f}) |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
