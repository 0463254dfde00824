"""The sample of rejected records depends on the records alone."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from mega_data_factory.framework.batch import Exclusion
from mega_data_factory.framework.worker.accounts.rejected_samples import RejectedSampler, RejectedSamples, sample_hash
from tests.framework.making import MANY

RECORDS = st.lists(st.integers(0, 500), unique=True, max_size=60)


def rejected(number: int) -> Exclusion:
    return Exclusion("rejected", f"r{number}", "s", "op", "even" if number % 2 == 0 else "odd")


def offered(sampler: RejectedSampler, numbers: list[int]) -> list[Exclusion]:
    ids = pa.chunked_array([[f"r{n}" for n in numbers]], pa.string())
    reasons = pa.array([rejected(n).reason for n in numbers], pa.string())
    return [rejected(numbers[row]) for row, _ in sampler.choose("op", ids, reasons)]


def expected(numbers: list[int], k: int) -> list[Exclusion]:
    result = []
    for parity in (0, 1):
        mine = sorted((n for n in numbers if n % 2 == parity), key=lambda n: sample_hash(f"r{n}"))
        result += [rejected(n) for n in mine[:k]]
    return result


@MANY
@given(RECORDS, st.integers(1, 8), st.data())
def test_any_partition_in_any_order_gives_the_same_sample(numbers: list[int], k: int, data: st.DataObject) -> None:
    """Records spread over workers and batches at will, some of them twice, give the k smallest of each reason."""
    workers = [RejectedSampler(k) for _ in range(3)]
    parts = [(data.draw(st.integers(0, 2)), [n]) for n in data.draw(st.permutations(numbers))]
    parts += parts[: data.draw(st.integers(0, len(parts)))]  # retries
    book = RejectedSamples(k)
    for worker, part in parts:
        book.add(offered(workers[worker], part))
    assert book.samples() == expected(numbers, k)


@MANY
@given(RECORDS, st.integers(1, 8))
def test_a_retry_is_offered_again(numbers: list[int], k: int) -> None:
    """A batch whose first answer was lost brings its samples a second time, from the same worker or from another."""
    sampler = RejectedSampler(k)
    offered(sampler, numbers)  # lost
    book = RejectedSamples(k)
    book.add(offered(sampler, numbers))
    assert book.samples() == expected(numbers, k)


def test_only_rejections_are_sampled_and_none_when_not_asked() -> None:
    """Errors and dead letters are not samples; k = 0 keeps nothing."""
    book = RejectedSamples(2)
    book.add([Exclusion("error", "a", "s", "op", "why"), Exclusion("dead_letter", "b", "s", "", "why")])
    assert book.samples() == []
    assert offered(RejectedSampler(0), [1, 2, 3]) == []


def test_rows_that_stay_are_never_chosen() -> None:
    """Only rows with a reason are candidates, and the row number is that of the table."""
    ids = pa.chunked_array([["a"], ["b", "c"]])
    chosen = list(RejectedSampler(5).choose("op", ids, pa.array([None, None, "x"])))
    assert chosen == [(2, "x")]
