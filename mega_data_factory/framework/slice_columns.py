"""Columns that metrics are sliced by: a column, the file that a record was read from, the domain of a URL."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.contracts import RECORD_ID
from mega_data_factory.redaction.loggers import logger

Integers: TypeAlias = npt.NDArray[np.int64]

SOURCE_FILE = "source_file()"

_log = logger("mega_data_factory.metrics")

_DOMAIN = re.compile(r"domain\((.+)\)")

_FILE_OF_ID = r"^(?P<part>(?s:.+))[@#][0-9]+$"
_HOST_OF_URL = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#]*@)?(?P<part>\[[^\]/?#]*\]|[^/?#:@]+)"

_LONGEST = 120
"""Characters of a value; a longer one is cut, and a digest keeps it apart from others that begin alike."""


@dataclass(frozen=True)
class SliceColumn:
    """What records are sliced by.

    Attributes:
        text: As the configuration says it: the name of a column, `source_file()` or `domain(url)`.
    """

    text: str

    @property
    def column(self) -> str:
        """Column that the values are made of."""
        if self.text == SOURCE_FILE:
            return RECORD_ID
        found = _DOMAIN.fullmatch(self.text)
        return found[1] if found else self.text

    def values_of(self, table: pa.Table) -> tuple[list[str | None], Integers]:
        """Return the distinct values of the records of a table, and the number of its value for every record.

        Where the column is missing, or holds lists, objects or what Arrow cannot compare, all records are null.
        """
        at = table.schema.get_field_index(self.column)
        if at < 0 or pa.types.is_nested(table.schema.field(at).type):
            return [None], np.zeros(table.num_rows, np.int64)
        try:
            return self._values_of(table, at)
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            _log_type(self.text, table.schema.field(at).type, error)
            return [None], np.zeros(table.num_rows, np.int64)

    def _values_of(self, table: pa.Table, at: int) -> tuple[list[str | None], Integers]:
        encoded = _encoded(table.column(at))
        values, codes = encoded.dictionary, encoded.indices.to_numpy().astype(np.int64)
        if self.column != self.text:
            values = self._parts(values)
            again = values.dictionary_encode("encode")
            values, codes = again.dictionary, again.indices.to_numpy().astype(np.int64)[codes]
        texts = [_text(value) for value in values.to_pylist()]
        if self.column not in (self.text, RECORD_ID):
            texts = [None if text is None else text.lower() for text in texts]  # as names of machines compare
        return _distinct(texts, codes)

    def _parts(self, values: pa.Array) -> pa.Array:
        """Return the part of each value that it is sliced by, as bytes; null without one."""
        if not pa.types.is_binary(values.type):
            values = values.cast(pa.string()).cast(pa.binary())
        if self.text == SOURCE_FILE:
            return pc.struct_field(pc.extract_regex(values, _FILE_OF_ID), "part")
        return pc.struct_field(pc.extract_regex(values, _HOST_OF_URL), "part")


_logged: set[tuple[str, str]] = set()
"""Columns and types of this process that could not be sliced by: each is logged once."""


def _log_type(column: str, kind: pa.DataType, error: Exception) -> None:
    if (column, str(kind)) not in _logged:
        _logged.add((column, str(kind)))
        _log.warning("%s (%s) cannot be sliced by, its records are null: %s", column, kind, error)


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Return a column as numbers of its distinct values, null being one of them; texts as bytes."""
    array = column.combine_chunks()
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_string_view(array.type) or pa.types.is_binary_view(array.type) or _is_text(array.type):
        array = array.cast(pa.binary())  # its bytes need not be UTF-8
    return array.dictionary_encode("encode")


def _is_text(kind: pa.DataType) -> bool:
    return kind in (pa.string(), pa.large_string(), pa.large_binary())


def _text(value: object) -> str | None:
    """Return a value as text of bounded length."""
    if value is None:
        return None
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else _plain(value)
    if len(text) <= _LONGEST:
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=4).hexdigest()
    return f"{text[: _LONGEST - 10]}… {digest}"


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _distinct(values: list[str | None], codes: Integers) -> tuple[list[str | None], Integers]:
    """Return values without repetitions: bytes that differ may be one text."""
    numbers: dict[str | None, int] = {}
    places = [numbers.setdefault(value, len(numbers)) for value in values]
    if len(numbers) == len(values):
        return values, codes
    return list(numbers), np.array(places, np.int64)[codes]
