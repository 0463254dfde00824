"""`mdf runs cost`: what a run cost, and what of it cost most."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from mega_data_factory.analytics.costs import Prices, RunCost, cost_of_run
from mega_data_factory.analytics.runs.recording import Recording
from mega_data_factory.cli.display.columns import RowColumn, row_table
from mega_data_factory.cli.display.console import stdout
from mega_data_factory.cli.failures import SUCCESS, print_json
from mega_data_factory.cli.metrics_folder import open_store
from mega_data_factory.errors import MetricsQueryError
from mega_data_factory.formats import money, percent, seconds
from mega_data_factory.framework.config.checking import read_model
from mega_data_factory.framework.config.metrics import PricesConfig
from mega_data_factory.framework.metrics.levels import Levels
from mega_data_factory.framework.metrics.reader import MetricsReader


def run_cost(metrics: str, run: str, prices: Path | None, *, as_json: bool) -> int:
    """Show what a run cost.

    JSON: `{run_id, currency, money, idle, node_hours, parts, stages, per, saved}`.

    Args:
        metrics: The metrics folder.
        run: Id of the run, the beginning of it, or `latest`.
        prices: A file of prices; those of the run's configuration where None.
        as_json: Print JSON.

    Raises:
        ConfigError: The prices have mistakes; one error names all of them.
        MetricsQueryError: There is no such run, there are no prices, or its nodes were not sampled.
    """
    given = None if prices is None else read_prices(prices)
    recording = Recording.read(open_store(metrics), run)
    wanted = given or Prices.of_run(recording)
    if wanted is None:
        where = "mdf.observe(…, prices=…)" if recording.is_observed else "executor.metrics.prices"
        raise MetricsQueryError(
            f"there are no prices for {recording.run_id}", hint=f"give --prices FILE, or {where} before a run"
        )
    found = cost_of_run(recording, wanted)
    if found is None:
        interval = "node_interval" if recording.is_observed else "executor.metrics.node_interval"
        raise MetricsQueryError(
            f"what {recording.run_id} cost is not known: no node that has a price was sampled in it",
            hint=f"{interval} samples them; `nodes` of the prices names their hosts",
        )
    if as_json:
        print_json({"run_id": recording.run_id, **found.as_dict()})
    else:
        _print(recording, found, stdout())
    return SUCCESS


def read_prices(path: Path) -> Prices:
    """Return the prices of a file.

    Raises:
        ConfigError: It cannot be read, or has mistakes: one error with a line for each.
    """
    section = read_model(path, PricesConfig, "prices have keys such as `cpu_hour` and `currency`")
    return Prices.from_mapping(section.model_dump(mode="json"))


def print_cost_line(reader: MetricsReader, levels: Levels, console: Console) -> None:
    """Print what a run cost in one line, where its configuration names prices; only then its nodes are read."""
    recording = Recording(levels.run, levels.operators, stage_rows=levels.stages)
    prices = Prices.of_run(recording)
    if prices is None:
        return
    found = cost_of_run(replace(recording, nodes=reader.nodes(recording.run_id)), prices)
    if found is not None:
        per = found.per.get("million records kept")
        each = "" if per is None else f", {money(per, found.currency)} a million records kept"
        console.print(f"cost {money(found.money, found.currency)}{each} (mdf runs cost {recording.run_id})")


def _print(recording: Recording, found: RunCost, console: Console) -> None:
    idle = percent(100 * found.idle / found.money if found.money else None)
    console.print(
        f"{recording.run_id} cost {money(found.money, found.currency)}: {found.node_hours:.3g} node hours, "
        f"idle {idle} of it",
        soft_wrap=True,
    )
    rows = []
    for stage in found.stages:
        rows.append({"name": stage.stage, "busy": stage.busy, "money": stage.money, "stage": True})
        own = [part for part in found.parts if part.stage == stage.stage and part.operator]
        rows += [{"name": f"  {part.operator}", "busy": part.busy, "money": part.money} for part in own]
    columns = [
        RowColumn("stage / operator", lambda row: escape(row["name"]), right=False),
        RowColumn("busy", lambda row: seconds(row["busy"])),
        RowColumn("cost", lambda row: money(row["money"], found.currency)),
        RowColumn("share", lambda row: percent(100 * row["money"] / found.money if found.money else None)),
    ]
    console.print()
    console.print(row_table(rows, columns))
    console.print()
    for name, amount in found.per.items():
        console.print(f"{money(amount, found.currency):>16} for each {name}")
    if found.saved:
        share = percent(100 * found.saved / found.money)
        console.print(f"the cheapest order of filters would save {money(found.saved, found.currency)} ({share})")
    console.print(Text("idle time is shared by busy seconds, and is in every cost above", style="dim"))
