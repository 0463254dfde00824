"""Tasks that an earlier launch of an executor has completed: datatrove skips them, and they count as they did then."""

from __future__ import annotations

import json
import time
from typing import Any

from mega_data_factory.observe.counting import wire
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.datatrove.meters import deliver
from mega_data_factory.observe.datatrove.steps import FOLDER
from mega_data_factory.observe.engines.engine import Task
from mega_data_factory.observe.steps.spec import StepSpec

EARLIER = "earlier launch"
"""Name of the worker of accounts of an earlier launch."""

_notes: dict[str, list[str]] = {}
"""Run → what was counted, or not, for tasks that are skipped."""


def count_completed(executor: Any, specs: list[StepSpec], stage: str) -> None:
    """Enter the accounts of the tasks that this launch will skip in the run.

    Args:
        executor: of the pipeline.
        specs: of its steps, in order.
        stage: of the steps.
    """
    ranks = _ranks(executor)
    open_ranks = set(executor.get_incomplete_ranks(ranks))
    skipped = [rank for rank in ranks if rank not in open_ranks]
    unknown = 0
    for rank in skipped:
        accounts = _accounts_of(executor.logging_dir, rank, len(specs))
        if accounts is None:
            unknown += 1
            continue
        for spec, account in zip(specs, accounts, strict=True):
            account.step, account.worker, account.at = spec.id, EARLIER, time.time()
            deliver(spec, Task(str(account.key), account.attempt, EARLIER), account)
    notes = _notes.setdefault(specs[0].run.run_id, []) if specs else []
    if len(skipped) > unknown:
        notes.append(
            f"stage {stage}: {len(skipped) - unknown} of {len(ranks)} tasks were completed by an earlier launch, and "
            "are not run again; counts and seconds are those of that launch"
        )
    if unknown:
        for spec in specs:  # they are shown, with 0 records
            task = Task("unobserved", "unobserved", EARLIER)
            deliver(spec, task, Account(spec.id, EARLIER, task.key, task.attempt, "datatrove", time.time()))
        notes.append(
            f"stage {stage}: {unknown} of {len(ranks)} tasks were completed by a launch that was not observed; what "
            "they have processed is not counted"
        )


def _ranks(executor: Any) -> list[int]:
    """Return the ranks that the executor runs on this machine."""
    first = getattr(executor, "local_rank_offset", 0)
    return list(range(first, first + getattr(executor, "local_tasks", executor.world_size)))


def _accounts_of(folder: Any, rank: int, steps: int) -> list[Account] | None:
    """Return the accounts of a task that was completed; None without one of this pipeline."""
    try:
        with folder.open(f"{FOLDER}/{rank:05d}.json") as file:
            accounts = [wire.from_text(line) for line in json.load(file)["accounts"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return accounts if len(accounts) == steps else None


def notes_of(run_id: str) -> list[str]:
    """Return what was counted, or not, for the tasks that were skipped."""
    return _notes.get(run_id, [])


def forget(run_id: str) -> None:
    """Drop what is remembered of a run that has ended."""
    _notes.pop(run_id, None)
