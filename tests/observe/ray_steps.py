"""Functions and classes as users of Ray Data write them, and ways for their worker to die."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mega_data_factory as mdf


def die_once(marks: Path | None, name: str, *, delivered: bool) -> None:
    """Let this worker die by SIGKILL, once for a name.

    Args:
        marks: folder that remembers who has died; None where nobody shall.
        name: of the death.
        delivered: die when the accounts of the task have been delivered, before the task has replied; else at once,
            in the middle of the user's function.
    """
    if marks is None or (marks / name).exists():
        return
    if not delivered:
        (marks / name).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    from mega_data_factory.observe.engines.ray_task import _held

    held = _held()
    assert held is not None, "the step runs in a task of Ray Data"
    (accounts,) = held.by_run.values()
    deliver = accounts.deliver

    def deliver_and_die() -> None:
        deliver()
        (marks / name).touch()
        os.kill(os.getpid(), signal.SIGKILL)

    accounts.deliver = deliver_and_die  # type: ignore[method-assign]


class Deaths:
    """Chooses by record who dies: every third block, in turn after delivery and in the middle of its last batch.

    Args:
        marks: folder that remembers who has died; None where nobody shall.
        block: records in a block.
    """

    def __init__(self, marks: Path | None, block: int) -> None:
        self.marks = marks
        self.block = block

    def at(self, record: int) -> None:
        """Die where this record says so: the last of a chosen block."""
        block, place = divmod(record, self.block)
        if self.marks is not None and place == self.block - 1 and block % 3 == 0:
            die_once(self.marks, f"block-{block}", delivered=block % 2 == 0)


def even(table: Any, deaths: Deaths) -> Any:
    """Keep even numbers; report how many batches there were."""
    mdf.observe.report("batches_seen", 1)
    kept = table.take([place for place, number in enumerate(table["id"].to_pylist()) if number % 2 == 0])
    deaths.at(table["id"][-1].as_py())
    return kept


class Even:
    """Keeps even numbers."""

    def __init__(self, deaths: Deaths, *, reported: int) -> None:
        self.deaths = deaths
        self.reported = reported

    def __call__(self, table: Any) -> Any:
        """Keep even numbers, and report."""
        mdf.observe.report("batches_seen", self.reported)
        kept = table.take([place for place, number in enumerate(table["id"].to_pylist()) if number % 2 == 0])
        self.deaths.at(table["id"][-1].as_py())
        return kept


class AsyncEven:
    """Keeps even numbers, in a coroutine."""

    async def __call__(self, table: Any) -> Any:
        """Keep even numbers."""
        return table.take([place for place, number in enumerate(table["id"].to_pylist()) if number % 2 == 0])


def not_fifth(row: dict[str, Any]) -> bool:
    """Keep what 5 does not divide."""
    if row["id"] % 5 == 0:
        mdf.observe.reject(row, "fifth")
        return False
    return True


def twice(row: dict[str, Any], deaths: Deaths) -> list[dict[str, Any]]:
    """Make two records of one."""
    deaths.at(row["id"])
    return [row, {"id": -row["id"]}]


def plus_one(row: dict[str, Any]) -> dict[str, Any]:
    """Add 1."""
    return {"id": row["id"] + 1}


def in_two(table: Any) -> Iterator[Any]:
    """Yield a batch in two parts."""
    half = table.num_rows // 2
    yield table.slice(0, half)
    yield table.slice(half)


def fails_on_13(table: Any) -> Any:
    """Raise for a batch with a number that ends in 13."""
    bad = [number for number in table["id"].to_pylist() if number % 100 == 13]
    if bad:
        raise ValueError(f"cannot process {bad[0]}")
    return table
