"""Configuration of exporters: the sections below `executor.metrics` that send metrics to other systems."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from mega_data_factory.framework.config.mistakes import Key
from mega_data_factory.framework.config.section import Section
from mega_data_factory.http import http_headers, http_url

Seconds = Annotated[float, Field(ge=0.1)]
Text = Annotated[str, Field(coerce_numbers_to_str=True)]  # a key of digits is a text, and no error prints it
Labels = tuple[Literal["run_id", "worker_id"], ...]
Address = Annotated[str, AfterValidator(http_url)]
Headers = Annotated[dict[str, Text], AfterValidator(http_headers)]


class ExporterSpec(NamedTuple):
    """An exporter as the registry finds it.

    Attributes:
        where: key in the configuration.
        name: short name or `module:Class`.
        params: parameters of its constructor.
    """

    where: Key
    name: str
    params: dict[str, Any]


class PrometheusConfig(Section):
    """Metrics for Prometheus: a scrape target (`port`), or pushed to a Pushgateway (`pushgateway`)."""

    host: str = "127.0.0.1"
    """Address that the scrape target listens on; the default is reached from this machine only."""
    port: Annotated[int, Field(ge=0, le=65535)] = 9464
    """Port of the scrape target, `http://host:port/metrics`; 0 takes a free one, which the log names."""
    pushgateway: Address | None = None
    """Address of a Pushgateway, `http://host:9091`, in place of a scrape target; may hold `user:password@`."""
    job: str = "mdf"
    """Label `job` of the pushed metrics."""
    instance: str | None = None
    """Label `instance` of the pushed metrics; the name of the machine when absent."""
    interval: Seconds | None = None
    """Seconds from one snapshot to the next; 5, and 15 with a Pushgateway, when absent."""
    linger: Annotated[float, Field(ge=0, le=600)] = 0.0
    """Seconds that the final values stay after the run, so that a last scrape finds them; the end of the run waits."""
    labels: Labels = ()
    """Labels without a bound on their values: `run_id`, `worker_id`; for few runs and workers only."""

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> PrometheusConfig:
        given = self.model_fields_set
        if self.pushgateway is not None and (served := given & {"host", "port"}):
            raise ValueError(f"give either {' and '.join(sorted(served))} or pushgateway, not both")
        if self.pushgateway is None and (pushed := given & {"job", "instance"}):
            raise ValueError(
                f"without a pushgateway, leave out {' and '.join(sorted(pushed))}: Prometheus says it itself"
            )
        return self

    def exporter(self) -> ExporterSpec:
        """Return the exporter that is asked for."""
        served, pushed = {"host", "port"}, {"pushgateway", "job", "instance"}
        params = self.model_dump(mode="json", exclude=pushed if self.pushgateway is None else served)
        if self.interval is None:
            del params["interval"]
        if self.pushgateway is None:
            return ExporterSpec(("executor", "metrics", "prometheus"), "prometheus_exporter", params)
        params["url"] = params.pop("pushgateway")
        return ExporterSpec(("executor", "metrics", "prometheus"), "pushgateway_exporter", params)


class OtlpConfig(Section):
    """Metrics and a trace of the run for an OpenTelemetry receiver, over OTLP/HTTP.

    What is absent here is read from the environment (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME` …).
    """

    endpoint: Address | None = None
    """Base address of the receiver; `/v1/metrics` and `/v1/traces` are added. `http://localhost:4318` by default."""
    headers: Headers = Field(default={})
    """Sent with every request, such as an API key; kept out of the metrics."""
    interval: Seconds = 15.0
    """Seconds from one request to the next."""
    timeout: Seconds | None = None
    """Seconds of silence after which a request fails; 5 by default."""
    compression: Literal["gzip", "none"] | None = None
    """Compression of requests; `gzip` by default."""
    traces: bool = True
    """Whether the run, its stages and operators are sent as a trace when the run has ended."""
    resource: dict[str, Text] = Field(default={})
    """Further attributes of the resource, such as `deployment.environment.name`."""
    labels: Labels = ()
    """Attributes without a bound on their values: `run_id`, `worker_id`; for few runs and workers only."""

    def exporter(self) -> ExporterSpec:
        """Return the exporter that is asked for."""
        return ExporterSpec(("executor", "metrics", "otlp"), "otlp_exporter", self.model_dump(mode="json"))


class MlflowConfig(Section):
    """The run as a run of MLflow: its configuration, its metrics over time, its report."""

    tracking_uri: str | None = None
    """Tracking server (`http://host:5000`) or database (`sqlite:///mlflow.db`); `MLFLOW_TRACKING_URI` by default."""
    experiment: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    """Experiment, created if missing; `MLFLOW_EXPERIMENT_NAME`, else the name of the pipeline by default."""
    interval: Seconds = 15.0
    """Seconds from one request to the next."""
    report: bool = True
    """Whether the HTML report is uploaded when the run has ended."""
    tags: dict[str, Text] = Field(default={})
    """Further tags of the run."""

    def exporter(self) -> ExporterSpec:
        """Return the exporter that is asked for."""
        return ExporterSpec(("executor", "metrics", "mlflow"), "mlflow_exporter", self.model_dump(mode="json"))


class OpenLineageConfig(Section):
    """Lineage of the run for an OpenLineage server, such as Marquez, or a file.

    Without `url` and `file` the environment decides (`OPENLINEAGE_URL`, `OPENLINEAGE_CONFIG` …).
    """

    url: Address | None = None
    """Base address of the server, `http://marquez:5000`."""
    file: str | None = None
    """Local file that events are appended to, one a line, in place of a server."""
    endpoint: str = "api/v1/lineage"
    """Path below the address."""
    api_key: Text | None = None
    """Sent as a bearer token; kept out of the metrics."""
    headers: Headers = Field(default={})
    """Sent with every request; kept out of the metrics."""
    namespace: Annotated[str, Field(min_length=1)] | None = None
    """Namespace of the job; `OPENLINEAGE_NAMESPACE`, else `default`, by default."""
    job: Annotated[str, Field(min_length=1)] | None = None
    """Name of the job; the name of the pipeline by default."""
    inputs: tuple[str, ...] = ()
    """Locations that the run reads and this file does not name: paths or URIs."""
    outputs: tuple[str, ...] = ()
    """Locations that the run writes and this file does not name: paths or URIs."""
    interval: Seconds = 60.0
    """Seconds from one RUNNING event to the next."""
    timeout: Seconds = 5.0
    """Seconds of silence after which a request fails."""

    @model_validator(mode="after")
    def _one_target(self) -> OpenLineageConfig:
        if self.url is not None and self.file is not None:
            raise ValueError("give either url or file, not both")
        return self

    def exporter(self) -> ExporterSpec:
        """Return the exporter that is asked for."""
        where = ("executor", "metrics", "openlineage")
        return ExporterSpec(where, "open_lineage_exporter", self.model_dump(mode="json"))


class ExporterConfig(Section):
    """An exporter of your own."""

    name: str
    """Your `module:Class`, which implements `mega_data_factory.framework.metrics.live.exporting.Exporter`."""
    params: dict[str, Any] = Field(default={})
    """Parameters of its constructor."""
