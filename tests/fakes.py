"""Operators for tests: small, and able to misbehave on demand."""

from __future__ import annotations

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
