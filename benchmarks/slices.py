"""Cost of bytes of text, tokens and slices, each alone, of batches of 1,000 records.

    python benchmarks/slices.py [ROUNDS [BATCHES]]

A stage of twelve filters, as the example pipeline has operators, that reject one record in thirty and cost little: what
is measured is what is added. The share is of the stage of the example pipeline, the CPU of which is measured beside
it. The least CPU time of all rounds counts, for noise only ever adds. Travelling to the driver and adding up there are
part of it.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from make_corpus import ensure_corpus
from metering import bench_folder
from metrics_paired import claims_of_one_shard, prepared_batches
from pipeline import config

from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.config.pipeline import check_config
from mega_data_factory.framework.contracts import Filter, Judgement, Rule
from mega_data_factory.framework.metrics.details.totals import DetailTotals
from mega_data_factory.framework.plan import OperatorPlan, StagePlan, make_plan
from mega_data_factory.framework.registry import Component
from mega_data_factory.framework.worker.stage import Stage, StageSettings

PLAIN = StageSettings("run_benchmark", text_column="no text is counted")
BY = {
    "slices: 5 values": "dump",
    "slices: source_file()": "source_file()",
    "slices: domain(url), some 400 in a batch": "domain(url)",
}
CHOICES = {
    "no units": PLAIN,
    "control": PLAIN,
    "text bytes": replace(PLAIN, text_column="text"),
    "tokens": replace(PLAIN, token_column="n_tokens"),
    **{name: replace(PLAIN, slice_by=(column,)) for name, column in BY.items()},
    "all of it": replace(PLAIN, text_column="text", token_column="n_tokens", slice_by=tuple(BY.values())),
}


class Thirtieth(Filter):
    """Rejects every thirtieth record."""

    def judge(self, table: pa.Table) -> Judgement:
        rejected = np.arange(table.num_rows) % 30 == 7
        return Judgement.of(table.num_rows, [Rule("thirtieth", pa.array(rejected))])


def cheap_stage() -> StagePlan:
    component = Component("thirtieth", f"{__name__}:Thirtieth", {})
    operators = tuple(OperatorPlan(f"thirtieth_{at}", at, component) for at in range(12))
    return StagePlan("all", 0, operators, 1, 1)


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


def least_of(run: Callable[[], object], rounds: int) -> float:
    """Return the least CPU seconds of a call."""
    least = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        run()
        least = min(least, time.process_time() - started)
    return least


def example_seconds(batches: list[Batch], rounds: int) -> float:
    """Return the CPU seconds of a batch in the stage of the example pipeline, without units."""
    (plan,) = make_plan(check_config(config(ensure_corpus(bench_folder(), 20), Path("unused"), fused=True))).stages
    with claims_of_one_shard() as claims:
        stage = Stage(plan, "all-0", PLAIN, claims)
        seconds = [least_of(partial(stage, batch), rounds) for batch in batches]
    return sum(seconds) / len(seconds)


def main(rounds: int = 200, most: int = 2) -> None:
    """Measure and print."""
    pa.set_cpu_count(1)
    batches = [with_columns(batch) for batch in prepared_batches(ensure_corpus(bench_folder(), 20), 1000, most)]
    example = example_seconds(batches, max(3, rounds // 20))
    stages = {name: Stage(cheap_stage(), "all-0", settings) for name, settings in CHOICES.items()}
    totals = {name: DetailTotals() for name in CHOICES}
    least = {name: [float("inf")] * len(batches) for name in CHOICES}

    def pass_batch(name: str, batch: Batch) -> None:
        result = stages[name](batch)
        totals[name].add(Batch.from_header(result.header(), result.table).details)

    for _ in range(rounds):
        for at, batch in enumerate(batches):
            for name in CHOICES:
                least[name][at] = min(least[name][at], least_of(partial(pass_batch, name, batch), 1))
    base = sum(least["no units"])
    print(f"a batch of the example pipeline: {1000 * example:.0f} ms of CPU; {len(batches)} batches, {rounds} rounds")
    for name, seconds in least.items():
        added = (sum(seconds) - base) / len(batches)
        print(f"| {name} | {1000 * added:+.2f} ms | {100 * added / example:+.2f} % |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
