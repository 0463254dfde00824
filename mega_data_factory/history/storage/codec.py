"""A block of rows as a compressed Parquet file that any reader understands, and back, bit for bit.

A metric that was rounded to decimals (57.9 percent, whole bytes) is stored as Parquet DECIMAL, whose integers compress
far better than the bits of doubles; a metric that is not, as DOUBLE. Which physical form and encoding is the smallest
is tried out for each column, and again now and then, as data change.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mega_data_factory.errors import HistoryError
from mega_data_factory.history.block import Block
from mega_data_factory.history.series import Floats, Series
from mega_data_factory.history.storage.arrays import arrow_array, doubles, rows
from mega_data_factory.storage import parquet_in_memory

VERSION = 1
METADATA_KEY = b"mega_data_factory.history"

COMPRESSION_LEVEL = 3

_TRY_AGAIN = 32
"""Chunks after which encodings are chosen again."""

_ENOUGH_TO_CHOOSE = 1024
"""Rows from which on what was the smallest here is taken to be the smallest in the next chunk too."""

_MOST_DECIMALS = 12
_EXACT = float(2**53)
"""Integers below are exact as doubles; and with that, integer / 10**decimals is the double nearest to the decimal."""

_DOUBLE_ENCODINGS = ("PLAIN", "BYTE_STREAM_SPLIT", "DICTIONARY")
_DECIMAL_ENCODINGS = ("DELTA_BINARY_PACKED", "PLAIN", "DICTIONARY")


@dataclass(frozen=True, slots=True)
class Form:
    """Encoding of one column.

    Attributes:
        encoding: Parquet encoding, or DICTIONARY.
        decimals: digits after the point; None for DOUBLE.
        digits: precision of the DECIMAL: up to 9 it takes four bytes, up to 18 eight.
    """

    encoding: str
    decimals: int | None = None
    digits: int = 18


class Codec:
    """Encodes the blocks of one node, remembering which form was best for which column.

    Args:
        found: forms that other nodes have found: where a node begins, for metrics of one name are alike. What this one
            finds is added.
    """

    def __init__(self, found: dict[str, Form] | None = None) -> None:
        self._found: dict[str, Form] = {} if found is None else found
        self._forms: dict[str, Form] = {}
        self._ages: dict[str, int] = {}

    def encode(self, block: Block, facts: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
        """Return the block as a Parquet file.

        Args:
            block: settled rows.
            facts: JSON values about the chunk, kept in the file's metadata.

        Returns:
            The file, and all facts in its metadata.
        """
        names = _column_names(block)
        arrays = {"timestamp": arrow_array(pa.timestamp("us"), block.timestamps)}
        forms = {"timestamp": Form("DELTA_BINARY_PACKED")}
        for metric, parts in names.items():
            for name, values in zip(parts, _parts(block.columns[metric], block.interval), strict=True):
                arrays[name], forms[name] = self._column(f"{block.interval}/{name}", values)
        known = {**facts, "version": VERSION, "interval": block.interval, "columns": names, "rows": len(block)}
        if len(block):
            known |= {"start": int(block.timestamps[0]), "end": int(block.timestamps[-1])}
        return _written(arrays, forms, {METADATA_KEY: json.dumps(known).encode()}), known

    def _column(self, key: str, values: Floats) -> tuple[pa.Array, Form]:
        form, age = self._forms.get(key) or self._found.get(key), self._ages.get(key, 0)
        if form is not None and age < _TRY_AGAIN:
            self._ages[key] = age + 1
            array = _as(form, values)
            if array is not None:
                return array, form
        array, form = _smallest(values)
        if len(values) >= _ENOUGH_TO_CHOOSE:
            self._forms[key] = self._found[key] = form
            self._ages[key] = 0
        return array, form


def _smallest(values: Floats) -> tuple[pa.Array, Form]:
    """Return the form of least size, found by trial."""
    trials = [(_as(form, values), form) for form in _candidates(values)]
    sizes = [
        len(_written({"c": array}, {"c": form}, {})) if array is not None else float("inf") for array, form in trials
    ]
    return trials[int(np.argmin(sizes))]


def _candidates(values: Floats) -> Iterator[Form]:
    for encoding in _DOUBLE_ENCODINGS:
        yield Form(encoding)
    decimals = _decimals(values)
    if decimals is not None:
        for encoding in _DECIMAL_ENCODINGS:
            yield Form(encoding, decimals)
        if decimals <= 9:
            yield Form("DELTA_BINARY_PACKED", decimals, digits=9)


def _decimals(values: Floats) -> int | None:
    """Return the least number of decimals that all values have; None when they were not rounded."""
    some = values[:: max(1, len(values) // 64)]
    for decimals in range(_MOST_DECIMALS + 1):
        if _integers(some, decimals) is not None and _integers(values, decimals) is not None:
            return decimals
    return None


def _integers(values: Floats, decimals: int) -> npt.NDArray[np.int64] | None:
    """Return `values` times 10**decimals as integers, when dividing gives back every bit of every value; else None.

    What is not a number is 0 here.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.rint(np.where(np.isnan(values), 0.0, values) * 10.0**decimals)
        if not (np.abs(scaled) < _EXACT).all():
            return None
    integers = scaled.astype(np.int64)
    restored = integers / 10.0**decimals
    same = (restored.view(np.int64) == values.view(np.int64)) | np.isnan(values)  # bits: -0.0 is not 0.0
    return integers if same.all() else None


def _as(form: Form, values: Floats) -> pa.Array | None:
    """Return the column in this form, NaN as null; None when the form does not hold it exactly."""
    missing = np.isnan(values)
    if form.decimals is None:
        return arrow_array(pa.float64(), values, missing)
    integers = _integers(values, form.decimals)
    if integers is None or (form.digits == 9 and (np.abs(integers) >= 10**9).any()):
        return None
    words = np.empty((len(integers), 2), np.int64)
    words[:, 0], words[:, 1] = integers, integers >> 63  # 128 bits, little endian: the high word holds the sign
    return arrow_array(pa.decimal128(form.digits, form.decimals), words, missing)


def _parts(series: Series, interval: int) -> tuple[Floats, ...]:
    if interval == 0:
        return (series.values,)
    return series.values, series.minimum, series.maximum, series.points


def _column_names(block: Block) -> dict[str, list[str]]:
    """Return the names of each metric's columns in the file: its own, and of buckets `_min`, `_max` and `_points`.

    A name that is taken already (a metric may be called `timestamp`) gets underscores until it is free.
    """
    taken = {"timestamp"}
    names: dict[str, list[str]] = {}
    for metric in block.columns:
        names[metric] = []
        for suffix in ("", "_min", "_max", "_points") if block.interval else ("",):
            name = metric + suffix
            while name in taken or (suffix and name in block.columns):
                name += "_"
            taken.add(name)
            names[metric].append(name)
    return names


def _written(arrays: Mapping[str, pa.Array], forms: Mapping[str, Form], metadata: Mapping[bytes, bytes]) -> bytes:
    fields = [pa.field(name, array.type, nullable=array.null_count > 0) for name, array in arrays.items()]
    table = pa.Table.from_arrays(list(arrays.values()), schema=pa.schema(fields))
    dictionaries = [name for name, form in forms.items() if form.encoding == "DICTIONARY"]
    sink = BytesIO()
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression="zstd",
        compression_level=COMPRESSION_LEVEL,
        use_dictionary=dictionaries or False,
        column_encoding={name: form.encoding for name, form in forms.items() if form.encoding != "DICTIONARY"},
        write_statistics=False,
        store_schema=False,
        store_decimal_as_integer=True,
    ) as writer:
        writer.write_table(table)
        if metadata:
            writer.add_key_value_metadata(dict(metadata))
    return sink.getvalue()


def facts_of(payload: bytes, where: str) -> dict[str, Any]:
    """Return the facts about the chunk in the file's metadata.

    Raises:
        HistoryError: it is not a chunk of a history, or of a newer version.
    """
    try:
        metadata = parquet_in_memory(payload).metadata.metadata or {}
    except (pa.ArrowException, OSError) as error:
        raise HistoryError(f"{where} is not a readable chunk of a history: {error}") from error
    if METADATA_KEY not in metadata:
        raise HistoryError(f"{where} is a Parquet file, but not a chunk of a history")
    facts: dict[str, Any] = json.loads(metadata[METADATA_KEY])
    if facts["version"] > VERSION:
        raise HistoryError(
            f"{where} was written by a newer version (format {facts['version']}, this one reads up to {VERSION})",
            hint="upgrade mega-data-factory",
        )
    return facts


def decode(payload: bytes, facts: Mapping[str, Any], metrics: Iterable[str] | None = None) -> Block:
    """Return the block that was encoded, or some of its metrics (those that it has)."""
    names: dict[str, list[str]] = facts["columns"]
    wanted = {name: names[name] for name in (names if metrics is None else metrics) if name in names}
    columns = ["timestamp", *(part for parts in wanted.values() for part in parts)]
    table = parquet_in_memory(payload).read(columns=columns, use_threads=False)
    timestamps = rows(_single(table["timestamp"]), np.int64)
    interval = int(facts["interval"])
    width = np.broadcast_to(np.int64(interval), timestamps.shape)
    read = {name: [doubles(_single(table[part])) for part in parts] for name, parts in wanted.items()}
    if interval == 0:
        return Block(0, timestamps, {name: Series.of_points(timestamps, values) for name, (values,) in read.items()})
    return Block(
        interval,
        timestamps,
        {
            name: Series(timestamps, mean, least, most, width, points)
            for name, (mean, least, most, points) in read.items()
        },
    )


def _single(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
