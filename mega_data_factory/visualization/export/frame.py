"""A frame of metrics as a file: CSV, Parquet, JSON, JSON lines, Arrow, Excel or HTML."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import partial
from typing import BinaryIO, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

from mega_data_factory import storage
from mega_data_factory.errors import VisualizationError
from mega_data_factory.formats import NOTHING, count, number
from mega_data_factory.visualization.export.encryption import encryption_properties
from mega_data_factory.visualization.export.excel import write_excel
from mega_data_factory.visualization.figures import checked_suffix
from mega_data_factory.visualization.page import html_document
from mega_data_factory.visualization.theme import LIGHT, Theme

Writer: TypeAlias = Callable[[pd.DataFrame, BinaryIO], None]

MOST_HTML_ROWS = 10_000
"""Rows of an HTML table: more would make a browser slow, and are for machines anyway."""

_TABLE_STYLE = """
body { margin: 0; padding: 20px 16px; font: var(--size) var(--sans);
  background: var(--background); color: var(--text); }
p { color: var(--muted); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { position: sticky; top: 0; background: var(--surface); text-align: left; }
th, td { padding: 3px 12px; border-bottom: 1px solid var(--grid); white-space: nowrap; }
td.number { text-align: right; font-family: var(--mono); }
"""


def export_frame(
    frame: Callable[[], pd.DataFrame],
    path: storage.Location,
    *,
    key: str | bytes | None = None,
    theme: Theme = LIGHT,
    clock: str = "UTC",
) -> None:
    """Write a frame whole or not at all, as what the suffix says; without one, as CSV.

    Args:
        frame: makes it; called when path and key are known to be good.
        path: local or a URI.
        key: encrypts a Parquet file.
        theme: of an HTML table.
        clock: zone of the times, as an HTML table names it.

    Raises:
        VisualizationError: the suffix is unknown, or the key is for another format or of a wrong length.
        OutputError: the file cannot be written.
    """
    suffix = checked_suffix(path, list(_WRITERS), ".csv")
    write = partial(_html, theme=theme, clock=clock) if suffix == ".html" else _WRITERS[suffix]
    if key is not None:
        if suffix != ".parquet":
            raise VisualizationError(f"a {suffix} is not encrypted", hint="only .parquet takes a key")
        write = partial(_parquet, encryption=encryption_properties(key))
    rows = frame()
    with storage.atomic_output(path) as sink:
        write(rows, sink)


def _csv(frame: pd.DataFrame, sink: BinaryIO) -> None:
    sink.write(frame.to_csv(index=False, lineterminator="\n").encode())


def _json(frame: pd.DataFrame, sink: BinaryIO, *, lines: bool = False) -> None:
    text = frame.to_json(orient="records", lines=lines, date_format="iso", date_unit="us", double_precision=15)
    sink.write((text or "").encode())


def _parquet(frame: pd.DataFrame, sink: BinaryIO, *, encryption: object = None) -> None:
    pq.write_table(_table(frame), sink, compression="zstd", encryption_properties=encryption)


def _arrow(frame: pd.DataFrame, sink: BinaryIO) -> None:
    feather.write_feather(_table(frame), sink, compression="zstd")


def _table(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as a table; a column of both texts and lists becomes one of texts."""
    for name, column in frame.items():
        lists = [isinstance(value, list) for value in column if value is not None] if column.dtype == object else []
        if any(lists) and not all(lists):
            frame = frame.assign(**{str(name): column.map(_text, na_action="ignore")})
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


def _html(frame: pd.DataFrame, sink: BinaryIO, *, theme: Theme = LIGHT, clock: str = "UTC") -> None:
    shown = frame.head(MOST_HTML_ROWS)
    caption = f"{count(len(frame))} rows, times in {html.escape(clock)}"
    if len(shown) < len(frame):
        caption = f"the first {count(len(shown))} of {caption}; .csv and .parquet have all of them"
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in frame.columns)
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in shown.itertuples(index=False))
    table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"
    page = html_document(
        "Metrics", f"<h1>Metrics</h1>\n<p>{caption}</p>\n{table}", theme, style=_TABLE_STYLE, scripts=[], data={}
    )
    sink.write(page.encode())


def _cell(value: object) -> str:
    if isinstance(value, (int, float)):
        return f'<td class="number">{number(value)}</td>'
    return f"<td>{NOTHING if value is None or value is pd.NA else html.escape(_text(value))}</td>"


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


_WRITERS: dict[str, Writer] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".json": _json,
    ".jsonl": partial(_json, lines=True),
    ".arrow": _arrow,
    ".feather": _arrow,
    ".xlsx": write_excel,
    ".html": _html,
}
