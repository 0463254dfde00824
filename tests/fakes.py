"""Operators for tests: small, and able to misbehave on demand."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.contracts import Deduplicator, Filter, Judgement, Refiner, Rule


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


class KillOnce(Refiner):
    """Kills its worker after the work and before the answer, once for each of some batches.

    Args:
        folder: where the kills are noted, so that each happens once.
        every: kill for records whose id hashes to 0 modulo this.
    """

    def __init__(self, *, folder: str, every: int = 50) -> None:
        self.folder = folder
        self.every = every

    def refine(self, table: pa.Table) -> pa.Table:
        for record_id in table.column("record_id").to_pylist():
            digest = hashlib.sha256(record_id.encode()).hexdigest()
            if int(digest, 16) % self.every == 0:
                mark = Path(self.folder) / digest
                if not mark.exists():
                    mark.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
        return table


class Poison(Refiner):
    """Kills its worker whenever a text contains the word."""

    def __init__(self, *, word: str = "POISON") -> None:
        self.word = word

    def refine(self, table: pa.Table) -> pa.Table:
        if any(self.word in text for text in table.column("text").to_pylist()):
            os.kill(os.getpid(), signal.SIGKILL)
        return table


class Raises(Refiner):
    """Raises ValueError whenever a text contains the word."""

    def __init__(self, *, word: str = "BAD") -> None:
        self.word = word

    def refine(self, table: pa.Table) -> pa.Table:
        for text in table.column("text").to_pylist():
            if self.word in text:
                raise ValueError(f"cannot digest {self.word}")
        return table
