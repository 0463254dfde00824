"""Columns of the reject ledger."""

from __future__ import annotations

import pyarrow as pa
import xxhash

SCHEMA = pa.schema(
    [
        pa.field("run_id", pa.string()),
        pa.field("batch", pa.string()),  # `split-batch`; null in observed runs
        pa.field("record_id", pa.string()),
        pa.field("stage", pa.string()),
        pa.field("operator", pa.string()),
        pa.field("reason", pa.string()),  # the rule that decided
        pa.field("score", pa.float64()),  # the number that decided, null if none did
        pa.field("threshold", pa.float64()),  # what it was compared with
        pa.field("failed_rules", pa.list_(pa.string())),  # all rules that it fails; null if that is not known
        pa.field("duplicate_of_key", pa.uint64()),  # `record_key` of the record that a duplicate lost to
        pa.field("slice", pa.string()),
        pa.field("bytes", pa.int64()),  # of its text, UTF-8; null if it has none
        pa.field("content", pa.string()),  # the record as it came to the operator, JSON; null unless it is kept
    ]
)
"""One row for each rejected record, in files named after the output file that was committed with them."""


def record_key(record_id: str) -> int:
    """Return the 64-bit number by which deduplication knows a record: XXH3 of its id."""
    return xxhash.xxh3_64_intdigest(record_id.encode())
