"""A pipeline in one process, for counting what it does: no workers, no messages but their texts."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# ── input ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_SAMPLE = (
    "the of and to that have with be in is was for on are as this by from at which it or an were their one all we can "
    "has but not been more when who will no if out so said what up its about into than them only some time could these "
    "two may then do first any my now such like our over man me even most made after also did many before must through "
    "measurement pipeline record language quality document threshold distribution naïve café coöperate 2026 data-driven"
)
_WORDS = _SAMPLE.split()


def sentences() -> list[str]:
    """Return sentences, the same at every call."""
    chance = random.Random(1)
    ends = (".", ".", "?", ".\n")
    return [
        " ".join(chance.choices(_WORDS, k=chance.randint(5, 18))).capitalize() + chance.choice(ends) for _ in range(500)
    ]


def text(seed: int, number: int, known: list[str]) -> str:
    """Return a text of some sentences, the same for the same seed; 48 of them have about 3 kB."""
    return " ".join(random.Random(seed).choices(known, k=number))


def batches(records: int, number: int, first: int = 0, *, with_source: bool = False) -> list[Any]:
    """Return batches as a loader gives them, a tenth of whose records are copies.

    Args:
        records: Records of a batch.
        number: Batches.
        first: Number of the first record and of the first batch.
        with_source: Whether records have a `dump`, of five, and a `url` of one of many hosts.
    """
    import pyarrow as pa

    from mega_data_factory.framework.batch import Batch

    made, known = [], sentences()
    for at in range(number):
        rows = range(first + at * records, first + (at + 1) * records)
        seeds = [row - 5 if row % 10 == 9 else row for row in rows]
        texts = [text(seed, 1 if seed % 29 == 3 else 48, known) for seed in seeds]
        columns = {"record_id": [f"r{row}" for row in rows], "text": texts}
        if with_source:
            hosts = [int(random.Random(row).paretovariate(0.6)) % 100_000 for row in rows]
            columns["dump"] = [f"cc-{row % 5}" for row in rows]
            columns["url"] = [
                f"https://www.h{host}.example.org/page/{row}?q=1" for row, host in zip(rows, hosts, strict=True)
            ]
        table = pa.table(columns)
        made.append(Batch(f"{first + at:06d}-00000", first + at, table, records))
    return made


# ── a run in one process ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Pipeline:
    """A run without processes: what its workers, its writer and its driver do with batches, one after the other.

    Args:
        config: Of the pipeline.
        folder: Empty.
    """

    config: dict[str, Any]
    folder: Path

    def __post_init__(self) -> None:
        from mega_data_factory.framework.commit.output import OutputFolder
        from mega_data_factory.framework.config.pipeline import check_config
        from mega_data_factory.framework.driver.accounts import Accounts
        from mega_data_factory.framework.engines.selection import _stage_settings
        from mega_data_factory.framework.metrics import MetricsCollector
        from mega_data_factory.framework.plan import make_plan
        from mega_data_factory.framework.worker.claims import ClaimShard, ShardedClaims
        from mega_data_factory.framework.worker.stage import Stage

        config = {**self.config, "data_writer": {**self.config["data_writer"]}}
        config["data_writer"]["params"] = {"output_path": str(self.folder / "data")}
        plan = make_plan(check_config(config))
        self.shard = ClaimShard(self.folder / "claims")
        claims = ShardedClaims([lambda verb, packed: getattr(self.shard, verb)(packed)])
        settings = _stage_settings(plan, "run_counted")
        self.stages = [Stage(stage, f"{stage.name}-0", settings, claims) for stage in plan.stages]
        self.output = OutputFolder.from_plan(plan, "run_counted")
        self.writer = plan.writer.build()
        self.collector = MetricsCollector("run_counted")
        self.accounts = Accounts(plan, self.collector, "errors")

    def run(self, group: list[Any]) -> None:
        """Take batches through all stages, write them as one file, and enter them in the accounts."""
        from mega_data_factory.framework.batch import Batch, CommitRecord, StagedBatch
        from mega_data_factory.framework.engines.commits import write_members
        from mega_data_factory.framework.parcel import Parcel

        tables, members = {}, []
        for batch in group:
            for number, stage in enumerate(self.stages):
                done = stage(batch)
                header = json.loads(json.dumps({"batch": done.header()}))["batch"]
                last = number + 1 == len(self.stages)
                seen = Batch.from_header(header, done.table.slice(0, 0), with_details=last)
                if last:
                    staged = StagedBatch(seen, done.table.num_rows, done.table.nbytes, seen.id)
                    self.accounts.enter_staged(staged)
                    tables[seen.id] = Parcel(done.table, done.rejects)
                    members.append((seen.header(), seen.id))
                else:
                    self.accounts.enter_stage_passed(seen)
                    batch = Batch.from_header(header, done.table, done.rejects)
        members = json.loads(json.dumps(members))
        commits = json.loads(json.dumps(write_members(self.writer, self.output, members, tables.__getitem__)))
        for values in commits:
            self.accounts.enter_commit(CommitRecord.from_json(values))
        self.collector.get_operator_metrics()
