"""The commands of `mdf` and their options; each calls one function.

Everything heavy is imported inside the commands: `mdf --help` loads neither Ray nor polars nor pyarrow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import mega_data_factory
from mega_data_factory.cli.commands.export import export_app
from mega_data_factory.cli.metrics_app import metrics_app, runs_app
from mega_data_factory.cli.options import DEFAULT, Json, Metrics
from mega_data_factory.collection import no_collection
from mega_data_factory.environment import environment

app = typer.Typer(
    name="mdf",
    help="Curate training data at scale, and know where every record and every second went.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(runs_app, name="runs")
app.add_typer(metrics_app, name="metrics")
app.add_typer(export_app, name="export")

Config = Annotated[Path, typer.Option("--config", "-c", help="Pipeline configuration, a YAML file.", metavar="FILE")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Override a key, such as executor.batch_size=500; may be repeated.", metavar="KEY=VALUE"
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mdf {mega_data_factory.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Curate training data at scale, and know where every record and every second went."""


@app.command("run")
def _run(
    config: Config,
    engine: Annotated[str | None, typer.Option(help="local or ray; overrides executor.engine.")] = None,
    max_samples: Annotated[
        int | None, typer.Option(help="Read only the first N records of the source.", metavar="N")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Records per batch.", metavar="N")] = None,
    overrides: Set = None,
    run_id: Annotated[
        str | None, typer.Option(help="Name of the run; generated (timestamp and random suffix) if omitted.")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(help="Resume a killed or failed run: its id, a prefix, or latest.", metavar="RUN"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")] = False,
    as_json: Json = False,
) -> int:
    """Run a pipeline, write its metrics and report whether the books balance."""
    with (
        no_collection(),
        environment(PYDANTIC_DISABLE_PLUGINS="__all__"),
    ):  # it would look through all installed packages for some
        from mega_data_factory.cli.commands.pipeline.run import run

    flags = {"engine": engine, "max_samples": max_samples, "batch_size": batch_size}
    given = [f"executor.{key}={value}" for key, value in flags.items() if value is not None]
    return run(config, [*(overrides or []), *given], run_id=run_id, resume=resume, quiet=quiet, as_json=as_json)


@app.command("plan")
def _plan(config: Config, overrides: Set = None, as_json: Json = False) -> int:
    """Show what would run: operators with their parameters, worker pools, and whether they fit this machine."""
    from mega_data_factory.cli.commands.pipeline.plan import plan

    return plan(config, overrides or [], as_json=as_json)


@app.command("nodes")
def _nodes(
    run: Annotated[str, typer.Option("--run", help="Run id, a prefix of it, or `latest`.", metavar="RUN")] = "latest",
    metrics: Metrics = DEFAULT,
    watch: Annotated[
        bool | None,
        typer.Option(
            "--watch/--once", help="Update until the run has ended, or show once; a terminal updates by default."
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Show the machines of a run: CPU, memory, disk, network, batches held, and their health."""
    from mega_data_factory.cli.commands.views.nodes import show_nodes

    return show_nodes(metrics, run, watch=watch, as_json=as_json)


@app.command("report")
def _write_report(
    run: Annotated[str, typer.Argument(help="Run id, a prefix of it, or `latest`.", metavar="RUN")] = "latest",
    metrics: Metrics = DEFAULT,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="Output file; report_{run}.html by default.", metavar="FILE|URI"),
    ] = None,
    samples: Annotated[
        bool, typer.Option("--samples", help="Show content of rejected and kept records, which may be sensitive.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            help="Compare with this run, or with the last N (last:10); by default with the previous run.",
            metavar="RUN|last:N",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Write a run as one HTML file that opens offline, and say what stands out in it."""
    from mega_data_factory.cli.commands.views.report import report

    return report(metrics, run, output, samples=samples, against=against, as_json=as_json)


@app.command("whatif")
def _whatif(
    run: Annotated[str, typer.Argument(help="Run id, a prefix of it, or `latest`.", metavar="RUN")] = "latest",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Another value of a threshold; may be repeated. Without a value, the one to look for.",
            metavar="STAGE.OPERATOR.PARAM[=VALUE]",
        ),
    ] = None,
    target_pass_rate: Annotated[
        float | None,
        typer.Option(help="Find the value that passes this share of the records, 0 to 1.", metavar="SHARE"),
    ] = None,
    of: Annotated[
        str, typer.Option(help="What the share is of: the records of its operator, or of the pipeline.")
    ] = "operator",
    metrics: Metrics = DEFAULT,
    as_json: Json = False,
) -> int:
    """Say what other thresholds of filters would do to a run, without running anything."""
    from mega_data_factory.cli.commands.records.whatif import whatif

    return whatif(metrics, run, settings or [], target=target_pass_rate, of=of, as_json=as_json)


@app.command("rejects")
def _rejects(
    run: Annotated[str, typer.Argument(help="Run id, a prefix of it, or `latest`.", metavar="RUN")] = "latest",
    metrics: Metrics = DEFAULT,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Find the records where this pipeline keeps them.", metavar="FILE"),
    ] = None,
    stage: Annotated[str | None, typer.Option(help="Only records rejected in this stage.", metavar="NAME")] = None,
    operator: Annotated[str | None, typer.Option(help="Only those of this operator.", metavar="NAME")] = None,
    reason: Annotated[str | None, typer.Option(help="Only those rejected for this reason.", metavar="NAME")] = None,
    in_slice: Annotated[str | None, typer.Option("--slice", help="Only those of this slice.", metavar="NAME")] = None,
    score_between: Annotated[
        tuple[float, float] | None, typer.Option(help="Only those with a score from A to B.", metavar="A B")
    ] = None,
    around: Annotated[
        int | None,
        typer.Option(
            min=1, max=100_000, help="Show the N records of each rule that are nearest to its threshold.", metavar="N"
        ),
    ] = None,
    export: Annotated[
        str | None, typer.Option(help="Write the records to FILE: .parquet, .jsonl or .csv.", metavar="FILE|URI")
    ] = None,
    as_json: Json = False,
) -> int:
    """Count the rejected records of a run that kept all of them; show those near a threshold, or export them."""
    from mega_data_factory.cli.commands.records.rejects import rejects
    from mega_data_factory.rejects import RejectFilter

    only = RejectFilter(stage, operator, reason, in_slice, score_between=score_between)
    return rejects(metrics, run, only, config=config, around=around, export=export, as_json=as_json)


@app.command("trace")
def _trace(
    run: Annotated[str, typer.Argument(help="Run id, a prefix of it, or `latest`.", metavar="RUN")],
    record_id: Annotated[str, typer.Argument(help="The record, as in the column `record_id`.", metavar="RECORD_ID")],
    metrics: Metrics = DEFAULT,
    as_json: Json = False,
) -> int:
    """Show every operator that a record passed or was rejected by, and the file that it is in now."""
    from mega_data_factory.cli.commands.records.trace import trace_record

    return trace_record(metrics, run, record_id, as_json=as_json)


@app.command("dashboard")
def _dashboard(
    metrics: Metrics = DEFAULT,
    host: Annotated[str, typer.Option(help="Address to listen on; any but loopback needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.")] = 8050,
    token: Annotated[
        str | None,
        typer.Option(help="Token that browsers must send; MDF_DASHBOARD_TOKEN of the environment by default."),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Option("--name", help="Host name that a proxy serves it under; may be repeated.", metavar="HOST"),
    ] = None,
) -> int:
    """Show all runs in the browser, finished and in progress, until Ctrl-C."""
    from mega_data_factory.cli.commands.views.dashboard import dashboard

    return dashboard(metrics, host=host, port=port, token=token, names=names or [])


@app.command("validate")
def _validate(
    file: Annotated[Path | None, typer.Argument(help="The file, in place of --config.", metavar="FILE")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Pipeline configuration, a YAML file.", metavar="FILE")
    ] = None,
    overrides: Set = None,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Print the configuration in today's form, without its comments.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Check a configuration: every key, every name, every parameter."""
    from mega_data_factory.cli.commands.pipeline.validate import validate

    given = [path for path in (file, config) if path is not None]
    if len(given) != 1:
        raise typer.BadParameter("give one file, as FILE or with --config", param_hint="FILE")
    return validate(given[0], overrides or [], upgrade=upgrade, as_json=as_json)


@app.command("operators")
def _operators(
    name: Annotated[str | None, typer.Argument(help="A loader, operator or writer, or your own module:Class.")] = None,
    as_json: Json = False,
) -> int:
    """List the built-in loaders, operators and writers; with NAME, the parameters of one."""
    from mega_data_factory.cli.commands.pipeline.operators import operators

    return operators(name, as_json=as_json)


@app.command("plot")
def _plot(
    kind: Annotated[str, typer.Argument(help="node, cluster, heatmap or correlation.", metavar="KIND")],
    output: Annotated[
        str, typer.Option("--output", "-o", help="Output file: .html, .png, .svg, .pdf or .json.", metavar="FILE")
    ],
    run: Annotated[str, typer.Option(help="Run id, a prefix of it, or `latest`.", metavar="RUN")] = "latest",
    metrics: Metrics = DEFAULT,
    node: Annotated[
        list[str] | None, typer.Option(help="Only this node; may be repeated. All by default.", metavar="NODE")
    ] = None,
    last: Annotated[str | None, typer.Option(help="Only the end of the run: 30s, 5m, 1h.", metavar="AGE")] = None,
    timezone: Annotated[
        str, typer.Option(help="Clock of the plot: UTC, local, or a name such as Europe/Berlin.", metavar="ZONE")
    ] = "UTC",
    dark: Annotated[bool, typer.Option("--dark", help="Use the dark theme.")] = False,
    as_json: Json = False,
) -> int:
    """Plot the nodes of a run: metrics over time, the cluster, a heat map of its load, or correlations."""
    from mega_data_factory.cli.commands.views.plot import plot

    return plot(metrics, kind, run, output, nodes=node, last=last, timezone=timezone, dark=dark, as_json=as_json)
