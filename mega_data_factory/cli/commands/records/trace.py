"""`mdf trace`: the way of one record through a run."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from mega_data_factory.analytics.runs.trace import Trace, TraceStep, trace
from mega_data_factory.cli.display.columns import plain_table
from mega_data_factory.cli.display.console import printable, stdout
from mega_data_factory.cli.failures import RUN_FAILED, SUCCESS, print_json, refuse_bytes
from mega_data_factory.cli.metrics_folder import open_store

_OUTCOMES = {
    "written": ("written to the output", "green"),
    "rejected": ("rejected", "yellow"),
    "error": ("set aside with an error", "red"),
    "dead_letter": ("set aside as a dead letter", "red"),
    "not_found": ("not found", "bold red"),
}
_STYLES = {"passed": "green", "changed": "green", "rejected": "yellow", "error": "red", "dead_letter": "red"}


def trace_record(metrics: str, run: str, record_id: str, *, as_json: bool) -> int:
    """Show every operator that a record passed or left at, and the file that it is in now.

    JSON: the fields of `Trace`.

    Args:
        metrics: the metrics folder.
        run: id, unique beginning of one, or `latest`.
        record_id: the record.
        as_json: print JSON instead of a table.

    Returns:
        1 if the record is not found.

    Raises:
        MetricsError: there is no such run, or several.
        InputError: a file of the run cannot be read.
        UsageError: the id is not UTF-8.
    """
    refuse_bytes("RECORD_ID", record_id)
    found = trace(open_store(metrics), run, record_id)
    if as_json:
        print_json(found.as_dict())
    else:
        _print(found, stdout())
    return RUN_FAILED if found.outcome == "not_found" else SUCCESS


def _print(found: Trace, console: Console) -> None:
    outcome, style = _OUTCOMES[found.outcome]
    head = Text.assemble(printable(found.record_id), " in ", found.run_id, ": ", (outcome, style))
    console.print(head, soft_wrap=True)
    if found.steps and found.outcome != "not_found":
        table = plain_table()
        for heading in ("stage", "operator", "what it did"):
            table.add_column(heading)
        for step in found.steps:
            table.add_row(Text(printable(step.stage)), Text(printable(step.operator)), _did(step))
        console.print()
        console.print(table)
        console.print()
    if found.example is not None:
        hint = (
            f"ids of this run are such as {printable(found.example)}; `id_column` of a loader names records by a column"
        )
        console.print(Text(hint), soft_wrap=True)
    if found.file is not None:
        console.print(Text(f"it is in {found.file}"), soft_wrap=True)
    if found.duplicate_of is not None:
        console.print(
            Text(f"it lost to {printable(found.duplicate_of)}, which is in {found.duplicate_of_in}"), soft_wrap=True
        )
    for title, lines in (("searched", found.searched), ("not kept", found.missing)):
        for line in lines:
            console.print(Text(f"{title}: {line}", style="dim"), soft_wrap=True)


def _did(step: TraceStep) -> Text:
    text = Text(step.did.replace("_", " "), style=_STYLES.get(step.did, "dim"))
    if step.note:
        text.append(f" ({printable(step.note)})" if step.did == "passed" else f": {printable(step.note)}")
    return text
