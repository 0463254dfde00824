"""The pipeline of the benchmarks as a bare loop over this package's own operators: no engine, no metrics, one process.

What the local engine costs beyond this loop is what the engine itself costs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mega_data_factory.framework.config.mistakes import Place
from mega_data_factory.framework.contracts import Filter, Operator, Refiner
from mega_data_factory.framework.registry import resolve

FILE_BYTES = 64_000_000


class SeenKeys:
    """The claims of a process that is alone: a dict."""

    def __init__(self) -> None:
        self._owners: dict[bytes, bytes] = {}

    def claim(self, keys: Sequence[bytes], owners: Sequence[bytes]) -> list[bool]:
        """Return whether the owner is the first with each key."""
        return [self._owners.setdefault(key, owner) is owner for key, owner in zip(keys, owners, strict=True)]

    def release(self, owners: Sequence[bytes]) -> None:
        """Do nothing: no owner dies here."""


def operators(specifications: Sequence[dict[str, object]]) -> list[Operator]:
    """Return the operators of the pipeline, built."""
    return [
        resolve("operator", str(one["name"]), dict(one.get("params", {})), Place(())).build()  # type: ignore[call-overload]
        for one in specifications
    ]


def apply(operator: Operator, table: pa.Table) -> pa.Table:
    """Apply one operator to one table."""
    if isinstance(operator, Refiner):
        return operator.refine(table)
    assert isinstance(operator, Filter)
    return table.filter(operator.judge(table).kept)


def main(source: Path, target: Path, batch_size: int, steps: Sequence[Operator]) -> None:
    """Curate every file of `source` into files of `target`."""
    target.mkdir(parents=True)
    waiting: list[pa.Table] = []
    written = 0

    def flush() -> None:
        nonlocal waiting, written
        pq.write_table(pa.concat_tables(waiting), target / f"part-{written:05d}.parquet", compression="zstd")
        waiting, written = [], written + 1

    for path in sorted(source.glob("part-*")):
        row = 0
        for batch in pq.ParquetFile(path).iter_batches(batch_size, use_threads=False):
            table = pa.Table.from_batches([batch])
            ids = [f"{path.name}#{row + i}" for i in range(table.num_rows)]
            row += table.num_rows
            table = table.add_column(0, "record_id", pa.array(ids, pa.string()))
            for step in steps:
                table = apply(step, table)
            waiting.append(table)
        if sum(table.nbytes for table in waiting) > 2 * FILE_BYTES:
            flush()
    if waiting:
        flush()


if __name__ == "__main__":
    from mega_data_factory.framework.contracts import Deduplicator, OperatorContext

    pa.set_cpu_count(1)
    chosen = operators(json.loads(sys.argv[4]))
    claims = SeenKeys()
    for chosen_one in chosen:
        if isinstance(chosen_one, Deduplicator):
            chosen_one.setup(OperatorContext("all", "exact_deduplicator", "loop-0", claims))
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), chosen)
