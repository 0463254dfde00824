"""What observing costs a Dask job: CPU of the same `map_partitions` with and without a step, in one process.

The scheduler is the synchronous one, so that all CPU is that of this process. Rounds with and without alternate, and
the ratio of each pair is what counts: a load of the machine that lasts longer than a round changes both. The interval
is that of the median of the ratios, by the binomial distribution of their ranks.

    python benchmarks/observe_dask.py [--rounds 15] [--partitions 100]
"""

from __future__ import annotations

import argparse
import gc
import math
import statistics
import tempfile
import time
from typing import Any

import dask
import dask.dataframe as dd
import pandas as pd

import mega_data_factory as mdf

RECORDS = 1000
_WORDS = ["Lorem", "ipsum", "dolor", "sit", "amet,", "consectetur", "adipiscing", "elit."]


def clean(frame: pd.DataFrame) -> pd.DataFrame:
    """Strip and lower-case texts, and keep those that are long: some 10 µs a record."""
    frame = frame.assign(text=frame["text"].str.strip().str.lower().str.replace("lorem", "dolor", regex=False))
    return frame[frame["text"].str.count(" ") > 100]


def source(partitions: int) -> Any:
    """Return texts of 0.5 and 1 kB, half of them too short to stay."""
    texts = [" ".join(_WORDS[(at + n) % 8] for n in range(170 if at % 2 else 90)) for at in range(RECORDS)]
    frame = pd.DataFrame({"id": range(RECORDS), "text": texts})
    return dd.from_pandas(pd.concat([frame] * partitions, ignore_index=True), npartitions=partitions)


def seconds(data: Any, function: Any) -> float:
    """Return the seconds of CPU of one execution."""
    plan = data.map_partitions(function, meta=data._meta)
    gc.collect()
    started = time.process_time()
    plan.size.compute(scheduler="synchronous")
    return time.process_time() - started


def interval(ratios: list[float]) -> tuple[float, float]:
    """Return the interval of the median at a confidence of 95 % or more, where there are at least six ratios."""
    ranked, n = sorted(ratios), len(ratios)
    below, chance = 0, 0.5**n
    while chance + math.comb(n, below + 1) * 0.5**n <= 0.025:
        below += 1
        chance += math.comb(n, below) * 0.5**n
    return ranked[below], ranked[n - 1 - below]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--partitions", type=int, default=100)
    arguments = parser.parse_args()
    dask.config.set({"dataframe.convert-string": False})
    data = source(arguments.partitions)
    ratios: list[float] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for at in range(-1, arguments.rounds):
            with mdf.observe("dask", metrics=folder, node_interval=0) as run:
                step = run.step(clean, stage="clean", reason="short")
                both = [
                    (name, seconds(data, function))
                    for name, function in (("off", clean), ("on", step))[:: 1 - 2 * (at % 2)]
                ]
            found = dict(both)
            if at >= 0:  # the first round warms up
                ratios.append(found["on"] / found["off"])
                bare.append(found["off"])
    low, high = interval(ratios)
    each = statistics.median(bare) / arguments.partitions / RECORDS * 1e6
    more = statistics.median(ratios) - 1
    print(
        f"{arguments.rounds} rounds, {arguments.partitions} partitions of {RECORDS:,} records; {each:.1f} µs a record"
    )
    print(f"with a step: {more:+.2%} (95 %: {low - 1:+.2%} to {high - 1:+.2%}); target: at most 2 %")


if __name__ == "__main__":
    main()
