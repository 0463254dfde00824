"""Exact duplicates."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from mega_data_factory.framework.contracts import Deduplicator
from mega_data_factory.operators.columns import text_of
from mega_data_factory.operators.examples import TEXTS, example_records
from mega_data_factory.operators.parameters import check_choice, check_name, check_strings

_MISSING = b"\x00"


class ExactDeduplicator(Deduplicator):
    """Keeps one of the records whose text, or whose values in several columns, are equal.

    Reason: `duplicate`. A record without anything to compare (null or, after normalization, empty in every column)
    has no key and always stays.

    Args:
        text_column: column that is compared.
        columns: text columns that are compared together, instead of `text_column`.
        normalize: what is made equal first: none; whitespace (runs become one space, ends are cut); or lowercase
            (whitespace, and letter case).
    """

    def __init__(self, *, text_column: str = "text", columns: list[str] | None = None, normalize: str = "none") -> None:
        self.columns: tuple[str, ...] = (check_name("text_column", text_column),)
        if columns is not None:
            self.columns = check_strings("columns", columns)
            if not self.columns:
                raise ValueError("columns is empty; name at least one, or leave it out to compare text_column")
        self.normalize = check_choice("normalize", normalize, ("none", "whitespace", "lowercase"))

    def examples(self) -> pa.Table:
        """Return made-up records for a first run."""
        return example_records(TEXTS, *self.columns)

    def keys(self, table: pa.Table) -> Sequence[Sequence[bytes | None]]:
        """Return one band: the normalized text, or of several columns each with its length before it.

        Raises:
            ConfigError: the table has no such column.
        """
        parameter = "columns" if len(self.columns) > 1 else "text_column"
        texts = [self._normalized(text_of(table, name, parameter)) for name in self.columns]
        encoded = [text.cast(pl.Binary).to_list() for text in texts]
        if len(encoded) == 1:
            return [[value or None for value in encoded[0]]]
        return [[_joined(values) if any(values) else None for values in zip(*encoded, strict=True)]]

    def _normalized(self, text: pl.Series) -> pl.Series:
        if self.normalize == "none":
            return text
        text = text.str.replace_all(r"\s+", " ").str.strip_chars()
        return text.str.to_lowercase() if self.normalize == "lowercase" else text


def _joined(values: Sequence[bytes | None]) -> bytes:
    """Join values to bytes; different values never join to the same: each has its length, null is not empty."""
    return b"".join(
        _MISSING if value is None else b"\x01" + len(value).to_bytes(8, "little") + value for value in values
    )
