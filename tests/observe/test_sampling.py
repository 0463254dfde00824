"""Rejected records that a run keeps as examples are a uniform sample of all that were rejected."""

from __future__ import annotations

import random

from mega_data_factory.observe.counting.sampling import Sampler


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
