"""Rejected records that a run keeps as examples are a uniform sample of all that were rejected."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import mega_data_factory as mdf
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.sampling import Sampler
from mega_data_factory.observe.counting.set_aside import SetAside
from mega_data_factory.observe.driver.recording.ledger import Ledger


def sample(tasks: list[list[int]], k: int, seed: int) -> set[int]:
    """Return the sample of records: `tasks` holds for every task the sizes of the batches that it rejects."""
    ranked, number = [], 0
    for at, batches in enumerate(tasks):
        sampler = Sampler(k, f"{seed}/{at}")
        for records in batches:
            ranked += [(rank, number + place) for place, rank in sampler.choose(records)]
            number += records
    return {record for _, record in sorted(ranked)[:k]}


def test_every_rejected_record_is_as_likely_however_tasks_and_batches_split_them() -> None:
    """60 records, of which 3 are kept, 4,000 times: the deviation of a count of 200 is 13.8; six are allowed."""
    for tasks in ([[60]], [[1] * 60], [[1], [2] * 10, [1] * 30, [9]], [[50], [1] * 10]):
        counts = [0] * 60
        for seed in range(4000):
            chosen = sample(tasks, 3, seed)
            assert len(chosen) == 3
            for record in chosen:
                counts[record] += 1
        assert all(abs(count - 200) < 83 for count in counts), (tasks, counts)


def test_another_attempt_at_a_task_draws_the_same_records() -> None:
    batches = [random.Random(1).randint(0, 40) for _ in range(50)]
    first, again, other = (
        [choice for records in batches for choice in sampler.choose(records)]
        for sampler in (Sampler(3, "task"), Sampler(3, "task"), Sampler(3, "another"))
    )
    assert first == again != other
    assert len(first) < 40, "few are looked at: 3 of 1,000 take 3 + 3 ln(1000 / 3) = 20, on average"


def mask(rows: list[dict[str, int]]) -> list[bool]:
    return [False for _ in rows]


def one_by_one(rows: list[dict[str, int]]) -> list[dict[str, int]]:
    for row in rows:
        mdf.observe.reject(row, "small")
    return []


def a_batch(rows: list[dict[str, int]]) -> list[dict[str, int]]:
    mdf.observe.reject(rows, "small")
    return []


def one_record(row: dict[str, int]) -> bool:
    del row
    return False


def test_examples_come_from_all_batches_alike(tmp_path: Path) -> None:
    """40 steps reject 500 records each and keep 5: the mean place of the 200 is 249.5, its deviation 10.2."""
    with mdf.observe("examples", metrics=tmp_path, node_interval=0, rejected_samples=5) as run:
        for at in range(40):
            function = (mask, one_by_one, a_batch, one_record)[at % 4]
            step = run.step(function, name=f"step{at}", reason="small")
            for start in range(0, 500, 50):
                rows = [{"id": place} for place in range(start, start + 50)]
                if function is one_record:
                    assert not any(map(step, rows))
                else:
                    step(rows)
    lines = Path(tmp_path, "records", "rejected", f"{run.run_id}.jsonl").read_text(encoding="utf-8").splitlines()
    samples = [json.loads(line) for line in lines]
    assert Counter(sample["operator"] for sample in samples) == {f"step{at}": 5 for at in range(40)}
    for kind in range(4):
        places = [sample["record"]["id"] for sample in samples if int(sample["operator"][4:]) % 4 == kind]
        assert len(places) == 50
        assert abs(sum(places) / 50 - 249.5) < 6 * 20.4
    assert abs(sum(sample["record"]["id"] for sample in samples) / 200 - 249.5) < 6 * 10.2


def test_examples_are_those_of_the_accounts_that_count() -> None:
    """An account that is replaced takes its examples with it; an error was written when it arrived, and stays."""

    def account(key: str | None, attempt: str, *contents: str) -> Account:
        made = Account("0", "w", key, attempt)
        made.add_call(0.1, len(contents), 0, reasons={"small": len(contents)})
        made.set_aside = [SetAside("small", content, "rejected", rank=0.5) for content in contents]
        return made

    def kept(of: Ledger) -> list[str]:
        of.settle()
        return sorted(record.content for _, record in [*of.take_set_aside(), *of.examples()])

    ledger = Ledger()
    ledger.take(account("a", "1", "lost", "lost too"))
    ledger.take(account("b", "1", "other"))
    ledger.take(account(None, "1", "adds"))
    assert kept(ledger) == ["adds", "lost", "lost too", "other"]
    ledger.take(account("a", "2", "counts"))
    assert kept(ledger) == ["counts", "other"]
    ledger.take(account("b", "2"))
    assert kept(ledger) == ["counts"]
    ledger.forget("0")
    assert kept(ledger) == []
