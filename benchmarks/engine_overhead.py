"""What metrics cost a pipeline: instructions of a batch with them over those of the same batch without.

A batch is counted on its whole way: both stages of the example pipeline (`configs/example_with_metrics.yaml`; without
its two operators of language, whose model is slow to load here), the header from process to process, the writer with
the column statistics of its file, the commit record, and all accounts of the driver. Texts are made up, 3 kB each, a
tenth of them copies. Instructions hardly vary from run to run: see `instructions.py`. The Parquet files that the driver
writes every five seconds are not in the count. Operators are counted once, on a run without metrics; for the rest they
give the answers that were recorded before: see `replaying.py`.

With `--switches`, every switch of a run alone and all of them together.

With `--operators`, what measuring an operator on a batch costs, of a stage whose operators do next to nothing: in
instructions, and in microseconds of CPU (least of many rounds).

    python benchmarks/engine_overhead.py [--json]
    python benchmarks/engine_overhead.py --switches --sizes 1000 [--json]
    python benchmarks/engine_overhead.py --operators [--json]
"""

from __future__ import annotations

import argparse
import json
import pickle
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from counted_pipeline import Pipeline, batches
from instructions import count, freeze_heap, in_child
from replaying import Answer, record, replay

ROOT = Path(__file__).resolve().parent.parent

SIZES = {100: 10, 1000: 1}
"""Records of a batch → batches that are counted; they become one file of the output."""

WORKED = {100: 2, 1000: 1}
"""Records of a batch → batches on which operators are counted too."""

_ROWS = {"score_histograms": False, "column_statistics": False}
_EVERY = {"keep": "all", "content": True}

WAYS: dict[str, dict[str, Any]] = {
    "off": {"metrics": {"enabled": False}},
    "rows alone": {"metrics": _ROWS},
    "column statistics alone": {"metrics": {**_ROWS, "column_statistics": True}},
    "score histograms alone": {"metrics": {**_ROWS, "score_histograms": True}},
    "default": {},
}
"""Ways to run → keys of `executor`."""

SWITCHES: dict[str, dict[str, Any]] = {
    "off": {"metrics": {"enabled": False}, "rejected_samples": {"enabled": False}},
    "rows alone": {"metrics": _ROWS, "rejected_samples": {"enabled": False}},
    "rejected samples": {"metrics": _ROWS},
    "keep: all": {"metrics": _ROWS, "rejected_samples": {"keep": "all"}},
    "keep: all, content: true": {"metrics": _ROWS, "rejected_samples": _EVERY},
    "column_statistics": {"metrics": {**_ROWS, "column_statistics": True}, "rejected_samples": {"enabled": False}},
    "score_histograms": {"metrics": {**_ROWS, "score_histograms": True}, "rejected_samples": {"enabled": False}},
    "token_column": {"metrics": {**_ROWS, "token_column": "word_count"}, "rejected_samples": {"enabled": False}},
    "slice_by: [dump]": {"metrics": {**_ROWS, "slice_by": ["dump"]}, "rejected_samples": {"enabled": False}},
    "slice_by: [domain(url)]": {
        "metrics": {**_ROWS, "slice_by": ["domain(url)"]},
        "rejected_samples": {"enabled": False},
    },
    "everything": {
        "metrics": {"token_column": "word_count", "slice_by": ["dump", "domain(url)"]},
        "rejected_samples": {"keep": "all"},
    },
    "everything, content: true": {
        "metrics": {"token_column": "word_count", "slice_by": ["dump", "domain(url)"]},
        "rejected_samples": _EVERY,
    },
}
"""Switches of a run, each alone beside the rows that are always counted, and all of them → keys of `executor`."""

TARGETS = {1000: 0.003, 100: 0.01}


def example(executor: dict[str, Any]) -> dict[str, Any]:
    """Return the example pipeline without the operators of language.

    There is no limit of time for a record: under valgrind, batches would be cut to keep it.

    Args:
        executor: Keys of its `executor` that are to be other than they are.
    """
    import yaml

    config: dict[str, Any] = yaml.safe_load((ROOT / "configs" / "example_with_metrics.yaml").read_text())
    for stage in config["stages"]:
        stage["operators"] = [one for one in stage["operators"] if not one["name"].startswith("language")]
    for key, values in {"record_timeout": 0, **executor}.items():
        before = config["executor"].get(key)
        config["executor"][key] = {**before, **values} if isinstance(before, dict) else values
    return config


def _pipelines(configs: dict[str, dict[str, Any]], folder: str, warm: list[Any]) -> dict[str, Pipeline]:
    """Return pipelines that have run once, so that what happens once is in no count."""
    import pyarrow as pa

    pa.set_cpu_count(1)
    found = {}
    for number, (way, config) in enumerate(configs.items()):
        own = Path(folder) / f"{number}"
        own.mkdir()
        found[way] = Pipeline(config, own)
        found[way].run(warm)
    freeze_heap()
    return found


def _record(folder: str, sizes: list[int], *, with_source: bool) -> None:
    """Run the operators on batches of each size, and write the batches and the answers to a file."""
    own = Path(folder) / "recorded"
    own.mkdir()
    recorded = {}
    for records in sizes:
        pipeline = Pipeline(example({"metrics": {"enabled": False}}), own)
        made = batches(records, SIZES[records], with_source=with_source)
        answers = record(pipeline.stages)
        pipeline.run(made)
        recorded[records] = made, answers
    (own / "answers.pickle").write_bytes(pickle.dumps(recorded))


def _program(folder: str, ways: dict[str, dict[str, Any]], warm: list[Any]) -> None:
    recorded = pickle.loads((Path(folder) / "recorded" / "answers.pickle").read_bytes())
    pipelines = _pipelines({way: example(keys) for way, keys in ways.items()}, folder, warm)
    for records, (made, answers) in recorded.items():
        in_child([records, "work"], partial(pipelines["off"].run, made[: WORKED[records]]))
        for way, pipeline in pipelines.items():
            in_child([records, way], partial(_run_again, pipeline, made, answers))


def _run_again(pipeline: Pipeline, made: list[Any], answers: list[list[Answer]]) -> None:
    replay(pipeline.stages, answers)
    pipeline.run(made)


def shares(sizes: list[int], ways: list[str], *, switches: bool = False) -> dict[int, dict[str, float]]:
    """Return the instructions of a batch by records of the batch and way: of `off`, and what others take beside that.

    Args:
        sizes: Records of a batch, of `SIZES`.
        ways: Of `WAYS`, without `off`; or of `SWITCHES`.
        switches: Whether they are of `SWITCHES`.
    """
    with tempfile.TemporaryDirectory() as folder:
        _record(folder, sizes, with_source=switches)
        counted = count(Path(__file__), "--program", folder, *(["--switches"] if switches else []), "--ways", *ways)
    found: dict[int, dict[str, float]] = {}
    again: dict[int, float] = {}
    for (records, way), instructions in counted:
        if way == "work":
            found[records] = {"off": instructions / WORKED[records]}
        elif way == "off":
            again[records] = instructions / SIZES[records]
        else:
            found[records][way] = instructions / SIZES[records] - again[records]
    return found


# ── one operator on one batch ─────────────────────────────────────────────────────────────────────────────────────────

_OPERATORS = 8
_COUNTED = 100
"""Batches."""


def _idle_config(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return a pipeline of one stage whose operators do next to nothing; each rejects a record of each batch."""
    operators = [{"name": "text_length_filter", "params": {"min_length": number + 1}} for number in range(_OPERATORS)]
    config = example({"metrics": {**_ROWS, **metrics}})
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
    parser.add_argument("--ways", nargs="+", help="what to compare; all by default")
    parser.add_argument("--switches", action="store_true", help="compare the switches of a run")
    parser.add_argument("--program", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--program-of-operators", metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    known = SWITCHES if arguments.switches else WAYS
    ways = arguments.ways or [way for way in known if way != "off"]
    if arguments.program:
        warm = batches(20, 1, 10**6, with_source=arguments.switches)
        _program(arguments.program, {way: known[way] for way in ("off", *ways)}, warm)
    elif arguments.program_of_operators:
        _program_of_operators(arguments.program_of_operators)
    elif arguments.operators:
        instructions = instructions_of_an_operator()
        if arguments.json:
            print(json.dumps({"instructions": instructions}))
        else:
            print(f"{instructions:,.0f} instructions, {seconds_of_an_operator() * 1e6:.1f} µs of CPU")
    else:
        found = shares(arguments.sizes, ways, switches=arguments.switches)
        print(json.dumps(found)) if arguments.json else _print_shares(found)


if __name__ == "__main__":
    main()
