"""`mdf export`: hand the metrics over to programs that people have already."""

from __future__ import annotations

from typing import Annotated

import typer

from mega_data_factory.cli.options import DEFAULT, Json, Metrics

export_app = typer.Typer(
    help="Hand the metrics over to other programs.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@export_app.command("superset")
def _superset(
    metrics: Metrics = DEFAULT,
    output: Annotated[
        str, typer.Option("--output", "-o", help="The bundle to write, which Superset imports.", metavar="ZIP")
    ] = "pipeline_metrics.zip",
    duckdb: Annotated[
        str | None,
        typer.Option(
            help="The DuckDB file to write, through which Superset reads; metrics.duckdb in the metrics folder "
            "when not given.",
            metavar="FILE",
        ),
    ] = None,
    uri: Annotated[
        str | None,
        typer.Option(
            help="SQLAlchemy's name of that file where Superset runs, when that is not here, as in a container.",
            metavar="URI",
        ),
    ] = None,
    setup: Annotated[
        str | None,
        typer.Option(help="Also write what an installation of Superset needs into this folder.", metavar="DIR"),
    ] = None,
    as_json: Json = False,
) -> int:
    """Write a dashboard for Superset, and the DuckDB file through which it reads the metrics as they are now."""
    from mega_data_factory.cli.display.console import stdout
    from mega_data_factory.cli.failures import SUCCESS, print_json
    from mega_data_factory.exports.superset import uri_of, write_bundle, write_setup, write_views
    from mega_data_factory.storage import join

    views = write_views(metrics, duckdb or join(metrics, "metrics.duckdb"))
    address = uri or uri_of(views)
    write_bundle(output, address)
    files = [str(path) for path in write_setup(setup)] if setup is not None else []
    if as_json:
        print_json({"metrics": metrics, "bundle": output, "duckdb": str(views), "uri": address, "setup": files})
        return SUCCESS
    console = stdout()
    console.print(f"{output}: the bundle for Superset to import; new runs appear without importing again")
    console.print(f"{views}: the views that it reads through, as {address}")
    for file in files:
        console.print(file)
    return SUCCESS


@export_app.command("grafana")
def _grafana(
    output: Annotated[
        str, typer.Option("--output", "-o", help="The dashboard to write, which Grafana imports.", metavar="JSON")
    ] = "mega-data-factory.json",
    rules: Annotated[
        str | None,
        typer.Option(help="Also write the rules for alerts, which Prometheus reads (rule_files).", metavar="YAML"),
    ] = None,
    as_json: Json = False,
) -> int:
    """Write the Grafana dashboard over the metrics that runs give to Prometheus, and the rules for its alerts."""
    from mega_data_factory.cli.display.console import stdout
    from mega_data_factory.cli.failures import SUCCESS, UsageError, print_json
    from mega_data_factory.exports import grafana
    from mega_data_factory.storage import atomic_output

    if rules == output:
        raise UsageError(f"--output and --rules are both {output}", hint="give each a file of its own")
    for path, text in ((output, grafana.dashboard()), (rules, grafana.rules())):
        if path is not None:
            with atomic_output(path) as file:
                file.write(text.encode())
    if as_json:
        print_json({"dashboard": output, "rules": rules})
        return SUCCESS
    console = stdout()
    console.print(f"{output}: the dashboard; in Grafana: Dashboards, New, Import")
    if rules is not None:
        console.print(f"{rules}: the rules; name the file under rule_files in prometheus.yml")
    return SUCCESS


@export_app.command("openlineage")
def _openlineage(
    run: Annotated[str, typer.Argument(help="Run id, a prefix of it, or `latest`.", metavar="RUN")] = "latest",
    metrics: Metrics = DEFAULT,
    url: Annotated[
        str | None, typer.Option(help="The server, http://marquez:5000; else what OPENLINEAGE_URL says.", metavar="URL")
    ] = None,
    file: Annotated[
        str | None, typer.Option(help="A file to append the events to instead, one a line.", metavar="FILE")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(help="The namespace of the job; OPENLINEAGE_NAMESPACE by default.", metavar="NAME")
    ] = None,
    job: Annotated[
        str | None, typer.Option(help="The name of the job; that of the pipeline by default.", metavar="NAME")
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            help="What the run read, where its configuration does not say; may be repeated.",
            metavar="LOCATION",
        ),
    ] = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            help="What the run wrote, where its configuration does not say; may be repeated.",
            metavar="LOCATION",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Send the lineage of a stored run to OpenLineage: for observed runs, killed runs, and runs of the past."""
    from mega_data_factory import extras
    from mega_data_factory.cli.display.console import stdout
    from mega_data_factory.cli.failures import SUCCESS, UsageError, print_json
    from mega_data_factory.cli.metrics_folder import open_store
    from mega_data_factory.redaction import without_credentials

    extras.require("openlineage", "mdf export openlineage")
    from mega_data_factory.exports.openlineage.delivery import Delivery, Target
    from mega_data_factory.exports.openlineage.events import Naming
    from mega_data_factory.exports.openlineage.exporter import job_namespace
    from mega_data_factory.exports.openlineage.stored import send_stored_run

    try:
        delivery = Delivery(Target(url, file))
    except ValueError as error:
        raise UsageError(str(error), hint="--url http://marquez:5000, or --file events.jsonl") from None
    if not all(place.strip() for place in (*(inputs or ()), *(outputs or ()))):
        raise UsageError("--input and --output name a dataset, not nothing", hint="a path or URI: s3://lake/raw")
    naming = Naming(job_namespace(namespace), job, tuple(inputs or ()), tuple(outputs or ()))
    reader = open_store(metrics)
    run_id = reader.run(run)["run_id"]
    sent = send_stored_run(reader, run_id, delivery, naming)
    delivery.close(5.0)
    if as_json:
        print_json({"run_id": run_id, "sent": sent})
        return SUCCESS
    target = without_credentials(url or file or "what the environment names")
    stdout().print(f"{run_id}: sent {' and '.join(sent)} to {target}")
    return SUCCESS
