"""Made-up records, on which a worker runs the built-in operators before it is ready."""

from __future__ import annotations

import pyarrow as pa

from mega_data_factory.framework.contracts import RECORD_ID

TEXTS = (
    "It\u2019s a fine day &amp; everyone is outside, from the old town to the river and back.\nIs it? It is. " * 3,
    "人工知能は楽しい。ปัญญาประดิษฐ์ 인공지능\n" * 3,
    "",
    None,
)
"""Texts that take different ways through an operator: Latin, other scripts, empty, missing."""

PAGES = ("<html><body><p>A page &amp; a <a href='/x'>link</a>.</p></body></html>", None)

URLS = ("https://user@www.example.org/a/b?c=d", "no address", None)


def example_records(values: tuple[str | None, ...], *columns: str) -> pa.Table:
    """Return a table of examples.

    Args:
        values: a value of every record.
        columns: text columns that hold them.
    """
    ids = pa.array([str(number) for number in range(len(values))], pa.string())
    return pa.table({**dict.fromkeys(columns, pa.array(values, pa.string())), RECORD_ID: ids})
