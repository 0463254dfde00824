"""Engines of one run keep their account files apart."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.engines.engine import Engine, RunPlace


class _One(Engine):
    name: ClassVar[str] = "one"


class _Other(Engine):
    name: ClassVar[str] = "other"


def test_each_engine_reads_its_own_files(tmp_path: Path) -> None:
    """An account is read once, whatever other engines the run has; in the end no folder is left."""
    place = RunPlace("run_x", tmp_path / "accounts")
    one, other = _One(place), _Other(place)
    _One(address=one.address()).deliver(Account("s", "w", "k"), None)
    _Other(address=other.address()).deliver(Account("s", "w", "l"), None)
    read: dict[str, list[Account]] = {"one": [], "other": []}
    one.collect(read["one"].append)
    other.collect(read["other"].append)
    assert {name: [account.key for account in accounts] for name, accounts in read.items()} == {
        "one": ["k"],
        "other": ["l"],
    }
    one.stop()
    assert place.folder.exists()
    other.stop()
    assert not place.folder.exists()
