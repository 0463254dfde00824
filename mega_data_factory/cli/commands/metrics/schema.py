"""`mdf metrics schema`: the columns of the metrics tables."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from rich.markup import escape
from rich.text import Text

from mega_data_factory.cli.display.columns import plain_table
from mega_data_factory.cli.display.console import stdout
from mega_data_factory.cli.failures import SUCCESS, UsageError, print_json
from mega_data_factory.errors import did_you_mean
from mega_data_factory.framework.metrics.schema import HISTORY, SCHEMA_VERSION, TABLES


def schema(table: str | None, *, as_json: bool) -> int:
    """Show the columns of the tables, or of one.

    JSON: `{version, history: {version: what it brought}, tables: {table: [{name, type, comment}]}}`.

    Raises:
        UsageError: there is no such table.
    """
    if table is not None and table not in TABLES:
        raise UsageError(f"there is no table {table}", hint=did_you_mean(table, TABLES))
    wanted = {name: columns_of(TABLES[name]) for name in TABLES if table in (None, name)}
    if as_json:
        history = {str(version): text for version, text in HISTORY.items()}
        print_json({"version": SCHEMA_VERSION, "history": history, "tables": wanted})
        return SUCCESS
    console = stdout()
    for name, columns in wanted.items():
        console.print(f"[bold]{name}[/bold]")
        made = plain_table()
        made.add_column("column", no_wrap=True)
        made.add_column("type", no_wrap=True, style="dim")
        made.add_column("meaning", overflow="fold")
        for column in columns:
            made.add_row(escape(column["name"]), escape(column["type"]), escape(column["comment"]))
        console.print(made)
        console.print()
    console.print(Text(f"version {SCHEMA_VERSION}: {HISTORY[SCHEMA_VERSION]}", style="dim"))
    return SUCCESS


def columns_of(table: pa.Schema) -> list[dict[str, Any]]:
    """Return name, type and meaning of every column of a table."""
    return [
        {"name": field.name, "type": type_name(field.type), "comment": (field.metadata or {})[b"comment"].decode()}
        for field in table
    ]


def type_name(kind: pa.DataType) -> str:
    """Return an Arrow type in few words."""
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        return f"list of ({', '.join(field.name for field in kind.value_type)})"
    return str(kind)
