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

SIZES = {1000: (1, 3), 100: (4, 14)}
"""Records of a batch → batches of the shorter and of the longer count; their difference is one file of the output."""

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


def text(seed: int, letters: int = 3000) -> str:
    """Return a text of sentences and lines, the same for the same seed."""
    chance = random.Random(seed)
    sentences: list[str] = []
    length = 0
    while length < letters:
        words = chance.choices(_WORDS, k=chance.randint(5, 18))
        sentences.append(" ".join(words).capitalize() + chance.choice((".", ".", "?", ".\n")))
        length += len(sentences[-1]) + 1
    return " ".join(sentences)


def batches(records: int, number: int) -> list[Any]:
    """Return batches as a loader gives them."""
    import pyarrow as pa

    from mega_data_factory.framework.batch import Batch

    made = []
    for at in range(number):
        seeds = [row - 5 if row % 10 == 9 else row for row in range(at * records, (at + 1) * records)]
        ids = [f"r{row}" for row in range(at * records, (at + 1) * records)]
        letters = [100 if seed % 29 == 3 else 3000 for seed in seeds]
        texts = [text(seed, size) for seed, size in zip(seeds, letters, strict=True)]
        made.append(Batch(f"{at:06d}-00000", at, pa.table({"record_id": ids, "text": texts}), records))
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


def _in_pipeline(config: dict[str, Any], groups: list[list[Any]], folder: str) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        pipeline = Pipeline(config, Path(own))
        for group in groups:
            pipeline.run(group)


def _program(folder: str, sizes: list[int], ways: list[str]) -> None:
    import pyarrow as pa

    pa.set_cpu_count(1)
    _in_pipeline(example({}), [batches(20, 1)], folder)  # all that is imported when it is used
    for records in sizes:
        few, many = SIZES[records]
        made = batches(records, many)
        freeze_heap()
        for way in ways:
            config = example(WAYS[way])
            in_child([records, way, "few"], partial(_in_pipeline, config, [made[:few]], folder))
            in_child([records, way, "many"], partial(_in_pipeline, config, [made[:few], made[few:]], folder))


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
    for (records, way, which), instructions in counted:
        few, many = SIZES[records]
        by_way = found.setdefault(records, {})
        by_way[way] = by_way.get(way, 0.0) + instructions / (many - few) * (1 if which == "many" else -1)
    for by_way in found.values():
        for way in ways:
            by_way[way] -= by_way["off"]
    return found


# ── one operator on one batch ─────────────────────────────────────────────────────────────────────────────────────────

_OPERATORS = 8
_FEW, _MANY = 20, 120


def _idle_config(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return a pipeline of one stage whose operators do next to nothing; each rejects a record of each batch."""
    operators = [{"name": "text_length_filter", "params": {"min_length": number + 1}} for number in range(_OPERATORS)]
    config = example({"score_histograms": False, "column_statistics": False, **metrics})
    config["stages"] = [{"name": "idle", "operators": operators}]
    del config["executor"]["rejected_samples"]
    return config


def _tiny_batches(number: int) -> list[Any]:
    import pyarrow as pa

    from mega_data_factory.framework.batch import Batch

    texts = ["x" * min(row, 20) for row in range(100)]
    ids = [f"r{row}" for row in range(100)]
    return [Batch(f"{at:06d}-00000", at, pa.table({"record_id": ids, "text": texts}), 100) for at in range(number)]


def _program_of_operators(folder: str) -> None:
    import pyarrow as pa

    pa.set_cpu_count(1)
    made = _tiny_batches(_MANY)
    _in_pipeline(_idle_config({}), [made[:4]], folder)
    freeze_heap()
    for way, metrics in (("off", {"enabled": False}), ("on", {})):
        for which, number in (("few", _FEW), ("many", _MANY)):
            groups = [made[:_FEW], made[_FEW:number]] if number > _FEW else [made[:_FEW]]
            in_child([way, which], partial(_in_pipeline, _idle_config(metrics), groups, folder))


def instructions_of_an_operator() -> float:
    """Return the instructions that measuring an operator on a batch takes, everything included."""
    with tempfile.TemporaryDirectory() as folder:
        counted = count(Path(__file__), "--program-of-operators", folder)
    signs = {("on", "many"): 1, ("on", "few"): -1, ("off", "many"): -1, ("off", "few"): 1}
    total = sum(signs[way, which] * instructions for (way, which), instructions in counted)
    return total / (_MANY - _FEW) / _OPERATORS


def seconds_of_an_operator(rounds: int = 30) -> float:
    """Return the CPU seconds that measuring an operator on a batch takes, everything included: least of the rounds."""
    import pyarrow as pa

    pa.set_cpu_count(1)
    made = _tiny_batches(20)
    least = {"on": float("inf"), "off": float("inf")}
    for _ in range(rounds):
        for way, metrics in (("on", {}), ("off", {"enabled": False})):
            with tempfile.TemporaryDirectory() as folder:
                pipeline = Pipeline(_idle_config(metrics), Path(folder))
                started = time.process_time()
                pipeline.run(made)
                least[way] = min(least[way], time.process_time() - started)
    return (least["on"] - least["off"]) / len(made) / _OPERATORS


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
