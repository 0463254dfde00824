"""Conditions on operators: the same records and counts on both engines, with workers that die or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engines.running import Pipeline, Result, assert_same, fake, jsonl, stage

ROWS = 120


def run(folder: Path, source: str, engine: str, kill_every: int = 0) -> Result:
    """A filter, a deduplicator and a refiner, each for some of the records, in two stages."""
    kills = fake("KillOnce", folder=str(folder / "kills"), every=kill_every)
    stages: list[dict[str, Any]] = [
        stage(
            "first",
            {**fake("ShortFilter", min_length=6), "when": "number % 2 = 0"},
            {**fake("Dedup"), "when": "number % 3 = 0"},
        ),
        stage("second", {**fake("Upper"), "when": "number % 5 = 0"}, kills, num_replicas=2),
    ]
    return Pipeline(folder, source, stages, engine=engine, executor={"batch_size": 10}).run()


def expected(texts: list[str]) -> list[str]:
    """What should come out, by the same rules in Python."""
    kept, claimed = [], set()
    for number, text in enumerate(texts):
        if number % 2 == 0 and len(text) < 6:
            continue
        if number % 3 == 0 and text in claimed:
            continue
        claimed |= {text} if number % 3 == 0 else set()
        kept.append(text.upper() if number % 5 == 0 else text)
    return sorted(kept)


@pytest.mark.slow
def test_records_that_do_not_match_pass(tmp_path: Path, engine: str) -> None:
    """What comes out is what the conditions say, the counts add up, and dead workers change neither."""
    texts = [("text", "long text", "longer text")[number % 7 % 3] for number in range(ROWS)]
    source = jsonl(tmp_path / "a.jsonl", texts)
    calm = run(tmp_path / "calm", source, "local")
    assert calm.closed(), calm.books
    assert calm.texts == expected(texts)
    for name, divisor in (("first/short_filter", 2), ("second/upper", 5)):
        rows = [row for row in calm.operators if f"{row['stage_name']}/{row['operator_name']}" == name]
        offered = calm.count(name, "input_records")
        assert 0 < sum(row["unmatched_records"] for row in rows) < offered
        if name.startswith("first"):
            assert sum(row["unmatched_records"] for row in rows) == ROWS - ROWS // divisor
    assert_same(run(tmp_path / "killed", source, engine, kill_every=60), calm)
