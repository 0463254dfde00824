"""Loaders, operators and writers for tests: small, and able to misbehave on demand."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import psutil
import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.contracts import (
    Deduplicator,
    Filter,
    Judgement,
    OperatorContext,
    Refiner,
    Rule,
    Split,
)
from mega_data_factory.loaders.jsonl_loader import JsonlLoader
from mega_data_factory.writers.parquet_writer import ParquetWriter


def once(folder: str, name: str) -> bool:
    """True for the first who asks with a name, over all processes."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    try:
        (Path(folder) / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def die(how: str = "SIGKILL") -> None:
    """End this process: by a signal, or by `exit` with code 3."""
    if how == "exit":
        os._exit(3)
    os.kill(os.getpid(), getattr(signal, how))
    time.sleep(60)  # a signal may take a moment to arrive; nothing more may happen until then


def texts_of(table: pa.Table) -> list[str]:
    """The texts of a table, an empty one for a null."""
    return [text or "" for text in table.column("text").to_pylist()]


# ── operators that behave ─────────────────────────────────────────────────────────────────────────────────────────────


class ShortFilter(Filter):
    """Rejects texts shorter than `min_length` characters."""

    def __init__(self, *, min_length: int = 100) -> None:
        self.min_length = min_length

    def judge(self, table: pa.Table) -> Judgement:
        lengths = pc.utf8_length(table.column("text"))
        rule = Rule("too_short", pc.less(lengths, self.min_length), lengths, self.min_length)
        return Judgement.of(table.num_rows, [rule])


class Upper(Refiner):
    """Upper-cases the text."""

    def refine(self, table: pa.Table) -> pa.Table:
        index = table.column_names.index("text")
        return table.set_column(index, "text", pc.utf8_upper(table.column("text")))


class Dedup(Deduplicator):
    """Rejects equal texts."""

    def keys(self, table: pa.Table) -> list[list[bytes | None]]:
        return [[text.encode() for text in table.column("text").to_pylist()]]


class TopicDedup(Deduplicator):
    """Rejects texts that begin with the same word."""

    def keys(self, table: pa.Table) -> list[list[bytes | None]]:
        return [[text.split()[0].encode() for text in texts_of(table)]]


class Slow(Refiner):
    """Takes its time over every batch.

    Args:
        seconds: how long.
    """

    def __init__(self, *, seconds: float = 0.05) -> None:
        self.seconds = seconds

    def refine(self, table: pa.Table) -> pa.Table:
        time.sleep(self.seconds)
        return table


class SlowRecords(Refiner):
    """Takes its time over every record.

    Args:
        seconds: How long.
    """

    def __init__(self, *, seconds: float = 0.05) -> None:
        self.seconds = seconds

    def refine(self, table: pa.Table) -> pa.Table:
        time.sleep(self.seconds * table.num_rows)
        return table


class Reports(Refiner):
    """Reports the records and characters it has seen as custom metrics."""

    def refine(self, table: pa.Table) -> pa.Table:
        self.report("records", table.num_rows)
        self.report("characters", pc.sum(pc.utf8_length(table.column("text"))).as_py() or 0)
        return table


# ── operators that kill ───────────────────────────────────────────────────────────────────────────────────────────────


class KillOnce(Refiner):
    """Kills its worker after the work and before the answer, once for each of some records.

    Which records they are depends on their place in the file alone, not on the name of the test's folder.

    Args:
        folder: where the kills are noted, so that each happens once.
        every: kill for records whose place hashes to 0 modulo this; 0 kills for none.
    """

    def __init__(self, *, folder: str, every: int = 50) -> None:
        self.folder = folder
        self.every = every

    def refine(self, table: pa.Table) -> pa.Table:
        for record_id in table.column("record_id").to_pylist() if self.every else ():
            place = record_id.rpartition("@")[2]
            digest = hashlib.sha256(place.encode()).hexdigest()
            if int(digest, 16) % self.every == 0 and once(self.folder, digest):
                die()
        return table


class KillAtWord(Refiner):
    """Kills its worker after the work, once for each text that begins with the word.

    Args:
        folder: where the kills are noted, so that each happens once.
        word: the word; an empty one kills for none.
    """

    def __init__(self, *, folder: str, word: str = "KILL") -> None:
        self.folder = folder
        self.word = word

    def refine(self, table: pa.Table) -> pa.Table:
        for text in texts_of(table) if self.word else ():
            if text.startswith(self.word) and once(self.folder, hashlib.sha256(text.encode()).hexdigest()):
                die()
        return table


class Poison(Refiner):
    """Kills its worker whenever a text contains the word.

    Args:
        word: the word.
        how: `SIGKILL`, `SIGSEGV`, or `exit` for `os._exit(3)`.
    """

    def __init__(self, *, word: str = "POISON", how: str = "SIGKILL") -> None:
        self.word = word
        self.how = how

    def refine(self, table: pa.Table) -> pa.Table:
        if any(self.word in text for text in texts_of(table)):
            die(self.how)
        return table


class Hangs(Refiner):
    """Backtracks for years over each text that holds the word, in C code that never returns to Python.

    Args:
        word: The word.
    """

    def __init__(self, *, word: str = "HANG") -> None:
        self.word = word

    def refine(self, table: pa.Table) -> pa.Table:
        for text in texts_of(table):
            if self.word in text:
                re.match("(a+)+$", "a" * 60 + "b")
        return table


class DiesAfterAnswer(Refiner):
    """Lets its worker die a moment after it has answered, as often as asked: idle, or at the start of the next batch.

    Args:
        folder: where the deaths are noted.
        deaths: how many.
        delay: seconds between the end of the work and the death.
    """

    def __init__(self, *, folder: str, deaths: int = 3, delay: float = 0.02) -> None:
        self.folder = folder
        self.deaths = deaths
        self.delay = delay

    def refine(self, table: pa.Table) -> pa.Table:
        if any(once(self.folder, f"death-{number}") for number in range(self.deaths)):
            threading.Timer(self.delay, die).start()
        return table


class DiesAtStart(Refiner):
    """Kills its worker in `setup`: the first `deaths` times."""

    def __init__(self, *, folder: str, deaths: int = 1) -> None:
        self.folder = folder
        self.deaths = deaths

    def setup(self, context: OperatorContext) -> None:
        if any(once(self.folder, f"start-{number}") for number in range(self.deaths)):
            die()

    def refine(self, table: pa.Table) -> pa.Table:
        return table


class ShardKillingDedup(Dedup):
    """A deduplicator that kills every claim shard just before it claims, for texts that begin with the word.

    Local engine only: the shards are found by the sockets that they listen on.

    Args:
        folder: where the kills are noted, so that each text kills once.
        word: the word; an empty one kills for none.
    """

    def __init__(self, *, folder: str, word: str = "KILL") -> None:
        self.folder = folder
        self.word = word

    def judge(self, table: pa.Table) -> Judgement:
        for text in texts_of(table) if self.word else ():
            digest = hashlib.sha256(text.encode()).hexdigest()
            if text.startswith(self.word) and once(self.folder, f"started-{digest}"):
                note_kill(self.folder, digest, kill_shards())
        return super().judge(table)


class PoisonAndShards(Poison):
    """Poison, and every claim shard dies just before the claims of the dead letters are released.

    Args:
        folder: where the kills of shards are noted.
        poison: parameters of `Poison`.
    """

    def __init__(self, *, folder: str, **poison: str) -> None:
        super().__init__(**poison)
        self.folder = folder

    def setup(self, context: OperatorContext) -> None:
        assert context.claims is not None
        release = context.claims.release

        def kill_and_release(owners: Sequence[bytes]) -> None:
            note_kill(self.folder, "release", kill_shards())
            release(owners)

        context.claims.release = kill_and_release  # type: ignore[method-assign]


def note_kill(folder: str, name: str, shards: int) -> None:
    """Note how many shards a kill hit."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    (Path(folder) / f"killed-{name}").write_text(str(shards), encoding="utf-8")


def shard_processes(process: psutil.Process) -> list[psutil.Process]:
    """The claim shards among the descendants of a process: those that listen on a socket named `claims-…`."""
    found = []
    for child in process.children(recursive=True):
        try:
            names = [str(connection.laddr) for connection in child.net_connections("unix")]
        except psutil.Error:
            continue
        if any("/claims-" in name for name in names):  # a client's end has no name
            found.append(child)
    return found


def kill_shards() -> int:
    """Kill every claim shard of the run that this worker belongs to; how many were there and alive."""
    process = psutil.Process()
    for ancestor in process.parents():
        shards = shard_processes(ancestor)
        if shards:
            return sum(map(killed, shards))
    return 0


def killed(process: psutil.Process) -> bool:
    """Kill a process; False where another worker has been faster."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return False
    return True


# ── operators that raise ──────────────────────────────────────────────────────────────────────────────────────────────


class Raises(Refiner):
    """Raises ValueError whenever a text contains the word; an empty word is in every text."""

    def __init__(self, *, word: str = "BAD") -> None:
        self.word = word

    def refine(self, table: pa.Table) -> pa.Table:
        for text in texts_of(table):
            if self.word in text:
                raise ValueError(f"cannot digest {self.word}")
        return table


class DropsRows(Refiner):
    """Breaks the contract of a refiner: returns fewer records than it was given."""

    def refine(self, table: pa.Table) -> pa.Table:
        return table.slice(0, table.num_rows - 1)


class FailsSetup(Refiner):
    """Raises in `setup`, as one that cannot find its model does."""

    def setup(self, context: OperatorContext) -> None:
        raise RuntimeError("no model here")

    def refine(self, table: pa.Table) -> pa.Table:
        return table


class SlowSetup(Refiner):
    """Takes its time in `setup`, as one that loads a model does.

    Args:
        seconds: How long.
    """

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds

    def setup(self, context: OperatorContext) -> None:
        time.sleep(self.seconds)

    def refine(self, table: pa.Table) -> pa.Table:
        return table


class NeedsColumn(Refiner):
    """Reads a column that the source does not have."""

    def refine(self, table: pa.Table) -> pa.Table:
        table.column("no_such_column")
        return table


# ── loaders and writers that kill ─────────────────────────────────────────────────────────────────────────────────────


class KillingLoader(JsonlLoader):
    """Reads JSON lines, and kills its process once in the middle of every split.

    Args:
        folder: where the kills are noted.
        after: tables of the split that are read before.
        deaths: kills for each split; 0 kills never.
        options: parameters of `JsonlLoader`.
    """

    def __init__(self, *, folder: str, after: int = 2, deaths: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self.folder = folder
        self.after = after
        self.deaths = deaths

    def read(self, split: Split, batch_size: int) -> Iterator[pa.Table]:
        for number, table in enumerate(super().read(split, batch_size)):
            start = split.params["start"]
            if number == self.after and any(once(self.folder, f"read-{start}-{n}") for n in range(self.deaths)):
                die()
            yield table


class KillingWriter(ParquetWriter):
    """Writes Parquet, and kills its process once for each of some files, before or after the file has its name.

    Args:
        output_path: see `Writer`.
        folder: where the kills are noted.
        when: `before` the rename, `after` it, or `never`.
        deaths: kills.
        options: parameters of `ParquetWriter`.
    """

    def __init__(self, output_path: str, *, folder: str, when: str = "before", deaths: int = 2, **options: Any) -> None:
        super().__init__(output_path, **options)
        self.folder = folder
        self.when = when
        self.deaths = deaths

    def write(self, table: pa.Table, sink: BinaryIO) -> None:
        super().write(table, sink)
        sink.flush()
        if self.when != "never" and any(once(self.folder, f"write-{number}") for number in range(self.deaths)):
            if self.when == "before":
                die()
            _die_after_rename()


def _die_after_rename() -> None:
    """Kill this process right after it has given a file its name: the next thing that it does."""
    rename = Path.replace

    def rename_and_die(path: Path, target: Any) -> Path:
        rename(path, target)
        die()
        raise AssertionError("unreachable")

    Path.replace = rename_and_die  # type: ignore[method-assign,assignment]


class PickyWriter(ParquetWriter):
    """Cannot write a text that begins with BAD."""

    def write(self, table: pa.Table, sink: BinaryIO) -> None:
        for text in table.column("text").to_pylist():
            if text.startswith("BAD"):
                raise ValueError(f"cannot write {text}")
        super().write(table, sink)


class PanicsAtWord(Refiner):
    """Raises what a library in Rust raises when it panics, for a text with a word; not an `Exception`."""

    def __init__(self, *, word: str = "BAD") -> None:
        self._word = word

    def refine(self, table: pa.Table) -> pa.Table:
        if pc.any(pc.match_substring(table.column("text"), self._word)).as_py():
            raise pl.exceptions.PanicException("range end index 5 out of range")
        return table


class NotesModule(Refiner):
    """Reports whether a module is loaded in its worker."""

    def __init__(self, *, module: str) -> None:
        self._module = module

    def refine(self, table: pa.Table) -> pa.Table:
        self.report("loaded", int(self._module in sys.modules))
        return table
