"""`mdf operators`: what is in the box, and the parameters of each."""

from __future__ import annotations

from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from mega_data_factory.cli import manual
from mega_data_factory.cli.failures import SUCCESS, print_json
from mega_data_factory.cli.screen import stdout


def operators(name: str | None, *, as_json: bool) -> int:
    """List the box, or describe one entry.

    JSON: `{group: [{name, target, group, summary, text, parameters: [{name, type, required, default, text}]}]}`
    for the list, one such entry for a name.
    """
    if name is not None:
        entry = manual.find(name)
        if as_json:
            print_json(asdict(entry))
        else:
            _print_entry(entry, stdout())
        return SUCCESS
    box = {group: [e for e in manual.whole_box() if e.group == group] for group in manual.GROUPS}
    if as_json:
        print_json({group: [asdict(entry) for entry in entries] for group, entries in box.items()})
        return SUCCESS
    console = stdout()
    for group, entries in box.items():
        console.print(f"[bold]{group}[/bold]")
        lines = Table.grid(padding=(0, 2))
        for entry in entries:
            lines.add_row(f"[cyan]{entry.name}[/cyan]", escape(entry.summary))
        console.print(Padding(lines, (0, 0, 1, 2)))
    console.print("`mdf operators NAME` shows the parameters of one. Your own class is named `module:Class`.")
    return SUCCESS


def _print_entry(entry: manual.Entry, console: Console) -> None:
    console.print(f"[bold cyan]{entry.name}[/bold cyan]  ({entry.group.removesuffix('s')}, {entry.target})")
    console.print(Padding(escape(entry.text), (0, 0, 1, 2)))
    if not entry.parameters:
        console.print("  It has no parameters.")
    for parameter in entry.parameters:
        default = "required" if parameter.required else f"default {parameter.default!r}"
        console.print(f"  [cyan]{parameter.name}[/cyan]: {escape(parameter.type)}  [dim]({escape(default)})[/dim]")
        if parameter.text:
            console.print(Padding(escape(parameter.text), (0, 0, 0, 6)))
