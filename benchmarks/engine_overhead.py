"""What metrics cost a pipeline: instructions of a batch with them over those of the same batch without.

A batch is counted on its whole way: both stages of the example pipeline (`configs/example_with_metrics.yaml`; without
its two operators of language, whose model is slow to load here), the header from process to process, the writer with
the column statistics of its file, the commit record, and all accounts of the driver. Texts are made up, 3 kB each, a
tenth of them copies. Instructions hardly vary from run to run: see `instructions.py`. The Parquet files that the driver
writes every five seconds are not in the count.

With `--operators`, what measuring an operator on a batch costs, of a stage whose operators do next to nothing: in
instructions, and in microseconds of CPU (least of many rounds).

    python benchmarks/engine_overhead.py [--json]
    python benchmarks/engine_overhead.py --operators [--json]
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from instructions import count, freeze_heap, in_child

ROOT = Path(__file__).resolve().parent.parent

SIZES = {100: 10, 1000: 1}
"""Records of a batch → batches that are counted; they become one file of the output."""

WAYS: dict[str, dict[str, Any]] = {
    "off": {"enabled": False},
    "rows alone": {"score_histograms": False, "column_statistics": False},
    "with column statistics": {"score_histograms": False},
    "default": {},
}
"""Ways to run → `executor.metrics`."""

TARGETS = {1000: 0.003, 100: 0.01}


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


def batches(records: int, number: int, first: int = 0) -> list[Any]:
    """Return batches as a loader gives them, a tenth of whose records are copies.

    Args:
        records: Records of a batch.
        number: Batches.
        first: Number of the first record and of the first batch.
    """
    import pyarrow as pa

    from mega_data_factory.framework.batch import Batch

    made, known = [], sentences()
    for at in range(number):
        rows = range(first + at * records, first + (at + 1) * records)
        seeds = [row - 5 if row % 10 == 9 else row for row in rows]
        texts = [text(seed, 1 if seed % 29 == 3 else 48, known) for seed in seeds]
        table = pa.table({"record_id": [f"r{row}" for row in rows], "text": texts})
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


def example(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return the example pipeline without the operators of language.

    Args:
        metrics: Its `executor.metrics`.
    """
    import yaml

    config: dict[str, Any] = yaml.safe_load((ROOT / "configs" / "example_with_metrics.yaml").read_text())
    for stage in config["stages"]:
        stage["operators"] = [one for one in stage["operators"] if not one["name"].startswith("language")]
    config["executor"]["metrics"] = {**config["executor"]["metrics"], **metrics}
    return config


def _pipelines(configs: dict[str, dict[str, Any]], folder: str, warm: list[Any]) -> dict[str, Pipeline]:
    """Return pipelines that have run once, so that what happens once is in no count."""
    import pyarrow as pa

    pa.set_cpu_count(1)
    found = {}
    for way, config in configs.items():
        own = Path(folder) / way
        own.mkdir()
        found[way] = Pipeline(config, own)
        found[way].run(warm)
    freeze_heap()
    return found


def _program(folder: str, sizes: list[int], ways: list[str]) -> None:
    pipelines = _pipelines({way: example(WAYS[way]) for way in ways}, folder, batches(20, 1, 10**6))
    for records in sizes:
        made = batches(records, SIZES[records])
        for way, pipeline in pipelines.items():
            in_child([records, way], partial(pipeline.run, made))


def shares(sizes: list[int], ways: list[str]) -> dict[int, dict[str, float]]:
    """Return the instructions of a batch by records of the batch and way: of `off`, and what others take beside that.

    Args:
        sizes: Records of a batch, of `SIZES`.
        ways: Of `WAYS`, without `off`.
    """
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--program", folder, "--sizes", *sizes, "--ways", "off", *ways]
        counted = count(Path(__file__), *arguments)
    found: dict[int, dict[str, float]] = {}
    for (records, way), instructions in counted:
        found.setdefault(records, {})[way] = instructions / SIZES[records]
    for by_way in found.values():
        for way in ways:
            by_way[way] -= by_way["off"]
    return found


# ── one operator on one batch ─────────────────────────────────────────────────────────────────────────────────────────

_OPERATORS = 8
_COUNTED = 100
"""Batches."""


def _idle_config(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return a pipeline of one stage whose operators do next to nothing; each rejects a record of each batch."""
    operators = [{"name": "text_length_filter", "params": {"min_length": number + 1}} for number in range(_OPERATORS)]
    config = example({"score_histograms": False, "column_statistics": False, **metrics})
    config["stages"] = [{"name": "idle", "operators": operators}]
    del config["executor"]["rejected_samples"]
    return config


def _tiny_batches(number: int, first: int = 0) -> list[Any]:
    import pyarrow as pa

    from mega_data_factory.framework.batch import Batch

    texts = ["x" * min(row, 20) for row in range(100)]
    ids = [f"r{row}" for row in range(100)]
    table = pa.table({"record_id": ids, "text": texts})
    return [Batch(f"{at:06d}-00000", at, table, 100) for at in range(first, first + number)]


def _program_of_operators(folder: str) -> None:
    configs = {"off": _idle_config({"enabled": False}), "on": _idle_config({})}
    pipelines = _pipelines(configs, folder, _tiny_batches(4, 10**6))
    for way, pipeline in pipelines.items():
        in_child(way, partial(pipeline.run, _tiny_batches(_COUNTED)))


def instructions_of_an_operator() -> float:
    """Return the instructions that measuring an operator on a batch takes, everything included."""
    with tempfile.TemporaryDirectory() as folder:
        counted = dict(count(Path(__file__), "--program-of-operators", folder))
    return float(counted["on"] - counted["off"]) / _COUNTED / _OPERATORS


def seconds_of_an_operator(rounds: int = 30) -> float:
    """Return the CPU seconds that measuring an operator on a batch takes, everything included: least of the rounds."""
    least = {"on": float("inf"), "off": float("inf")}
    with tempfile.TemporaryDirectory() as folder:
        configs = {"off": _idle_config({"enabled": False}), "on": _idle_config({})}
        pipelines = _pipelines(configs, folder, _tiny_batches(4, 10**6))
        for number in range(rounds):
            made = _tiny_batches(20, number * 20)
            for way, pipeline in pipelines.items():
                started = time.process_time()
                pipeline.run(made)
                least[way] = min(least[way], time.process_time() - started)
    return float(least["on"] - least["off"]) / 20 / _OPERATORS


# ── printing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _print_shares(found: dict[int, dict[str, float]]) -> None:
    for records, by_way in found.items():
        print(f"batches of {records:,} records: {by_way['off']:,.0f} instructions; target {TARGETS[records]:.1%}")
        for way, more in by_way.items():
            if way != "off":
                print(f"  {way}: {more:+,.0f}, {more / by_way['off']:.2%}")


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print instructions as JSON")
    parser.add_argument("--operators", action="store_true", help="measure an operator on a batch instead")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="records of a batch")
    parser.add_argument("--ways", nargs="+", default=[way for way in WAYS if way != "off"], help="what to compare")
    parser.add_argument("--program", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--program-of-operators", metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.program:
        _program(arguments.program, arguments.sizes, arguments.ways)
    elif arguments.program_of_operators:
        _program_of_operators(arguments.program_of_operators)
    elif arguments.operators:
        instructions = instructions_of_an_operator()
        if arguments.json:
            print(json.dumps({"instructions": instructions}))
        else:
            print(f"{instructions:,.0f} instructions, {seconds_of_an_operator() * 1e6:.1f} µs of CPU")
    else:
        found = shares(arguments.sizes, arguments.ways)
        print(json.dumps(found)) if arguments.json else _print_shares(found)


if __name__ == "__main__":
    main()
