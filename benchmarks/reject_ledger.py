"""What it costs to keep every rejected record: the example pipeline with and without, batch by batch in one process.

All stages of `configs/example_with_metrics.yaml` run on batches of its own source, each batch is moved through the
spool between stages as the local engine does it, and the rejected records of each batch are written as one Parquet
file. The variants take turns, and of each batch the least CPU of all rounds counts. Prints for each variant the
relative difference to none with its 95 % interval; `control` is a second one without.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from metering import bench_folder
from metrics_paired import interval

from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.engines.local.spool import Spool
from mega_data_factory.framework.plan import Plan, make_plan
from mega_data_factory.framework.worker.claims import ClaimShard, ShardedClaims
from mega_data_factory.framework.worker.reading import ReadTask, read_batches
from mega_data_factory.framework.worker.stage import Stage, StageSettings
from mega_data_factory.rejects import write_rejects

CONFIG = Path(__file__).parents[1] / "configs" / "example_with_metrics.yaml"
VARIANTS = {
    "none": StageSettings("run_benchmark"),
    "control": StageSettings("run_benchmark"),
    "all": StageSettings("run_benchmark", keep_rejects=True),
    "all with content": StageSettings("run_benchmark", keep_rejects=True, reject_content=True),
}


def prepared_batches(plan: Plan, records: int, most: int) -> list[Batch]:
    """Return the first full batches of the source, in memory."""
    loader = plan.loader.build()
    batches: list[Batch] = []
    tables: list[pa.Table] = []
    for index, split in enumerate(loader.splits(records)):
        for batch in read_batches(loader, ReadTask(index, split), records):
            tables.append(batch.table)
            if sum(table.num_rows for table in tables) >= records:
                whole = pa.concat_tables(tables, promote_options="default").combine_chunks()
                number = len(batches)
                batches.append(Batch(f"{number:06d}-00000", number, whole.slice(0, records), records))
                tables = [whole.slice(records)]
        if len(batches) >= most:
            return batches[:most]
    return batches


def run_batch(stages: Sequence[Stage], batch: Batch, spool: Spool, folder: Path) -> tuple[float, int]:
    """Return the CPU seconds of one batch from the first stage to the file of its rejected records, and its rejects."""
    started = time.process_time()
    for number, stage in enumerate(stages):
        result = stage(batch)
        path = spool.put(f"{batch.id}.{number}", result.table, result.rejects)
        parcel = Spool.read(path)
        batch = Batch.from_header(result.header(), parcel.table, parcel.rejects)
        Spool.remove(path)
    if batch.rejects is not None:
        write_rejects(str(folder / f"{batch.id}.parquet"), batch.rejects)
    seconds = time.process_time() - started
    return seconds, 0 if batch.rejects is None else batch.rejects.num_rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1000, help="records of a batch")
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    plan = make_plan(PipelineConfig.from_yaml(CONFIG))
    batches = prepared_batches(plan, arguments.records, arguments.batches)
    least = {name: [float("inf")] * len(batches) for name in VARIANTS}
    rejected = 0
    with tempfile.TemporaryDirectory(dir=bench_folder()) as name:
        folder = Path(name)
        shard = ClaimShard(folder / "claims")
        claims = ShardedClaims([lambda verb, packed: getattr(shard, verb)(packed)])
        stages = {
            variant: [Stage(stage, f"{stage.name}-0", settings, claims) for stage in plan.stages]
            for variant, settings in VARIANTS.items()
        }
        spool = Spool(folder)
        for turn in range(arguments.rounds):
            for at, batch in enumerate(batches):
                for place in range(len(stages)):
                    variant = list(stages)[(turn + at + place) % len(stages)]
                    seconds, rejects = run_batch(stages[variant], batch, spool, folder)
                    least[variant][at] = min(least[variant][at], seconds)
                    rejected += rejects if variant == "all" and turn == 0 else 0
        sizes = [path.stat().st_size for path in folder.glob("*.parquet")]
        shard.close()
    print(f"{len(batches)} batches of {arguments.records} records, {rejected:,} rejected")
    print(
        f"CPU of a batch: {statistics.mean(least['none']):.3f} s; last file with content: {max(sizes):,} bytes at most"
    )
    for variant in VARIANTS:
        if variant != "none":
            change, low, high = interval(least[variant], least["none"])
            print(f"{variant}: {change:+.2%} ({low:+.2%} to {high:+.2%})")


if __name__ == "__main__":
    main()
