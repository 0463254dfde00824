"""Accounts on their way to the ledger: each counts once, as its last delivery says, and sums are exact."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mega_data_factory.observe.counting import wire
from mega_data_factory.observe.counting.account import Account, merged
from mega_data_factory.observe.counting.set_aside import SetAside
from mega_data_factory.observe.delivery import AccountFiles, FileDelivery
from mega_data_factory.observe.driver.recording.ledger import Ledger


def account(key: str | None, records: int, attempt: str = "a", worker: str = "w", *, final: bool = True) -> Account:
    made = Account("0", worker, key, attempt, "python", 1.0, final)
    made.add_call(1.0, records, records - 1, reason="last")
    return made


def totals(ledger: Ledger) -> dict[str, tuple[int, int]]:
    ledger.settle()
    return {total.worker: (total.input_records, total.rejected_records) for total in ledger.totals()}


def test_of_accounts_with_one_key_the_last_counts() -> None:
    ledger = Ledger()
    for made in (account("k", 10), account("l", 5), account(None, 1), account("k", 7, "b", "v"), account(None, 1)):
        ledger.take(made)
    assert totals(ledger) == {"w": (7, 3), "v": (7, 1)}
    assert ledger.repeated == 1
    ledger.take(account("k", 7, "b", "v"))
    assert totals(ledger) == {"w": (7, 3), "v": (7, 1)}
    assert ledger.repeated == 1, "delivered again by the same attempt"


def test_work_in_progress_is_shown_until_its_final_account_is_there() -> None:
    ledger = Ledger()
    for made in (account("k", 3, final=False), account("k", 5, final=False)):
        ledger.take(made)
    assert totals(ledger)["w"] == (5, 1)
    ledger.take(account("k", 9))
    assert totals(ledger)["w"] == (9, 1)
    ledger.take(account("k", 2, "b", final=False))
    assert totals(ledger)["w"] == (9, 1), "an execution that is not finished replaces none that is"


def test_replacing_an_account_is_exact_and_adds_up_few_others(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, expected = Ledger(), {}
    numbers = random.Random(1)

    def take(number: int, attempt: str) -> None:
        made = account(str(number), numbers.randrange(1, 50), attempt, f"w{number % 2}")
        made.seconds, made.least, made.most = (numbers.random() for _ in range(3))
        made.custom = {"tokens": numbers.random()}
        expected[number] = wire.from_bytes(wire.to_bytes(made))
        ledger.take(made)

    def check() -> None:
        ledger.settle()
        wanted = merged(expected.values()).values()
        for total, right in zip(sorted(ledger.totals(), key=_name), sorted(wanted, key=_name), strict=True):
            assert (total.input_records, total.reasons, total.histogram) == (
                right.input_records,
                right.reasons,
                right.histogram,
            )
            assert (total.least, total.most) == (right.least, right.most)
            assert (total.seconds, total.custom["tokens"]) == pytest.approx((right.seconds, right.custom["tokens"]))

    for number in range(3000):
        take(number, "a")
    check()
    for number in (0, 1, 2998, 2999):
        take(number, "b")
    check()
    read: list[bytes] = []
    from_bytes = wire.from_bytes

    def counted(content: bytes) -> Account:
        read.append(content)
        return from_bytes(content)

    monkeypatch.setattr(wire, "from_bytes", counted)
    for number in (min(expected, key=_least(expected)), 2999):  # one of them is the minimum
        take(number, "c")
    read.clear()
    ledger.settle()
    assert 0 < len(read) <= 2 * 256, "only accounts of the same groups are added up again"
    check()


def _name(total: Account) -> str:
    return total.worker


def _least(accounts: dict[int, Account]) -> Callable[[int], float]:
    return lambda number: accounts[number].least or 0.0


def test_accounts_without_a_key_are_read_as_sums_and_each_counts_once(tmp_path: Path) -> None:
    delivery, files, ledger = FileDelivery(tmp_path), AccountFiles(tmp_path), Ledger()
    read = 0
    for records in range(1, 101):
        delivery.deliver(account(None, records))
        if records % 7 == 0:
            arrived = list(files.read_new())
            read += len(arrived)
            for made in arrived:
                ledger.take(made)
    for made in files.read_new():
        ledger.take(made)
    assert totals(ledger) == {"w": (5050, 100)}
    [total] = ledger.totals()
    assert total.seconds == pytest.approx(100)
    assert (total.calls, total.least, total.most) == (100, 1 / 100, 1)
    assert sum(total.histogram.values()) == 5050
    assert read < 30
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-10])  # the last line, cut by a kill
    assert sum(made.input_records for made in AccountFiles(tmp_path).read_new()) == 4950


def test_a_damaged_line_is_left_out(tmp_path: Path) -> None:
    delivery = FileDelivery(tmp_path)
    for key in "klm":
        delivery.deliver(account(key, 3))
    [file] = tmp_path.iterdir()
    first, second, third, _ = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join([first, second[:40] + third, third, b"\xff", b""]))
    assert [made.key for made in AccountFiles(tmp_path).read_new()] == ["k", "m"]


def test_an_account_is_the_same_after_its_way() -> None:
    made = Account("0", "w", 'k"\n', "a", "python", 1.5, False)
    made.add_call(0.1, 10, 7, reasons={"tôt": 2}, reason="rest")
    made.custom, made.content, made.set_aside = {"a": 0.5}, [1, 2**64], [SetAside("r", "{}", score=0.5)]
    assert wire.from_bytes(wire.to_bytes(made)) == made
    assert wire.from_line(wire.to_line(made)) == made
    assert wire.from_text(wire.to_text(made)) == made
    empty = Account("0")
    assert wire.from_line(wire.to_line(empty)) == empty


def test_no_line_ends_within_an_account() -> None:
    for number in range(256):  # marshal writes every byte somewhere: as an integer, a length, part of a float
        made = Account(chr(number), key="\n\x10\x11\x12", attempt=chr(number) * number)
        made.input_records, made.content = number, [number, number << 8 | 10, 0x0A101210]
        line = wire.to_line(made)
        assert b"\n" not in line
        assert wire.from_line(line) == made


def test_a_line_that_was_cut_by_a_kill_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "accounts").mkdir()
    delivery = FileDelivery(tmp_path / "accounts")
    delivery.deliver(account("k", 3))
    delivery.deliver(account("l", 4))
    [file] = (tmp_path / "accounts").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    files = AccountFiles(tmp_path / "accounts")
    assert [read.key for read in files.read_new()] == ["k"]
    file.write_bytes(whole)
    assert [read.input_records for read in files.read_new()] == [4]
    assert list(files.read_new()) == []
    files.remove()
    assert not (tmp_path / "accounts").exists()
