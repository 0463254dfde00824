"""`mdf runs` and `mdf metrics`: look at the metrics of runs, and look after the folder that they are in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mega_data_factory.cli.options import DEFAULT, DryRun, Json, Metrics

_HELP = {"help_option_names": ["-h", "--help"]}

runs_app = typer.Typer(
    help="List, show and compare runs, from their metrics.", no_args_is_help=True, context_settings=_HELP
)
metrics_app = typer.Typer(
    help="Query the metrics with SQL, and keep their folder small.", no_args_is_help=True, context_settings=_HELP
)


@runs_app.command("list")
def _list(
    metrics: Metrics = DEFAULT,
    pipeline: Annotated[
        str | None, typer.Option(help="Only runs of this pipeline; with the wildcards * and ?.", metavar="NAME")
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            help="Only runs of this status: completed, failed, interrupted, aborted or running; may be repeated.",
            metavar="STATUS",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Only runs that started since then: an age (30m, 12h, 7d, 2w) or a time in UTC (2026-11-22).",
            metavar="AGE|TIME",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Show at most N runs; 0 for all.", metavar="N")] = 20,
    as_json: Json = False,
) -> int:
    """List runs, the newest first."""
    from mega_data_factory.cli.commands.runs.list_and_show import RunFilter, list_runs

    wanted = RunFilter.from_options(pipeline=pipeline, statuses=status or (), since=since)
    return list_runs(metrics, wanted, limit=limit, as_json=as_json)


@runs_app.command("show")
def _show(
    run: Annotated[str, typer.Argument(help="Run id, a prefix of it, or `latest`.", metavar="RUN")] = "latest",
    by: Annotated[
        str | None,
        typer.Option(help="Show slices instead: what `metrics.slice_by` of the run names.", metavar="SLICE"),
    ] = None,
    metrics: Metrics = DEFAULT,
    columns: Annotated[
        bool, typer.Option("--columns", help="Show the columns of the output, and how they differ from the run before.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Show a run on three levels: operators, stages, and the run with its books."""
    if columns and by is not None:
        from mega_data_factory.cli.failures import UsageError

        raise UsageError("--by and --columns ask for two different tables", hint="give one of them")
    if columns:
        from mega_data_factory.cli.commands.runs.output_columns import show_columns

        return show_columns(metrics, run, as_json=as_json)
    from mega_data_factory.cli.commands.runs.list_and_show import show_run

    if by is not None:
        from mega_data_factory.cli.commands.runs.slices import show_slices

        return show_slices(metrics, run, by, as_json=as_json)
    return show_run(metrics, run, as_json=as_json)


@runs_app.command("compare")
def _compare(
    first: Annotated[
        str | None, typer.Argument(help="The baseline; without B, the run to compare.", metavar="[A]")
    ] = None,
    second: Annotated[
        str | None, typer.Argument(help="The run to compare; run ids, prefixes, or `latest`.", metavar="[B]")
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Compare with the N completed runs of the pipeline before it.", metavar="N"),
    ] = None,
    metrics: Metrics = DEFAULT,
    as_json: Json = False,
) -> int:
    """Compare run B with run A, or one run with earlier ones: what differs, how certain that is, and its causes."""
    from mega_data_factory.cli.commands.runs.compare import compare_runs

    return compare_runs(metrics, first, second, last=last, as_json=as_json)


@runs_app.command("gate")
def _gate(
    against: Annotated[
        str, typer.Option(help="What to compare it with: a run, or the last N runs (last:10).", metavar="RUN|last:N")
    ],
    rules: Annotated[Path, typer.Option(help="The rules, a YAML file.", metavar="FILE")],
    run: Annotated[str, typer.Argument(help="Run id, a prefix of it, or `latest`.", metavar="RUN")] = "latest",
    metrics: Metrics = DEFAULT,
    junit: Annotated[str | None, typer.Option(help="Write JUnit XML to this file.", metavar="FILE")] = None,
    markdown: Annotated[str | None, typer.Option(help="Write Markdown to this file.", metavar="FILE")] = None,
    as_json: Json = False,
) -> int:
    """Judge a run by rules, against other runs: exit code 0 if all are met, 1 if one is not, 2 for a wrong command."""
    from mega_data_factory.cli.commands.runs.gate import gate_run

    return gate_run(metrics, run, against, rules, junit_file=junit, markdown_file=markdown, as_json=as_json)


@runs_app.command("cost")
def _cost(
    run: Annotated[str, typer.Argument(help="Run id, a prefix of it, or `latest`.", metavar="RUN")] = "latest",
    prices: Annotated[
        Path | None,
        typer.Option(help="A YAML file of prices; those of the run's configuration by default.", metavar="FILE"),
    ] = None,
    metrics: Metrics = DEFAULT,
    as_json: Json = False,
) -> int:
    """Show what a run cost: its stages and operators, a million records, a gigabyte, a million tokens."""
    from mega_data_factory.cli.commands.runs.cost import run_cost

    return run_cost(metrics, run, prices, as_json=as_json)


@metrics_app.command("sql")
def _sql(
    query: Annotated[
        str,
        typer.Argument(help="A query over the views runs, stages, operators, samples, nodes.", metavar='"SELECT …"'),
    ],
    metrics: Metrics = DEFAULT,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout, with a header line.")] = False,
) -> int:
    """Query the metrics of all runs in SQL (DuckDB, read-only).

    Percentiles over any grouping: FROM latency_percentiles('operators', operator_name) gives p50, p95 and p99 of
    seconds per record for every operator. Its first argument is the text behind FROM, also with WHERE; its
    second an expression, or a struct of several: {operator: operator_name, week: date_trunc('week', timestamp)}.
    """
    from mega_data_factory.cli.commands.metrics.sql import sql

    return sql(metrics, query, as_json=as_json, as_csv=as_csv)


@metrics_app.command("schema")
def _schema(
    table: Annotated[
        str | None, typer.Argument(help="Only this one: runs, stages, operators, samples or nodes.", metavar="TABLE")
    ] = None,
    as_json: Json = False,
) -> int:
    """Show the columns of the metrics tables, and what each means."""
    from mega_data_factory.cli.commands.metrics.schema import schema

    return schema(table, as_json=as_json)


@metrics_app.command("compact")
def _compact(
    metrics: Metrics = DEFAULT,
    min_age: Annotated[
        str, typer.Option(help="Skip runs that were active within this time (30m, 12h, 7d).", metavar="AGE")
    ] = "1h",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> int:
    """Merge the small files of ended runs into larger ones; readers are not disturbed."""
    from mega_data_factory.cli.commands.metrics.upkeep import compact_store

    return compact_store(metrics, min_age, dry_run=dry_run, as_json=as_json)


@metrics_app.command("prune")
def _prune(
    context: typer.Context,
    metrics: Metrics = DEFAULT,
    max_age: Annotated[
        str | None, typer.Option(help="Keep runs up to this age (12h, 30d, 26w).", metavar="AGE")
    ] = None,
    max_runs: Annotated[int | None, typer.Option(min=0, help="Keep the newest N runs.", metavar="N")] = None,
    max_bytes: Annotated[
        str | None, typer.Option(help="Keep the newest runs whose files fit in this size (500MB, 2GB).", metavar="SIZE")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="Take the limits, and the folder unless --metrics is given, from executor.metrics of a pipeline.",
            metavar="FILE",
        ),
    ] = None,
    rejects: Annotated[
        bool, typer.Option("--rejects", help="Remove the ledgers of rejected records of these runs, too.")
    ] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> int:
    """Remove the metrics of old runs, never of a run in progress, and never files of other programs."""
    from mega_data_factory.cli.commands.metrics.upkeep import from_config, limits, prune_store

    keep = limits(max_age, max_runs, max_bytes)
    if config is not None:
        folder, keep = from_config(config, keep)
        given = context.get_parameter_source("metrics")
        metrics = metrics if given is not None and given.name == "COMMANDLINE" else folder
    return prune_store(metrics, keep, rejects=rejects, dry_run=dry_run, as_json=as_json)
