"""Which accounts count where parts of a plan are tried again, and whole plans are executed again."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.forms.signatures import Content
from mega_data_factory.observe.driver.recording.ledger import Ledger
from mega_data_factory.observe.engines.stage_accounts import Piece, StageAccounts


def stream(parts: list[int], *, kept: int = 0, final: bool = True, at: float = 0.0) -> Account:
    """Return the account of a step over an iterator that has read batches of one record each."""
    content = Content()
    for part in parts:
        content.add(part)
    account = Account("0", "w", "key", "1", "spark", at, final)
    account.add_flow(len(parts), kept)
    account.content = content.to_list()
    return account


class Entered:
    """Executions and a ledger that takes their changes after every account, or at the end."""

    def __init__(self) -> None:
        self.accounts = StageAccounts()
        self.ledger = Ledger()

    def enter(self, account: Account, stage: str, partition: str = "0", attempt: int = 1, number: int = 0) -> None:
        self.accounts.enter(account, Piece(stage, partition, attempt, number))

    def flow(self) -> tuple[int, int, int]:
        for account in self.accounts.changes():
            self.ledger.take(account)
        self.ledger.settle()
        totals = self.ledger.totals()
        return (
            sum(account.input_records for account in totals),
            sum(account.output_records for account in totals),
            sum(account.rejected_records for account in totals),
        )


def test_an_attempt_replaces_another_whichever_arrives_first() -> None:
    """An attempt that was killed has seen less; its account may be read after that of the attempt that lived."""
    entered = Entered()
    entered.enter(stream([1, 2, 3, 4], kept=1), "5", attempt=8)
    entered.enter(stream([1, 2, 3], final=False, kept=3), "5", attempt=7)
    assert entered.flow() == (4, 1, 3)
    assert not entered.accounts.again()


def test_of_equal_attempts_a_final_one_counts_then_the_latest() -> None:
    """The attempt that Spark kept is final; the other was killed before its end."""
    entered = Entered()
    entered.enter(stream([1, 2], kept=2, final=False), "5", attempt=9)
    entered.enter(stream([1, 2], kept=1), "5", attempt=8)
    assert entered.flow() == (2, 1, 1)
    entered.enter(stream([1, 2], kept=0), "5", attempt=10)
    assert entered.flow() == (2, 0, 2)


def test_the_calls_of_one_attempt_count_together() -> None:
    """After a shuffle an attempt gets the records in other batches: the calls of two attempts must not be mixed."""
    entered = Entered()
    for number, (parts, kept) in enumerate([([1, 2], 2), ([3, 4], 0)]):
        entered.enter(stream(parts, kept=kept), "5", attempt=7, number=number)
    assert entered.flow() == (4, 2, 2)
    entered.enter(stream([1, 3], kept=1), "5", attempt=8, number=0)
    assert entered.flow() == (4, 2, 2)
    entered.enter(stream([2, 4], kept=1), "5", attempt=8, number=1)
    assert entered.flow() == (4, 2, 2)


def test_a_second_action_counts_once_and_is_named() -> None:
    """Another stage on the same records of the same partitions is the same work."""
    entered = Entered()
    for stage in ("5", "9"):
        for partition in ("0", "1"):
            entered.enter(stream([1, 2, int(partition)], kept=1), stage, partition)
        assert entered.flow() == (6, 2, 4)
    assert entered.accounts.again() == {"0": (2, 6)}


@pytest.mark.parametrize("first", ["show", "write"])
def test_an_action_that_reads_a_beginning_counts_once(first: str) -> None:
    """`df.show()` before or after `df.write`: it reads the first batches only."""
    actions = {"show": stream([1, 2], kept=1), "write": stream([1, 2, 3, 4, 5], kept=2)}
    entered = Entered()
    for number, name in enumerate(sorted(actions, key=lambda name: name != first)):
        entered.enter(actions[name], str(number))
    assert entered.flow() == (5, 2, 3)
    assert entered.accounts.again() == {"0": (1, 2)}


def test_a_stage_that_is_computed_again_gets_its_records_in_another_order() -> None:
    """What counted while the second execution was shorter, and looked different, is taken back."""
    entered = Entered()
    entered.enter(stream([1, 2, 3, 4], kept=1), "5")
    entered.enter(stream([4, 3], kept=1, final=False), "9")
    assert entered.flow()[0] in (4, 6)
    entered.enter(stream([4, 3, 2, 1], kept=1), "9")
    assert entered.flow() == (4, 1, 3)


def test_other_records_add_up() -> None:
    """A step on two data frames has the same partitions with other records."""
    entered = Entered()
    entered.enter(stream([1, 2, 3], kept=1), "5")
    entered.enter(stream([7, 8, 9], kept=1), "9")
    entered.enter(stream([7, 8], kept=0), "11", "1")
    assert entered.flow() == (8, 2, 6)
    assert not entered.accounts.again()


def test_without_signatures_executions_add_up() -> None:
    """What cannot be compared is not taken for the same."""
    entered = Entered()
    for stage in ("5", "9"):
        account = stream([1, 2], kept=1)
        account.content = []
        entered.enter(account, stage)
    assert entered.flow() == (4, 2, 2)


@given(st.lists(st.lists(st.integers(1, 2**64 - 1), unique=True, max_size=9), max_size=4), st.integers(0, 2**32))
def test_any_repetition_in_any_order_counts_once(partitions: list[list[int]], seed: int) -> None:
    """Attempts cut anywhere, executions in any order, accounts read in any order: the sum is that of one execution."""
    chance = random.Random(seed)
    arrivals = []
    attempt = 0
    for stage in range(chance.randint(1, 3)):
        for partition, parts in enumerate(partitions):
            shuffled = parts if stage == 0 else chance.sample(parts, len(parts))
            for length in sorted({chance.randint(0, len(parts)) for _ in range(2)}):
                attempt += 1
                arrivals.append((stream(shuffled[:length], kept=length // 2, final=False), stage, partition, attempt))
            attempt += 1
            arrivals.append((stream(shuffled, kept=len(parts) // 2), stage, partition, attempt))
    chance.shuffle(arrivals)
    entered = Entered()
    for account, stage, partition, attempt in arrivals:
        entered.enter(account, f"app/{stage}", str(partition), attempt)
        if chance.random() < 0.3:
            entered.flow()
    records, kept = sum(map(len, partitions)), sum(len(parts) // 2 for parts in partitions)
    assert entered.flow() == (records, kept, records - kept)
