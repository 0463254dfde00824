"""No two sentences of one page contradict each other, over pairs of runs of many kinds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mega_data_factory.analytics.runs.earlier_runs import EarlierRuns
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.framework.metrics import MetricsReader
from mega_data_factory.reports.document import Document
from tests.made_runs import START, Op, Pool, made_config, make_run
from tests.present import present


def one(reject: float = 0.1, cost: float = 0.005, reason: str = "r") -> list[Pool]:
    return [Pool("a", [Op("x", cost), Op("f_filter", 0.001, {reason: reject} if reject else {})])]


def two(first: float, second: float) -> list[Pool]:
    return [Pool("a", [Op("f_filter", 0.005, {"r": first}), Op("g_filter", 0.005, {"q": second})])]


def from_source(path: str, **more: Any) -> dict[str, Any]:
    config = made_config(one())
    return {"config": {**config, "data_loader": {"type": "jsonl_loader", "params": {"path": path}}}, **more}


SAME, OTHER = from_source("in"), from_source("other")
PAIRS = {
    "equal": (one(), one(), SAME, SAME),
    "a threshold was moved by four records": (one(0.1), one(0.1004), SAME, SAME),
    "the same four records of other sources": (one(0.1), one(0.1004), SAME, OTHER),
    "four points": (one(0.1), one(0.14), SAME, SAME),
    "four points of other sources": (one(0.1), one(0.14), SAME, OTHER),
    "four points of few records": (one(0.1), one(0.14), from_source("in", records=50), from_source("new", records=50)),
    "opposite changes": (two(0.2, 0.1), two(0.1, 0.2), SAME, SAME),
    "opposite changes of other sources": (two(0.2, 0.1), two(0.1, 0.2), SAME, OTHER),
    "another reason": (one(reason="short"), one(reason="long"), SAME, SAME),
    "more records": (one(0.1), one(0.1), SAME, from_source("in", records=40_000)),
    "slower": (one(), one(cost=0.01), SAME, SAME),
    "faster, and more is kept": (one(0.5, cost=0.01), one(0.1), SAME, SAME),
    "a new operator": (one(), [Pool("a", [*one()[0].operators, Op("n_filter", 0.001, {"n": 0.05})])], SAME, SAME),
    "nothing is kept": (one(), one(1.0), SAME, SAME),
    "nothing was rejected before": (one(0.0), one(0.0003), SAME, SAME),
    "the later one failed": (one(), one(0.14), SAME, from_source("in", status="failed")),
    "few intervals": (one(), one(0.14, cost=0.02), from_source("in", intervals=3), from_source("in", intervals=3)),
}


def page(
    path: Path,
    before: Sequence[Pool],
    after: Sequence[Pool],
    earlier: Mapping[str, Any],
    options: Mapping[str, Any],
    runs: int = 1,
) -> tuple[Document, list[str]]:
    """Write a run after as many equal earlier ones; return its document and all its sentences."""
    for number in range(runs):
        start = START - timedelta(days=runs - number)
        make_run(path, before, f"run_{number}", seed=number, start=start, **earlier)
    make_run(path, after, "run_now", seed=99, **options)
    reader = MetricsReader(path)
    recording = Recording.read(reader, "run_now")
    document = Document.from_recording(recording, EarlierRuns.read(reader, recording))
    said = [text for f in document.findings for text in (f.title, f.detail, f.suggestion)]
    return document, [*said, *document.context()["comparison_sentences"]]


@pytest.mark.parametrize("runs", [1, 6])
@pytest.mark.parametrize("pair", PAIRS)
def test_no_two_sentences_of_a_page_contradict_each_other(tmp_path: Path, pair: str, runs: int) -> None:
    """What the findings say, the words of the comparison and its table agree, whatever differs between the runs."""
    document, said = page(tmp_path, *PAIRS[pair], runs=runs)
    comparison, text = document.comparison, " ".join(said)
    assert comparison is not None
    kinds = {finding.kind for finding in document.findings}
    rows = {row.name: " | ".join(row.cells) for row in document.context()["differences"]}

    changed = [d for d in comparison.operators if d.pass_changed]
    assert sorted(name for name, cells in rows.items() if "(changed)" in cells) == sorted(
        d.operator.label for d in changed
    )
    if "by chance" in text:
        assert not changed
        assert not comparison.pass_changed
        assert not comparison.same_source
    if runs > 1 and {"pass-rate", "operator-pass-rate"} & kinds:  # an operator that is unlike its earlier runs ...
        assert "by chance" not in text  # ... all of which are like the one compared with
        assert changed or any(d.before is None for d in comparison.operators)
    if "previous-run" in kinds:
        assert comparison.speed in ("slower", "faster")
        assert "Throughput while working: no clear difference" not in text
    assert not (re.search(r"% slower than", text) and re.search(r"% faster than", text))
    assert "-0.0" not in text
    assert "+0.0" not in text


@pytest.mark.parametrize("pair", [name for name in PAIRS if name != "the later one failed"])
def test_counts_of_a_page_are_those_of_the_runs(tmp_path: Path, pair: str) -> None:
    """Records kept and records that left are exact, by place and reason, and points have the sign of the counts."""
    document, said = page(tmp_path, *PAIRS[pair])
    comparison, text = present(document.comparison), " ".join(said)
    before, after = comparison.before.run, comparison.after.run
    kept = [f"{run['total_output_records']:,} of {run['total_input_records']:,}" for run in (after, before)]
    assert f"Kept {kept[0]} records, before {kept[1]}" in text
    shares = [run["total_output_records"] / run["total_input_records"] for run in (before, after)]
    said_more = re.search(r"\+\d+\.\d percentage points|more by under", text)
    said_less = re.search(r"-\d+\.\d percentage points|less by under", text)
    assert bool(said_more) == (shares[1] > shares[0])
    assert bool(said_less) == (shares[1] < shares[0])
    reasons = {
        (operator.label, reason): number
        for stage in comparison.after.stages
        for operator in stage.operators
        for reason, number in operator.reasons.items()
    }
    for reason, place, number in re.findall(r"Rejected for (\w+) in (\w+ / \w+): ([\d,]+), before", text):
        assert int(number.replace(",", "")) == reasons.get((place, reason), 0)
    if comparison.same_source:  # the same records: what left moves the records kept by as many
        moved = sum(int(d.after - d.before) for d in comparison.exits)
        assert moved == before["total_output_records"] - after["total_output_records"]
