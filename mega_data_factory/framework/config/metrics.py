"""Configuration of metrics and exporters: the sections below `executor.metrics`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from mega_data_factory.framework.config.mistakes import Key
from mega_data_factory.framework.config.section import Section
from mega_data_factory.framework.metrics.upkeep.retention import Retention
from mega_data_factory.http import http_headers, http_url

Seconds = Annotated[float, Field(ge=0.1)]
Text = Annotated[str, Field(coerce_numbers_to_str=True)]  # a key of digits is a text, and no error prints it
Name = Annotated[str, Field(min_length=1)]
Labels = tuple[Literal["run_id", "worker_id"], ...]


def _not_all_the_time(seconds: float) -> float:
    if 0 < seconds < 0.1:
        raise ValueError("should be 0 (never) or at least 0.1")
    return seconds


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = [name for at, name in enumerate(names) if name in names[:at]]
    if twice:
        raise ValueError(f"{twice[0]!r} is there twice")
    return names


NodeSeconds = Annotated[float, Field(ge=0, le=86_400), AfterValidator(_not_all_the_time)]


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


class RetentionConfig(Section):
    """Limits of the metrics folder; runs beyond them are removed after each run. Without limits all stay."""

    max_age: str | None = None
    """Remove runs that were last heard of longer ago: a number and `s`, `m`, `h`, `d` or `w`, such as `90d`."""
    max_runs: Annotated[int, Field(ge=1)] | None = None
    """Number of newest runs to keep."""
    max_bytes: int | str | None = None
    """Keep the newest runs whose files are so large together: bytes, or text such as `2GB`."""

    @model_validator(mode="after")
    def _check(self) -> RetentionConfig:
        self.limits()
        return self

    def limits(self) -> Retention:
        """Return the limits as numbers; ValueError where one is not an age or a size."""
        return Retention.parse(self.max_age, self.max_runs, self.max_bytes)


Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class NodePriceConfig(Section):
    """Prices of some nodes, in place of those of all."""

    node_hour: Price | None = None
    """A whole node for an hour; then the other prices do not count."""
    cpu_hour: Price | None = None
    """A core for an hour."""
    gpu_hour: Price | None = None
    """A GPU for an hour."""
    memory_gb_hour: Price | None = None
    """A gigabyte of memory for an hour."""

    @model_validator(mode="after")
    def _some_price(self) -> NodePriceConfig:
        if not any(price is not None for price in (self.node_hour, self.cpu_hour, self.gpu_hour, self.memory_gb_hour)):
            raise ValueError("give a price: node_hour, cpu_hour, gpu_hour or memory_gb_hour")
        return self


class PricesConfig(Section):
    """Prices of what runs use, so that their cost can be shown. Without prices there are no costs."""

    currency: Annotated[str, Field(min_length=1, max_length=10)] = "USD"
    """Currency of all prices, as text."""
    cpu_hour: Price | None = None
    """A core for an hour."""
    gpu_hour: Price | None = None
    """A GPU for an hour."""
    memory_gb_hour: Price | None = None
    """A gigabyte (10^9 bytes) of memory for an hour."""
    nodes: dict[str, NodePriceConfig] = Field(default={})
    """Prices by node type: a pattern of host names (`gpu-*`) and its prices; the first that matches counts."""

    @model_validator(mode="after")
    def _some_price(self) -> PricesConfig:
        if not self.nodes and all(price is None for price in (self.cpu_hour, self.gpu_hour, self.memory_gb_hour)):
            raise ValueError("give a price: cpu_hour, gpu_hour, memory_gb_hour, or nodes")
        return self


class PrometheusConfig(Section):
    """Metrics for Prometheus: a scrape target (`port`), or pushed to a Pushgateway (`pushgateway`)."""

    host: str = "127.0.0.1"
    """Address that the scrape target listens on; the default is reached from this machine only."""
    port: Annotated[int, Field(ge=0, le=65535)] = 9464
    """Port of the scrape target, `http://host:port/metrics`; 0 takes a free one, which the log names."""
    pushgateway: str | None = None
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

    @field_validator("pushgateway")
    @classmethod
    def _check_address(cls, value: str | None) -> str | None:
        return None if value is None else http_url(value)

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

    endpoint: str | None = None
    """Base address of the receiver; `/v1/metrics` and `/v1/traces` are added. `http://localhost:4318` by default."""
    headers: dict[str, Text] = Field(default={})
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

    @field_validator("endpoint")
    @classmethod
    def _check_address(cls, value: str | None) -> str | None:
        return None if value is None else http_url(value)

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, value: dict[str, str]) -> dict[str, str]:
        return http_headers(value)

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

    url: str | None = None
    """Base address of the server, `http://marquez:5000`."""
    file: str | None = None
    """Local file that events are appended to, one a line, in place of a server."""
    endpoint: str = "api/v1/lineage"
    """Path below the address."""
    api_key: Text | None = None
    """Sent as a bearer token; kept out of the metrics."""
    headers: dict[str, Text] = Field(default={})
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

    @field_validator("url")
    @classmethod
    def _check_address(cls, value: str | None) -> str | None:
        return None if value is None else http_url(value)

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, value: dict[str, str]) -> dict[str, str]:
        return http_headers(value)

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


@dataclass(frozen=True)
class MetricsConfig:
    """Metrics of a run: what is measured, and where it is stored.

    Attributes:
        enabled: Enable metrics.
        output_path: Folder that the metrics are written to.
        collect_custom_metrics: Keep what operators report with `Operator.report` in the `custom_metrics` column.
        write_on_completion: Write the metrics during the run and when it ends; when false, only
            `Executor.write_metrics` writes them, without samples over time.
        flush_interval: Seconds from one write to the next, and length of the intervals of samples: what a kill costs.
        node_interval: Seconds from one sample of every node (CPU, memory, disk …) to the next; 0 or null takes none.
        text_column: Column whose bytes of text are counted, in and out of every operator.
        token_column: Column that holds the number of tokens of each record, such as that of `token_count_refiner`;
            tokens are then counted in and out of every operator.
        column_statistics: Measure the columns of the output: nulls, distinct values, quantiles, in the table `columns`.
        score_histograms: Keep the distribution of the scores that filters compare to thresholds, for `mdf whatif`.
        slice_by: What pass rates, reasons and errors are also counted by: names of columns, `source_file()` or
            `domain(url)`, which is the host of the URL in a column.
        max_slices: Slices of each that have rows of their own, the heaviest; the others are one row.
        redact: Keys of this file whose values are kept out of the metrics, beside those that look secret: patterns with
            `*`.
        retention: Which runs stay in the folder.
        generate_report: Write the HTML report of the run beside its metrics, in `reports/`, when `mdf run` has ended.
        prices: Prices of what the run uses, for its cost.
        prometheus: Metrics for Prometheus during the run.
        otlp: Metrics and a trace for an OpenTelemetry receiver.
        mlflow: The run as a run of MLflow.
        openlineage: Lineage of the run for an OpenLineage server or a file.
        exporters: Exporters of your own.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    enabled: bool = True
    output_path: str = "./metrics"
    collect_custom_metrics: bool = False
    write_on_completion: bool = True
    flush_interval: Annotated[float, Field(ge=0.1)] = 5.0
    node_interval: NodeSeconds | None = 1.0
    text_column: Name = "text"
    token_column: Name | None = None
    column_statistics: bool = True
    score_histograms: bool = True
    slice_by: Annotated[tuple[Name, ...], Field(max_length=8), AfterValidator(_distinct)] = ()
    max_slices: Annotated[int, Field(ge=1, le=1000)] = 50
    redact: tuple[str, ...] = ()
    retention: RetentionConfig = RetentionConfig()  # noqa: RUF009 - frozen
    generate_report: bool = False
    prices: PricesConfig | None = None
    prometheus: PrometheusConfig | None = None
    otlp: OtlpConfig | None = None
    mlflow: MlflowConfig | None = None
    openlineage: OpenLineageConfig | None = None
    exporters: tuple[ExporterConfig, ...] = ()

    def exporter_specs(self) -> list[ExporterSpec]:
        """Return the exporters that are asked for; none where nothing is measured."""
        if not self.enabled:
            return []
        sections = self.prometheus, self.otlp, self.mlflow, self.openlineage
        found = [section.exporter() for section in sections if section]
        for number, own in enumerate(self.exporters):
            found.append(ExporterSpec(("executor", "metrics", "exporters", number), own.name, own.params))
        return found
