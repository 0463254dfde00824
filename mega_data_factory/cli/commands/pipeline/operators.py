"""`mdf operators`: the built-in loaders, operators and writers, and their parameters."""

from __future__ import annotations

import textwrap
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape

from mega_data_factory.cli import manual
from mega_data_factory.cli.display.console import stdout
from mega_data_factory.cli.failures import SUCCESS, print_json


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
    entries_of_all = manual.built_in_entries()
    box = {group: [entry for entry in entries_of_all if entry.group == group] for group in manual.GROUPS}
    if as_json:
        print_json({group: [asdict(entry) for entry in entries] for group, entries in box.items()})
        return SUCCESS
    console = stdout()
    for group, entries in box.items():
        console.print(f"[bold]{group}[/bold]")
        longest = max(len(entry.name) for entry in entries)
        for entry in entries:
            summary = _indented(entry.summary, longest + 4, console.width).lstrip()
            console.print(f"  [cyan]{entry.name:{longest}}[/cyan]  {escape(summary)}", soft_wrap=True)
        console.print()
    console.print("`mdf operators NAME` shows the parameters of one. Your own class is named `module:Class`.")
    return SUCCESS


def _print_entry(entry: manual.Entry, console: Console) -> None:
    console.print(f"[bold cyan]{entry.name}[/bold cyan]  ({entry.group.removesuffix('s')}, {entry.target})\n")
    for paragraph in entry.text.split("\n\n"):
        console.print(escape(_indented(paragraph, 2, _readable(console))) + "\n", soft_wrap=True)
    console.print("  parameters" if entry.parameters else "  It has no parameters.")
    for parameter in entry.parameters:
        default = "required" if parameter.required else f"default {parameter.default!r}"
        kind = escape(f"{parameter.type}  ({default})")
        console.print(f"    [cyan]{parameter.name}[/cyan]: [dim]{kind}[/dim]", soft_wrap=True)
        if parameter.text:
            console.print(escape(_indented(parameter.text, 8, _readable(console))), soft_wrap=True)


def _readable(console: Console) -> int:
    """Return the width of the screen, but no more than a line is read with ease."""
    return min(console.width, 100)


def _indented(text: str, indent: int, width: int) -> str:
    """Return text wrapped to a width; lists and code are left as they are."""
    margin = " " * indent
    if any(line.startswith((" ", "-", "*", ">")) for line in text.splitlines()):
        return textwrap.indent(text, margin)
    return textwrap.fill(
        text,
        width,
        initial_indent=margin,
        subsequent_indent=margin,
        break_on_hyphens=False,
        break_long_words=False,
    )
