"""The pipeline of the benchmarks as a plain Ray Data script: the same operators over plain record batches.

No metrics, no accounts, no retries beyond Ray's own, no record errors set aside; deduplication by a naive "seen" set in
two actors, which loses records when a worker is killed.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import ray
import ray.data
from bare_loop import apply, operators

SHARDS = 2


class SeenShard:
    """Keys seen so far."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def claim(self, keys: Sequence[bytes]) -> list[bool]:
        """Return for every key whether it is new."""
        new = []
        for key in keys:
            new.append(key not in self._seen)
            self._seen.add(key)
        return new


class Claims:
    """Keys spread over shards."""

    def __init__(self, shards: Sequence[Any]) -> None:
        self._shards = shards

    def claim(self, keys: Sequence[bytes], owners: Sequence[bytes]) -> list[bool]:  # noqa: ARG002 - the first wins
        """Return for every key whether it is new."""
        where: list[list[int]] = [[] for _ in self._shards]
        for index, key in enumerate(keys):
            where[key[0] % len(self._shards)].append(index)
        calls = [s.claim.remote([keys[i] for i in at]) for s, at in zip(self._shards, where, strict=True)]
        won = [False] * len(keys)
        for at, answer in zip(where, ray.get(calls), strict=True):
            for index, new in zip(at, answer, strict=True):
                won[index] = new
        return won


class Steps:
    """Operators in a row, as a Ray Data actor."""

    def __init__(self, specifications: list[dict[str, object]], shards: Sequence[Any]) -> None:
        from mega_data_factory.framework.contracts import Deduplicator, OperatorContext

        pa.set_cpu_count(1)
        os.environ["POLARS_MAX_THREADS"] = "1"
        self._steps = operators(specifications)
        for step in self._steps:
            if isinstance(step, Deduplicator):
                claims: Any = Claims(shards)  # it never gives a key up
                step.setup(OperatorContext("clean", "exact_deduplicator", "ray", claims))

    def __call__(self, table: pa.Table) -> pa.Table:
        """Run every operator on the batch."""
        if "record_id" not in table.column_names:
            table = table.append_column("record_id", table.column("doc").cast(pa.string()))
        for step in self._steps:
            table = apply(step, table)
        return table


class Clean(Steps):
    """The first stage."""


class Judge(Steps):
    """The second stage."""


def main(source: str, target: str, batch_size: int, stages: list[list[dict[str, object]]], cpu: float) -> None:
    """Curate the Parquet files of `source` into `target`."""
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_BACKEND_LOG_LEVEL="fatal")
    ray.init(
        address="local",
        num_cpus=len(os.sched_getaffinity(0)),
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    shards = [ray.remote(SeenShard).options(num_cpus=0).remote() for _ in range(SHARDS)]
    dataset = ray.data.read_parquet(source)
    for kind, specifications in zip((Clean, Judge), stages, strict=True):
        dataset = dataset.map_batches(
            kind,
            fn_constructor_args=(specifications, shards),
            compute=ray.data.ActorPoolStrategy(size=1),
            batch_format="pyarrow",
            batch_size=batch_size,
            num_cpus=cpu,
        )
    dataset.write_parquet(target)
    ray.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4]), float(sys.argv[5]))
