"""Accounts of cached results: written beside a cache file, replayed when `datasets` reads it instead of calling steps.

The account of a shard is written before its cache file appears under its name. So a cache file that a step has filled
has its account, whichever process died at which moment. A cache file without one was filled before the step was
observed: how many records went in and came out is known all the same, by the rows of the two datasets.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mega_data_factory.observe.counting import wire
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.engines.engine import Task
from mega_data_factory.observe.huggingface.bound import Use
from mega_data_factory.observe.huggingface.pieces import Piece, working_on
from mega_data_factory.observe.steps.spec import StepSpec
from mega_data_factory.redaction.loggers import logger

_log = logger("mega_data_factory.observe")

SUFFIX = ".mdf-account"
"""Ending of the file with the account of a cache file, after the cache file's whole name."""

CACHED = "cached"
"""Name of the worker of replayed accounts."""

_SHARD = "_{rank:05d}_of_{num_proc:05d}"
"""How `datasets` names the shards of a `map` with several processes."""


@dataclass
class Replayed:
    """What was replayed for a step of a run.

    Attributes:
        records: records offered to the step, by the run that filled the cache; "" where it was not observed.
    """

    records: dict[str, int]


replayed: dict[str, dict[str, Replayed]] = {}
"""Run → step name → what was replayed."""

_lock = threading.Lock()
_last: dict[tuple[str, str, str], list[str]] = {}
"""(Run, step, fingerprint of a result) → shards of which it was last made."""


def write_account(piece: Piece, spec: StepSpec, cache_file: str) -> None:
    """Deliver the account of a shard, then write it beside the cache file that is about to be there.

    Args:
        piece: the shard; all its records have been processed.
        spec: of the step.
        cache_file: of the shard.
    """
    account = piece.finish()
    content = {
        "run": spec.run.run_id,
        "fingerprint": account.key,
        "reason": spec.reason,
        "text": spec.text,
        "account": wire.to_text(account),
    }
    target = Path(cache_file + SUFFIX)
    part = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        part.write_text(json.dumps(content))
        part.replace(target)
    except OSError as error:
        _log.warning("a later run will not know the reasons of %s: %s", cache_file, error)


def replay_cached(use: Use, source: Any, result: Any, arguments: dict[str, Any]) -> None:
    """Enter the accounts of the shards of a result that came from the cache in the run.

    Args:
        use: the step.
        source: the dataset that was mapped or filtered.
        result: what `map` returned.
        arguments: of `map`.
    """
    files = [file["filename"] for file in result.cache_files]
    if not files or result._fingerprint == source._fingerprint:  # in memory, or nothing was written: steps were called
        return
    template = arguments.get("suffix_template") or _SHARD
    keys = _keys(result._fingerprint, len(files), template)
    connection = use.step.spec.run.connect()
    with working_on(Task(result._fingerprint, CACHED, CACHED)):
        engine, _ = connection.current()
    for account in _of_shards_that_are_gone(use.step.spec, result._fingerprint, keys):
        connection.deliver(engine, account)
    for number, (key, file) in enumerate(zip(keys, files, strict=True)):
        account = _account_of(use.step.spec, key, file) or _by_rows(use, source, file, number, len(files), arguments)
        if account is not None:
            account.key, account.engine, account.at = key, engine.name, time.time()
            connection.deliver(engine, account)


def _keys(fingerprint: str, shards: int, template: str) -> list[str]:
    if shards == 1:
        return [fingerprint]
    return [fingerprint + template.format(rank=rank, num_proc=shards) for rank in range(shards)]


def _of_shards_that_are_gone(spec: StepSpec, fingerprint: str, keys: list[str]) -> Iterator[Account]:
    """Yield empty accounts for the shards of which the same result was made before: it was cut into others since."""
    place = spec.run.run_id, spec.id, fingerprint
    with _lock:
        before = _last.get(place, [])
        _last[place] = keys
    for key in set(before) - set(keys):
        yield Account(spec.id, CACHED, key, "gone")


def _account_of(spec: StepSpec, key: str, file: str) -> Account | None:
    """Return the account that was written beside a cache file; None without one of this result."""
    try:
        content = json.loads(Path(file + SUFFIX).read_text())
        account = wire.from_text(content["account"])
        if content["fingerprint"] != key:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if content["run"] == spec.run.run_id and account.step == spec.id:
        account.worker = account.worker or CACHED
        return account  # delivered before, by the same attempt: it replaces itself
    _note(spec, content["run"], account.input_records)
    account.step, account.worker = spec.id, CACHED
    if content["reason"] != spec.reason and content["reason"] in account.reasons:  # it has got another name since
        account.reasons[spec.reason or "rejected"] = account.reasons.pop(content["reason"])
    if content["text"] != spec.text:
        account.input_bytes = account.output_bytes = 0
    return account


def _by_rows(use: Use, source: Any, file: str, number: int, shards: int, arguments: dict[str, Any]) -> Account:
    """Return the account of a shard whose step was not observed when its cache file was written, by its rows."""
    from datasets import Dataset

    rows, spec = len(source), use.step.spec
    offered = rows // shards + (number < rows % shards)
    if arguments.get("batched") and arguments.get("drop_last_batch"):
        size = arguments.get("batch_size") or rows
        offered = offered // size * size
    account = Account(spec.id, CACHED, attempt="cached")
    account.add_flow(offered, len(Dataset.from_file(file)), reason=spec.reason)
    _note(spec, "", offered)
    return account


def _note(spec: StepSpec, run: str, records: int) -> None:
    with _lock:
        found = replayed.setdefault(spec.run.run_id, {}).setdefault(spec.name, Replayed({}))
        found.records[run] = found.records.get(run, 0) + records


def notes_of(run_id: str) -> list[str]:
    """Return what was replayed in a run, a sentence for each step and each run that had filled the cache."""
    return [
        f"step {name}: {records:,} records were not processed, their result is cached; counts and seconds are those of "
        + (f"{run}, which processed them" if run else "the rows before and after, reasons and seconds are not known")
        for name, found in replayed.get(run_id, {}).items()
        for run, records in found.records.items()
    ]


def forget(run_id: str) -> None:
    """Drop what is remembered of a run that has ended."""
    with _lock:
        replayed.pop(run_id, None)
        for place in [place for place in _last if place[0] == run_id]:
            del _last[place]
