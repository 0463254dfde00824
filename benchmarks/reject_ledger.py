"""What it costs to keep every rejected record, in CPU, on the operators of the example pipeline.

The added work is timed by itself, since it is less than the noise of the whole: making the rows behind each operator,
moving them through the spool behind the table of the batch, naming the holders of duplicates, and writing the file. Of
each batch the least CPU of all rounds counts, and it is divided by the least CPU of the batch without a ledger. Each
batch has a file of its own here; in a run a file holds many.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from metering import bench_folder
from metrics_paired import asked_batches

from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.contracts import Deduplicator
from mega_data_factory.framework.engines.local.spool import Spool
from mega_data_factory.framework.plan import make_plan
from mega_data_factory.framework.worker.claims import ClaimShard, ShardedClaims
from mega_data_factory.framework.worker.stage import Stage, StageSettings
from mega_data_factory.rejects import write_rejects

CONFIG = Path(__file__).parents[1] / "configs" / "example_with_metrics.yaml"


class Clock:
    """CPU seconds spent in wrapped functions."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed."""

        def timed(*args: Any, **named: Any) -> Any:
            started = time.process_time()
            try:
                return function(*args, **named)
            finally:
                self.seconds += time.process_time() - started

        return timed


def moved(spool: Spool, table: pa.Table, rejects: pa.Table | None) -> float:
    """Return the least CPU seconds of writing tables to the spool, reading and removing them."""
    seconds = []
    for _ in range(3):
        started = time.process_time()
        path = spool.put("batch", table, rejects)
        parcel = spool.read(path)
        assert (parcel.rejects is None) == (rejects is None)
        spool.remove(path)
        seconds.append(time.process_time() - started)
    return min(seconds)


class Pipeline:
    """The stages of the example, in this process.

    Args:
        folder: for claims, tables and files.
        settings: of the stages.
    """

    def __init__(self, folder: Path, settings: StageSettings) -> None:
        plan = make_plan(PipelineConfig.from_yaml(CONFIG))
        folder.mkdir()
        self.shard = ClaimShard(folder / "claims")
        claims = ShardedClaims([lambda verb, packed: getattr(self.shard, verb)(packed)])
        self.spool = Spool(folder)
        self.file = folder / "rejects.parquet"
        self.rows = Clock()
        self.stages = [Stage(stage, f"{stage.name}-0", settings, claims) for stage in plan.stages]
        for stage in self.stages:
            stage._reject_rows = self.rows.around(stage._reject_rows)  # type: ignore[method-assign]
            for step in stage._steps:
                if isinstance(step.operator, Deduplicator):
                    step.operator._holder = self.rows.around(step.operator._holder)  # type: ignore[method-assign]

    def run(self, batch: Batch) -> tuple[float, float, Batch]:
        """Return the CPU of the batch and that of the ledger in it, and the batch."""
        whole = added = 0.0
        for stage in self.stages:
            self.rows.seconds = 0.0
            started = time.process_time()
            batch = stage(batch)
            whole += time.process_time() - started
            added += self.rows.seconds
            bare = moved(self.spool, batch.table, None)
            whole += bare
            if batch.rejects is not None:
                added += moved(self.spool, batch.table, batch.rejects) - bare
        if batch.rejects is not None:
            started = time.process_time()
            write_rejects(str(self.file), batch.rejects)
            added += time.process_time() - started
        return whole, added, batch


def main() -> None:
    """Measure and print."""
    batches, arguments = asked_batches(__doc__, batches=6, rounds=5)
    plain = StageSettings("run_benchmark")
    with tempfile.TemporaryDirectory(dir=bench_folder()) as name:
        pipelines = {
            "without": Pipeline(Path(name) / "0", plain),
            "keep: all": Pipeline(Path(name) / "1", replace(plain, keep_rejects=True)),
            "with content": Pipeline(Path(name) / "2", replace(plain, keep_rejects=True, reject_content=True)),
        }
        wholes: dict[str, list[float]] = {key: [float("inf")] * len(batches) for key in pipelines}
        extras: dict[str, list[float]] = {key: [float("inf")] * len(batches) for key in pipelines}
        sizes, rejects = dict.fromkeys(pipelines, 0), 0
        for turn in range(arguments.rounds):
            for at, batch in enumerate(batches):
                for key, pipeline in pipelines.items():
                    whole, added, result = pipeline.run(batch)
                    wholes[key][at] = min(wholes[key][at], whole)
                    extras[key][at] = min(extras[key][at], added)
                    if turn == 0 and result.rejects is not None:
                        sizes[key] += pipeline.file.stat().st_size
                        rejects += result.rejects.num_rows if key == "keep: all" else 0
        for pipeline in pipelines.values():
            with suppress(OSError):
                pipeline.shard.close()
    base = sum(wholes["without"])
    print(
        f"{len(batches)} batches of {arguments.records} records, {rejects:,} rejected; {base / len(batches):.3f} s each"
    )
    for key in ("keep: all", "with content"):
        seconds = sum(extras[key])
        print(
            f"{key}: {seconds / base:+.2%} CPU, {1e6 * seconds / rejects:.1f} µs and {sizes[key] / rejects:.0f} bytes "
            "for a rejected record"
        )


if __name__ == "__main__":
    main()
