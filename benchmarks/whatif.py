"""How often what `mdf whatif` says agrees with runs that are really made: rule, operator and pipeline.

    python benchmarks/whatif.py [--bases N]

Each base is a run of four or five filters in random order, with random thresholds, on one of two corpora: texts made
of words around a hidden quality (so that filters agree with each other), and pieces of the documentation of installed
packages (real text). Of each base four random thresholds are moved to random places, and really run. The even bases
choose the width of the interval of the pipeline (`pipeline.SELECTION`), the odd ones are reported.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1]))

from mega_data_factory.analytics.whatif import pipeline
from mega_data_factory.analytics.whatif.answer import ScoredRun, what_if
from mega_data_factory.analytics.whatif.rules import RuleScores
from mega_data_factory.analytics.whatif.settings import movable
from mega_data_factory.framework.metrics import MetricsReader
from tests.analytics.whatif.running import WORDS, Operator, run

RECORDS = 1000
QUESTIONS = 4
FILTERS: dict[str, dict[str, Any]] = {
    "text_length_filter": {"min_length": 60, "max_length": 20_000},
    "language_filter": {"languages": ["en"], "min_score": 0.2},
    "gopher_quality_filter": {"min_words": 15, "min_alphabetic_words": 0.6, "min_stop_words": 1},
    "fineweb_quality_filter": {"min_punctuated_lines": 0.02, "max_short_lines": 0.9},
    "gopher_repetition_filter": {"max_top_ngram": {2: 0.5}, "max_duplicate_ngram": {5: 0.5}},
}
SPACE = {
    "text_length_filter.min_length": int,
    "language_filter.min_score": float,
    "gopher_quality_filter.min_words": int,
    "gopher_quality_filter.min_alphabetic_words": float,
    "gopher_quality_filter.min_mean_word_length": float,
    "gopher_quality_filter.max_symbol_ratio": float,
    "gopher_quality_filter.min_stop_words": int,
    "fineweb_quality_filter.min_punctuated_lines": float,
    "fineweb_quality_filter.max_short_lines": float,
    "fineweb_quality_filter.max_newline_ratio": float,
    "gopher_repetition_filter.max_duplicate_lines": float,
    "gopher_repetition_filter.max_duplicate_line_characters": float,
}
"""Parameters that are moved, and of which kind their values are."""


@dataclass(frozen=True)
class Case:
    """One question with its answer and the truth."""

    base: int
    rule_held: bool
    operator_held: bool
    bounds_held: bool
    follows: bool
    truth: int
    now: int
    intervals: dict[float, tuple[float, float, float]]


def hidden_quality(draw: random.Random) -> pa.Table:
    """Return texts whose words, lines, repetition and language score follow a hidden quality."""
    texts, scores = [], []
    for _ in range(RECORDS):
        quality = draw.random()
        vocabulary = draw.sample(WORDS, 4 + int(quality * (len(WORDS) - 4)))
        junk = ["#", "12", "…", "—", "a", "|"]
        length = max(1, int(draw.lognormvariate(3.2 + 1.6 * quality, 0.7)))
        words = [draw.choice(vocabulary if draw.random() < 0.5 + quality / 2 else junk) for _ in range(length)]
        stops, breaks = 0.02 + 0.1 * quality, 0.3 - 0.25 * quality
        texts.append(
            "".join(word + draw.choices([". ", "\n", ".\n", " "], [stops, breaks, stops, 1])[0] for word in words)
        )
        scores.append(min(1.0, max(0.0, draw.gauss(0.3 + 0.5 * quality, 0.2))))
    return _table(texts, scores)


def documentation(draw: random.Random) -> pa.Table:
    """Return pieces of texts that installed packages bring: descriptions, licences, manuals."""
    texts: list[str] = []
    wanted = _documents()
    for path in draw.sample(wanted, min(len(wanted), 400)):
        content = path.read_text(encoding="utf-8", errors="replace")[:40_000]
        while content and len(texts) < 20_000:
            size = int(draw.lognormvariate(6.3, 1.0)) + 20
            texts.append(content[:size])
            content = content[size:]
    chosen = draw.sample(texts, min(RECORDS, len(texts)))
    return _table(chosen, [draw.betavariate(3, 1.5) for _ in chosen])


@cache
def _documents() -> list[Path]:
    """Return the text files of installed packages."""
    folders = [Path(folder) for folder in sys.path if folder.endswith("site-packages")]
    wanted = ("*.md", "*.rst", "*.txt", "METADATA")
    return sorted(path for folder in folders for pattern in wanted for path in folder.rglob(pattern))


def _table(texts: list[str], scores: list[float]) -> pa.Table:
    ids = [f"r{number:06d}" for number in range(len(texts))]
    language = ["en"] * len(texts)
    return pa.table({"record_id": ids, "text": texts, "language": language, "language_score": scores})


def cases(base: int, folder: Path) -> Iterator[Case]:
    """Yield the questions of one base."""
    draw = random.Random(base)
    table = (hidden_quality if base % 4 < 2 else documentation)(draw)
    names = draw.sample(sorted(FILTERS), draw.choice([4, 5]))
    params = {name: dict(FILTERS[name]) for name in names}
    run(folder, table, [Operator(name, params[name]) for name in names], "run_first")
    first = ScoredRun.read(MetricsReader(folder), "run_first")
    for setting in movable(first.rules):  # a base has thresholds of its own
        key = f"{setting.operator.name}.{setting.parameter}"
        if key in SPACE and draw.random() < 0.4:
            params[setting.operator.name][setting.parameter] = _somewhere(draw, setting.rules[0], SPACE[key], 0.35)
    run(folder, table, [Operator(name, params[name]) for name in names], "run_base")
    scored = ScoredRun.read(MetricsReader(folder), "run_base")
    for number in range(QUESTIONS):
        setting = draw.choice([s for s in movable(scored.rules) if f"{s.operator.name}.{s.parameter}" in SPACE])
        value = _somewhere(draw, setting.rules[0], SPACE[f"{setting.operator.name}.{setting.parameter}"], 0.6)
        moved = {name: dict(own) for name, own in params.items()}
        moved[setting.operator.name][setting.parameter] = value
        truth_id = f"run_{number}"
        run(folder, table, [Operator(name, moved[name]) for name in names], truth_id)
        yield _case(base, folder, f"{setting.key}={value!r}", ScoredRun.read(MetricsReader(folder), truth_id))


def _somewhere(draw: random.Random, rule: RuleScores, kind: type, most_failing: float) -> Any:
    """Return a threshold that fails a random share of the records, up to a limit."""
    cells = (rule.passing, rule.failing)
    scores = np.concatenate([cell.least + (cell.greatest - cell.least) * draw.random() for cell in cells])
    weights = np.concatenate([cell.alone + cell.others for cell in cells])
    order = np.argsort(scores)
    share = draw.random() * most_failing
    if rule.fails in (">", ">="):
        share = 1 - share
    place = np.searchsorted(np.cumsum(weights[order]) / weights.sum(), share)
    value = float(scores[order][min(int(place), len(order) - 1)])
    return (
        max(1, int(value))
        if kind is int
        else min(1.0, max(0.0, value))
        if "ratio" not in str(rule.parameter)
        else value
    )


def _case(base: int, folder: Path, setting: str, truth: ScoredRun) -> Case:
    intervals = {}
    for width in (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5):
        pipeline.SELECTION = width
        answer = what_if(folder, "run_base", [setting])
        likely = answer.pipeline.likely
        intervals[width] = (likely.low, likely.value, likely.high)
    rules = {(rule.operator, rule.reason): rule.failed for operator in truth.rules for rule in operator.rules}
    operator = answer.operators[0]
    real = next(totals.output for totals in truth.operators if totals.name == operator.name)
    bounds = answer.pipeline.bounds
    return Case(
        base,
        all(m.failed.low - 0.5 <= rules[m.rule.operator, m.rule.reason] <= m.failed.high + 0.5 for m in answer.rules),
        operator.would_pass.low - 0.5 <= real <= operator.would_pass.high + 0.5,
        bounds.low - 0.5 <= truth.output <= bounds.high + 0.5,
        operator.name != truth.operators[-1].name,
        truth.output,
        answer.output,
        intervals,
    )


def _share(hits: list[bool]) -> str:
    return f"{sum(hits)} of {len(hits)} ({100 * sum(hits) / max(1, len(hits)):.1f} %)"


def main() -> None:
    """Ask, run, and print how often the answers held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bases", type=int, default=48)
    asked: list[Case] = []
    for base in range(parser.parse_args().bases):
        with tempfile.TemporaryDirectory() as folder:
            asked += cases(base, Path(folder))
        print(f"base {base}: {len(asked)} questions", file=sys.stderr, flush=True)
    for name, part in (("choosing", 0), ("reported", 1)):
        mine = [case for case in asked if case.base % 2 == part]
        later = [case for case in mine if case.follows]
        print(f"## {name}: {len(mine)} questions, {len(later)} with filters after the operator")
        print("rule within its bounds:", _share([case.rule_held for case in mine]))
        print("operator within its bounds:", _share([case.operator_held for case in mine]))
        print("pipeline within its certain bounds:", _share([case.bounds_held for case in mine]))
        for width in asked[0].intervals:
            held = [c.intervals[width][0] - 0.5 <= c.truth <= c.intervals[width][2] + 0.5 for c in later]
            wide = np.median([c.intervals[width][2] - c.intervals[width][0] for c in later])
            moved = np.median([abs(c.truth - c.now) for c in later])
            print(f"SELECTION {width}: pipeline within its interval {_share(held)}, width {wide:.0f} of {moved:.0f}")
        off = [abs(case.intervals[2.0][1] - case.truth) for case in later]
        print(
            f"pipeline, distance of the single number: median {np.median(off):.1f}, 95 % {np.quantile(off, 0.95):.0f}"
        )


if __name__ == "__main__":
    main()
