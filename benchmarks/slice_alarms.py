"""How often the finding about an odd slice comes in runs without a fault, and how often a broken slice is found.

Real filters judge made-up texts in one process, and the counts take the way of a run: measured batch by batch, merged,
stored as rows, and read by the finding. Runs without a fault have slices as pipelines have them: alike, of very
different sizes, each with a pass rate of its own, with texts copied within a slice, of two populations, or of several
languages of which a filter was made for some. In runs with a fault one slice has lost its text, was decoded wrongly, or
is a list of one-word lines, for all of its records or for a part. Limits
were chosen on `--seed 1`.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from mega_data_factory import catalogue
from mega_data_factory.analytics.findings.slices import odd_slices
from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.metrics.details.totals import DetailTotals
from mega_data_factory.framework.metrics.schema import SLICES, to_table
from mega_data_factory.framework.plan import OperatorPlan, StagePlan
from mega_data_factory.framework.registry import Component
from mega_data_factory.framework.worker.stage import Stage, StageSettings

WORDS = ("the", "data", "of", "a", "run", "is", "read", "once", "and", "judged", "by", "filters", "which", "keep")
FILTERS = {"text_length_filter": {"min_length": 120}, "gopher_quality_filter": {}}
BATCH = 1000

Draw = random.Random


@dataclass(frozen=True)
class Kind:
    """A kind of run.

    Attributes:
        name: For the table.
        sizes: Records of each slice.
        texts: Makes the texts of one slice: the draw, the number of the slice, and how many.
        broken: Makes the texts of the broken slice from good ones; None in runs without a fault.
        share: Of the records of the broken slice, those that are broken.
    """

    name: str
    sizes: Callable[[Draw], Sequence[int]]
    texts: Callable[[Draw, int, int], list[str]]
    broken: Callable[[str], str] | None = None
    share: float = 1.0


def prose(draw: Draw, words: float) -> str:
    """Return a text of about this number of words."""
    return " ".join(draw.choices(WORDS, k=max(1, int(draw.lognormvariate(0, 0.5) * words)))) + "."


def alike(draw: Draw, _: int, number: int) -> list[str]:
    """Return texts of one population, of which about one in three is rejected."""
    return [prose(draw, 70) for _ in range(number)]


def apart(draw: Draw, _: int, number: int) -> list[str]:
    """Return texts whose usual length is that of their slice, so that slices differ a little."""
    usual = 75 * draw.lognormvariate(0, 0.15)
    return [prose(draw, usual) for _ in range(number)]


def far_apart(draw: Draw, _: int, number: int) -> list[str]:
    """Return texts whose usual length differs from slice to slice by factors."""
    usual = 75 * draw.lognormvariate(0, 0.5)
    return [prose(draw, usual) for _ in range(number)]


def copied(draw: Draw, _: int, number: int) -> list[str]:
    """Return copies of a few texts, as of pages made from templates."""
    templates = [prose(draw, 80) for _ in range(30)]
    return draw.choices(templates, k=number)


def two_populations(draw: Draw, place: int, number: int) -> list[str]:
    """Return long texts in two of three slices, short ones in the third: as of articles and of comments."""
    return [prose(draw, 40 if place % 3 == 0 else 110) for _ in range(number)]


def languages(draw: Draw, place: int, number: int) -> list[str]:
    """Return texts of which every fourth slice is in a language without the stop words of the filter."""
    if place % 4:
        return [prose(draw, 90) for _ in range(number)]
    return [" ".join(draw.choices(("daten", "lauf", "liest", "zeile", "wieder"), k=80)) + "." for _ in range(number)]


def _even(number: int, records: int) -> Callable[[Draw], Sequence[int]]:
    return lambda draw: [draw.randrange(records * 4 // 5, records * 6 // 5) for _ in range(number)]


def _zipf(number: int, records: int) -> Callable[[Draw], Sequence[int]]:
    return lambda draw: [max(1, int(records / (place + 1) * draw.uniform(0.8, 1.2))) for place in range(number)]


def lost(_: str) -> str:
    """Return nothing: the text was not extracted."""
    return ""


def mangled(text: str) -> str:
    """Return a text decoded as something else: none of its words is one."""
    return text.encode("utf-16-le").decode("latin-1").replace("\0", "\u00a4")


def listed(text: str) -> str:
    """Return a list of words in place of prose."""
    return "\n".join(f"- {word} ..." for word in text.split())


HEALTHY = (
    Kind("alike", _even(8, 500), alike),
    Kind("alike, of very different sizes", _zipf(30, 3000), alike),
    Kind("many small slices", _even(120, 30), alike),
    Kind("a little apart", _even(10, 400), apart),
    Kind("a little apart, of very different sizes", _zipf(20, 2500), apart),
    Kind("far apart", _even(8, 400), far_apart),
    Kind("copies within a slice", _even(10, 400), copied),
    Kind("two populations", _even(12, 400), two_populations),
    Kind("languages", _even(8, 400), languages),
    Kind("four slices", _even(4, 600), apart),
)
FAULTY = (
    Kind("text lost", _even(8, 400), apart, lost),
    Kind("text lost in 3 of 4 records", _even(10, 400), apart, lost, 0.75),
    Kind("decoded wrongly", _even(6, 500), apart, mangled),
    Kind("lists in place of prose", _zipf(12, 3000), alike, listed),
    Kind("decoded wrongly, among copies", _even(10, 400), copied, mangled),
)


def run(kind: Kind, seed: str) -> tuple[list[str], str | None]:
    """Return the slices that are reported of one run, and the one that is broken."""
    draw = random.Random(seed)
    sizes = kind.sizes(draw)
    broken = None if kind.broken is None else draw.choice([place for place, size in enumerate(sizes) if size >= 240])
    records = []
    for place, size in enumerate(sizes):
        texts = kind.texts(draw, place, size)
        if place == broken and kind.broken is not None:
            texts = [kind.broken(text) if draw.random() < kind.share else text for text in texts]
        records += [(f"s{place}", text) for text in texts]
    draw.shuffle(records)
    plans = tuple(
        OperatorPlan(name, place, Component(name, catalogue.OPERATORS[name], params))
        for place, (name, params) in enumerate(FILTERS.items())
    )
    stage = Stage(StagePlan("judge", 0, plans, 1, 1), "judge-0", StageSettings("run_a", slice_by=("source",)), None)
    totals = DetailTotals()
    for number, start in enumerate(range(0, len(records), BATCH)):
        part = records[start : start + BATCH]
        ids = [f"r{start + place}" for place in range(len(part))]
        table = pa.table({"record_id": ids, "text": [text for _, text in part], "source": [name for name, _ in part]})
        totals.add(stage(Batch(f"000000-{number:05d}", 0, table, len(part))).details)
    rows = to_table(totals.rows("slices", "run_a", datetime(2026, 1, 1)), SLICES, "run_a")
    found = odd_slices(Recording({"run_id": "run_a"}, slice_rows=rows), EarlierRuns())
    return [str(finding.evidence["slice"]) for finding in found], None if broken is None else f"s{broken}"


def judged(kinds: Sequence[Kind], seeds: range, name: str) -> Iterator[tuple[Kind, int, list[str], str | None]]:
    """Yield kind, seed, reported slices and broken slice of every run."""
    for kind in kinds:
        for seed in seeds:
            yield kind, seed, *run(kind, f"{name}-{kind.name}-{seed}")


def main() -> None:
    """Run, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8, help="Runs of each kind.")
    parser.add_argument("--seed", default="1", help="Seed of all texts.")
    arguments = parser.parse_args()
    started = time.process_time()
    for title, kinds in (("without a fault", HEALTHY), ("with a broken slice", FAULTY)):
        right: Counter[int] = Counter()
        runs: Counter[int] = Counter()
        for kind, seed, found, broken in judged(kinds, range(arguments.seeds), arguments.seed):
            good = found == [] if broken is None else found == [broken]
            right[seed % 2] += good
            runs[seed % 2] += 1
            if not good:
                print(f"   {kind.name}, seed {seed}: reported {found or 'nothing'}, broken {broken}")
        what = "nothing reported" if title == "without a fault" else "it alone reported"
        print(f"{title}: {what} in {right[0]} of {runs[0]} runs of even seeds, {right[1]} of {runs[1]} of odd ones")
    print(f"{time.process_time() - started:.0f} CPU-s")


if __name__ == "__main__":
    main()
